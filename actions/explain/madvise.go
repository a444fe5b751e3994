package explain

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// What madvise refuses. The rules are those of mm/madvise.c; most are about one advice and one sort
// of mapping.

var madviseReasons = []reason{
	unknownAdvice,
	misaligned("madvise(2)"),
	wraps("EINVAL", "mm/madvise.c, madvise_should_skip"),
	unfitFor("EINVAL", "locked", "madvise(2)", "dontneed free cold pageout remove guard_install", flagged("lo"), "is locked (VmFlags lo); munlock it first"),
	unfitFor("EINVAL", "huge pages of the pool", "madvise(2)", "free cold pageout collapse guard_install guard_remove", flagged("ht"),
		"is made of huge pages of the pool (hugetlb), which do not take this advice"),
	unfit("EINVAL", "lent by the kernel", "madvise(2)", (*evidence).pages, lentAgainst,
		"is lent by the kernel (VmFlags io or pf), and its pages are not ordinary ones"),
	unfitFor("EINVAL", "special", "mm/madvise.c, madvise_vma_behavior", "guard_install guard_remove dodump", specialFlags, "is lent by the kernel (VmFlags de or mm)"),
	unfitFor("EINVAL", "droppable", "mm/madvise.c, madvise_vma_behavior", "keeponfork dodump", flagged("dp"), "is droppable (VmFlags dp), which neither a child nor a core dump gets"),
	unfitFor("EINVAL", "not anonymous", "madvise(2)", "free", notAnonymous, "is not private anonymous memory, and only that can be given back lazily"),
	unfitFor("EINVAL", "not private anonymous", "madvise(2)", "wipeonfork", fileOrShared, "is not private anonymous memory, and only that can be wiped in a child"),
	unfitFor("EINVAL", "no file", "madvise(2)", "remove", noFileOrShared, "has no file to punch a hole into, nor is it shared memory"),
	{"EINVAL", "no whole huge page", "madvise(2)", func(e *evidence) bool {
		blocks, known := e.hugeBlocks()
		return e.has("collapse") && known && len(blocks) == 0
	}, func(e *evidence) string {
		size, _ := e.Number(hugeSize)
		return fmt.Sprintf("no aligned block of %s lies wholly in the range and in one mapping, so there is nothing to make a huge page of.",
			amount.Size(size))
	}},
	unfitFor("EINVAL", "userfaultfd", "mm/khugepaged.c, hpage_collapse_scan_pmd", "collapse", uffdRegistered, uffdNotHuge),
	unfitFor("EINVAL", "no huge pages wanted", "madvise(2)", "collapse", flagged("nh"), "must not have huge pages (nohugepage, VmFlags nh)"),
	{"EINVAL", "no huge pages at all", "PR_SET_THP_DISABLE(2const)", func(e *evidence) bool {
		_, ok := e.firstMapping(e.rounded, anything)
		return ok && e.has("collapse") && e.hugeOff()
	},
		func(e *evidence) string { return e.owner + " gets no huge pages (prctl thp off)." }},
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	found("EINVAL", "empty block", "mm/khugepaged.c, madvise_collapse", (*evidence).emptyBlock, func(e *evidence, r vmspace.Range) string {
		return fmt.Sprintf("the %s at %s have no page yet, and a huge page is made of pages that are there already.", amount.Size(r.Len()), e.placeText(r.Start))
	}),
	found("EINVAL", "guard in a huge page", "mm/khugepaged.c, hpage_collapse_scan_pmd", (*evidence).guardedBlock, func(e *evidence, at uint64) string {
		return fmt.Sprintf("%s is a guard page, and a huge page cannot contain one; guard_remove it first.", e.placeText(at))
	}),
	found("EINVAL", "zero pages", "mm/khugepaged.c, hugepage_vma_revalidate",
		func(e *evidence) (vmspace.Range, bool) { return e.uncollapsible(isZeroPage) }, func(e *evidence, r vmspace.Range) string {
			return fmt.Sprintf("the %s at %s show the kernel's page of zeros and nothing else: %s has no page there to make a huge one of.",
				amount.Size(r.Len()), e.placeText(r.Start), e.owner)
		}),
	found("EINVAL", "nothing may be written", "mm/khugepaged.c, hpage_collapse_scan_pmd", (*evidence).readOnly, func(e *evidence, r vmspace.Range) string {
		return fmt.Sprintf("all pages of the %s at %s are write-protected, and before Linux 6.18 a huge page is made only where the process may write "+
			"to one of them without a fault.", amount.Size(r.Len()), e.placeText(r.Start))
	}),
	unfitFor("EINVAL", "not readable", "madvise(2)", "populate_read", without(vmspace.Read), "does not have the letter r"),
	unfitFor("EINVAL", "not writable", "madvise(2)", "populate_write", without(vmspace.Write), "does not have the letter w"),
	found("EINVAL", "protection key", "mm/gup.c, check_vma_flags", func(e *evidence) (vmspace.Mapping, bool) {
		return e.firstMapping(e.rounded, func(m vmspace.Mapping) bool { return e.populates() && e.forbids(m, e.populateAccess(m)) })
	}, func(e *evidence, m vmspace.Mapping) string { return e.keyedText(m, e.rounded) }),
	fallback("EINVAL", "madvise(2)", "the advice is not for a mapping of this kind, or for pages like these."),

	found("EFAULT", "guarded", "madvise(2)", func(e *evidence) (uint64, bool) {
		return e.guardPage(func(vmspace.Mapping) bool { return e.populates() })
	}, func(e *evidence, addr uint64) string {
		return e.placeText(addr) + " is a guard page: a fault there is SIGSEGV."
	}),
	{"EFAULT", "past the file", "madvise(2)", func(e *evidence) bool { _, _, ok := e.pastFile(e.rounded); return ok && e.populates() },
		func(e *evidence) string {
			addr, size, _ := e.pastFile(e.rounded)
			return fmt.Sprintf("the file has %s and ends before %s: a fault there is SIGBUS.", amount.Size(size), e.placeText(addr))
		}},
	fallback("EHWPOISON", "madvise(2)", "a page of the range is poisoned: it is broken, or uffd_poison marked it so."),
	notBroughtIn("EFAULT", "madvise(2)", (*evidence).populates, (*evidence).pages, (*evidence).populateAccess),
	unfitFor("EFAULT", "pool empty", "mmap(2), MAP_HUGETLB", "populate_read populate_write", flagged("ht"),
		"needs a huge page, and the pool gave none"),
	fallback("EFAULT", "madvise(2)",
		"a fault there is a signal: a page of the range lies past the end of its file, is guarded, or cannot be brought in."),

	unfitFor("EACCES", "not shared and writable", "madvise(2)", "remove",
		func(m vmspace.Mapping) bool { return m.Private() || m.Smaps != nil && !m.Smaps.HasFlag("mw") },
		"is not a shared mapping that may have w (VmFlags mw), and punching a hole counts as a write"),
	fallback("EACCES", "madvise(2)", "part of the range is not shared, or its file may not be written."),

	unfitFor("EPERM", "sealed", "mseal(2)", discards, func(m vmspace.Mapping) bool { return sealedAnonymous(m) && m.Perms&vmspace.Write == 0 },
		"is sealed and may not be written: what drops its contents is refused"),
	found("EPERM", "sealed and keyed", "mm/madvise.c, can_madvise_modify", func(e *evidence) (vmspace.Mapping, bool) {
		return e.firstMapping(e.rounded, func(m vmspace.Mapping) bool { return e.sealedByKey(m) && e.hasOneOf(discards) })
	}, func(e *evidence, m vmspace.Mapping) string {
		return fmt.Sprintf("%s is sealed and has protection key %d, which the rights of %s (PKRU 0x%08x) do not allow to write with: what drops its "+
			"contents is refused. `pkey_set %d` would allow it.", e.mappingNameIn(m, e.rounded), keyIn(m), e.st.Process, e.Keys.PKRU, keyIn(m))
	}),
	{"EPERM", "file sealed", "F_ADD_SEALS of fcntl(2)", func(e *evidence) bool { _, _, ok := e.sealedFile(unwritable, anything); return ok && e.has("remove") },
		func(e *evidence) string {
			m, f, _ := e.sealedFile(unwritable, anything)
			return fmt.Sprintf("%s shows %s, which has %s: only stores through a mapping may still change it, and punching a hole is not a store.",
				e.mappingNameIn(m, e.rounded), printable.Name(f.Name), sealsText(f.Seals&unwritable))
		}},
	fallback("EPERM", "madvise(2)", "a seal of the mapping or of its file forbids it."),

	{"EBADF", "no file", "madvise(2)", nil, func(*evidence) string {
		return "there is no file to read ahead from, and the kernel was built without swap."
	}},
	{"EOPNOTSUPP", "no holes", "fallocate(2)", nil, func(*evidence) string { return "the file system of this file cannot punch holes." }},
	{"EIO", "device", "madvise(2)", nil, func(*evidence) string { return "the device failed while a page was read or written." }},

	{"EAGAIN", "too many mappings", "mm/madvise.c, madvise_update_vma", func(e *evidence) bool {
		left, _, known := e.mappingsLeft()
		return known && left == 0 && e.splitsMapping(e.rounded)
	}, func(e *evidence) string {
		return "a mapping would have to be split, but " + e.mapCountText() + " (madvise says EAGAIN where other calls say ENOMEM.)"
	}},
	{"EAGAIN", "pages in use", "madvise(2)", func(e *evidence) bool { return e.has("collapse") },
		func(*evidence) string { return "pages of the range are in use just now; another try may succeed." }},
	fallback("EAGAIN", "madvise(2)", "the kernel was short of something for the moment; another try may succeed."),
	unfitFor("EBUSY", "userfaultfd", "mm/khugepaged.c, hpage_collapse_scan_pmd", "collapse", uffdRegistered, uffdNotHuge),
	{"EBUSY", "control group", "madvise(2)", nil, func(*evidence) string { return "the control group does not have enough memory for a huge page." }},

	holeIn("ENOMEM", "madvise(2)", (*evidence).pages),
	{"ENOMEM", "no huge page", "madvise(2)", func(e *evidence) bool { return e.has("collapse") },
		func(*evidence) string { return "no huge page is free: memory is full, or too fragmented." }},
	fallback("ENOMEM", "madvise(2)", "there was no memory for it."),
}

