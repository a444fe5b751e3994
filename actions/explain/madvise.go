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
	unfit("locked", "madvise(2)", "dontneed free cold pageout remove guard_install", flagged("lo"), "is locked (VmFlags lo); munlock it first"),
	unfit("huge pages of the pool", "madvise(2)", "free cold pageout collapse guard_install guard_remove", flagged("ht"),
		"is made of huge pages of the pool (hugetlb), which this advice is not for"),
	unfit("lent by the kernel", "madvise(2)",
		"dontneed dontneed_locked free cold pageout guard_install guard_remove dofork dodump populate_read populate_write",
		flagged("io", "pf"), "is lent by the kernel (VmFlags io or pf), and its pages are no ordinary ones"),
	unfit("special", "mm/madvise.c, madvise_vma_behavior", "guard_install guard_remove dodump", special, "is lent by the kernel (VmFlags de or mm)"),
	unfit("droppable", "mm/madvise.c, madvise_vma_behavior", "keeponfork dodump", flagged("dp"), "is droppable (VmFlags dp), which neither a child nor a core dump gets"),
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
	unfit("userfaultfd", "mm/khugepaged.c, hpage_collapse_scan_pmd", "collapse", armed, uffdNotHuge),
	unfit("no huge pages wanted", "madvise(2)", "collapse", flagged("nh"), "is not to have huge pages (nohugepage, VmFlags nh)"),
	{"EINVAL", "no huge pages at all", "PR_SET_THP_DISABLE(2const)", func(e *evidence) bool {
		_, ok := e.some(e.whole, anything)
		return ok && e.has("collapse") && e.hugeOff()
	},
		func(e *evidence) string { return e.owner + " is to have no huge pages (prctl thp off)." }},
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
	{"EINVAL", "guard in a huge page", "mm/khugepaged.c, hpage_collapse_scan_pmd", func(e *evidence) bool {
		_, ok := e.guardedBlock()
		return ok && e.has("collapse")
	}, func(e *evidence) string {
		at, _ := e.guardedBlock()
		return fmt.Sprintf("%s is a guard page, and a huge page can hold none; guard_remove it first.", e.at(at))
	}},
	{"EINVAL", "zero pages", "mm/khugepaged.c, hugepage_vma_revalidate", func(e *evidence) bool {
		_, ok := e.collapsing(zeroAlone)
		return ok
	}, func(e *evidence) string {
		r, _ := e.collapsing(zeroAlone)
		return fmt.Sprintf("the %s at %s show the kernel's page of zeros and nothing else: no page of %s is there to make a huge one of.",
			amount.Size(r.Len()), e.at(r.Start), e.owner)
	}},
	{"EINVAL", "nothing may be written", "mm/khugepaged.c, hpage_collapse_scan_pmd", func(e *evidence) bool {
		_, ok := e.readOnly()
		return ok && kernel.CollapsesWritable()
	}, func(e *evidence) string {
		r, _ := e.readOnly()
		return fmt.Sprintf("all pages of the %s at %s are write-protected, and before Linux 6.18 a huge page is made only where the process may write "+
			"to one of them without a fault.", amount.Size(r.Len()), e.at(r.Start))
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
	otherwise("EINVAL", "madvise(2)", "the advice is not for a mapping of this kind, or for pages like these."),

	{"EFAULT", "guarded", "madvise(2)", func(e *evidence) bool { _, ok := e.guarded(anything); return ok && e.populates() },
		func(e *evidence) string {
			addr, _ := e.guarded(anything)
			return fmt.Sprintf("%s is a guard page: a fault there is SIGSEGV.", e.at(addr))
		}},
	{"EFAULT", "past the file", "madvise(2)", func(e *evidence) bool { _, _, ok := e.pastFile(e.whole); return ok && e.populates() },
		func(e *evidence) string {
			addr, size, _ := e.pastFile(e.whole)
			return fmt.Sprintf("the file has %s and ends before %s: a fault there is SIGBUS.", amount.Size(size), e.at(addr))
		}},
	otherwise("EHWPOISON", "madvise(2)", "a page of the range is poisoned: it is broken, or uffd_poison has said so."),
	notBroughtIn("EFAULT", "madvise(2)", (*evidence).populates, (*evidence).pages, (*evidence).populated),
	unfitFor("EFAULT", "pool empty", "mmap(2), MAP_HUGETLB", "populate_read populate_write", flagged("ht"),
		"needs a huge page, and the pool gave none"),
	otherwise("EFAULT", "madvise(2)",
		"a fault there is a signal: a page of the range lies past the end of its file, is guarded, or cannot be brought in."),

	unfitFor("EACCES", "not shared and writable", "madvise(2)", "remove",
		func(m vmspace.Mapping) bool { return m.Private() || m.Smaps != nil && !m.Smaps.HasFlag("mw") },
		"is not a shared mapping that may have w (VmFlags mw), and a hole is a write"),
	otherwise("EACCES", "madvise(2)", "part of the range is not shared, or its file may not be written."),

	unfitFor("EPERM", "sealed", "mseal(2)", discards, func(m vmspace.Mapping) bool { return sealedBare(m) && m.Perms&vmspace.Write == 0 },
		"is sealed and may not be written: what drops its contents is refused"),
	{"EPERM", "sealed and keyed", "mm/madvise.c, can_madvise_modify", func(e *evidence) bool {
		_, ok := e.some(e.whole, e.sealedByKey)
		return ok && slices.ContainsFunc(strings.Fields(discards), e.has)
	}, func(e *evidence) string {
		m, _ := e.some(e.whole, e.sealedByKey)
		return fmt.Sprintf("%s is sealed and has protection key %d, which the rights of %s (PKRU 0x%08x) do not allow to write with: what drops its "+
			"contents is refused. `pkey_set %d` would allow it.", e.inside(m, e.whole), keyIn(m), e.st.Process, e.Keys.PKRU, keyIn(m))
	}},
	{"EPERM", "file sealed", "F_ADD_SEALS of fcntl(2)", func(e *evidence) bool { _, _, ok := e.sealedFile(unwritable, anything); return ok && e.has("remove") },
		func(e *evidence) string {
			m, f, _ := e.sealedFile(unwritable, anything)
			return fmt.Sprintf("%s shows %s, which has %s: only stores through a mapping may still change it, and a hole is none.",
				e.inside(m, e.whole), printable.Name(f.Name), sealsText(f.Seals&unwritable))
		}},
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
	unfitFor("EBUSY", "userfaultfd", "mm/khugepaged.c, hpage_collapse_scan_pmd", "collapse", armed, uffdNotHuge),
	{"EBUSY", "control group", "madvise(2)", nil, func(*evidence) string { return "the control group's memory does not suffice for a huge page." }},

	holeIn("ENOMEM", "madvise(2)"),
	{"ENOMEM", "no huge page", "madvise(2)", func(e *evidence) bool { return e.has("collapse") },
		func(*evidence) string { return "no huge page is free: memory is too full, or in pieces too small." }},
	otherwise("ENOMEM", "madvise(2)", "there was no memory for it."),
}

var unknownAdvice = reason{"EINVAL", "unknown advice", "madvise(2)", func(e *evidence) bool { return !kernel.KnowsAdvice(e.Flags) },
	func(e *evidence) string {
		if since := AdviceSince[e.Names]; since != "" {
			return fmt.Sprintf("this kernel does not know %s (it came with Linux %s, and a kernel can be built without it).", e.Names, since)
		}
		if e.Rest != 0 {
			return fmt.Sprintf("this kernel does not know advice 0x%x.", e.Rest)
		}
		return fmt.Sprintf("this kernel does not know %s.", e.Names)
	}}

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

const uffdNotHuge = "is registered with userfaultfd, and a huge page would fill what is missing or lose what is write-protected"

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

// discards are the advices that drop what a mapping holds, here or in a child (is_discard).
const discards = "dontneed dontneed_locked free remove dontfork wipeonfork guard_install"

// sealedBare says whether m is sealed and has no file: what it holds is kept nowhere else, and may be
// dropped only by who may overwrite it (can_madvise_modify).
func sealedBare(m vmspace.Mapping) bool { return m.Smaps.HasFlag("sl") && anonymous(m) }

// sealedByKey says whether it is the protection key of m alone that forbids overwriting.
func (e *evidence) sealedByKey(m vmspace.Mapping) bool {
	return sealedBare(m) && m.Perms&vmspace.Write != 0 && e.forbids(m, vmspace.Store)
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

// collapsing finds the first block of private anonymous memory that a collapse fails for, if bad is
// true of each of its pages that are there.
func (e *evidence) collapsing(bad func(vmspace.Mapping, vmspace.Run) bool) (vmspace.Range, bool) {
	blocks, _ := e.hugeBlocks()
	for _, r := range blocks {
		m, _ := e.before.MappingAt(r.Start)
		if !e.has("collapse") || !anonymous(m) {
			continue
		}
		pages, fit := 0, true
		for run := range e.before.PagesIn(r) {
			if present(run.State) {
				pages, fit = pages+1, fit && bad(m, run)
			}
		}
		if pages > 0 && fit {
			e.where = r.Start
			return r, true
		}
	}
	return vmspace.Range{}, false
}

func zeroAlone(_ vmspace.Mapping, page vmspace.Run) bool { return page.State == vmspace.Zero }

// readOnly finds the first block of which no page can be written to without a fault. Of a page that
// a process has come to own alone only a write tells, so that it speaks of one where it stands alone.
func (e *evidence) readOnly() (vmspace.Range, bool) {
	r, ok := e.collapsing(func(m vmspace.Mapping, page vmspace.Run) bool {
		return m.Perms&vmspace.Write == 0 || page.State == vmspace.COW || page.State == vmspace.Zero
	})
	if blocks, _ := e.hugeBlocks(); ok || len(blocks) != 1 {
		return r, ok
	}
	return e.collapsing(func(_ vmspace.Mapping, page vmspace.Run) bool { return page.Attrs&vmspace.Huge == 0 })
}

// guarded finds the first guard page of the range in such a mapping.
func (e *evidence) guarded(such func(vmspace.Mapping) bool) (addr uint64, ok bool) {
	for run := range e.before.PagesIn(e.whole) {
		if m, _ := e.before.MappingAt(run.Start); run.State == vmspace.Guard && such(m) {
			e.where = run.Start
			return run.Start, true
		}
	}
	return 0, false
}

// guardedBlock finds the first guard page of a block that could be a huge page.
func (e *evidence) guardedBlock() (addr uint64, ok bool) {
	blocks, _ := e.hugeBlocks()
	for _, r := range blocks {
		for run := range e.before.PagesIn(r) {
			if run.State == vmspace.Guard {
				e.where = run.Start
				return run.Start, true
			}
		}
	}
	return 0, false
}

// AdviceSince is the Linux that brought an advice (madvise(2)).
var AdviceSince = map[string]string{
	"MADV_REMOVE": "2.6.16", "MADV_DONTFORK": "2.6.16", "MADV_DOFORK": "2.6.16", "MADV_MERGEABLE": "2.6.32", "MADV_UNMERGEABLE": "2.6.32",
	"MADV_HUGEPAGE": "2.6.38", "MADV_NOHUGEPAGE": "2.6.38", "MADV_DONTDUMP": "3.4", "MADV_DODUMP": "3.4", "MADV_FREE": "4.5",
	"MADV_WIPEONFORK": "4.14", "MADV_KEEPONFORK": "4.14", "MADV_COLD": "5.4", "MADV_PAGEOUT": "5.4", "MADV_POPULATE_READ": "5.14",
	"MADV_POPULATE_WRITE": "5.14", "MADV_DONTNEED_LOCKED": "5.18", "MADV_COLLAPSE": "6.1", "MADV_GUARD_INSTALL": "6.13", "MADV_GUARD_REMOVE": "6.13",
}

var madviseSentences = sentences{
	span:    true,
	why:     explainMadvise,
	reasons: madviseReasons,
}

// explainMadvise says what came of an advice: what became of the pages, or else what it means from
// now on.
func explainMadvise(e *evidence) string {
	// One word, by the grammar, or none for an advice given as a number.
	st, advice := e.st, strings.Join(e.Words, " ")
	text := e.advised(advice)
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
			text += fmt.Sprintf(" Of what it shared with %s, %s %s that one's alone now.", p.Label, amount.Of(left, "page"), isAre(left))
		}
	}
	return text + e.splitText()
}

