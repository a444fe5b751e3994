package explain

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// What came of uffd_poison, what it refuses, and what comes of a touch of such a page
// (mfill_atomic_pte_poison in mm/userfaultfd.c, handle_pte_marker in mm/memory.c).

var uffdPoisonSentences = sentences{
	why: explainUffdPoison,
	reasons: slices.Concat(uffdOpen, []reason{
		{"EINVAL", "unknown", uffdSource, func(*evidence) bool { return !kernel.PoisonsPages() },
			func(*evidence) string { return "this kernel does not know UFFDIO_POISON (it came with Linux 6.6)." }},
	}, uffdTarget[len(uffdOpen):], []reason{
		splitsHuge((*evidence).pages),
		otherwise("EINVAL", uffdSource, "userfaultfd is not for a mapping of this kind."),
		{"EEXIST", "page there", uffdSource, nil, func(e *evidence) string {
			return fmt.Sprintf("%s is not missing in the page table: it is %s. No page is replaced.", e.at(e.Given.Start), e.stateText(e.Given.Start))
		}},
		{"EAGAIN", "page there", uffdSource, func(e *evidence) bool { return e.st.Done > 0 }, func(e *evidence) string {
			at := e.Given.Start + e.st.Done*e.pageSize()
			stop := fmt.Sprintf("%s is not missing in the page table: it is %s", e.at(at), e.stateText(at))
			if e.endsBefore(at) {
				stop = "the file ends before " + e.at(at)
			}
			return fmt.Sprintf("%s poisoned, and then %s. What was done before counts, so the answer is EAGAIN.", pagesWere(e.st.Done), stop)
		}},
		otherwise("EAGAIN", uffdSource, "the mappings are being changed at this moment."),
		{"EFAULT", "past the file", "mm/userfaultfd.c, mfill_file_over_size", func(e *evidence) bool { return e.endsBefore(e.Given.Start) },
			func(e *evidence) string { return fmt.Sprintf("the file ends before %s.", e.at(e.Given.Start)) }},
		otherwise("EFAULT", uffdSource, "the shared memory ends before the page."),
		otherwise("ENOMEM", uffdSource, "there is no memory for the page tables."),
	}),
}

func explainUffdPoison(e *evidence) string {
	e.claim(history.ClaimKept, e.whole, 0)
	n := e.whole.Pages(e.pageSize())
	return fmt.Sprintf("%s poisoned: a marker in the page table says that they are broken, and any touch is SIGBUS, until they are dropped or unmapped.", pagesWere(n))
}

// healed says how many markers of poisoned pages the call has dropped.
func (e *evidence) healed() string {
	count := func(p *vmspace.Process) (n uint64) {
		for run := range p.PagesIn(e.whole) {
			if run.Attrs&vmspace.Poisoned != 0 {
				n += run.Pages
			}
		}
		return n
	}
	if n := count(e.before) - count(e.st.After.Process(e.owner)); n > 0 {
		return fmt.Sprintf(" %s poisoned no longer.", pagesWere(n))
	}
	return ""
}

// broken reports whether the page at the fault is poisoned, or may be: before Linux 6.15 its marker
// looks as a page in swap does.
func (e *evidence) broken() bool {
	m, _ := e.faulty()
	page := e.faultPage()
	return page.Attrs&vmspace.Poisoned != 0 || page.State == vmspace.Swapped && m.Smaps != nil && (m.Smaps.Swap == 0 || !m.Private())
}

// poisonedPage is for a touch of a page that is broken.
func poisonedPage(result string) reason {
	return reason{result, "poisoned", "mm/memory.c, handle_pte_marker", (*evidence).broken, func(e *evidence) string {
		return fmt.Sprintf("%s is poisoned: the kernel knows of it that it is broken, or uffd_poison has said so, and refuses every access.", e.at(e.st.Fault))
	}}
}

// reported finds the first page of r that cannot be brought in because userfaultfd is told of it:
// one that is missing, or one that is write-protected where it would be written; or because it is
// poisoned.
func (e *evidence) reported(r vmspace.Range, access func(vmspace.Mapping) vmspace.Access) (addr uint64, protected, ok bool) {
	for run := range e.before.PagesIn(r) {
		m, _ := e.before.MappingAt(run.Start)
		protected = m.Smaps.HasFlag("uw") && run.Attrs&vmspace.UffdWP != 0 && access(m) == vmspace.Store
		if protected || run.Attrs&vmspace.Poisoned != 0 || run.State == vmspace.None && (m.Smaps.HasFlag("um") || m.Smaps.HasFlag("ui")) {
			e.where = run.Start
			return run.Start, protected, true
		}
	}
	return 0, false, false
}

// notBroughtIn is for a call that brings pages in.
func notBroughtIn(result, source string, does func(*evidence) bool, where func(*evidence) vmspace.Range, access func(*evidence, vmspace.Mapping) vmspace.Access) reason {
	find := func(e *evidence) (uint64, bool, bool) {
		return e.reported(where(e), func(m vmspace.Mapping) vmspace.Access { return access(e, m) })
	}
	return reason{result, "userfaultfd", source, func(e *evidence) bool { _, _, ok := find(e); return ok && does(e) },
		func(e *evidence) string {
			addr, protected, _ := find(e)
			if protected {
				return fmt.Sprintf("%s is write-protected with userfaultfd, and would have to be brought in as for a write: a fault there is SIGBUS.", e.at(addr))
			}
			m, _ := e.before.MappingAt(addr)
			if e.before.PageAt(addr, e.pageSize()).Attrs&vmspace.Poisoned != 0 {
				return fmt.Sprintf("%s is poisoned: a fault there is SIGBUS.", e.at(addr))
			}
			return fmt.Sprintf("%s is %s: a fault there is SIGBUS.", e.at(addr), toldOf(m))
		}}
}
