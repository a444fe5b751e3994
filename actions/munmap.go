package actions

import (
	"fmt"

	"cowscope/actions/lang"
)

var munmapAction = Action{
	Verb: lang.Verb{Name: "munmap", Summary: "unmap a range of addresses; part of a mapping splits it", Params: []lang.Param{paramRange}},
	why:  explainMunmap,
	errnos: map[string]string{
		"EINVAL": "the address is not a multiple of the page size, or the length is 0",
		"ENOMEM": "splitting it would make too many mappings",
		"EPERM":  "part of the range is sealed",
	},
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