func (e *evidence) advised(advice string) string {
	b := e.became(e.whole)
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
		return "The kernel took an advice that cowscope has no word for; what came of it, the changes tell."
	case "guard_install":
		if guarded > 0 {
			return fmt.Sprintf("%s guarded: any touch is SIGSEGV, and no mapping was split for it.", pagesWere(guarded))
		}
		return "All pages were guarded already."
	case "guard_remove":
		if opened > 0 {
			return fmt.Sprintf("%s opened again: the next touch starts anew.", pagesWere(opened)) + e.toldText()
		}
		return "No page was guarded."
	case "dontneed", "dontneed_locked", "remove":
		if b.dropped > 0 {
			return fmt.Sprintf("%s dropped: the next touch starts anew, with zeros or with what the file holds.", pagesWere(b.dropped)) + e.healed() + e.toldText()
		}
		return "There was no page to drop." + e.healed()
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
			parts = append(parts, pagesWere(freed)+" dropped, as they might be (droppable, or MADV_FREE): the next touch finds zeros.")
		}
		if len(parts) == 0 {
			return "No page was taken out: there is no swap for them, they are in use, or there were none."
		}
		return strings.Join(parts, " ")
	case "populate_read", "populate_write":
		if in := b.broughtIn(); in != "" {
			return strings.ToUpper(in[:1]) + in[1:] + "."
		}
		e.claim(history.ClaimPresent, e.whole, e.whole.Pages(e.pageSize()))
		return "All pages were there already."
	case "collapse":
		if huge > 0 {
			return "The pages were put together in huge ones, now and not when khugepaged comes by."
		}
		return "The pages were in huge ones already."
	case "free":
		return e.freedLazily()
	case "willneed":
		if _, ok := e.some(e.whole, filed); ok {
			return "What is not in memory of it is being read."
		}
		return "There is no file to read from; what is in swap is being read back."
	}
	if advice != "unmergeable" {
		e.claim(history.ClaimKept, e.whole, 0)
	}
	if advice == "hugepage" && e.hugeOff() {
		return "The kernel took note (VmFlags hg), but " + e.owner + " is to have no huge pages (prctl thp off)."
	}
	if text := noted[advice]; text != "" {
		return text
	}
	return "The kernel took note; no page has changed."
}

// freedLazily says which pages may go: those that are the process's alone
// (madvise_free_pte_range in mm/madvise.c).
func (e *evidence) freedLazily() string {
	e.claim(history.ClaimKept, e.whole, 0)
	own, others := false, false
	for run := range e.before.PagesIn(e.whole) {
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

// noted is what an advice means where no page shows it.
var noted = map[string]string{
	"dontfork": "A child will not get this range.", "dofork": "A child gets this range again.",
	"wipeonfork": "A child will find zeros here.", "keeponfork": "A child gets the contents again.",
	"dontdump": "A core dump will leave it out.", "dodump": "A core dump has it again.",
	"mergeable": "KSM may merge its pages with equal ones, when it comes by.", "unmergeable": "KSM leaves it alone, and what was merged is parted.",
	"hugepage": "Huge pages are welcome here, at the next fault or when khugepaged comes by.", "nohugepage": "No huge page comes here from now on; those that are there stay.",
	"random": "The kernel will not read ahead.", "sequential": "The kernel will read far ahead.", "normal": "The kernel treats it as any other memory.",
	"cold": "The pages will be among the first to go when memory is short.",
}
