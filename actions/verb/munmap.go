package verb

import (
	"cowscope/actions/lang"
)

var sysMunmap = number(11, 215)

var munmapAction = Action{
	Verb:  lang.Verb{Name: "munmap", Summary: "unmap a range of addresses; part of a mapping splits it", Params: []lang.Param{ParamRange}},
	Reach: reaches(ReachMappings),
	Calls: []uintptr{sysMunmap},
	Run:   func(c *Call) error { return c.onRange("munmap", sysMunmap, "") },
}
