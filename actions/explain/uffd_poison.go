package explain

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// What uffd_poison did, what it refuses, and what a touch of a poisoned page does
// (mfill_atomic_pte_poison in mm/userfaultfd.c, handle_pte_marker in mm/memory.c).

var uffdPoisonSentences = sentences{
	why: explainUffdPoison,
	reasons: slices.Concat(uffdOpen, []reason{
		{"EINVAL", "unknown", uffdSource, func(*evidence) bool { return !kernel.PoisonsPages() },
			func(*evidence) string { return "this kernel does not know UFFDIO_POISON (it came with Linux 6.6)." }},
	}, uffdTarget[len(uffdOpen):], []reason{
		splitsHuge((*evidence).pages),
		fallback("EINVAL", uffdSource, "userfaultfd is not for a mapping of this kind."),
		{"EEXIST", "page there", uffdSource, nil, func(e *evidence) string {
			return fmt.Sprintf("%s is not missing in the page table: it is %s. No page is replaced.", e.placeText(e.Given.Start), e.stateText(e.Given.Start))
		}},
		{"EAGAIN", "page there", uffdSource, func(e *evidence) bool { return e.st.Done > 0 }, func(e *evidence) string {
			at := e.Given.Start + e.st.Done*e.pageSize()
			stop := fmt.Sprintf("%s is not missing in the page table: it is %s", e.placeText(at), e.stateText(at))
			if e.endsBefore(at) {
				stop = "the file ends before " + e.placeText(at)
			}
			return fmt.Sprintf("%s poisoned, and then %s. What was done before counts, so the answer is EAGAIN.", pagesWere(e.st.Done), stop)
		}},
		fallback("EAGAIN", uffdSource, "the mappings are being changed at this moment."),
		{"EFAULT", "past the file", "mm/userfaultfd.c, mfill_file_over_size", func(e *evidence) bool { return e.endsBefore(e.Given.Start) },
			func(e *evidence) string { return fmt.Sprintf("the file ends before %s.", e.placeText(e.Given.Start)) }},
		fallback("EFAULT", uffdSource, "the shared memory ends before the page."),
		fallback("ENOMEM", uffdSource, "there is no memory for the page tables."),
	}),
}

func explainUffdPoison(e *evidence) string {
	e.claim(history.ClaimKept, e.rounded, 0)
	n := e.rounded.Pages(e.pageSize())
	return fmt.Sprintf("%s poisoned: a marker in the page table says that they are broken, and any touch is SIGBUS, until they are dropped or unmapped.", pagesWere(n))
}

// unpoisonedText says how many markers of poisoned pages the call has dropped.
func (e *evidence) unpoisonedText() string {
	count := func(p *vmspace.Process) (n uint64) {
		for run := range p.PagesIn(e.rounded) {
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

// mayBePoisoned reports whether the page at the fault is poisoned, or may be: before Linux 6.15 its
// marker looks like a page in swap.
func (e *evidence) mayBePoisoned() bool {
	m, _ := e.faultMapping()
	page := e.faultPage()
	return page.Attrs&vmspace.Poisoned != 0 || page.State == vmspace.Swapped && m.Smaps != nil && (m.Smaps.Swap == 0 || !m.Private())
}

// poisonedPage is for a touch of a page that is broken.
func poisonedPage(result string) reason {
	return reason{result, "poisoned", "mm/memory.c, handle_pte_marker", (*evidence).mayBePoisoned, func(e *evidence) string {
		return fmt.Sprintf("%s is poisoned: the kernel found it broken, or uffd_poison marked it so, and every access to it is refused.", e.placeText(e.st.Fault))
	}}
}

// handledByUffd finds the first page of r that cannot be brought in, because userfaultfd handles it
// (it is missing, or is write-protected and would be written) or because it is poisoned.
func (e *evidence) handledByUffd(r vmspace.Range, access func(vmspace.Mapping) vmspace.Access) (addr uint64, protected, ok bool) {
	for run := range e.before.PagesIn(r) {
		m, _ := e.before.MappingAt(run.Start)
		protected = m.Smaps.HasFlag("uw") && run.Attrs&vmspace.UffdWP != 0 && access(m) == vmspace.Store
		if protected || run.Attrs&vmspace.Poisoned != 0 || run.State == vmspace.None && (m.Smaps.HasFlag("um") || m.Smaps.HasFlag("ui")) {
			e.foundAt = run.Start
			return run.Start, protected, true
		}
	}
	return 0, false, false
}

// notBroughtIn is for a call that brings pages in.
func notBroughtIn(result, source string, does func(*evidence) bool, where func(*evidence) vmspace.Range, access func(*evidence, vmspace.Mapping) vmspace.Access) reason {
	find := func(e *evidence) (uint64, bool, bool) {
		return e.handledByUffd(where(e), func(m vmspace.Mapping) vmspace.Access { return access(e, m) })
	}
	return reason{result, "userfaultfd", source, func(e *evidence) bool { _, _, ok := find(e); return ok && does(e) },
		func(e *evidence) string {
			addr, protected, _ := find(e)
			if protected {
				return fmt.Sprintf("%s is write-protected with userfaultfd, and would have to be brought in as for a write: a fault there is SIGBUS.", e.placeText(addr))
			}
			m, _ := e.before.MappingAt(addr)
			if e.before.PageAt(addr, e.pageSize()).Attrs&vmspace.Poisoned != 0 {
				return fmt.Sprintf("%s is poisoned: a fault there is SIGBUS.", e.placeText(addr))
			}
			return fmt.Sprintf("%s is %s: a fault there is SIGBUS.", e.placeText(addr), handledText(m))
		}}
}
