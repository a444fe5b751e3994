package explain

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What mlock and the other locking calls refuse, in the order of do_mlock and apply_vma_lock_flags
// in mm/mlock.c. The limit is checked before the mappings; the pages are brought in last, when
// everything is marked as locked already.

var mlockReasons = []reason{
	unknownFlags("mlock2(2)", "mlock2 has onfault"),
	lockLimitZero,
	{"ENOMEM", "RLIMIT_MEMLOCK", "mlock(2)", func(e *evidence) bool { return e.overMemlock(e.unlockedBytes()) },
		func(e *evidence) string { return e.memlockText(e.unlockedBytes()) }},
	lockWraps,
	tooMany("ENOMEM", "mlock(2)"),
	holeIn("ENOMEM", "mlock(2)", (*evidence).lockedPages),
	unfit("ENOMEM", "no access", "mm/gup.c, populate_vma_page_range", (*evidence).lockedPages,
		func(e *evidence, m vmspace.Mapping) bool { return e.lockPopulates(m) && noAccess(m) }, "allows no access, so its pages cannot be brought in"),
	found("ENOMEM", "protection key", "mm/gup.c, check_vma_flags", func(e *evidence) (vmspace.Mapping, bool) {
		return e.firstMapping(e.lockedPages(), func(m vmspace.Mapping) bool { return e.lockPopulates(m) && e.forbids(m, broughtInBy(m)) })
	}, func(e *evidence, m vmspace.Mapping) string { return e.keyedText(m, e.lockedPages()) }),
	{"ENOMEM", "past the file", "mm/mlock.c, __mlock_posix_error_return", func(e *evidence) bool {
		addr, _, ok := e.pastFile(e.lockedPages())
		m, _ := e.before.MappingAt(addr)
		return ok && e.lockPopulates(m)
	}, func(e *evidence) string {
		addr, size, _ := e.pastFile(e.lockedPages())
		return fmt.Sprintf("the file has %s and ends before %s, so that page cannot be brought in.", amount.Size(size), e.placeText(addr))
	}},
	found("ENOMEM", "guarded", "mm/mlock.c, __mlock_posix_error_return", func(e *evidence) (uint64, bool) { return e.guardPage(e.lockPopulates) },
		func(e *evidence, addr uint64) string {
			return e.placeText(addr) + " is a guard page, which cannot be brought in."
		}),
	notBroughtIn("ENOMEM", "mm/mlock.c, __mlock_posix_error_return", func(e *evidence) bool { return !e.has("onfault") }, (*evidence).lockedPages,
		func(_ *evidence, m vmspace.Mapping) vmspace.Access { return broughtInBy(m) }),
	unfit("ENOMEM", "pool empty", "mmap(2), MAP_HUGETLB", (*evidence).lockedPages, onMapping(flagged("ht")), "needs a huge page, and the pool gave none"),
	fallback("ENOMEM", "mlock(2)", "part of the range cannot be brought in, or the kernel has no memory for its own records of the mappings."),
	fallback("EAGAIN", "mlock(2)", "there was not enough memory to bring in all pages."),
}

var munlockReasons = []reason{
	lockWraps,
	tooMany("ENOMEM", "mlock(2)"),
	holeIn("ENOMEM", "mlock(2)", (*evidence).lockedPages),
	fallback("ENOMEM", "mlock(2)", "the kernel has no memory for its own records of the mappings."),
}

var mlockallReasons = []reason{
	{"EINVAL", "no flags", "mlockall(2)", func(e *evidence) bool { return e.Flags == 0 },
		func(*evidence) string { return "it must be told what to lock: current, future or both." }},
	unknownFlags("mlockall(2)", "mlockall has current, future and onfault"),
	{"EINVAL", "onfault alone", "mlockall(2)", nil,
		func(*evidence) string { return "onfault says how to lock, but not what: current, future or both." }},
	lockLimitZero,
	{"ENOMEM", "RLIMIT_MEMLOCK", "mlockall(2)", func(e *evidence) bool {
		size, known := e.Status("VmSize")
		return known && e.has("current") && size > e.Limit(kernel.LimitMemlock) && !e.May(kernel.CapIPCLock)
	}, func(e *evidence) string {
		size, _ := e.Status("VmSize")
		return fmt.Sprintf("all mappings together have %s, and RLIMIT_MEMLOCK allows %s to a process without CAP_IPC_LOCK.",
			amount.Size(size), amount.Size(e.Limit(kernel.LimitMemlock)))
	}},
	fallback("ENOMEM", "mlockall(2)", "more would be locked than RLIMIT_MEMLOCK allows."),
}

var lockLimitZero = reason{"EPERM", "may lock nothing", "mlock(2)", nil,
	func(*evidence) string {
		return "RLIMIT_MEMLOCK is 0: a process without CAP_IPC_LOCK may lock nothing."
	}}

