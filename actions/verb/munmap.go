package verb

import (
	"fmt"

	"cowscope/actions/lang"
)

var sysMunmap = number(11, 215)

var munmapAction = Action{
	Verb:  lang.Verb{Name: "munmap", Summary: "unmap a range of addresses; part of a mapping splits it", Params: []lang.Param{ParamRange}},
	Reach: reaches(ReachMappings),
	Calls: []uintptr{sysMunmap},
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("munmap(0x%x, %d)", r.Start, r.Len())
		c.focus(r)
		_, _, err = c.syscall(sysMunmap, r.Start, r.Len())
		return err
	},
}
