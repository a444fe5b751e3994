package verb

import (
	"cowscope/actions/lang"
)

var sysMsync = number(26, 227)

// msyncFlags are the MS_ flags of msync(2).
var msyncFlags = []Constant{
	{"sync", "MS_SYNC", 4, "wait until it is written"},
	{"async", "MS_ASYNC", 1, "only schedule it"},
	{"invalidate", "MS_INVALIDATE", 2, "other mappings of the file must be read again"},
}

var msyncAction = Action{
	Verb: lang.Verb{Name: "msync", Summary: "write a shared file mapping back to its file", Params: []lang.Param{ParamRange,
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Default: "sync", Words: words(msyncFlags)}, paramIntBits}},
	Calls: []uintptr{sysMsync},
	Flags: msyncFlags,
	Run:   withFlags("msync", sysMsync),
}
