package actions

import (
	"fmt"

	"cowscope/actions/lang"
)

var mprotectAction = Action{
	Verb: lang.Verb{Name: "mprotect", Summary: "change what is allowed in a range", Params: []lang.Param{paramRange, paramProt}},
	why:  explainMprotect,
	errnos: map[string]string{
		"EINVAL": "the address is not a multiple of the page size",
		"ENOMEM": "part of the range is not mapped, or splitting it would make too many mappings",
		"EACCES": "the mapping may never have this protection",
		"EPERM":  "part of the range is sealed",
	},
	run: func(c *call) error {
		r, err := c.rangeOf("range")
		if err != nil {
			return err
		}
		prot, _ := c.cmd.Prot("prot")
		c.Call = fmt.Sprintf("mprotect(0x%x, %d, %s)", r.Start, r.Len(), protText(prot))
		c.focus(r)
		_, _, err = c.syscall(sysMprotect, r.Start, r.Len(), uint64(prot))
		return err
	},
}
