package explain

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What mremap refuses, in the order of check_mremap_params, check_prep_vma and move_vma in
// mm/mremap.c.

var mremapReasons = []reason{
	unknownFlags("mm/mremap.c, check_mremap_params", "mremap has maymove, fixed and dontunmap"),
	misaligned("mremap(2)"),
	{"EINVAL", "new size 0", "mremap(2)", func(e *evidence) bool { return e.pageEnd(e.number("size")) == 0 },
		func(e *evidence) string {
			if e.number("size") > 0 {
				return "rounded up to whole pages, the new size does not fit 64 bits."
			}
			return "the new size is 0; munmap removes a mapping."
		}},
	{"EINVAL", "too large", "mm/mremap.c, check_mremap_params", func(e *evidence) bool { return kernel.UserTop() > 0 && e.target().Len() > kernel.UserTop() },
		func(e *evidence) string {
			return fmt.Sprintf("%s do not fit below 0x%x, the end of the user's addresses.", amount.Size(e.target().Len()), kernel.UserTop())
		}},
	{"EINVAL", "past the end", "mm/mremap.c, check_mremap_params", func(e *evidence) bool {
		return kernel.UserTop() > 0 && e.has("fixed") && e.target().Start > kernel.UserTop()-e.target().Len()
	}, func(e *evidence) string {
		return fmt.Sprintf("0x%x and %s more reach past 0x%x, the end of the user's addresses.",
			e.target().Start, amount.Size(e.target().Len()), kernel.UserTop())
	}},
	{"EINVAL", "fixed address", "mremap(2)", func(e *evidence) bool { return e.number("fixed")%e.pageSize() != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("the fixed address 0x%x is not a multiple of the page size, %d.", e.number("fixed"), e.pageSize())
		}},
	{"EINVAL", "without maymove", "mremap(2)", func(e *evidence) bool { return e.atNewAddress() && !e.has("maymove") },
		func(*evidence) string { return "fixed and dontunmap move the mapping, so they need maymove." }},
	{"EINVAL", "dontunmap resizes", "mremap(2)", func(e *evidence) bool { return e.has("dontunmap") && e.target().Len() != e.rounded.Len() },
		func(e *evidence) string {
			return fmt.Sprintf("dontunmap keeps the size: %s cannot become %s.", amount.Size(e.rounded.Len()), amount.Size(e.target().Len()))
		}},
	{"EINVAL", "dontunmap rounds", "mm/mremap.c of Linux 6.16", func(e *evidence) bool {
		return e.has("dontunmap") && e.Given.Len() != e.number("size") && !kernel.ComparesRounded()
	}, func(e *evidence) string {
		return fmt.Sprintf("dontunmap keeps the size, and this kernel compares before it rounds: %d bytes are not %d.", e.Given.Len(), e.number("size"))
	}},
	{"EINVAL", "overlap", "mremap(2)", func(e *evidence) bool { return e.atNewAddress() && e.target().Overlaps(e.rounded) },
		func(*evidence) string { return "the new range overlaps the old one." }},
	{"EINVAL", "duplicate of private", "mremap(2)", func(e *evidence) bool {
		return e.mapped() && e.Given.Empty() && e.firstMremapped().Private()
	}, func(e *evidence) string {
		return "an old size of 0 asks for a second mapping of the same pages, which only shared memory can have."
	}},
	{"EINVAL", "lent by the kernel", "mremap(2)", func(e *evidence) bool { return e.has("dontunmap") && fixedSize(e.firstMremapped()) },
		func(e *evidence) string {
			return fmt.Sprintf("%s is lent by the kernel (VmFlags de or pf), and dontunmap would duplicate it.", e.mappingNameIn(e.firstMremapped(), e.rounded))
		}},
	{"EINVAL", "huge pages of the pool", "mm/mremap.c, align_hugetlb", func(e *evidence) bool { return e.firstMremapped().Smaps.HasFlag("ht") },
		func(e *evidence) string {
			return fmt.Sprintf("%s is made of huge pages of the pool (hugetlb): it cannot grow, and moves as whole huge pages only.",
				e.mappingNameIn(e.firstMremapped(), e.rounded))
		}},
	splitsLent((*evidence).cutOff),
	splits("moves part of what is lent", "mm/mmap.c, special_mapping_split", lent, (*evidence).movedAway,
		"is lent by the kernel, which does not let it be split"),
	splits("replaces part of what is lent", "mm/mmap.c, special_mapping_split", lent, (*evidence).overwritten,
		"is lent by the kernel, which does not let it be split"),
	splitsHuge((*evidence).overwritten),
	splits("cuts a huge page", "mm/hugetlb.c, hugetlb_vm_op_split", flagged("ht"), (*evidence).cutOff,
		"is made of huge pages of the pool (hugetlb), and can be split only between two of them"),
	fallback("EINVAL", "mremap(2)", "the kernel refuses this mix of sizes, flags and addresses for this mapping."),

	sealed("sealed", "mseal(2)", (*evidence).sealChecked),
	sealed("cuts a sealed one", "mseal(2)", (*evidence).cutOff),
	sealed("target sealed", "mseal(2)", (*evidence).overwritten),
	{"EPERM", "too low", "proc_sys_vm(5), mmap_min_addr", func(e *evidence) bool {
		least, known := e.Number(minAddr)
		return known && e.has("fixed") && e.target().Start < least && !e.May(kernel.CapSysRawIO)
	}, func(e *evidence) string {
		least, _ := e.Number(minAddr)
		return fmt.Sprintf("0x%x lies below vm.mmap_min_addr, 0x%x; only CAP_SYS_RAWIO may map there.", e.target().Start, least)
	}},
	fallback("EPERM", "mremap(2)", "a seal, vm.mmap_min_addr or a security module forbids it."),

	{"EFAULT", "nothing there", "mremap(2)", func(e *evidence) bool { return !e.mapped() },
		func(e *evidence) string { return fmt.Sprintf("nothing is mapped at %s.", e.placeText(e.Given.Start)) }},
	{"EFAULT", "replaces itself", "mm/mremap.c, mremap_to", func(e *evidence) bool { return e.Given.Empty() && e.overwritten().Contains(e.Given.Start) },
		func(*evidence) string {
			return "the new range would replace the mapping that it should duplicate."
		}},
	{"EFAULT", "past the mapping", "mremap(2)", func(e *evidence) bool {
		resizes := e.growthBytes() > 0 || e.has("dontunmap") && !e.has("fixed") || e.atNewAddress() && e.target().Len() != e.rounded.Len()
		return e.mapped() && resizes && e.firstMremapped().End-e.Given.Start < min(e.rounded.Len(), e.target().Len())
	}, func(e *evidence) string {
		return fmt.Sprintf("the mapping ends at 0x%x, and only one mapping can be resized at a time.", e.firstMremapped().End)
	}},
	{"EFAULT", "cannot grow", "mm/mremap.c, check_prep_vma", func(e *evidence) bool { return e.growthBytes() > 0 && fixedSize(e.firstMremapped()) },
		func(e *evidence) string {
			return fmt.Sprintf("%s is lent by the kernel and cannot grow (VmFlags de or pf).", e.mappingNameIn(e.firstMremapped(), e.rounded))
		}},
	unfit("EFAULT", "userfaultfd", "mm/mremap.c, vma_multi_allowed", (*evidence).pages,
		func(e *evidence, m vmspace.Mapping) bool {
			return uffdRegistered(m) && e.firstMremapped().End < e.rounded.End
		}, "is registered with userfaultfd, and such a mapping is moved alone"),
	fallback("EFAULT", "mremap(2)", "part of the range is not mapped, or by mappings that cannot change together."),

	{"EAGAIN", "locked memory", "mremap(2)", func(e *evidence) bool {
		return e.firstMremapped().Smaps.HasFlag("lo") && e.overMemlock(e.growthBytes())
	},
		func(e *evidence) string { return "the mapping is locked: " + e.memlockText(e.growthBytes()) }},
	fallback("EAGAIN", "mremap(2)", "the mapping is locked, and more would be locked than RLIMIT_MEMLOCK allows."),

	noRoomToMove("no room to move there", "mm/mremap.c, check_mremap_params", 5, (*evidence).atNewAddress),
	overLimit("RLIMIT_AS", "getrlimit(2)", kernel.LimitAS, "VmSize", (*evidence).spaceAdded),
	{"ENOMEM", "RLIMIT_DATA", "getrlimit(2)", func(e *evidence) bool {
		return e.firstMremapped().Private() && e.firstMremapped().Perms&vmspace.Write != 0 && !e.firstMremapped().Smaps.HasFlag("gd") && e.exceedsLimit(kernel.LimitData, "VmData", e.spaceAdded())
	}, func(e *evidence) string { return e.limitText(kernel.LimitData, "VmData", e.spaceAdded()) }},
	overcommits(func(e *evidence) uint64 {
		if !e.firstMremapped().Smaps.HasFlag("ac") {
			return 0
		}
		return e.growthBytes()
	}),
	{"ENOMEM", "copy without maymove", "mremap(2)", func(e *evidence) bool { return e.Given.Empty() && !e.has("maymove") && e.mapped() },
		func(*evidence) string {
			return "an old size of 0 asks for a second mapping of the same pages, somewhere else: it needs maymove."
		}},
	{"ENOMEM", "may not move", "mremap(2)", func(e *evidence) bool {
		return !e.has("maymove") && e.growthBytes() > 0 && e.neighbour() != "" && !e.firstMremapped().Smaps.HasFlag("ht")
	}, func(e *evidence) string {
		return fmt.Sprintf("it cannot grow where it is: %s; with maymove it could go elsewhere.", e.neighbour())
	}},
	noRoomToMove("no room to move", "mm/mremap.c, prep_move_vma", 3, func(e *evidence) bool { return e.has("maymove") }),
	{"ENOMEM", "no hole", "mremap(2)", func(e *evidence) bool {
		return !e.has("fixed") && e.noHole(e.target().Len(), kernel.MapWindow())
	}, func(e *evidence) string { return e.noHoleText(kernel.MapWindow()) }},
	fallback("ENOMEM", "mremap(2)", "there is no room: the address space, a limit, or the kernel's own memory."),
}

