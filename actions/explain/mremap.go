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
			return "the new size is 0; munmap takes a mapping away."
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
	{"EINVAL", "without maymove", "mremap(2)", func(e *evidence) bool { return e.placed() && !e.has("maymove") },
		func(*evidence) string { return "fixed and dontunmap move the mapping, so they need maymove." }},
	{"EINVAL", "dontunmap resizes", "mremap(2)", func(e *evidence) bool { return e.has("dontunmap") && e.target().Len() != e.whole.Len() },
		func(e *evidence) string {
			return fmt.Sprintf("dontunmap keeps the size: %s cannot become %s.", amount.Size(e.whole.Len()), amount.Size(e.target().Len()))
		}},
	{"EINVAL", "dontunmap rounds", "mm/mremap.c of Linux 6.16", func(e *evidence) bool {
		return e.has("dontunmap") && e.Given.Len() != e.number("size") && !kernel.ComparesRounded()
	}, func(e *evidence) string {
		return fmt.Sprintf("dontunmap keeps the size, and this kernel compares before it rounds: %d bytes are not %d.", e.Given.Len(), e.number("size"))
	}},
	{"EINVAL", "overlap", "mremap(2)", func(e *evidence) bool { return e.placed() && e.target().Overlaps(e.whole) },
		func(*evidence) string { return "the new range overlaps the old one." }},
	{"EINVAL", "duplicate of private", "mremap(2)", func(e *evidence) bool {
		return e.mapped() && e.Given.Empty() && e.first().Private()
	}, func(e *evidence) string {
		return "an old size of 0 asks for a second mapping of the same pages, which only shared memory can have."
	}},
	{"EINVAL", "lent by the kernel", "mremap(2)", func(e *evidence) bool { return e.has("dontunmap") && rigid(e.first()) },
		func(e *evidence) string {
			return fmt.Sprintf("%s is lent by the kernel (VmFlags de or pf), and dontunmap would have it twice.", e.inside(e.first(), e.whole))
		}},
	{"EINVAL", "huge pages of the pool", "mm/mremap.c, align_hugetlb", func(e *evidence) bool { return e.first().Smaps.HasFlag("ht") },
		func(e *evidence) string {
			return fmt.Sprintf("%s is made of huge pages of the pool (hugetlb): it cannot grow, and moves as whole huge pages only.",
				e.inside(e.first(), e.whole))
		}},
	splitsLent((*evidence).tail),
	splits("moves part of what is lent", "mm/mmap.c, special_mapping_split", lent, (*evidence).away,
		"is lent by the kernel, which does not let it be split"),
	splits("replaces part of what is lent", "mm/mmap.c, special_mapping_split", lent, (*evidence).taken,
		"is lent by the kernel, which does not let it be split"),
	splitsHuge((*evidence).taken),
	splits("cuts a huge page", "mm/hugetlb.c, hugetlb_vm_op_split", flagged("ht"), (*evidence).tail,
		"is made of huge pages of the pool (hugetlb), and is divided between two of them only"),
	otherwise("EINVAL", "mremap(2)", "the kernel refuses this mix of sizes, flags and addresses for this mapping."),

	sealed("sealed", "mseal(2)", (*evidence).moved),
	sealed("cuts a sealed one", "mseal(2)", (*evidence).tail),
	sealed("target sealed", "mseal(2)", (*evidence).taken),
	{"EPERM", "too low", "proc_sys_vm(5), mmap_min_addr", func(e *evidence) bool {
		least, known := e.Number(minAddr)
		return known && e.has("fixed") && e.target().Start < least && !e.May(kernel.CapSysRawIO)
	}, func(e *evidence) string {
		least, _ := e.Number(minAddr)
		return fmt.Sprintf("0x%x lies below vm.mmap_min_addr, 0x%x; only CAP_SYS_RAWIO may map there.", e.target().Start, least)
	}},
	otherwise("EPERM", "mremap(2)", "a seal, vm.mmap_min_addr or a security module forbids it."),

	{"EFAULT", "nothing there", "mremap(2)", func(e *evidence) bool { return !e.mapped() },
		func(e *evidence) string { return fmt.Sprintf("nothing is mapped at %s.", e.at(e.Given.Start)) }},
	{"EFAULT", "replaces itself", "mm/mremap.c, mremap_to", func(e *evidence) bool { return e.Given.Empty() && e.taken().Contains(e.Given.Start) },
		func(*evidence) string {
			return "the new range replaces the very mapping that it should be a second mapping of."
		}},
	{"EFAULT", "past the mapping", "mremap(2)", func(e *evidence) bool {
		resizes := e.delta() > 0 || e.has("dontunmap") && !e.has("fixed") || e.placed() && e.target().Len() != e.whole.Len()
		return e.mapped() && resizes && e.first().End-e.Given.Start < min(e.whole.Len(), e.target().Len())
	}, func(e *evidence) string {
		return fmt.Sprintf("the mapping ends at 0x%x, and a size is changed of one mapping at a time.", e.first().End)
	}},
	{"EFAULT", "cannot grow", "mm/mremap.c, check_prep_vma", func(e *evidence) bool { return e.delta() > 0 && rigid(e.first()) },
		func(e *evidence) string {
			return fmt.Sprintf("%s is lent by the kernel and cannot grow (VmFlags de or pf).", e.inside(e.first(), e.whole))
		}},
	{"EFAULT", "userfaultfd", "mm/mremap.c, vma_multi_allowed", func(e *evidence) bool {
		_, ok := e.some(e.whole, armed)
		return ok && e.first().End < e.whole.End
	}, func(e *evidence) string {
		m, _ := e.some(e.whole, armed)
		return fmt.Sprintf("%s is registered with userfaultfd, and such a mapping is moved alone.", e.inside(m, e.whole))
	}},
	otherwise("EFAULT", "mremap(2)", "part of the range is not mapped, or by mappings that cannot change together."),

	{"EAGAIN", "locked memory", "mremap(2)", func(e *evidence) bool { return e.first().Smaps.HasFlag("lo") && e.overMemlock(e.delta()) },
		func(e *evidence) string { return "the mapping is locked: " + e.memlockText(e.delta()) }},
	otherwise("EAGAIN", "mremap(2)", "the mapping is locked, and more would be locked than RLIMIT_MEMLOCK allows."),

	noRoomToMove("no room to move there", "mm/mremap.c, check_mremap_params", 5, (*evidence).placed),
	{"ENOMEM", "RLIMIT_AS", "getrlimit(2)", func(e *evidence) bool { return e.over(kernel.LimitAS, "VmSize", e.extra()) },
		func(e *evidence) string { return e.overText(kernel.LimitAS, "VmSize", e.extra()) }},
	{"ENOMEM", "RLIMIT_DATA", "getrlimit(2)", func(e *evidence) bool {
		return e.first().Private() && e.first().Perms&vmspace.Write != 0 && !e.first().Smaps.HasFlag("gd") && e.over(kernel.LimitData, "VmData", e.extra())
	}, func(e *evidence) string { return e.overText(kernel.LimitData, "VmData", e.extra()) }},
	{"ENOMEM", "overcommit", "proc_sys_vm(5), overcommit_memory", func(e *evidence) bool {
		return e.first().Smaps.HasFlag("ac") && e.overcommit(e.delta()) != ""
	}, func(e *evidence) string { return e.overcommit(e.delta()) }},
	{"ENOMEM", "copy without maymove", "mremap(2)", func(e *evidence) bool { return e.Given.Empty() && !e.has("maymove") && e.mapped() },
		func(*evidence) string {
			return "an old size of 0 asks for a second mapping of the same pages, somewhere else: it needs maymove."
		}},
	{"ENOMEM", "may not move", "mremap(2)", func(e *evidence) bool {
		return !e.has("maymove") && e.delta() > 0 && e.neighbour() != "" && !e.first().Smaps.HasFlag("ht")
	}, func(e *evidence) string {
		return fmt.Sprintf("it cannot grow where it is: %s; with maymove it could go elsewhere.", e.neighbour())
	}},
	noRoomToMove("no room to move", "mm/mremap.c, prep_move_vma", 3, func(e *evidence) bool { return e.has("maymove") }),
	{"ENOMEM", "no hole", "mremap(2)", func(e *evidence) bool {
		return !e.has("fixed") && e.tooWide(e.target().Len(), kernel.MapWindow())
	}, func(e *evidence) string { return e.widestText(kernel.MapWindow()) }},
	otherwise("ENOMEM", "mremap(2)", "there is no room: the address space, a limit, or the kernel's own memory."),
}