var unknownAdvice = reason{"EINVAL", "unknown advice", "madvise(2)", func(e *evidence) bool { return !kernel.KnowsAdvice(e.Flags) },
	func(e *evidence) string {
		if since := AdviceSince[e.Names]; since != "" {
			return fmt.Sprintf("this kernel does not know %s (added in Linux %s, and a kernel can be built without it).", e.Names, since)
		}
		if e.Rest != 0 {
			return fmt.Sprintf("this kernel does not know advice 0x%x.", e.Rest)
		}
		return fmt.Sprintf("this kernel does not know %s.", e.Names)
	}}

// unfitFor is for an advice (one of the words) that a sort of mapping does not take.
func unfitFor(result, name, source, words string, bad func(vmspace.Mapping) bool, why string) reason {
	return unfit(result, name, source, (*evidence).pages, func(e *evidence, m vmspace.Mapping) bool { return bad(m) && e.hasOneOf(words) }, why)
}

// hasOneOf says whether one of the words was given.
func (e *evidence) hasOneOf(words string) bool {
	return slices.ContainsFunc(strings.Fields(words), e.has)
}

const uffdNotHuge = "is registered with userfaultfd, and a huge page would fill what is missing or lose what is write-protected"

func (e *evidence) populates() bool { return e.has("populate_read") || e.has("populate_write") }

