package explain

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What madvise refuses. The rules are those of mm/madvise.c; most are about one advice and one sort
// of mapping.

var madviseReasons = []reason{
	{"EINVAL", "unknown advice", "madvise(2)", func(e *evidence) bool { return !kernel.KnowsAdvice(e.Flags) },
		func(e *evidence) string {
			if since := AdviceSince[e.Names]; since != "" {
				return fmt.Sprintf("this kernel does not know %s (it came with Linux %s, and a kernel can be built without it).", e.Names, since)
			}
			return fmt.Sprintf("this kernel does not know %s.", e.Names)
		}},
	misaligned("madvise(2)"),
	wraps("EINVAL", "mm/madvise.c, madvise_should_skip"),
	unfit("locked", "madvise(2)", "dontneed free cold pageout remove guard_install", flagged("lo"), "is locked (VmFlags lo); munlock it first"),
	unfit("huge pages of the pool", "madvise(2)", "free cold pageout collapse guard_install guard_remove", flagged("ht"),
		"is made of huge pages of the pool (hugetlb), which this advice is not for"),
	unfit("lent by the kernel", "madvise(2)",
		"dontneed dontneed_locked free cold pageout guard_install guard_remove dofork dodump populate_read populate_write",
		flagged("io", "pf"), "is lent by the kernel (VmFlags io or pf), and its pages are no ordinary ones"),
	unfit("special", "mm/madvise.c, madvise_vma_behavior", "guard_install guard_remove dodump", special, "is lent by the kernel (VmFlags de or mm)"),
	unfit("not anonymous", "madvise(2)", "free", backed, "is not private anonymous memory, and only that can be given back lazily"),
	unfit("not private anonymous", "madvise(2)", "wipeonfork", filed, "is not private anonymous memory, and only that can be wiped in a child"),
	unfit("no file", "madvise(2)", "remove", fileless, "has no file to punch a hole into, nor is it shared memory"),
	{"EINVAL", "no whole huge page", "madvise(2)", func(e *evidence) bool {
		blocks, known := e.hugeBlocks()
		return e.has("collapse") && known && len(blocks) == 0
	}, func(e *evidence) string {
		size, _ := e.Number(hugeSize)
		return fmt.Sprintf("no aligned block of %s lies wholly in the range and in one mapping, so there is nothing to make a huge page of.",
			amount.Size(size))
	}},
	unfit("no huge pages wanted", "madvise(2)", "collapse", flagged("nh"), "is not to have huge pages (nohugepage, VmFlags nh)"),
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	{"EINVAL", "empty block", "mm/khugepaged.c, madvise_collapse", func(e *evidence) bool {
		_, ok := e.emptyBlock()
		return ok && e.has("collapse")
	}, func(e *evidence) string {
		at, _ := e.emptyBlock()
		size, _ := e.Number(hugeSize)
		return fmt.Sprintf("the %s at %s have no page yet, and a huge page is made of pages that are there.", amount.Size(size), e.at(at))
	}},
	unfit("not readable", "madvise(2)", "populate_read", without(vmspace.Read), "does not have the letter r"),
	unfit("not writable", "madvise(2)", "populate_write", without(vmspace.Write), "does not have the letter w"),
	{"EINVAL", "protection key", "mm/gup.c, check_vma_flags", func(e *evidence) bool {
		_, ok := e.forbidden(e.whole, e.populated)
		return ok && e.populates()
	}, func(e *evidence) string {
		m, _ := e.forbidden(e.whole, e.populated)
		return e.keyedText(m, e.whole)
	}},
	otherwise("EINVAL", "madvise(2)", "the advice is not for a mapping of this kind."),

	{"EFAULT", "guarded", "madvise(2)", func(e *evidence) bool { _, ok := e.guarded(); return ok && e.populates() },
		func(e *evidence) string {
			addr, _ := e.guarded()
			return fmt.Sprintf("%s is a guard page: a fault there is SIGSEGV.", e.at(addr))
		}},
	{"EFAULT", "past the file", "madvise(2)", func(e *evidence) bool { _, _, ok := e.pastFile(e.whole); return ok && e.populates() },
		func(e *evidence) string {
			addr, size, _ := e.pastFile(e.whole)
			return fmt.Sprintf("the file has %s and ends before %s: a fault there is SIGBUS.", amount.Size(size), e.at(addr))
		}},
	unfitFor("EFAULT", "pool empty", "mmap(2), MAP_HUGETLB", "populate_read populate_write", flagged("ht"),
		"needs a huge page, and the pool gave none"),
	otherwise("EFAULT", "madvise(2)",
		"a fault there is a signal: a page of the range lies past the end of its file, is guarded, or cannot be brought in."),

	unfitFor("EACCES", "not shared and writable", "madvise(2)", "remove",
		func(m vmspace.Mapping) bool { return m.Private() || m.Smaps != nil && !m.Smaps.HasFlag("mw") },
		"is not a shared mapping of a file opened for writing, and a hole is a write"),
	otherwise("EACCES", "madvise(2)", "part of the range is not shared, or its file may not be written."),

	unfitFor("EPERM", "sealed", "mseal(2)", "dontneed dontneed_locked free remove dontfork wipeonfork guard_install", kept,
		"is sealed and may not be written: what drops its contents is refused"),
	otherwise("EPERM", "madvise(2)", "a seal of the mapping or of its file forbids it."),

	{"EBADF", "no file", "madvise(2)", nil, func(*evidence) string {
		return "there is no file to read ahead from, and the kernel was built without swap."
	}},
	{"EOPNOTSUPP", "no holes", "fallocate(2)", nil, func(*evidence) string { return "the file system of this file cannot punch holes." }},
	{"EIO", "device", "madvise(2)", nil, func(*evidence) string { return "the device failed while a page was read or written." }},

	{"EAGAIN", "too many mappings", "mm/madvise.c, madvise_update_vma", func(e *evidence) bool {
		left, _, known := e.room()
		return known && left == 0 && e.cuts(e.whole)
	}, func(e *evidence) string {
		return "a mapping would have to be split, but " + e.crowded() + " (madvise says EAGAIN where other calls say ENOMEM.)"
	}},
	{"EAGAIN", "pages in use", "madvise(2)", func(e *evidence) bool { return e.has("collapse") },
		func(*evidence) string { return "pages of the range are in use just now; another try may succeed." }},
	otherwise("EAGAIN", "madvise(2)", "the kernel was short of something for the moment; another try may succeed."),
	{"EBUSY", "control group", "madvise(2)", nil, func(*evidence) string { return "the control group's memory does not suffice for a huge page." }},

	holeIn("ENOMEM", "madvise(2)"),
	{"ENOMEM", "no huge page", "madvise(2)", func(e *evidence) bool { return e.has("collapse") },
		func(*evidence) string { return "no huge page is free: memory is too full, or in pieces too small." }},
	otherwise("ENOMEM", "madvise(2)", "there was no memory for it."),
}