// noRoomToMove is for a move, which the kernel does not begin without so many mappings to spare: it
// may split on both sides.
func noRoomToMove(name, source string, spare uint64, moves func(*evidence) bool) reason {
	return reason{"ENOMEM", name, source, func(e *evidence) bool {
		left, _, known := e.room()
		return known && left <= spare && moves(e)
	}, func(e *evidence) string {
		return fmt.Sprintf("moving may split mappings, and the kernel wants more than %d to spare for that; %s", spare, e.crowded())
	}}
}

// first is the mapping that the range begins in.
func (e *evidence) first() vmspace.Mapping {
	m, _ := e.before.MappingAt(e.Given.Start)
	return m
}

func (e *evidence) mapped() bool {
	_, ok := e.before.MappingAt(e.Given.Start)
	return ok
}

// placed says whether the kernel takes the new address as it is; with dontunmap it is 0 where none
// was given.
func (e *evidence) placed() bool { return e.has("fixed") || e.has("dontunmap") }

// tail is what an mremap cuts off.
func (e *evidence) tail() vmspace.Range {
	return vmspace.Range{Start: e.whole.Start + min(e.target().Len(), e.whole.Len()), End: e.whole.End}
}

// away is the range that is certain to move.
func (e *evidence) away() vmspace.Range {
	if e.placed() {
		return e.whole
	}
	return vmspace.Range{}
}

