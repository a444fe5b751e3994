package actions

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Advice that can take much memory at once.
const (
	adviceCollapse     = 25
	adviceGuardInstall = 102
)

// advices are the MADV_ values of madvise(2), with the kernel's numbers (include/uapi/asm-generic/mman-common.h). hwpoison and
// soft_offline are left out: they harm the machine.
var advices = []constant{
	{"normal", "MADV_NORMAL", 0, "no special treatment"},
	{"random", "MADV_RANDOM", 1, "expect random access: no reading ahead"},
	{"sequential", "MADV_SEQUENTIAL", 2, "expect access in order"},
	{"willneed", "MADV_WILLNEED", 3, "read ahead now"},
	{"dontneed", "MADV_DONTNEED", 4, "drop the pages: the next touch starts anew"},
	{"free", "MADV_FREE", 8, "the pages may be dropped when memory is short"},
	{"remove", "MADV_REMOVE", 9, "punch a hole into shared memory"},
	{"dontfork", "MADV_DONTFORK", 10, "a child does not get the range"},
	{"dofork", "MADV_DOFORK", 11, "undo dontfork"},
	{"mergeable", "MADV_MERGEABLE", 12, "KSM may merge equal pages"},
	{"unmergeable", "MADV_UNMERGEABLE", 13, "undo mergeable"},
	{"hugepage", "MADV_HUGEPAGE", 14, "huge pages are welcome"},
	{"nohugepage", "MADV_NOHUGEPAGE", 15, "huge pages are not wanted"},
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

var madviseAction = Action{
	Verb: lang.Verb{Name: "madvise", Summary: "tell the kernel what a range will be used for", Params: []lang.Param{paramRange,
		{Name: "advice", Kind: lang.KindChoice, Default: "dontneed", Words: words(advices), Show: "ADVICE", Help: "one word of the man page"}}},
	calls:   []uintptr{sysMadvise},
	flags:   advices,
	run:     runMadvise,
	why:     explainMadvise,
	reasons: madviseReasons,
}

func runMadvise(c *call) error {
	r, err := c.rangeOf("range")
	if err != nil {
		return err
	}
	advice, name := c.args.flags, c.args.names // one word, by the grammar
	c.Call = fmt.Sprintf("madvise(0x%x, %d, %s)", r.Start, r.Len(), name)
	if advice == adviceGuardInstall && !c.mayMarkGuard(r) || advice == adviceCollapse && !c.mayCollapse(r) {
		return nil
	}
	c.focus(r)
	_, _, err = c.syscall(sysMadvise, r.Start, r.Len(), advice)
	return err
}

// noted is what an advice means where no page shows it.
var noted = map[string]string{
	"dontfork": "A child will not get this range.", "dofork": "A child gets this range again.",
	"wipeonfork": "A child will find zeros here.", "keeponfork": "A child gets the contents again.",
	"dontdump": "A core dump will leave it out.", "dodump": "A core dump has it again.",
	"mergeable": "KSM may merge its pages with equal ones, when it comes by.", "unmergeable": "KSM leaves it alone, and what was merged is parted.",
	"hugepage": "Huge pages are welcome here, at the next fault or when khugepaged comes by.", "nohugepage": "Here are no huge pages from now on.",
	"random": "The kernel will not read ahead.", "sequential": "The kernel will read far ahead.", "normal": "The kernel treats it as any other memory.",
	"willneed": "What was not in memory is being read.", "free": "The pages may be dropped when memory is short; until then they are as they were.",
	"cold": "The pages will be among the first to go when memory is short.", "pageout": "What could be written out was; the rest stays.",
}

func explainMadvise(e *evidence) string {
	st := e.st
	for _, ch := range st.Changes {
		if ch.Process != st.Process || ch.Kind != vmspace.ChangePage {
			continue
		}
		switch ch.Is {
		case vmspace.None:
			return placeRange(st, ch) + ": " + ch.From + " → none. The pages were dropped: the next touch starts anew, with zeros or with what the file holds."
		case vmspace.Guard:
			return placeRange(st, ch) + " is guarded: any touch is SIGSEGV, and no mapping was split for it."
		case vmspace.Swapped:
			return placeRange(st, ch) + " is in swap now: the next touch brings it back."
		}
	}
	advice := e.words[0]
	text := brought(st, advice)
	if text == "" {
		text = noted[advice]
	}
	if text == "" {
		text = "The kernel took note; no page has changed."
	}
	return text + splitText(st)
}

// brought is for advice that faults pages in, or makes huge ones of them.
func brought(st *history.Step, advice string) string {
	n, huge := uint64(0), false
	for _, ch := range st.Changes {
		if ch.Process == st.Process && ch.Kind == vmspace.ChangePage {
			n += ch.Pages
		}
		huge = huge || ch.Kind == vmspace.ChangeAttrs && ch.Attrs&vmspace.Huge != 0
	}
	switch {
	case strings.HasPrefix(advice, "populate") && n > 0:
		return fmt.Sprintf("%s brought in at once, as if each had been touched.", pagesWere(n))
	case strings.HasPrefix(advice, "populate"):
		return "All pages were there already."
	case advice == "collapse" && huge:
		return "The pages were put together in huge ones, now and not when khugepaged comes by."
	case advice == "collapse":
		return "The pages were in huge ones already."
	case advice == "guard_remove" && n > 0:
		return fmt.Sprintf("%s open again: the next touch starts anew.", pagesWere(n))
	}
	return ""
}

func pagesWere(n uint64) string {
	if n == 1 {
		return "1 page was"
	}
	return fmt.Sprintf("%d pages were", n)
}
