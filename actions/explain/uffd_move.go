package explain

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What uffd_continue and uffd_move did, and what they refuse, each in the order of mfill_atomic
// and move_pages in mm/userfaultfd.c.

var uffdContinueSentences = sentences{
	why: explainUffdContinue,
	reasons: slices.Concat(uffdTarget, []reason{
		uffdNotForWP,
		splitsHuge((*evidence).pages),
		{"EINVAL", "anonymous memory", uffdSource, func(e *evidence) bool { return anonymous(e.firstMremapped()) },
			func(e *evidence) string {
				return fmt.Sprintf("%s is anonymous: only shared memory has pages that its page table lacks.", e.mappingNameIn(e.firstMremapped(), e.rounded))
			}},
		{"EINVAL", "wp unknown", "mm/userfaultfd.c", func(e *evidence) bool { return e.has("wp") && !kernel.ContinuesProtected() },
			func(*evidence) string {
				return "this kernel does not know UFFDIO_CONTINUE_MODE_WP (it came with Linux 6.4)."
			}},
		{"EINVAL", "past the file", "mm/shmem.c, shmem_get_folio_gfp", func(e *evidence) bool { return e.endsBefore(e.Given.Start) },
			func(e *evidence) string { return e.continueStop(0) + "." }},
		fallback("EINVAL", uffdSource, "the shared memory ends before the page, or userfaultfd is not for a mapping of this kind."),
		{"EEXIST", "page there", uffdSource, nil, func(e *evidence) string {
			return fmt.Sprintf("%s is in the page table already: it is %s.", e.placeText(e.Given.Start), e.stateText(e.Given.Start))
		}},
		{"EFAULT", "not in the shared memory", "mm/userfaultfd.c, mfill_atomic_pte_continue", nil, func(e *evidence) string {
			return fmt.Sprintf("the shared memory has no page at %s, and none is made: uffd_copy or uffd_zeropage would.", e.placeText(e.Given.Start))
		}},
		{"EAGAIN", "stopped", uffdSource, func(e *evidence) bool { return e.st.Done > 0 }, func(e *evidence) string {
			return fmt.Sprintf("%s mapped, and then %s. What was done before counts, so the answer is EAGAIN.", pagesWere(e.st.Done), e.continueStop(e.st.Done))
		}},
		fallback("EAGAIN", uffdSource, "the mappings are being changed at this moment."),
		fallback("ENOMEM", uffdSource, "there is no memory for the page tables."),
	}),
}

// handledText says in what way a page in m, which userfaultfd handles, is not there.
func handledText(m vmspace.Mapping) string {
	switch missing, minor := m.Smaps.HasFlag("um"), m.Smaps.HasFlag("ui"); {
	case minor && missing:
		return "not in the page table, and userfaultfd handles that, whether the shared memory has it or not (VmFlags ui, um)"
	case minor:
		return "in the shared memory and not in the page table, and userfaultfd handles that (VmFlags ui)"
	}
	return "missing, and userfaultfd handles that (VmFlags um)"
}

// endsBefore reports whether the file is known to end before addr.
func (e *evidence) endsBefore(addr uint64) bool {
	at, _, ok := e.pastFile(e.rounded)
	return ok && at <= addr
}

// continueStop says why uffd_continue did not get past its page number n.
func (e *evidence) continueStop(n uint64) string {
	at := e.Given.Start + n*e.pageSize()
	switch state := e.before.PageAt(at, e.pageSize()).State; {
	case state != vmspace.None:
		return fmt.Sprintf("%s is in the page table already: it is %s", e.placeText(at), state)
	case e.endsBefore(at):
		return "the file ends before " + e.placeText(at)
	}
	return "the shared memory has no page at " + e.placeText(at) + ", or ends before it"
}

// stateText is the state of the page at addr before the step.
func (e *evidence) stateText(addr uint64) string {
	m, _ := e.before.MappingAt(addr)
	switch run := e.before.PageAt(addr, e.pageSize()); {
	case run.State == vmspace.Swapped && m.Smaps != nil && m.Smaps.Swap == 0:
		return "a marker"
	case run.State != vmspace.None:
		return run.State.String()
	case run.Attrs&vmspace.UffdWP != 0:
		return "a marker of userfaultfd"
	case run.Attrs&vmspace.Poisoned != 0:
		return "poisoned"
	}
	return "there since"
}

