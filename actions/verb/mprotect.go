package verb

import (
	"fmt"

	"cowscope/actions/lang"
)

var sysMprotect = number(10, 226)

var mprotectAction = Action{
	Verb:  lang.Verb{Name: "mprotect", Summary: "change what is allowed in a range", Params: []lang.Param{ParamRange, paramProt}},
	Reach: reachUnlessKeyed,
	Calls: []uintptr{sysMprotect},
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil {
			return err
		}
		prot, _ := c.Cmd.Prot("prot")
		c.Call = fmt.Sprintf("mprotect(0x%x, %d, %s)", r.Start, r.Len(), protText(prot))
		c.focus(r)
		c.F.Reprotected = true
		_, _, err = c.syscall(sysMprotect, r.Start, r.Len(), uint64(prot))
		if prot.Letters() == lang.ProtExec {
			c.F.Reread(c.P)
		}
		return err
	},
}