// moved is where a seal forbids an mremap: in what goes elsewhere, and always where the range
// begins.
func (e *evidence) moved() vmspace.Range {
	if r := e.away(); !r.Empty() {
		return r
	}
	return vmspace.Range{Start: e.whole.Start, End: e.whole.Start + 1}
}

// taken is what an mremap to a fixed address replaces.
func (e *evidence) taken() vmspace.Range {
	if e.has("fixed") {
		return e.target()
	}
	return vmspace.Range{}
}

// rigid says whether m is lent by the kernel in its size; huge pages of the pool have that VmFlag
// for another reason.
func rigid(m vmspace.Mapping) bool { return flagged("de", "pf")(m) && !m.Smaps.HasFlag("ht") }

// target is the range that a mapping would have after an mremap.
func (e *evidence) target() vmspace.Range {
	at := e.Given.Start
	if e.placed() {
		at = e.number("fixed")
	}
	return vmspace.Range{Start: at, End: at + e.pageEnd(e.number("size"))}
}

// delta is by how much an mremap lets a mapping grow.
func (e *evidence) delta() uint64 {
	return e.target().Len() - min(e.target().Len(), e.whole.Len())
}

// extra is how much an mremap adds to the address space: with dontunmap the old range stays.
func (e *evidence) extra() uint64 {
	if e.has("dontunmap") {
		return e.whole.Len()
	}
	return e.delta()
}

// neighbour says what keeps a mapping from growing where it is (vma_expandable in mm/mremap.c); ""
// for nothing that is known.
func (e *evidence) neighbour() string {
	own, ok := e.before.MappingAt(e.Given.Start)
	if ok && e.whole.End < own.End {
		return "the range is only the beginning of its mapping"
	}
	grown := vmspace.Range{Start: e.whole.End, End: e.target().End}
	if m, ok := e.some(grown, anything); ok {
		return fmt.Sprintf("%s follows at 0x%x", e.inside(m, grown), m.Start)
	}
	if kernel.UserTop() > 0 && grown.End > kernel.UserTop() {
		return fmt.Sprintf("the user's addresses end at 0x%x", kernel.UserTop())
	}
	return ""
}

