package explain

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// What munmap, mprotect, msync, mseal and brk refuse, each in the kernel's order.

var munmapReasons = []reason{
	misaligned("munmap(2)"),
	pastUserTop("EINVAL", "mm/vma.c, do_vmi_munmap", func(e *evidence, top uint64) bool { return e.Given.End > top || e.rounded.End < e.rounded.Start }),
	zeroLength("munmap(2)", func(e *evidence) uint64 { return e.Given.Len() }),
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	sealed("sealed", "mseal(2)", (*evidence).pages),
	{"ENOMEM", "too many mappings", "munmap(2)", func(e *evidence) bool {
		left, _, known := e.mappingsLeft()
		m, mapped := e.before.MappingAt(e.rounded.Start)
		return known && left == 0 && mapped && m.Start < e.rounded.Start && e.rounded.End < m.End
	}, func(e *evidence) string {
		return "the hole would make two mappings of one, but " + e.mapCountText()
	}},
	fallback("ENOMEM", "munmap(2)", "the kernel has no memory for its own records of the mappings."),
}

var mprotectReasons = []reason{
	misaligned("mprotect(2)"),
	{"EINVAL", "grows both ways", "mprotect(2)", func(e *evidence) bool { return e.prot()&protGrows == protGrows },
		func(*evidence) string {
			return "PROT_GROWSDOWN (0x1000000) and PROT_GROWSUP (0x2000000) are given together: a range is extended one way."
		}},
	{"EINVAL", "unknown protection", "arch_validate_prot", func(e *evidence) bool { return !e.rounded.Empty() && e.unknownProt() != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("this kernel does not know the protection 0x%x on this processor.", e.unknownProt())
		}},
	{"EINVAL", "does not grow down", "mm/mprotect.c, do_mprotect_pkey", func(e *evidence) bool {
		m, ok := e.firstMapping(e.rounded, anything)
		return e.prot()&protGrowsDown != 0 && ok && m.Smaps != nil && !m.Smaps.HasFlag("gd")
	}, func(e *evidence) string {
		m, _ := e.firstMapping(e.rounded, anything)
		return fmt.Sprintf("PROT_GROWSDOWN (0x1000000) is for a mapping that grows downwards, as a stack does, and %s does not (VmFlags has no gd).", e.mappingNameIn(m, e.rounded))
	}},
	{"EINVAL", "does not grow up", "mm/mprotect.c, do_mprotect_pkey", func(e *evidence) bool { return !e.rounded.Empty() && e.prot()&protGrowsUp != 0 },
		func(*evidence) string {
			return "PROT_GROWSUP (0x2000000) is for a mapping that grows upwards, and on this processor none does."
		}},
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	wraps("ENOMEM", "mm/mprotect.c, do_mprotect_pkey"),
	{"EACCES", "file sealed", "F_ADD_SEALS of fcntl(2)", func(e *evidence) bool { _, _, ok := e.sealedFile(unwritable, e.neverWritable); return ok },
		func(e *evidence) string {
			m, f, _ := e.sealedFile(unwritable, e.neverWritable)
			return fmt.Sprintf("%s is a shared mapping of %s that may never have w (VmFlags has no mw): %s has %s, and this was mapped after that, or from a "+
				"descriptor for reading only.", e.mappingNameIn(m, e.rounded), printable.Name(f.Name), printable.Name(f.Name), sealsText(f.Seals&unwritable))
		}},
	found("EACCES", "file not writable", "mprotect(2)", func(e *evidence) (vmspace.Mapping, bool) { return e.firstMapping(e.rounded, e.neverWritable) },
		func(e *evidence, m vmspace.Mapping) string {
			if lent(m) {
				return fmt.Sprintf("%s is lent by the kernel, which lets nobody write to it (VmFlags has no mw).", e.mappingNameIn(m, e.rounded))
			}
			return fmt.Sprintf("%s is a shared mapping of a file that was not opened for writing: it may never have w (VmFlags has no mw).",
				e.mappingNameIn(m, e.rounded))
		}),
	unfit("EACCES", "never executable", "mprotect(2)", (*evidence).pages,
		func(e *evidence, m vmspace.Mapping) bool {
			return e.Prot&vmspace.Exec != 0 && m.Smaps != nil && !m.Smaps.HasFlag("me")
		},
		"may never have x (VmFlags has no me): its file system or its driver forbids executing"),
	mdweDenies((*evidence).gainsExec),
	fallback("EACCES", "mprotect(2)", "a mapping there may never have these letters, or a security module forbids them."),
	sealed("sealed", "mseal(2)", (*evidence).pages),
	fallback("EPERM", "mprotect(2)", "a seal of the mapping or of its file forbids these letters."),
	{"ENOMEM", "RLIMIT_DATA", "getrlimit(2)", func(e *evidence) bool { return e.overDataLimit() > 0 },
		func(e *evidence) string { return e.limitText(kernel.LimitData, "VmData", e.overDataLimit()) }},
	overcommits((*evidence).newlyAccounted),
	tooMany("ENOMEM", "mprotect(2)"),
	holeIn("ENOMEM", "mprotect(2)", (*evidence).pages),
	fallback("ENOMEM", "mprotect(2)", "the kernel has no memory for its own records of the mappings."),
}