func explainUffdContinue(e *evidence) string {
	text := pagesWere(e.countPages(e.rounded).came) + " mapped that the shared memory has"
	if e.has("wp") {
		text += ", write-protected from the start"
	}
	return text + ". No fault was taken for it."
}

// moveTarget is the range that uffd_move moves to.
func (e *evidence) moveTarget() vmspace.Range {
	to := e.number("to")
	return vmspace.Range{Start: to, End: to + e.Given.Len()}
}

// moveEnds are the mappings at the start of the range that uffd_move takes pages from, and of the one
// that it moves them to.
func (e *evidence) moveEnds() (from, to vmspace.Mapping) {
	to, _ = e.before.MappingAt(e.number("to"))
	return e.firstMremapped(), to
}

// moveRefused is for two mappings that pages do not move between.
func moveRefused(name, source string, when func(from, to vmspace.Mapping) bool, say func(e *evidence, from, to string) string) reason {
	return reason{"EINVAL", name, source, func(e *evidence) bool {
		from, to := e.moveEnds()
		return from.Smaps != nil && to.Smaps != nil && when(from, to)
	}, func(e *evidence) string {
		from, to := e.moveEnds()
		return say(e, e.mappingName(from, e.Given.Start), e.mappingName(to, e.number("to")))
	}}
}

const validateMove = "mm/userfaultfd.c, validate_move_areas"

var uffdMoveSentences = sentences{
	why: explainUffdMove,
	reasons: slices.Concat(uffdOpen, []reason{
		{"EINVAL", "unknown", "ioctl_userfaultfd(2)", func(*evidence) bool { return !kernel.MovesPages() },
			func(*evidence) string { return "this kernel does not know UFFDIO_MOVE (it came with Linux 6.8)." }},
		{"EINVAL", "misaligned target", uffdSource, func(e *evidence) bool { return e.number("to")%e.pageSize() != 0 },
			func(e *evidence) string {
				return fmt.Sprintf("the pages would go to 0x%x, which is not a multiple of the page size, %d.", e.number("to"), e.pageSize())
			}},
	}, uffdRange, []reason{
		{"EINVAL", "target past the end", "fs/userfaultfd.c, validate_range", func(e *evidence) bool {
			top, to := kernel.UserTop(), e.number("to")
			return top > 0 && (to >= top || e.Given.Len() > top-to)
		}, func(e *evidence) string {
			return fmt.Sprintf("the pages would go past 0x%x, the end of the user's addresses.", kernel.UserTop())
		}},
		{"ENOENT", "nothing mapped", "mm/userfaultfd.c, find_vmas_mm_locked", func(e *evidence) bool { return e.unmappedAddr() != 0 },
			func(e *evidence) string {
				return fmt.Sprintf("nothing is mapped at %s.", e.placeText(e.unmappedAddr()))
			}},
		moveRefused("not anonymous", validateMove, func(from, to vmspace.Mapping) bool { return !anonymous(from) || !anonymous(to) },
			func(e *evidence, from, to string) string {
				if m, _ := e.moveEnds(); anonymous(m) {
					from = to
				}
				return fmt.Sprintf("%s is not private anonymous memory, and nothing else moves.", from)
			}),
		{"EINVAL", "past the mapping", "mm/userfaultfd.c, move_pages", func(e *evidence) bool {
			from, to := e.moveEnds()
			return from.End < e.Given.End || to.End < e.moveTarget().End
		}, func(e *evidence) string {
			m, to := e.moveEnds()
			if m.End >= e.Given.End {
				m = to
			}
			return fmt.Sprintf("the mapping ends at 0x%x, and pages move from one mapping to one mapping.", m.End)
		}},
		moveRefused("other letters", validateMove, func(from, to vmspace.Mapping) bool {
			return from.Perms != to.Perms || keyIn(from) != keyIn(to)
		}, func(_ *evidence, from, to string) string {
			return fmt.Sprintf("%s and %s have different letters or protection keys, and a page that moves keeps what is allowed.", from, to)
		}),
		moveRefused("locked", validateMove, func(from, to vmspace.Mapping) bool { return from.Smaps.HasFlag("lo") != to.Smaps.HasFlag("lo") },
			func(_ *evidence, from, to string) string {
				return fmt.Sprintf("one of %s and %s is locked (VmFlags lo), and the other is not.", from, to)
			}),
		moveRefused("not writable", validateMove, func(from, _ vmspace.Mapping) bool { return from.Perms&vmspace.Write == 0 },
			func(_ *evidence, from, _ string) string {
				return fmt.Sprintf("%s may not be written, and pages move only where they may.", from)
			}),
		moveRefused("target not registered", validateMove, func(_, to vmspace.Mapping) bool { return !uffdRegistered(to) },
			func(_ *evidence, _, to string) string {
				return fmt.Sprintf("%s is not registered with userfaultfd (VmFlags has none of um, uw, ui).", to)
			}),
		fallback("EINVAL", uffdSource, "pages do not move between these two mappings."),
		{"EEXIST", "page there", uffdSource, nil, func(e *evidence) string {
			return fmt.Sprintf("%s is not missing: it is %s. No page is replaced.", e.placeText(e.number("to")), e.stateText(e.number("to")))
		}},
		{"ENOENT", "page missing", "mm/userfaultfd.c, move_pages_ptes", nil, func(e *evidence) string { return e.moveStop(0) + "." }},
		{"EBUSY", "not its own", "mm/userfaultfd.c, move_pages_ptes", nil, func(e *evidence) string {
			return fmt.Sprintf("%s is shared, or was and has not been written to since: only pages that are certainly the process's own alone (PageAnonExclusive) move.", e.placeText(e.Given.Start))
		}},
		{"EFAULT", "marker", "mm/userfaultfd.c, move_pages_ptes", nil, func(e *evidence) string {
			return fmt.Sprintf("a marker stands for %s in the page table: there is no page to move.", e.placeText(e.Given.Start))
		}},
		{"EAGAIN", "stopped", uffdSource, func(e *evidence) bool { return e.st.Done > 0 }, func(e *evidence) string {
			return fmt.Sprintf("%s moved, and then %s. What was done before counts, so the answer is EAGAIN.", pagesWere(e.st.Done), e.moveStop(e.st.Done))
		}},
		fallback("EAGAIN", uffdSource, "the mappings or the pages are being changed at this moment."),
		fallback("ENOMEM", uffdSource, "there is no memory for the page tables."),
	}),
}