// populateAccess is the access by which an advice populates pages.
func (e *evidence) populateAccess(vmspace.Mapping) vmspace.Access {
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

// fileOrShared says whether m maps a file or shared memory.
func fileOrShared(m vmspace.Mapping) bool { return m.Inode != 0 || !m.Private() }

func notAnonymous(m vmspace.Mapping) bool { return !anonymous(m) }

// specialFlags says whether m has the VmFlags of mappings that the kernel lends. Huge pages of the
// pool, which have one of them, do not count.
// lentAgainst says whether the advice is not for memory that the kernel lends; dofork looks at io
// alone, which x86 gives its vvar and arm64 does not (madvise_vma_behavior in mm/madvise.c).
func lentAgainst(e *evidence, m vmspace.Mapping) bool {
	const advices = "dontneed dontneed_locked free cold pageout guard_install guard_remove dodump populate_read populate_write"
	return flagged("io", "pf")(m) && e.hasOneOf(advices) || flagged("io")(m) && e.has("dofork")
}

func specialFlags(m vmspace.Mapping) bool { return flagged("de", "mm")(m) && !m.Smaps.HasFlag("ht") }

// discards are the advices that drop what a mapping holds, here or in a child (is_discard).
const discards = "dontneed dontneed_locked free remove dontfork wipeonfork guard_install"

// sealedAnonymous says whether m is sealed and has no file: its contents exist nowhere else, so
// only a process that may write to it may drop them (can_madvise_modify in mm/madvise.c).
func sealedAnonymous(m vmspace.Mapping) bool { return m.Smaps.HasFlag("sl") && anonymous(m) }

// sealedByKey says whether only the protection key of m forbids to write to it.
func (e *evidence) sealedByKey(m vmspace.Mapping) bool {
	return sealedAnonymous(m) && m.Perms&vmspace.Write != 0 && e.forbids(m, vmspace.Store)
}

// noFileOrShared says whether m maps neither a file nor shared memory.
func noFileOrShared(m vmspace.Mapping) bool { return anonymous(m) || lent(m) }

// without says whether a mapping has none of the letters.
func without(letters vmspace.Perms) func(vmspace.Mapping) bool {
	return func(m vmspace.Mapping) bool { return m.Perms&letters == 0 }
}

// AdviceSince is the Linux version that added an advice (madvise(2)).
var AdviceSince = map[string]string{
	"MADV_REMOVE": "2.6.16", "MADV_DONTFORK": "2.6.16", "MADV_DOFORK": "2.6.16", "MADV_MERGEABLE": "2.6.32", "MADV_UNMERGEABLE": "2.6.32",
	"MADV_HUGEPAGE": "2.6.38", "MADV_NOHUGEPAGE": "2.6.38", "MADV_DONTDUMP": "3.4", "MADV_DODUMP": "3.4", "MADV_FREE": "4.5",
	"MADV_WIPEONFORK": "4.14", "MADV_KEEPONFORK": "4.14", "MADV_COLD": "5.4", "MADV_PAGEOUT": "5.4", "MADV_POPULATE_READ": "5.14",
	"MADV_POPULATE_WRITE": "5.14", "MADV_DONTNEED_LOCKED": "5.18", "MADV_COLLAPSE": "6.1", "MADV_GUARD_INSTALL": "6.13", "MADV_GUARD_REMOVE": "6.13",
}

// explainMadvise explains an advice: what happened to the pages, or what it means from now on.
func explainMadvise(e *evidence) string {
	// One word, by the grammar, or none for an advice given as a number.
	st, advice := e.st, strings.Join(e.Words, " ")
	text := e.adviceText(advice)
	for _, p := range st.After.Processes { // that have the same memory mapped, or had
		if p.Label == e.owner {
			continue
		}
		var dropped, left uint64
		for _, ch := range changesOf(st.Changes, p.Label, vmspace.ChangePage) {
			switch {
			case present(ch.Was) && !present(ch.Is):
				dropped += ch.Pages
			case ch.Was == vmspace.COW && ch.Is == vmspace.Anon:
				left += ch.Pages
			}
		}
		if dropped > 0 {
			text += fmt.Sprintf(" It is the same memory in %s, where %s dropped with it.", p.Label, pagesWere(dropped))
		}
		if left > 0 {
			text += fmt.Sprintf(" Of what it shared with %s, %s %s now %s's alone.", p.Label, amount.Of(left, "page"), isAre(left), p.Label)
		}
	}
	return text + e.splitText()
}

func (e *evidence) adviceText(advice string) string {
	b := e.countPages(e.rounded)
	var guarded, opened, swapped, freed, huge uint64
	for _, ch := range e.st.Changes {
		switch {
		case ch.Process != e.owner:
		case ch.Kind == vmspace.ChangePage && ch.Is == vmspace.Guard:
			guarded += ch.Pages
		case ch.Kind == vmspace.ChangePage && ch.Was == vmspace.Guard:
			opened += ch.Pages
		case ch.Kind == vmspace.ChangePage && ch.Is == vmspace.Swapped:
			swapped += ch.Pages
		case ch.Kind == vmspace.ChangePage && (ch.Was == vmspace.Anon || ch.Was == vmspace.COW) && ch.Is == vmspace.None:
			freed += ch.Pages
		case ch.Kind == vmspace.ChangeAttrs && ch.Attrs&vmspace.Huge != 0, ch.Kind == vmspace.ChangePage && advice == "collapse":
			huge += ch.Pages
		}
	}
	switch advice {
	case "":
		return "The kernel took an advice that cowscope has no word for; the changes show what it did."
	case "guard_install":
		if guarded > 0 {
			return fmt.Sprintf("%s guarded: any touch is SIGSEGV, and no mapping was split for it.", pagesWere(guarded))
		}
		return "All pages were guarded already."
	case "guard_remove":
		if opened > 0 {
			return fmt.Sprintf("%s made accessible again: the next touch brings in a page.", pagesWere(opened)) + e.uffdMissingText()
		}
		return "No page was guarded."
	case "dontneed", "dontneed_locked", "remove":
		if b.dropped > 0 {
			return fmt.Sprintf("%s dropped: the next touch brings in zeros, or what the file holds.", pagesWere(b.dropped)) + e.unpoisonedText() + e.uffdMissingText()
		}
		return "There was no page to drop." + e.unpoisonedText()
	case "pageout":
		var parts []string
		if swapped > 0 {
			parts = append(parts, pagesWere(swapped)+" written to swap: the next touch brings them back.")
		}
		// Pages of a file or shared memory were unmapped; the page cache may still have them.
		if unmapped := b.dropped - min(freed, b.dropped); unmapped > 0 {
			parts = append(parts, pagesWere(unmapped)+" taken out of the page tables: the next touch brings them back.")
		}
		// The kernel drops anonymous pages only if they are droppable, or after MADV_FREE.
		if freed > 0 {
			parts = append(parts, pagesWere(freed)+" dropped, as the kernel may (droppable, or MADV_FREE): the next touch finds zeros.")
		}
		if len(parts) == 0 {
			return "No page was taken out: there is no swap for them, they are in use, or there were none."
		}
		return strings.Join(parts, " ")
	case "populate_read", "populate_write":
		if in := b.broughtIn(); in != "" {
			return strings.ToUpper(in[:1]) + in[1:] + "."
		}
		e.claim(history.ClaimPresent, e.rounded, e.rounded.Pages(e.pageSize()))
		return "All pages were there already."
	case "collapse":
		if huge > 0 {
			return "The pages were put together in huge ones at once, without waiting for khugepaged."
		}
		return "The pages were in huge ones already."
	case "free":
		return e.freedLazily()
	case "willneed":
		if _, ok := e.firstMapping(e.rounded, fileOrShared); ok {
			return "The part that is not in memory is being read."
		}
		return "There is no file to read from; what is in swap is being read back."
	}
	if advice != "unmergeable" {
		e.claim(history.ClaimKept, e.rounded, 0)
	}
	if advice == "hugepage" && e.hugeOff() {
		return "The kernel took note (VmFlags hg), but " + e.owner + " gets no huge pages (prctl thp off)."
	}
	if text := adviceMeaning[advice]; text != "" {
		return text
	}
	return "The kernel took note; no page has changed."
}

// freedLazily says which pages may be dropped: those that only this process has
// (madvise_free_pte_range in mm/madvise.c).
func (e *evidence) freedLazily() string {
	e.claim(history.ClaimKept, e.rounded, 0)
	own, others := false, false
	for run := range e.before.PagesIn(e.rounded) {
		own = own || run.State == vmspace.Anon
		others = others || run.State == vmspace.COW || run.State == vmspace.Zero
	}
	switch {
	case own && others:
		return "Its own pages may be dropped when memory is short, and those that it shares are left alone; until then all are as they were."
	case own:
		return "The pages may be dropped when memory is short; until then they are as they were."
	}
	return "There is no page of its own to drop."
}

func pagesWere(n uint64) string {
	if n == 1 {
		return "1 page was"
	}
	return fmt.Sprintf("%d pages were", n)
}

// adviceMeaning says what an advice means if no page shows it.
var adviceMeaning = map[string]string{
	"dontfork": "A child will not get this range.", "dofork": "A child gets this range again.",
	"wipeonfork": "A child will find zeros here.", "keeponfork": "A child gets the contents again.",
	"dontdump": "A core dump will leave it out.", "dodump": "A core dump has it again.",
	"mergeable": "KSM may merge its pages with equal ones when it scans them.", "unmergeable": "KSM leaves it alone, and what was merged is separate again.",
	"hugepage": "The kernel may use huge pages here, from the next fault or scan by khugepaged on.", "nohugepage": "The range gets no huge pages from now on; those that are there stay.",
	"random": "The kernel will not read ahead.", "sequential": "The kernel will read far ahead.", "normal": "The kernel treats it as any other memory.",
	"cold": "The pages will be among the first to go when memory is short.",
}