// unfit is for an advice (one of the words) that a sort of mapping does not take.
func unfit(name, source, words string, bad func(vmspace.Mapping) bool, why string) reason {
	return unfitFor("EINVAL", name, source, words, bad, why)
}

func unfitFor(result, name, source, words string, bad func(vmspace.Mapping) bool, why string) reason {
	return reason{result, name, source, func(e *evidence) bool {
		_, ok := e.some(e.whole, bad)
		return ok && slices.ContainsFunc(strings.Fields(words), e.has)
	}, func(e *evidence) string {
		m, _ := e.some(e.whole, bad)
		return fmt.Sprintf("%s %s.", e.inside(m, e.whole), why)
	}}
}

func (e *evidence) populates() bool { return e.has("populate_read") || e.has("populate_write") }

// populated is how an advice brings pages in.
func (e *evidence) populated(vmspace.Mapping) vmspace.Access {
	if e.has("populate_write") {
		return vmspace.Store
	}
	return vmspace.Load
}

// anonymous says whether m is private memory without a file.
func anonymous(m vmspace.Mapping) bool {
	k := m.Kind()
	return m.Private() && (k == vmspace.KindAnon || k == vmspace.KindHeap || k == vmspace.KindStack)
}

// filed says whether m has a file behind it, or shared memory.
func filed(m vmspace.Mapping) bool { return m.Inode != 0 || !m.Private() }