var lockWraps = reason{"EINVAL", "wraps", "mlock(2)", nil,
	func(*evidence) string { return "rounded up to whole pages, the range reaches past the last address." }}

// lockedPages are the whole pages of the range: mlock rounds its start down, where other calls
// refuse it.
func (e *evidence) lockedPages() vmspace.Range {
	return vmspace.Range{Start: e.rounded.Start &^ (e.pageSize() - 1), End: e.rounded.End}
}

// unlockedBytes is how much of the range is not locked yet. Locking a page twice counts once.
func (e *evidence) unlockedBytes() uint64 {
	r := e.lockedPages()
	return r.Len() - e.lockedBytes(r)
}

// broughtInBy is how a page of m is brought in for mlock: private memory that may be written, as if
// it were (populate_vma_page_range in mm/gup.c).
func broughtInBy(m vmspace.Mapping) vmspace.Access {
	if m.Private() && m.Perms&vmspace.Write != 0 {
		return vmspace.Store
	}
	return vmspace.Load
}

// lockPopulates says whether mlock brings in pages of m. With onfault it does so only for mappings
// that cannot be locked (populate_vma_page_range in mm/gup.c).
func (e *evidence) lockPopulates(m vmspace.Mapping) bool { return !e.has("onfault") || unlockable(m) }

// noAccess says whether m allows no access, and has pages to be brought in (__mm_populate in
// mm/gup.c).
func noAccess(m vmspace.Mapping) bool { return m.Perms&allLetters == 0 && !flagged("io", "pf")(m) }

var munlockSentences = sentences{
	span: true,
	why: func(e *evidence) string {
		for _, part := range e.lockable(e.lockedPages()) {
			e.claim(history.ClaimUnlocked, part, 0)
			e.claim(history.ClaimKept, part, 0)
		}
		return "The pages stay where they are, and may be swapped out again."
	},
	reasons: munlockReasons,
}

var munlockallSentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimUnlocked, vmspace.Everything, 0)
		return "Nothing is locked any more, nor will new mappings be."
	},
}

// unlockable says whether m cannot be locked: it is lent by the kernel, made of huge pages of the
// pool, or droppable (mlock_fixup in mm/mlock.c).
func unlockable(m vmspace.Mapping) bool {
	return flagged("io", "de", "pf", "mm", "ht", "dp")(m) || m.Path == vsyscall
}

// lockable are the parts of r that can be locked, as they were before the call.
func (e *evidence) lockable(r vmspace.Range) (parts []vmspace.Range) {
	e.firstMapping(r, func(m vmspace.Mapping) bool {
		if !unlockable(m) {
			parts = append(parts, m.Intersect(r))
		}
		return false
	})
	return parts
}

// explainLock says what a lock brought in, and what it leaves to the first touch.
func explainLock(e *evidence) string {
	r, onfault, text := e.lockedPages(), e.has("onfault"), ""
	if e.Verb == "mlockall" {
		if r = vmspace.Everything; !e.has("current") {
			r = vmspace.Range{}
		}
		if e.has("future") {
			text = "Every new mapping will be locked, its pages brought in at once."
			if onfault {
				text = "Every new mapping will be locked, each page when it is first touched."
			}
		}
	}
	if r.Empty() {
		return strings.TrimSpace(text + " What is mapped now stays as it was.")
	}
	parts := e.lockable(r)
	if _, drops := e.firstMapping(r, flagged("dp")); drops {
		text = strings.TrimSpace("What is droppable (VmFlags dp) is not locked, and may be dropped all the same. " + text)
	}
	if len(parts) == 0 && text != "" {
		return text
	}
	if len(parts) == 0 {
		return "Nothing of it can be locked: what is lent by the kernel, and huge pages of the pool, are left out."
	}
	var all pageCounts
	full := true
	for _, part := range parts {
		b := e.countPages(part)
		all.came, all.owned = all.came+b.came, all.owned+b.owned
		e.claim(history.ClaimLocked, part, 0)
		now := e.st.After.Process(e.st.Process)
		full = full && now.Resident(part) == part.Pages(e.pageSize())
	}
	brought := all.broughtIn()
	switch {
	case brought != "" && full:
		brought = "Locked pages must be in memory: " + brought + ". Nothing of the range will be swapped out."
	case brought != "":
		brought = "Locked pages must be in memory: " + brought + ". What is there will not be swapped out."
	case full:
		brought = "The pages were there already, and will not be swapped out."
	case onfault:
		brought = "What is there will not be swapped out; each other page is locked when it is first touched."
	default:
		brought = "What is there will not be swapped out; nothing more could be brought in."
	}
	return strings.TrimSpace(brought + " " + text)
}