// PROT_GROWSDOWN and PROT_GROWSUP (mprotect(2)).
const (
	protGrowsDown = 0x1000000
	protGrowsUp   = 0x2000000
	protGrows     = protGrowsDown | protGrowsUp
)

// prot is the protection with the bits that have no letter.
func (e *evidence) prot() uint64 { return e.number("prot") }

// unknownProt are the bits without a letter that mprotect does not take here.
func (e *evidence) unknownProt() (unknown uint64) {
	for rest := e.prot() &^ (protGrows | uint64(allLetters)); rest != 0; rest &= rest - 1 {
		if bit := rest & -rest; !kernel.KnowsProt(bit) {
			unknown |= bit
		}
	}
	return unknown
}

// neverWritable says whether w was requested for a mapping that may not have it.
func (e *evidence) neverWritable(m vmspace.Mapping) bool {
	return e.writes() && neverWritable(m)
}

// madeWritable are the sizes of the mappings that an mprotect would make private writable memory,
// in bytes: the kernel counts each by itself (mprotect_fixup in mm/mprotect.c). Mappings with one
// of the VmFlags are left out.
func (e *evidence) madeWritable(but ...string) (sizes []uint64) {
	e.firstMapping(e.untilHole(), func(m vmspace.Mapping) bool {
		if e.writes() && m.Private() && m.Perms&vmspace.Write == 0 && !flagged(but...)(m) {
			sizes = append(sizes, m.Intersect(e.untilHole()).Len())
		}
		return false
	})
	return sizes
}

// overDataLimit is the first of these sizes that RLIMIT_DATA forbids, 0 if there is none. A mapping
// that grows downwards does not count. If RLIMIT_AS does not allow that size in addition, the
// kernel skips the check.
func (e *evidence) overDataLimit() uint64 {
	for _, n := range e.madeWritable("gd") {
		if e.exceedsLimit(kernel.LimitData, "VmData", n) && !e.exceedsLimit(kernel.LimitAS, "VmSize", n) {
			return n
		}
	}
	return 0
}

// newlyAccounted is the largest of these sizes that is not accounted yet. Huge pages and noreserve
// mappings are exempt.
func (e *evidence) newlyAccounted() uint64 {
	return slices.Max(append(e.madeWritable("ac", "nr", "ht"), 0))
}

var msyncReasons = []reason{
	unknownFlags("msync(2)", "msync has sync, async and invalidate"),
	misaligned("msync(2)"),
	{"EINVAL", "sync and async", "msync(2)", func(e *evidence) bool { return e.has("sync") && e.has("async") },
		func(*evidence) string { return "sync waits and async does not; only one of them can be asked for." }},
	wraps("ENOMEM", "mm/msync.c"),
	{"EBUSY", "locked", "msync(2)", nil, func(e *evidence) string {
		m, ok := e.firstMapping(e.rounded, flagged("lo"))
		if !ok {
			return "invalidate was asked for, and part of the range is locked."
		}
		return fmt.Sprintf("%s is locked, and invalidate would drop its pages.", e.mappingNameIn(m, e.rounded))
	}},
	holeIn("ENOMEM", "msync(2)", (*evidence).pages),
	{"EIO", "device", "fsync(2)", nil, func(*evidence) string { return "the device failed while the file was written." }},
	{"ENOSPC", "full", "fsync(2)", nil, func(*evidence) string { return "the file system is full: the file's new pages have no place there." }},
	{"EDQUOT", "quota", "fsync(2)", nil, func(*evidence) string { return "the user's quota of the file system is used up." }},
}

var msealReasons = []reason{
	unknownFlags("mseal(2)", "mseal has none"),
	misaligned("mseal(2)"),
	wraps("EINVAL", "mm/mseal.c, do_mseal"),
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	holeIn("ENOMEM", "mseal(2)", (*evidence).pages),
	tooMany("ENOMEM", "mseal(2)"),
	fallback("ENOMEM", "mseal(2)", "the kernel has no memory for its own records of the mappings."),
}