func backed(m vmspace.Mapping) bool { return !anonymous(m) }

// special says whether m has VmFlags of what the kernel lends; huge pages of the pool have one of
// them too.
func special(m vmspace.Mapping) bool { return flagged("de", "mm")(m) && !m.Smaps.HasFlag("ht") }

// kept says whether what m holds may not be dropped: it is sealed, has no file, and cannot be
// overwritten (can_madvise_modify).
func kept(m vmspace.Mapping) bool {
	return m.Smaps.HasFlag("sl") && anonymous(m) && m.Perms&vmspace.Write == 0
}

// fileless says whether m has no file, nor shared memory, behind it.
func fileless(m vmspace.Mapping) bool { return anonymous(m) || lent(m) }

// without says whether a mapping has none of the letters.
func without(letters vmspace.Perms) func(vmspace.Mapping) bool {
	return func(m vmspace.Mapping) bool { return m.Perms&letters == 0 }
}

const hugeSize = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"

// hugeBlocks are the aligned blocks of a huge page's size that lie in the range and in one mapping.
func (e *evidence) hugeBlocks() (blocks []vmspace.Range, known bool) {
	size, known := e.Number(hugeSize)
	if !known || size == 0 {
		return nil, false
	}
	e.some(e.whole, func(m vmspace.Mapping) bool {
		r := m.Intersect(e.whole)
		for at := (r.Start + size - 1) / size * size; at+size <= r.End && len(blocks) < mostBlocks; at += size {
			blocks = append(blocks, vmspace.Range{Start: at, End: at + size})
		}
		return false
	})
	return blocks, true
}

// mostBlocks bounds how far a reason is looked for.
const mostBlocks = 1 << 12

// emptyBlock finds the first block of private anonymous memory without a page.
func (e *evidence) emptyBlock() (addr uint64, ok bool) {
	blocks, _ := e.hugeBlocks()
	for _, r := range blocks {
		if m, _ := e.before.MappingAt(r.Start); anonymous(m) && e.before.Resident(r) == 0 {
			return r.Start, true
		}
	}
	return 0, false
}

// guarded finds the first guard page of the range.
func (e *evidence) guarded() (addr uint64, ok bool) {
	for run := range e.before.PagesIn(e.whole) {
		if run.State == vmspace.Guard {
			return run.Start, true
		}
	}
	return 0, false
}

// adviceSince is the Linux that brought an advice (madvise(2)).
var AdviceSince = map[string]string{
	"MADV_REMOVE": "2.6.16", "MADV_DONTFORK": "2.6.16", "MADV_DOFORK": "2.6.16", "MADV_MERGEABLE": "2.6.32", "MADV_UNMERGEABLE": "2.6.32",
	"MADV_HUGEPAGE": "2.6.38", "MADV_NOHUGEPAGE": "2.6.38", "MADV_DONTDUMP": "3.4", "MADV_DODUMP": "3.4", "MADV_FREE": "4.5",
	"MADV_WIPEONFORK": "4.14", "MADV_KEEPONFORK": "4.14", "MADV_COLD": "5.4", "MADV_PAGEOUT": "5.4", "MADV_POPULATE_READ": "5.14",
	"MADV_POPULATE_WRITE": "5.14", "MADV_DONTNEED_LOCKED": "5.18", "MADV_COLLAPSE": "6.1", "MADV_GUARD_INSTALL": "6.13", "MADV_GUARD_REMOVE": "6.13",
}

var madviseSentences = sentences{
	why:     explainMadvise,
	reasons: madviseReasons,
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
	advice := strings.Join(e.Words, " ") // one word, by the grammar
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
