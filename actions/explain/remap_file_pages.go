package explain

import (
	"fmt"
	"slices"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What remap_file_pages refuses. Since Linux 4.0 the kernel makes a fixed shared mmap of it
// (SYSCALL_DEFINE5(remap_file_pages, …) in mm/mmap.c), which refuses what an mmap does.

var remapFilePagesReasons = []reason{
	{"EINVAL", "no page", "mm/mmap.c, remap_file_pages", func(e *evidence) bool { return e.roundedDown().End <= e.roundedDown().Start },
		func(e *evidence) string {
			if e.Given.Len() < e.pageSize() {
				return "rounded down to whole pages, the size is 0."
			}
			return "the range reaches past the last address."
		}},
	{"EINVAL", "offset wraps", "mm/mmap.c, remap_file_pages", func(e *evidence) bool {
		return e.number("pgoff")+e.roundedDown().Len()/e.pageSize() < e.number("pgoff")
	}, func(e *evidence) string {
		return fmt.Sprintf("page %d and those behind it have numbers that do not fit 64 bits.", e.number("pgoff"))
	}},
	{"EINVAL", "nothing there", "remap_file_pages(2)", func(e *evidence) bool { _, ok := e.before.MappingAt(e.roundedDown().Start); return !ok },
		func(e *evidence) string {
			return fmt.Sprintf("nothing is mapped at %s.", e.placeText(e.roundedDown().Start))
		}},
	{"EINVAL", "not shared", "remap_file_pages(2)", func(e *evidence) bool { m := e.firstRemapped(); return m.Smaps != nil && !m.Smaps.HasFlag("sh") },
		func(e *evidence) string {
			m := e.firstRemapped()
			if m.Private() {
				return fmt.Sprintf("%s is private, and only shared mappings can be rearranged.", e.mappingNameIn(m, e.roundedDown()))
			}
			return fmt.Sprintf("%s is of a file that was opened for reading only: the kernel does not treat that as a shared mapping (VmFlags has no sh).",
				e.mappingNameIn(m, e.roundedDown()))
		}},
	holeIn("EINVAL", "mm/mmap.c, remap_file_pages", (*evidence).roundedDown),
	found("EINVAL", "another mapping", "mm/mmap.c, remap_file_pages", (*evidence).unlikeFirst, func(e *evidence, m vmspace.Mapping) string {
		return fmt.Sprintf("%s is of another file than %s, or has other letters or VmFlags.", e.mappingNameIn(m, e.roundedDown()), e.placeText(e.roundedDown().Start))
	}),
	splitsHuge((*evidence).roundedDown),
	fallback("EINVAL", "remap_file_pages(2)", "the driver behind the mapping refuses this offset or these addresses."),
	{"EOVERFLOW", "past the largest offset", "mm/mmap.c, file_mmap_ok", nil, func(e *evidence) string {
		return fmt.Sprintf("page %d lies past the largest offset that a file here can have.", e.number("pgoff"))
	}},
	{"EACCES", "mdwe", "PR_SET_MDWE(2const)", func(e *evidence) bool {
		return e.MDWE != 0 && e.firstRemapped().Perms&vmspace.Write != 0 && e.firstRemapped().Perms&vmspace.Exec != 0
	}, func(e *evidence) string {
		return fmt.Sprintf("it makes a new mapping, and %s has asked that none be writable and executable (prctl mdwe).", e.st.Process)
	}},
	fallback("EACCES", "remap_file_pages(2)", "it makes a new mapping, which a security module forbids."),
	sealed("sealed", "mseal(2)", (*evidence).roundedDown),
	fallback("EPERM", "remap_file_pages(2)", "it makes a new mapping of the file, which a seal of the file or a security module forbids by now."),
	{"EAGAIN", "locked memory", "mmap(2)", func(e *evidence) bool {
		return (e.firstRemapped().Smaps.HasFlag("lo") || e.LocksFuture) && e.overMemlock(e.roundedDown().Len())
	}, func(e *evidence) string { return e.memlockText(e.roundedDown().Len()) }},
	fallback("EAGAIN", "mmap(2)", "more memory would be locked than RLIMIT_MEMLOCK allows."),
	{"ENOMEM", "RLIMIT_AS", "getrlimit(2)", func(e *evidence) bool { return e.aboveLimit(kernel.LimitAS, "VmSize") },
		func(e *evidence) string { return e.limitText(kernel.LimitAS, "VmSize", 0) }},
	{"ENOMEM", "too many mappings", "proc_sys_vm(5), max_map_count", func(e *evidence) bool {
		left, _, known := e.mappingsLeft()
		return known && left <= 1
	}, func(e *evidence) string { return "a mapping would have to be split, but " + e.mapCountText() }},
	fallback("ENOMEM", "mmap(2)", "the kernel has no memory for its own records of the mappings."),
}

// roundedDown is the range in whole pages as remap_file_pages takes it: start and size rounded
// down.
func (e *evidence) roundedDown() vmspace.Range {
	start := e.Given.Start &^ (e.pageSize() - 1)
	return vmspace.Range{Start: start, End: start + e.Given.Len()&^(e.pageSize()-1)}
}

// firstRemapped is the mapping that the range begins in.
func (e *evidence) firstRemapped() vmspace.Mapping {
	m, _ := e.before.MappingAt(e.roundedDown().Start)
	return m
}

// unlikeFirst finds a mapping of the range that differs from the first one.
func (e *evidence) unlikeFirst() (vmspace.Mapping, bool) {
	first := e.firstRemapped()
	return e.firstMapping(e.roundedDown(), func(m vmspace.Mapping) bool {
		return m.Inode != first.Inode || m.Major != first.Major || m.Minor != first.Minor || m.Perms != first.Perms ||
			m.Smaps != nil && first.Smaps != nil && !slices.Equal(m.Smaps.VMFlags, first.Smaps.VMFlags)
	})
}

func explainRemapFilePages(e *evidence) string {
	r, was := e.roundedDown(), e.firstRemapped()
	now := e.st.After.Process(e.owner)
	text := fmt.Sprintf("%s and what follows in the range now show what is mapped from its page %d on.", e.placeText(r.Start), e.number("pgoff"))
	if r.Len() == e.pageSize() {
		text = fmt.Sprintf("%s now shows page %d of what is mapped.", e.placeText(r.Start), e.number("pgoff"))
	}
	if was.Offset+(r.Start-was.Start) == e.number("pgoff")*e.pageSize() {
		text = "The range showed these pages already."
	}
	if lo, hi := now.Mappings.Overlap(was.Range); hi-lo > 1 {
		text += fmt.Sprintf(" A mapping shows its file in order, so what was one mapping is %d now.", hi-lo)
	}
	if b := e.countPages(r); b.came > 0 {
		text += fmt.Sprintf(" %s brought in at once.", pagesWere(b.came))
	}
	if r != e.Given {
		text += fmt.Sprintf(" Start and size were rounded down: the range has %s.", amount.Of(r.Pages(e.pageSize()), "page"))
	}
	return text
}
