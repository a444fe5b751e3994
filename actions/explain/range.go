package explain

import (
	"fmt"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What munmap, mprotect, msync, mseal and brk refuse, each in the kernel's order.

var munmapReasons = []reason{
	misaligned("munmap(2)"),
	{"EINVAL", "past the end", "mm/vma.c, do_vmi_munmap", func(e *evidence) bool {
		return kernel.UserTop() > 0 && (e.Given.End > kernel.UserTop() || e.whole.End < e.whole.Start)
	}, func(e *evidence) string {
		return fmt.Sprintf("the range reaches past 0x%x, the end of the user's addresses.", kernel.UserTop())
	}},
	{"EINVAL", "length", "munmap(2)", func(e *evidence) bool { return e.Given.Empty() },
		func(*evidence) string { return "the length is 0." }},
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	sealed("sealed", "mseal(2)", (*evidence).pages),
	{"ENOMEM", "too many mappings", "munmap(2)", func(e *evidence) bool {
		left, _, known := e.room()
		m, mapped := e.before.MappingAt(e.whole.Start)
		return known && left == 0 && mapped && m.Start < e.whole.Start && e.whole.End < m.End
	}, func(e *evidence) string {
		return "the hole would make two mappings of one, but " + e.crowded()
	}},
	otherwise("ENOMEM", "munmap(2)", "the kernel has no memory for its own records of the mappings."),
}

var mprotectReasons = []reason{
	misaligned("mprotect(2)"),
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	wraps("ENOMEM", "mm/mprotect.c, do_mprotect_pkey"),
	{"EACCES", "file not writable", "mprotect(2)", func(e *evidence) bool { _, ok := e.never("mw", vmspace.Write); return ok },
		func(e *evidence) string {
			m, _ := e.never("mw", vmspace.Write)
			return fmt.Sprintf("%s is a shared mapping of a file that was not opened for writing: it may never have w (VmFlags has no mw).",
				e.inside(m, e.whole))
		}},
	{"EACCES", "never executable", "mprotect(2)", func(e *evidence) bool { _, ok := e.never("me", vmspace.Exec); return ok },
		func(e *evidence) string {
			m, _ := e.never("me", vmspace.Exec)
			return fmt.Sprintf("%s may never have x (VmFlags has no me): its file system or its driver forbids executing.", e.inside(m, e.whole))
		}},
	otherwise("EACCES", "mprotect(2)", "a mapping there may never have these letters, or a security module forbids them."),
	sealed("sealed", "mseal(2)", (*evidence).pages),
	otherwise("EPERM", "mprotect(2)", "a seal of the mapping or of its file forbids these letters."),
	{"ENOMEM", "RLIMIT_DATA", "getrlimit(2)", func(e *evidence) bool { return e.over(kernel.LimitData, "VmData", e.turned()) },
		func(e *evidence) string { return e.overText(kernel.LimitData, "VmData", e.turned()) }},
	{"ENOMEM", "overcommit", "proc_sys_vm(5), overcommit_memory", func(e *evidence) bool { return e.overcommit(e.charged()) != "" },
		func(e *evidence) string { return e.overcommit(e.charged()) }},
	tooMany("ENOMEM", "mprotect(2)"),
	holeIn("ENOMEM", "mprotect(2)"),
	otherwise("ENOMEM", "mprotect(2)", "the kernel has no memory for its own records of the mappings."),
}

// never finds a mapping of the range that may not get a letter that was asked for.
func (e *evidence) never(flag string, letter vmspace.Perms) (vmspace.Mapping, bool) {
	return e.some(e.whole, func(m vmspace.Mapping) bool {
		return e.Prot&letter != 0 && m.Smaps != nil && !m.Smaps.HasFlag(flag)
	})
}

// turned is the most that an mprotect would make private writable memory at once: the kernel counts
// mapping by mapping (mprotect_fixup in mm/mprotect.c). What has one of the VmFlags is left out.
func (e *evidence) turned(but ...string) (most uint64) {
	e.some(e.solid(), func(m vmspace.Mapping) bool {
		if e.writes() && m.Private() && m.Perms&vmspace.Write == 0 && !flagged(but...)(m) {
			most = max(most, m.Intersect(e.solid()).Len())
		}
		return false
	})
	return most
}

// charged is the part of it that was promised to nobody yet: accounted memory was, huge pages and
// noreserve are exempt.
func (e *evidence) charged() uint64 { return e.turned("ac", "nr", "ht") }

var msyncReasons = []reason{
	misaligned("msync(2)"),
	{"EINVAL", "sync and async", "msync(2)", func(e *evidence) bool { return e.has("sync") && e.has("async") },
		func(*evidence) string { return "sync waits and async does not; only one of them can be asked for." }},
	wraps("ENOMEM", "mm/msync.c"),
	{"EBUSY", "locked", "msync(2)", nil, func(e *evidence) string {
		m, ok := e.some(e.whole, flagged("lo"))
		if !ok {
			return "invalidate was asked for, and part of the range is locked."
		}
		return fmt.Sprintf("%s is locked, and invalidate would drop its pages.", e.inside(m, e.whole))
	}},
	holeIn("ENOMEM", "msync(2)"),
	{"EIO", "device", "fsync(2)", nil, func(*evidence) string { return "the device failed while the file was written." }},
	{"ENOSPC", "full", "fsync(2)", nil, func(*evidence) string { return "the file system is full: the file's new pages have no place there." }},
	{"EDQUOT", "quota", "fsync(2)", nil, func(*evidence) string { return "the user's quota of the file system is used up." }},
}

var msealReasons = []reason{
	misaligned("mseal(2)"),
	wraps("EINVAL", "mm/mseal.c, do_mseal"),
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	holeIn("ENOMEM", "mseal(2)"),
	tooMany("ENOMEM", "mseal(2)"),
	otherwise("ENOMEM", "mseal(2)", "the kernel has no memory for its own records of the mappings."),
}

// The system call answers every refusal alike, with the end as it was: the rows are all of the C
// library's ENOMEM (brk(2)).
var brkReasons = []reason{
	{"ENOMEM", "below the heap", "mm/mmap.c, brk", func(e *evidence) bool { start, known := e.heapStart(); return known && e.wanted() < start },
		func(e *evidence) string {
			start, _ := e.heapStart()
			return fmt.Sprintf("0x%x lies below 0x%x, where the heap begins.", e.wanted(), start)
		}},
	{"ENOMEM", "RLIMIT_DATA", "mm/mmap.c, check_data_rlimit", func(e *evidence) bool { return e.data() > e.Limit(kernel.LimitData) },
		func(e *evidence) string {
			return fmt.Sprintf("heap and initialised data would have %s, and RLIMIT_DATA allows %s.", amount.Size(e.data()), amount.Size(e.Limit(kernel.LimitData)))
		}},
	{"ENOMEM", "sealed", "mseal(2)", func(e *evidence) bool { m, ok := e.heap(); return ok && m.Smaps.HasFlag("sl") && e.wanted() < m.End },
		func(*evidence) string { return "the heap is sealed (mseal, VmFlags sl): it gives nothing back." }},
	{"ENOMEM", "past the end", "mm/mmap.c, brk", func(e *evidence) bool { return kernel.UserTop() > 0 && e.wanted() > kernel.UserTop() },
		func(e *evidence) string {
			return fmt.Sprintf("0x%x lies past 0x%x, the end of the user's addresses.", e.wanted(), kernel.UserTop())
		}},
	{"ENOMEM", "locked memory", "mm/mmap.c, brk", func(e *evidence) bool {
		return e.LocksFuture && e.overMemlock(e.growth())
	}, func(e *evidence) string { return "mlockall future locks new pages: " + e.memlockText(e.growth()) }},
	{"ENOMEM", "in the way", "mm/mmap.c, brk", func(e *evidence) bool { _, ok := e.obstacle(); return ok },
		func(e *evidence) string {
			m, _ := e.obstacle()
			return fmt.Sprintf("%s at 0x%x is in the way; the heap keeps one page from it.", e.called(m, m.Start), m.Start)
		}},
	{"ENOMEM", "RLIMIT_AS", "getrlimit(2)", func(e *evidence) bool { return e.over(kernel.LimitAS, "VmSize", e.growth()) },
		func(e *evidence) string { return e.overText(kernel.LimitAS, "VmSize", e.growth()) }},
	{"ENOMEM", "data", "mm/vma.c, may_expand_vm", func(e *evidence) bool { return e.over(kernel.LimitData, "VmData", e.growth()) },
		func(e *evidence) string { return e.overText(kernel.LimitData, "VmData", e.growth()) }},
	{"ENOMEM", "too many mappings", "mm/vma.c, do_brk_flags", func(e *evidence) bool {
		_, most, known := e.room()
		return known && e.count() > most
	}, func(e *evidence) string { return e.crowded() }},
	{"ENOMEM", "overcommit", "proc_sys_vm(5), overcommit_memory", func(e *evidence) bool { return e.overcommit(e.growth()) != "" },
		func(e *evidence) string { return e.overcommit(e.growth()) }},
	otherwise("ENOMEM", "brk(2)", "there is no room, a limit was reached, or the kernel has no memory for its own records."),
}

// wanted is the end that was asked for.
func (e *evidence) wanted() uint64 { return e.number("to") }

func (e *evidence) heap() (vmspace.Mapping, bool) {
	return e.some(vmspace.Everything, func(m vmspace.Mapping) bool { return m.Kind() == vmspace.KindHeap })
}

// heapStart is where the heap begins, whether it has a page yet or not.
func (e *evidence) heapStart() (uint64, bool) {
	start, known := e.Stat(kernel.StatStartBrk)
	return start, known && start > 0
}

// data is what brk holds against RLIMIT_DATA: the heap as it would be, and the program's
// initialised data.
func (e *evidence) data() uint64 {
	start, known := e.heapStart()
	if !known || e.wanted() < start {
		return 0
	}
	from, _ := e.Stat(kernel.StatStartData)
	to, _ := e.Stat(kernel.StatEndData)
	return e.wanted() - start + to - from
}

// growth is by how much the heap would grow, in whole pages.
func (e *evidence) growth() uint64 {
	now, then := e.pageEnd(e.st.Value), e.pageEnd(e.wanted())
	return then - min(now, then)
}

// obstacle is the first mapping that a grown heap would touch or come within a page of.
func (e *evidence) obstacle() (vmspace.Mapping, bool) {
	if e.growth() == 0 {
		return vmspace.Mapping{}, false
	}
	now := e.pageEnd(e.st.Value)
	return e.some(vmspace.Range{Start: now, End: e.pageEnd(e.wanted()) + e.pageSize()}, func(m vmspace.Mapping) bool { return m.Start >= now })
}

var munmapSentences = sentences{
	why:     explainMunmap,
	reasons: munmapReasons,
}

var mprotectSentences = sentences{
	why:     explainMprotect,
	reasons: mprotectReasons,
}

var msyncSentences = sentences{
	why: func(*evidence) string {
		return "What was changed in a shared file mapping is on its way to the file; other readers saw it before. Elsewhere there is nothing to write."
	},
	reasons: msyncReasons,
}

var msealSentences = sentences{
	why: func(*evidence) string {
		return "Sealed (VmFlags sl): from now on munmap, mprotect and mremap of it answer EPERM. Nothing undoes a seal."
	},
	reasons: msealReasons,
}

var brkSentences = sentences{
	why: func(e *evidence) string {
		for _, ch := range e.st.Changes {
			if ch.Process == e.st.Process {
				switch ch.Kind {
				case vmspace.ChangeMapped:
					return fmt.Sprintf("The heap begins: %s mapped as [heap], no memory yet.", amount.Of(ch.Pages, "page"))
				case vmspace.ChangeGrown:
					return fmt.Sprintf("The heap grew by %s.", amount.Of(ch.Pages, "page"))
				case vmspace.ChangeShrunk, vmspace.ChangeUnmapped:
					return fmt.Sprintf("The heap gave %s back.", amount.Of(ch.Pages, "page"))
				}
			}
		}
		return "The end of the heap moved within its last page."
	},
	reasons: brkReasons,
	failed:  "The end of the heap stays where it is.",
}

func explainMunmap(e *evidence) string {
	st := e.st
	gone := append(changesOf(st.Changes, st.Process, vmspace.ChangeUnmapped), changesOf(st.Changes, st.Process, vmspace.ChangeShrunk)...)
	if len(gone) == 0 {
		return "Nothing was mapped there: unmapping a hole is no error."
	}
	n := uint64(0)
	for _, g := range gone {
		n += g.Pages
	}
	text := fmt.Sprintf("%s no longer mapped: the next touch is SIGSEGV/MAPERR.", amount.Of(n, "page"))
	for _, s := range changesOf(st.Changes, st.Process, vmspace.ChangeSplit) {
		text += fmt.Sprintf(" What is left of the mapping around the hole is %s mappings now.", s.To)
	}
	return text
}

func explainMprotect(e *evidence) string {
	st := e.st
	ch := changesOf(st.Changes, st.Process, vmspace.ChangePerms)
	switch key := keyChanges(st); {
	case len(ch) == 0 && key != "":
		return "The letters were these already. " + key + execOnlyText(st)
	case len(ch) == 0:
		return "The letters were these already."
	}
	text := fmt.Sprintf("%s: %s → %s. The frames stay where they are; only what is allowed has changed.", place(st, ch[0].Range.Start), ch[0].From, ch[0].To)
	return text + execOnlyText(st) + splitText(st)
}
