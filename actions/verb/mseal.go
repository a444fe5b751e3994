package verb

import (
	"fmt"

	"cowscope/actions/lang"
)

var sysMseal = number(462, 462)

var msealAction = Action{
	Verb:  lang.Verb{Name: "mseal", Summary: "forbid for ever to unmap, move or reprotect a range", Params: []lang.Param{ParamRange, paramBits}},
	Calls: []uintptr{sysMseal},
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("mseal(0x%x, %d, %s)", r.Start, r.Len(), c.Args.Names)
		c.focus(r)
		_, _, err = c.syscall(sysMseal, r.Start, r.Len(), c.Args.Flags)
		return err
	},
}
