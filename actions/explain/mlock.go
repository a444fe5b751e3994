package explain

import (
	"fmt"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What mlock and its kin refuse, in the order of do_mlock and apply_vma_lock_flags in mm/mlock.c.
// The limit is looked at before the mappings are; the pages are brought in last, when everything is
// marked as locked already.

var mlockReasons = []reason{
	mayLockNothing,
	{"ENOMEM", "RLIMIT_MEMLOCK", "mlock(2)", func(e *evidence) bool { return e.overMemlock(e.unlocked()) },
		func(e *evidence) string { return e.memlockText(e.unlocked()) }},
	lockWraps,
	tooMany("ENOMEM", "mlock(2)"),
	lockHole,
	{"ENOMEM", "no access", "mm/gup.c, populate_vma_page_range", func(e *evidence) bool {
		_, ok := e.some(e.lockedPages(), closed)
		return ok
	}, func(e *evidence) string {
		m, _ := e.some(e.lockedPages(), closed)
		return fmt.Sprintf("%s allows no access, so its pages cannot be brought in.", e.inside(m, e.lockedPages()))
	}},
	{"ENOMEM", "protection key", "mm/gup.c, check_vma_flags", func(e *evidence) bool {
		_, ok := e.forbidden(e.lockedPages(), broughtInBy)
		return ok
	}, func(e *evidence) string {
		m, _ := e.forbidden(e.lockedPages(), broughtInBy)
		return e.keyedText(m, e.lockedPages())
	}},
	{"ENOMEM", "past the file", "mm/mlock.c, __mlock_posix_error_return", func(e *evidence) bool {
		_, _, ok := e.pastFile(e.lockedPages())
		return ok
	}, func(e *evidence) string {
		addr, size, _ := e.pastFile(e.lockedPages())
		return fmt.Sprintf("the file has %s and ends before %s, so that page cannot be brought in.", amount.Size(size), e.at(addr))
	}},
	{"ENOMEM", "guarded", "mm/mlock.c, __mlock_posix_error_return", func(e *evidence) bool { _, ok := e.guarded(); return ok },
		func(e *evidence) string {
			addr, _ := e.guarded()
			return fmt.Sprintf("%s is a guard page, which cannot be brought in.", e.at(addr))
		}},
	{"ENOMEM", "pool empty", "mmap(2), MAP_HUGETLB", func(e *evidence) bool { _, ok := e.some(e.lockedPages(), flagged("ht")); return ok },
		func(e *evidence) string {
			m, _ := e.some(e.lockedPages(), flagged("ht"))
			return fmt.Sprintf("%s needs a huge page, and the pool gave none.", e.inside(m, e.lockedPages()))
		}},
	otherwise("ENOMEM", "mlock(2)", "part of the range cannot be brought in, or the kernel has no memory for its own records of the mappings."),
	otherwise("EAGAIN", "mlock(2)", "there was not memory enough to bring all pages in."),
}

var munlockReasons = []reason{
	lockWraps,
	tooMany("ENOMEM", "mlock(2)"),
	lockHole,
	otherwise("ENOMEM", "mlock(2)", "the kernel has no memory for its own records of the mappings."),
}

var mlockallReasons = []reason{
	{"EINVAL", "no flags", "mlockall(2)", func(e *evidence) bool { return e.Flags == 0 },
		func(*evidence) string { return "it must be told what to lock: current, future or both." }},
	{"EINVAL", "onfault alone", "mlockall(2)", nil,
		func(*evidence) string { return "onfault says how to lock, but not what: current, future or both." }},
	mayLockNothing,
	{"ENOMEM", "RLIMIT_MEMLOCK", "mlockall(2)", func(e *evidence) bool {
		size, known := e.Status("VmSize")
		return known && e.has("current") && size > e.Limit(kernel.LimitMemlock) && !e.May(kernel.CapIPCLock)
	}, func(e *evidence) string {
		size, _ := e.Status("VmSize")
		return fmt.Sprintf("all mappings together have %s, and RLIMIT_MEMLOCK allows %s to a process without CAP_IPC_LOCK.",
			amount.Size(size), amount.Size(e.Limit(kernel.LimitMemlock)))
	}},
	otherwise("ENOMEM", "mlockall(2)", "more would be locked than RLIMIT_MEMLOCK allows."),
}

var mayLockNothing = reason{"EPERM", "may lock nothing", "mlock(2)", nil,
	func(*evidence) string {
		return "RLIMIT_MEMLOCK is 0: a process without CAP_IPC_LOCK may lock nothing."
	}}

// lockWraps and lockHole are about the whole pages of the range: mlock rounds its start down, where
// other calls refuse it.
var (
	lockWraps = reason{"EINVAL", "wraps", "mlock(2)", nil,
		func(*evidence) string { return "rounded up to whole pages, the range reaches past the last address." }}
	lockHole = reason{"ENOMEM", "hole", "mlock(2)", func(e *evidence) bool { _, ok := e.hole(e.lockedPages()); return ok },
		func(e *evidence) string {
			addr, _ := e.hole(e.lockedPages())
			return fmt.Sprintf("the range has a hole: nothing is mapped at %s.", e.at(addr))
		}}
)

// lockedPages are the whole pages of the range.
func (e *evidence) lockedPages() vmspace.Range {
	return vmspace.Range{Start: e.whole.Start &^ (e.pageSize() - 1), End: e.whole.End}
}

// unlocked is how much of the range is not locked yet: what is, does not count twice.
func (e *evidence) unlocked() uint64 {
	r := e.lockedPages()
	return r.Len() - e.locked(r)
}

// broughtInBy is how a page of m is brought in for mlock: private memory that may be written, as if
// it were (populate_vma_page_range in mm/gup.c).
func broughtInBy(m vmspace.Mapping) vmspace.Access {
	if m.Private() && m.Perms&vmspace.Write != 0 {
		return vmspace.Store
	}
	return vmspace.Load
}

// closed says whether m allows no access, and has pages to be brought in (__mm_populate in
// mm/gup.c).
func closed(m vmspace.Mapping) bool { return m.Perms&allLetters == 0 && !flagged("io", "pf")(m) }

var mlockSentences = sentences{
	why:     explainLock,
	reasons: mlockReasons,
}

var munlockSentences = sentences{
	why: func(*evidence) string {
		return "The pages stay where they are, and may be swapped out again."
	},
	reasons: munlockReasons,
}

var mlockallSentences = sentences{
	why:     explainLock,
	reasons: mlockallReasons,
}

var munlockallSentences = sentences{
	why: func(*evidence) string { return "Nothing is locked any more." },
}

// explainLock says how many pages a lock brought in.
func explainLock(e *evidence) string {
	st := e.st
	n := uint64(0)
	for _, ch := range st.Changes {
		if ch.Process == st.Process && ch.Kind == vmspace.ChangePage && ch.Was == vmspace.None {
			n += ch.Pages
		}
	}
	switch {
	case e.has("onfault"):
		return "Each page is locked when it is first touched; none was brought in for it."
	case n > 0:
		return fmt.Sprintf("Locking means being there: %s faulted in at once, and will not be swapped out.", amount.Of(n, "page"))
	}
	return "The pages were there already, and will not be swapped out."
}