// noRoomToMove is for a move, which the kernel does not begin without so many mappings to spare: it
// may split on both sides.
func noRoomToMove(name, source string, spare uint64, moves func(*evidence) bool) reason {
	return reason{"ENOMEM", name, source, func(e *evidence) bool {
		left, _, known := e.mappingsLeft()
		return known && left <= spare && moves(e)
	}, func(e *evidence) string {
		return fmt.Sprintf("moving may split mappings, and the kernel wants more than %d to spare for that; %s", spare, e.mapCountText())
	}}
}

// firstMremapped is the mapping that the range begins in.
func (e *evidence) firstMremapped() vmspace.Mapping {
	m, _ := e.before.MappingAt(e.Given.Start)
	return m
}

func (e *evidence) mapped() bool {
	_, ok := e.before.MappingAt(e.Given.Start)
	return ok
}

// atNewAddress says whether the kernel uses the new address as given; for dontunmap without one,
// that is 0.
func (e *evidence) atNewAddress() bool { return e.has("fixed") || e.has("dontunmap") }

// cutOff is the end of the range that an mremap removes.
func (e *evidence) cutOff() vmspace.Range {
	return vmspace.Range{Start: e.rounded.Start + min(e.target().Len(), e.rounded.Len()), End: e.rounded.End}
}