// The system call answers every refusal with the current end of the heap: the rows are all for the
// ENOMEM of the C library (brk(2)).
var brkReasons = []reason{
	{"ENOMEM", "below the heap", "mm/mmap.c, brk", func(e *evidence) bool { start, known := e.heapStart(); return known && e.newBreak() < start },
		func(e *evidence) string {
			start, _ := e.heapStart()
			return fmt.Sprintf("0x%x lies below 0x%x, where the heap begins.", e.newBreak(), start)
		}},
	{"ENOMEM", "RLIMIT_DATA", "mm/mmap.c, check_data_rlimit", func(e *evidence) bool {
		return e.dataSize() > e.Limit(kernel.LimitData) && e.newBreak() != e.st.Value // the end as it is
	},
		func(e *evidence) string {
			return fmt.Sprintf("heap and initialised data would have %s, and RLIMIT_DATA allows %s.", amount.Size(e.dataSize()), amount.Size(e.Limit(kernel.LimitData)))
		}},
	{"ENOMEM", "sealed", "mseal(2)", func(e *evidence) bool { m, ok := e.heap(); return ok && m.Smaps.HasFlag("sl") && e.newBreak() < m.End },
		func(*evidence) string { return "the heap is sealed (mseal, VmFlags sl): it cannot shrink." }},
	{"ENOMEM", "past the end", "mm/mmap.c, brk", func(e *evidence) bool { return kernel.UserTop() > 0 && e.newBreak() > kernel.UserTop() },
		func(e *evidence) string {
			return fmt.Sprintf("0x%x lies past 0x%x, the end of the user's addresses.", e.newBreak(), kernel.UserTop())
		}},
	{"ENOMEM", "locked memory", "mm/mmap.c, brk", func(e *evidence) bool {
		return e.LocksFuture && e.overMemlock(e.heapGrowth())
	}, func(e *evidence) string { return "mlockall future locks new pages: " + e.memlockText(e.heapGrowth()) }},
	found("ENOMEM", "in the way", "mm/mmap.c, brk", (*evidence).aboveHeap, func(e *evidence, m vmspace.Mapping) string {
		return fmt.Sprintf("%s at 0x%x is in the way; the heap keeps one page from it.", e.mappingName(m, m.Start), m.Start)
	}),
	overLimit("RLIMIT_AS", "getrlimit(2)", kernel.LimitAS, "VmSize", (*evidence).heapGrowth),
	overLimit("data", "mm/vma.c, may_expand_vm", kernel.LimitData, "VmData", (*evidence).heapGrowth),
	{"ENOMEM", "too many mappings", "mm/vma.c, do_brk_flags", func(e *evidence) bool {
		_, most, known := e.mappingsLeft()
		return known && e.mapCount() > most
	}, func(e *evidence) string { return e.mapCountText() }},
	overcommits((*evidence).heapGrowth),
	fallback("ENOMEM", "brk(2)", "there is no room, a limit was reached, or the kernel has no memory for its own records."),
}

// newBreak is the end of the heap that brk asks for.
func (e *evidence) newBreak() uint64 { return e.number("to") }

func (e *evidence) heap() (vmspace.Mapping, bool) {
	return e.firstMapping(vmspace.Everything, func(m vmspace.Mapping) bool { return m.Kind() == vmspace.KindHeap })
}

// heapStart is where the heap begins, whether it has a page yet or not.
func (e *evidence) heapStart() (uint64, bool) {
	start, known := e.Stat(kernel.StatStartBrk)
	return start, known && start > 0
}

// dataSize is what brk compares with RLIMIT_DATA, in bytes: the heap as it would be, and the
// initialised data of the program.
func (e *evidence) dataSize() uint64 {
	start, known := e.heapStart()
	if !known || e.newBreak() < start {
		return 0
	}
	from, _ := e.Stat(kernel.StatStartData)
	to, _ := e.Stat(kernel.StatEndData)
	return e.newBreak() - start + to - from
}

// heapGrowth is by how much the heap would grow, in whole pages.
func (e *evidence) heapGrowth() uint64 {
	now, then := e.pageEnd(e.st.Value), e.pageEnd(e.newBreak())
	return then - min(now, then)
}

// aboveHeap is the first mapping that a grown heap would touch or come within a page of.
func (e *evidence) aboveHeap() (vmspace.Mapping, bool) {
	if e.heapGrowth() == 0 {
		return vmspace.Mapping{}, false
	}
	now := e.pageEnd(e.st.Value)
	return e.firstMapping(vmspace.Range{Start: now, End: e.pageEnd(e.newBreak()) + e.pageSize()}, func(m vmspace.Mapping) bool { return m.Start >= now })
}