var mremapSentences = sentences{
	why:     explainMremap,
	reasons: mremapReasons,
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
	return fmt.Sprintf("The mapping moved to another address, and %s with it, frames and all: no byte was copied, only page table entries.", amount.Of(n, "page")) + e.cutZero(kept, e.st.Value)
}

func mappedAt(st *history.Step, addr uint64) bool {
	_, ok := st.After.Process(st.Process).MappingAt(addr)
	return ok
}

func explainMremap(e *evidence) string {
	st := e.st
	kept := vmspace.Range{Start: e.whole.Start, End: min(e.whole.End, e.whole.Start+st.Focus.Len())}
	// Otherwise older kernels do not check that all of it was mapped.
	if _, gap := e.hole(kept); gap && st.Value != e.Given.Start { // Linux 6.17 moves several mappings, with what is between them
		e.some(kept, func(m vmspace.Mapping) bool {
			part := m.Intersect(kept)
			e.claim(history.ClaimMapped, vmspace.Range{Start: part.Start - kept.Start + st.Value, End: part.End - kept.Start + st.Value}, 0)
			return false
		})
	} else if st.Value != e.Given.Start || st.Focus.End > e.whole.End {
		e.claim(history.ClaimMapped, st.Focus, 0)
	}
	switch {
	case st.Value != e.Given.Start && e.has("dontunmap"):
		e.claimMoved(kept)
		e.claim(history.ClaimMapped, e.whole, 0)
		e.claim(history.ClaimPresent, e.whole, 0)
		return e.movedText(kept) + " The old range is still mapped, and empty." + e.leftUffd()
	case st.Value != e.Given.Start && mappedAt(st, e.Given.Start): // the old size was 0
		e.claim(history.ClaimPresent, st.Focus, 0)
		return "Nothing moved: this is a second mapping of the same shared memory. Its pages are mapped when they are first touched here."
	case st.Value != e.Given.Start:
		e.claimMoved(kept)
		e.claim(history.ClaimUnmapped, e.whole, 0)
		text := e.movedText(kept)
		if tail := e.tail(); !tail.Empty() {
			text += fmt.Sprintf(" The last %s are no longer mapped.", amount.Of(tail.Pages(e.pageSize()), "page"))
		}
		return text + e.joinedText() + e.leftUffd()
	}
	e.claim(history.ClaimKept, kept, 0)
	switch behind := (vmspace.Range{Start: st.Focus.End, End: e.whole.End}); {
	case !behind.Empty():
		e.claim(history.ClaimUnmapped, behind, 0)
		return fmt.Sprintf("The new size is %s; what was behind is no longer mapped.", amount.Of(st.Focus.Pages(st.After.PageSize), "page"))
	case st.Focus.End == e.whole.End:
		return "The new size is the one that it has, so there was nothing to do."
	}
	text := fmt.Sprintf("It stays where it is and has %s now", amount.Of(st.Focus.Pages(st.After.PageSize), "page"))
	if b := e.became(vmspace.Range{Start: e.whole.End, End: st.Focus.End}); b.came > 0 {
		return fmt.Sprintf("%s; %s brought in at once.", text, pagesWere(b.came))
	}
	if e.told(e.whole.End) {
		return text + "; the new pages are registered with userfaultfd as those before them are."
	}
	return text + "; new pages get a frame when they are first touched."
}

// leftUffd says that a mapping moved away from its registration with userfaultfd.
func (e *evidence) leftUffd() string {
	if !armed(e.first()) || e.told(e.st.Value) {
		return ""
	}
	return " The registration with userfaultfd did not come with them."
}

// told reports whether userfaultfd handles faults at addr now.
func (e *evidence) told(addr uint64) bool {
	m, _ := e.st.After.Process(e.st.Process).MappingAt(addr)
	return armed(m)
}
