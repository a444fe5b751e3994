package verb

import (
	"fmt"

	"cowscope/actions/lang"
)

var sysMseal = number(462, 462)

var msealAction = Action{
	Verb:  lang.Verb{Name: "mseal", Summary: "forbid for ever to unmap, move or reprotect a range", Params: []lang.Param{ParamRange}},
	Calls: []uintptr{sysMseal},
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("mseal(0x%x, %d, 0)", r.Start, r.Len())
		c.focus(r)
		_, _, err = c.syscall(sysMseal, r.Start, r.Len(), 0)
		return err
	},
}