// movedAway is the range that certainly moves.
func (e *evidence) movedAway() vmspace.Range {
	if e.atNewAddress() {
		return e.rounded
	}
	return vmspace.Range{}
}

// sealChecked is the range in which a seal forbids an mremap: what moves, and in any case the first
// page.
func (e *evidence) sealChecked() vmspace.Range {
	if r := e.movedAway(); !r.Empty() {
		return r
	}
	return vmspace.Range{Start: e.rounded.Start, End: e.rounded.Start + 1}
}

// overwritten is what an mremap to a fixed address replaces.
func (e *evidence) overwritten() vmspace.Range {
	if e.has("fixed") {
		return e.target()
	}
	return vmspace.Range{}
}

// fixedSize says whether m is lent by the kernel and has a fixed size. Huge pages of the pool have
// that VmFlag for another reason.
func fixedSize(m vmspace.Mapping) bool { return flagged("de", "pf")(m) && !m.Smaps.HasFlag("ht") }

// target is the range that a mapping would have after an mremap.
func (e *evidence) target() vmspace.Range {
	at := e.Given.Start
	if e.atNewAddress() {
		at = e.number("fixed")
	}
	return vmspace.Range{Start: at, End: at + e.pageEnd(e.number("size"))}
}

// growthBytes is by how many bytes an mremap makes a mapping grow.
func (e *evidence) growthBytes() uint64 {
	return e.target().Len() - min(e.target().Len(), e.rounded.Len())
}

// spaceAdded is how much an mremap adds to the address space: with dontunmap the old range stays.
func (e *evidence) spaceAdded() uint64 {
	if e.has("dontunmap") {
		return e.rounded.Len()
	}
	return e.growthBytes()
}

// neighbour says what keeps a mapping from growing where it is (vma_expandable in mm/mremap.c); ""
// for nothing that is known.
func (e *evidence) neighbour() string {
	own, ok := e.before.MappingAt(e.Given.Start)
	if ok && e.rounded.End < own.End {
		return "the range is only the beginning of its mapping"
	}
	grown := vmspace.Range{Start: e.rounded.End, End: e.target().End}
	if m, ok := e.firstMapping(grown, anything); ok {
		return fmt.Sprintf("%s follows at 0x%x", e.mappingNameIn(m, grown), m.Start)
	}
	if kernel.UserTop() > 0 && grown.End > kernel.UserTop() {
		return fmt.Sprintf("the user's addresses end at 0x%x", kernel.UserTop())
	}
	return ""
}

