package actions

import (
	"fmt"

	"cowscope/actions/lang"
)

var munmapAction = Action{
	Verb:  lang.Verb{Name: "munmap", Summary: "unmap a range of addresses; part of a mapping splits it", Params: []lang.Param{paramRange}},
	reach: reaches(reachMappings),
	calls: []uintptr{sysMunmap},
	run: func(c *call) error {
		r, err := c.rangeOf("range")
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("munmap(0x%x, %d)", r.Start, r.Len())
		c.focus(r)
		_, _, err = c.syscall(sysMunmap, r.Start, r.Len())
		return err
	},
}
