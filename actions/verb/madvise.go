package verb

import (
	"fmt"
	"math"

	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var sysMadvise = number(28, 233)

// Advice that takes memory out of a file, or can take much at once.
const (
	adviceRemove       = 9
	adviceCollapse     = 25
	adviceGuardInstall = 102
)

// Advice that takes frames from the whole machine (madvise(2)): cowscope never gives it.
const (
	adviceHwpoison    = 100
	adviceSoftOffline = 101
)

// Advices are the MADV_ values of madvise(2), with the kernel's numbers
// (include/uapi/asm-generic/mman-common.h). hwpoison and soft_offline are left out: they harm the
// machine.
var Advices = []Constant{
	{"normal", "MADV_NORMAL", 0, "no special treatment"},
	{"random", "MADV_RANDOM", 1, "expect random access: no reading ahead"},
	{"sequential", "MADV_SEQUENTIAL", 2, "expect access in order"},
	{"willneed", "MADV_WILLNEED", 3, "read ahead now"},
	{"dontneed", "MADV_DONTNEED", 4, "drop the pages: the next touch brings in new ones"},
	{"free", "MADV_FREE", 8, "the pages may be dropped when memory is short"},
	{"remove", "MADV_REMOVE", adviceRemove, "punch a hole into shared memory"},
	{"dontfork", "MADV_DONTFORK", 10, "a child does not get the range"},
	{"dofork", "MADV_DOFORK", 11, "undo dontfork"},
	{"mergeable", "MADV_MERGEABLE", 12, "KSM may merge equal pages"},
	{"unmergeable", "MADV_UNMERGEABLE", 13, "undo mergeable"},
	{"hugepage", "MADV_HUGEPAGE", 14, "use huge pages where possible"},
	{"nohugepage", "MADV_NOHUGEPAGE", 15, "use no huge pages"},
	{"dontdump", "MADV_DONTDUMP", 16, "leave it out of core dumps"},
	{"dodump", "MADV_DODUMP", 17, "undo dontdump"},
	{"wipeonfork", "MADV_WIPEONFORK", 18, "a child finds zeros"},
	{"keeponfork", "MADV_KEEPONFORK", 19, "undo wipeonfork"},
	{"cold", "MADV_COLD", 20, "not needed soon"},
	{"pageout", "MADV_PAGEOUT", 21, "swap it out now"},
	{"populate_read", "MADV_POPULATE_READ", 22, "fault all pages in for reading"},
	{"populate_write", "MADV_POPULATE_WRITE", 23, "fault all pages in for writing"},
	{"dontneed_locked", "MADV_DONTNEED_LOCKED", 24, "dontneed, locked pages too"},
	{"collapse", "MADV_COLLAPSE", adviceCollapse, "make huge pages of it now"},
	{"guard_install", "MADV_GUARD_INSTALL", adviceGuardInstall, "any touch is SIGSEGV from now on"},
	{"guard_remove", "MADV_GUARD_REMOVE", 103, "undo guard_install"},
}

var paramAdvice = lang.Param{Name: "advice", Kind: lang.KindConstant, Default: "dontneed", Max: math.MaxUint32, Words: words(Advices), Help: "one word of the man page, or its number"}

var madviseAction = Action{
	Verb:   lang.Verb{Name: "madvise", Summary: "tell the kernel what a range will be used for", Params: []lang.Param{ParamRange, paramAdvice}},
	Calls:  []uintptr{sysMadvise},
	Flags:  Advices,
	Fields: []uint64{math.MaxUint64},
	Run:    runMadvise,
}

func runMadvise(c *Call) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	advice, name := c.Args.Flags, c.Args.Names // one word or number, by the grammar
	c.Call = fmt.Sprintf("madvise(0x%x, %d, %s)", r.Start, r.Len(), name)
	if !c.mayAdvise(r, advice) {
		return nil
	}
	c.focus(r)
	c.Removed = advice == adviceRemove
	_, _, err = c.syscall(sysMadvise, r.Start, r.Len(), advice)
	return err
}

// mayAdvise reports whether the advice is harmless to the machine, and whether the memory that it
// needs at once fits the limit.
func (c *Call) mayAdvise(r vmspace.Range, advice uint64) bool {
	if advice == adviceHwpoison || advice == adviceSoftOffline {
		c.refuse("hwpoison (%d) and soft_offline (%d) take frames away from the whole machine, and cowscope never gives such advice.", adviceHwpoison, adviceSoftOffline)
		return false
	}
	return (advice != adviceGuardInstall || c.mayMark(r, "guard pages")) && (advice != adviceCollapse || c.mayCollapse(r))
}