// claimMoved claims that the pages of r went to where the mapping is now.
func (e *evidence) claimMoved(r vmspace.Range) {
	e.st.Claims = append(e.st.Claims, history.Claim{Kind: history.ClaimMoved, Process: e.st.Process, Range: r, To: e.st.Value})
}

// movedText says what went along with a mapping that moved.
func (e *evidence) movedText(kept vmspace.Range) string {
	n := e.before.Resident(kept)
	if n == 0 {
		return "The mapping moved to another address; there was no page in it to move."
	}
	return fmt.Sprintf("The mapping moved to another address, and %s with it, frames and all: no byte was copied, only page table entries.", amount.Of(n, "page")) + e.splitZeroText(kept, e.st.Value)
}

func mappedAt(st *history.Step, addr uint64) bool {
	_, ok := st.After.Process(st.Process).MappingAt(addr)
	return ok
}

func explainMremap(e *evidence) string {
	st := e.st
	kept := vmspace.Range{Start: e.rounded.Start, End: min(e.rounded.End, e.rounded.Start+st.Focus.Len())}
	// Otherwise older kernels do not check that all of it was mapped.
	if _, gap := e.hole(kept); gap && st.Value != e.Given.Start { // Linux 6.17 moves several mappings, with what is between them
		e.firstMapping(kept, func(m vmspace.Mapping) bool {
			part := m.Intersect(kept)
			e.claim(history.ClaimMapped, vmspace.Range{Start: part.Start - kept.Start + st.Value, End: part.End - kept.Start + st.Value}, 0)
			return false
		})
	} else if st.Value != e.Given.Start || st.Focus.End > e.rounded.End {
		e.claim(history.ClaimMapped, st.Focus, 0)
	}
	switch {
	case st.Value != e.Given.Start && e.has("dontunmap"):
		e.claimMoved(kept)
		e.claim(history.ClaimMapped, e.rounded, 0)
		e.claim(history.ClaimPresent, e.rounded, 0)
		return e.movedText(kept) + " The old range is still mapped, and empty." + e.leftUffdText()
	case st.Value != e.Given.Start && mappedAt(st, e.Given.Start): // the old size was 0
		e.claim(history.ClaimPresent, st.Focus, 0)
		return "Nothing moved: this is a second mapping of the same shared memory. Its pages are mapped when they are first touched here."
	case st.Value != e.Given.Start:
		e.claimMoved(kept)
		e.claim(history.ClaimUnmapped, e.rounded, 0)
		text := e.movedText(kept)
		if tail := e.cutOff(); !tail.Empty() {
			text += fmt.Sprintf(" The last %s are no longer mapped.", amount.Of(tail.Pages(e.pageSize()), "page"))
		}
		return text + e.joinedText() + e.leftUffdText()
	}
	e.claim(history.ClaimKept, kept, 0)
	switch behind := (vmspace.Range{Start: st.Focus.End, End: e.rounded.End}); {
	case !behind.Empty():
		e.claim(history.ClaimUnmapped, behind, 0)
		return fmt.Sprintf("The new size is %s; what was behind is no longer mapped.", amount.Of(st.Focus.Pages(st.After.PageSize), "page"))
	case st.Focus.End == e.rounded.End:
		return "The new size is the old one, so there was nothing to do."
	}
	text := fmt.Sprintf("It stays where it is and has %s now", amount.Of(st.Focus.Pages(st.After.PageSize), "page"))
	if b := e.countPages(vmspace.Range{Start: e.rounded.End, End: st.Focus.End}); b.came > 0 {
		return fmt.Sprintf("%s; %s brought in at once.", text, pagesWere(b.came))
	}
	if e.uffdHandles(e.rounded.End) {
		return text + "; the new pages are registered with userfaultfd as those before them are."
	}
	return text + "; new pages get a frame when they are first touched."
}

// leftUffdText says that a mapping moved away from its registration with userfaultfd.
func (e *evidence) leftUffdText() string {
	if !uffdRegistered(e.firstMremapped()) || e.uffdHandles(e.st.Value) {
		return ""
	}
	return " The registration with userfaultfd did not move along."
}

// uffdHandles reports whether userfaultfd handles faults at addr now.
func (e *evidence) uffdHandles(addr uint64) bool {
	m, _ := e.st.After.Process(e.st.Process).MappingAt(addr)
	return uffdRegistered(m)
}