var msealSentences = sentences{
	span: true,
	why: func(e *evidence) string {
		e.claim(history.ClaimSealed, e.rounded, 0)
		return "Sealed (VmFlags sl): from now on munmap, mprotect and mremap of it answer EPERM. Nothing undoes a seal."
	},
	reasons: msealReasons,
}

// explainMsync explains an msync: of its flags only sync has an effect, and only for a shared
// mapping of a file (mm/msync.c).
func explainMsync(e *evidence) string {
	_, filed := e.firstMapping(e.rounded, func(m vmspace.Mapping) bool { return m.Inode != 0 && !m.Private() })
	e.claim(history.ClaimKept, e.rounded, 0)
	switch {
	case !filed:
		return "There is no shared mapping of a file in the range, so there was nothing to write."
	case e.has("sync"):
		return "The file system was told to write what was changed, and the call waited for it. Others who map or read the file saw the changes before."
	case e.has("async"):
		return "MS_ASYNC starts nothing: the kernel writes changed pages to the file by itself, sooner or later. Others who map or read the file saw the changes before."
	}
	return "Neither sync nor async was asked for, so nothing was written: the call only checked that everything is mapped."
}

func explainBrk(e *evidence) string {
	st := e.st
	_, began := e.heap()
	back := uint64(0)
	for _, ch := range st.Changes {
		if ch.Process != st.Process {
			continue
		}
		switch pages := amount.Of(ch.Pages, "page"); ch.Kind {
		case vmspace.ChangeMapped, vmspace.ChangeGrown:
			e.claim(history.ClaimMapped, ch.Range, 0)
			text := "The heap grew by " + pages
			if !began {
				text = "The heap begins: " + pages + " mapped as [heap]"
			} else if ch.Kind == vmspace.ChangeMapped {
				text += ", in a mapping of its own: the one before has other letters or flags"
			}
			if b := e.countPages(ch.Range); b.came > 0 {
				return fmt.Sprintf("%s, and %s brought in at once.", text, pagesWere(b.came))
			}
			return text + ", no memory yet."
		case vmspace.ChangeShrunk, vmspace.ChangeUnmapped:
			// There is one for each mapping, if mprotect or munmap has split the heap.
			e.claim(history.ClaimUnmapped, ch.Range, 0)
			back += ch.Pages
		}
	}
	if back > 0 {
		return fmt.Sprintf("The heap gave %s back: no longer mapped.", amount.Of(back, "page"))
	}
	e.claim(history.ClaimUntouched, vmspace.Everything, 0)
	return fmt.Sprintf("The heap ends at 0x%x now. That takes the same pages as before.", st.Value)
}

func explainMunmap(e *evidence) string {
	st := e.st
	var gone []vmspace.Range
	n := uint64(0)
	e.firstMapping(e.rounded, func(m vmspace.Mapping) bool {
		gone = append(gone, m.Intersect(e.rounded))
		n += gone[len(gone)-1].Pages(e.pageSize())
		return false
	})
	if len(gone) == 0 {
		e.claim(history.ClaimUntouched, vmspace.Everything, 0)
		return "Nothing was mapped there: unmapping a hole is not an error."
	}
	for _, r := range gone {
		e.claim(history.ClaimUnmapped, r, 0)
	}
	next, kind := ": the next touch is SIGSEGV/MAPERR.", history.ClaimRefused
	if slices.Contains(st.Predict(st.Process, gone[0].Start, vmspace.Load).Can, vmspace.Grow) {
		after := st.After.Process(st.Process).Mappings
		i, _ := after.Find(gone[0].Start)
		switch above := after.At(i); {
		case above.Smaps != nil || above.Kind() == vmspace.KindStack:
			next, kind = ", but "+e.grower(above)+" grows down to it again when it is touched.", history.ClaimGrows
		default: // its VmFlags were not read
			next, kind = ".", ""
		}
	}
	if kind != "" {
		e.claim(kind, gone[0], 0)
	}
	text := amount.Of(n, "page") + " no longer mapped" + next
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
		e.claim(history.ClaimKept, e.rounded, 0)
		return "The letters were these already."
	}
	text := fmt.Sprintf("%s: %s → %s. ", place(st, ch[0].Range.Start), ch[0].From, ch[0].To)
	if in := e.countPages(e.rounded).broughtIn(); in != "" { // mprotect_fixup in mm/mprotect.c
		text += "It is locked memory that may be written now: " + in + "."
	} else {
		e.claim(history.ClaimKept, e.rounded, 0)
		text += "The frames stay where they are; only what is allowed has changed."
	}
	return text + execOnlyText(st) + e.splitText()
}
