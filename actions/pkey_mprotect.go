package actions

import (
	"fmt"

	"cowscope/actions/lang"
)

var pkeyMprotectAction = Action{
	Verb: lang.Verb{Name: "pkey_mprotect", Summary: "change what is allowed in a range, and its protection key",
		Params: []lang.Param{paramRange, paramProt, paramKey}},
	calls: []uintptr{sysPkeyMprotect},
	run: func(c *call) error {
		r, err := c.rangeOf("range")
		if err != nil {
			return err
		}
		prot, _ := c.cmd.Prot("prot")
		key := c.args.Key()
		c.Call = fmt.Sprintf("pkey_mprotect(0x%x, %d, %s, %d)", r.Start, r.Len(), protText(prot), key)
		c.focus(r)
		c.P.Keys.Used = true // a call that is refused can have come to a part of the range
		_, _, err = c.syscall(sysPkeyMprotect, r.Start, r.Len(), uint64(prot), uint64(key))
		c.f.ReadKeys(c.P)
		return err
	},
}
