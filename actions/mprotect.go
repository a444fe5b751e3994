package actions

import (
	"fmt"

	"cowscope/actions/lang"
)

var mprotectAction = Action{
	Verb:  lang.Verb{Name: "mprotect", Summary: "change what is allowed in a range", Params: []lang.Param{paramRange, paramProt}},
	reach: reachUnlessKeyed,
	calls: []uintptr{sysMprotect},
	run: func(c *call) error {
		r, err := c.rangeOf("range")
		if err != nil {
			return err
		}
		prot, _ := c.cmd.Prot("prot")
		c.Call = fmt.Sprintf("mprotect(0x%x, %d, %s)", r.Start, r.Len(), protText(prot))
		c.focus(r)
		_, _, err = c.syscall(sysMprotect, r.Start, r.Len(), uint64(prot))
		if prot == lang.ProtExec {
			c.f.Reread(c.P)
		}
		return err
	},
}
