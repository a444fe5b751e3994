package verb

import (
	"cowscope/actions/lang"
)

var sysMseal = number(462, 462)

var msealAction = Action{
	Verb:  lang.Verb{Name: "mseal", Summary: "forbid for ever to unmap, move or reprotect a range", Params: []lang.Param{ParamRange, paramBits}},
	Calls: []uintptr{sysMseal},
	Run:   withFlags("mseal", sysMseal),
}