// unmappedAddr is where the range begins that uffd_move takes pages from, or moves them to, if
// nothing is mapped there; else 0.
func (e *evidence) unmappedAddr() uint64 {
	for _, at := range []uint64{e.number("to"), e.Given.Start} {
		if _, ok := e.before.MappingAt(at); !ok {
			return at
		}
	}
	return 0
}

// markers are the attributes of a page that is not there, and for which a marker stands.
const markers = vmspace.UffdWP | vmspace.Poisoned

// moveStop says why uffd_move did not get past its page number n.
func (e *evidence) moveStop(n uint64) string {
	from, to := e.Given.Start+n*e.pageSize(), e.number("to")+n*e.pageSize()
	there := e.before.PageAt(to, e.pageSize())
	here := e.before.PageAt(from, e.pageSize())
	switch {
	case there.State != vmspace.None || there.Attrs&markers != 0:
		return fmt.Sprintf("%s is not missing: it is %s", e.placeText(to), e.stateText(to))
	case here.State == vmspace.None && here.Attrs&markers == 0:
		return e.placeText(from) + " is missing, and allow_src_holes was not given"
	case here.State == vmspace.None || here.State == vmspace.Guard:
		return "a marker stands for " + e.placeText(from) + " in the page table"
	}
	return e.placeText(from) + " is not certainly the process's own alone"
}

// explainUffdMove says what moved.
func explainUffdMove(e *evidence) string {
	from, to := e.Given, e.moveTarget()
	if from.Overlaps(to) {
		return "The ranges overlap: the pages were moved one after another, as far as there were any."
	}
	n := e.before.Resident(from)
	e.st.Claims = append(e.st.Claims, history.Claim{Kind: history.ClaimMoved, Process: e.st.Process, Range: from, To: to.Start})
	e.claim(history.ClaimPresent, from, 0)
	e.claim(history.ClaimPresent, to, n)
	if n == 0 {
		return "No page was there to move."
	}
	text := fmt.Sprintf("%s moved from %s to %s, frames and all: no byte was copied. Where they were they are missing now.", pagesWere(n), e.placeText(from.Start), e.placeText(to.Start))
	if left := from.Pages(e.pageSize()) - n; left > 0 {
		text += fmt.Sprintf(" Of the rest, %s, none was in memory.", amount.Of(left, "page"))
	}
	return text + e.splitZeroText(from, to.Start)
}
