package explain

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What a request to userfaultfd did, and what it refuses, each in the order of fs/userfaultfd.c and
// mm/userfaultfd.c. The call that creates the descriptor comes first.

const uffdSource = "ioctl_userfaultfd(2)"

// uffdRegistered reports whether userfaultfd handles any faults in a mapping (VmFlags um, uw, ui).
var uffdRegistered = flagged("um", "uw", "ui")

// smapsUnread says whether smaps was not read of a mapping.
func smapsUnread(m vmspace.Mapping) bool { return m.Smaps == nil }

// openFailed says whether the call that failed was the one that creates the descriptor.
func (e *evidence) openFailed() bool {
	return strings.HasPrefix(e.st.Call, "userfaultfd(") && !strings.Contains(e.st.Call, "ioctl(")
}

// uffdOpen are the reasons of userfaultfd(2) itself.
var uffdOpen = []reason{
	{"EMFILE", "open files", "userfaultfd(2)", nil, func(e *evidence) string {
		return fmt.Sprintf("userfaultfd needs a descriptor, and RLIMIT_NOFILE allows %d open files.", e.Limit(kernel.LimitNofile))
	}},
	{"ENFILE", "open files", "userfaultfd(2)", nil, func(*evidence) string {
		return "userfaultfd needs a descriptor, and the system has all the open files that it may have (fs.file-max)."
	}},
	{"EPERM", "no descriptor", "userfaultfd(2)", (*evidence).openFailed, func(*evidence) string {
		return "userfaultfd itself was refused: by vm.unprivileged_userfaultfd, as kernels before Linux 5.11 do, by a seccomp filter or by a security module."
	}},
}

// uffdRange are the reasons for which every request refuses its range (validate_range in
// fs/userfaultfd.c).
var uffdRange = []reason{
	misaligned(uffdSource),
	{"EINVAL", "misaligned length", uffdSource, func(e *evidence) bool { return e.Given.Len()%e.pageSize() != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("the length, %s, is not a multiple of the page size, %d: userfaultfd rounds nothing up.", amount.Bytes(e.Given.Len()), e.pageSize())
		}},
	zeroLength(uffdSource, func(e *evidence) uint64 { return e.Given.Len() }),
	pastUserTop("EINVAL", "fs/userfaultfd.c, validate_range", func(e *evidence, top uint64) bool { return e.Given.Start >= top || e.Given.Len() > top-e.Given.Start }),
}

// nothingMapped is for a range without any mapping. Some kernels answer ENOMEM if there is none
// behind it either.
func nothingMapped(result string) reason {
	return reason{result, "nothing mapped", uffdSource, func(e *evidence) bool { _, ok := e.firstMapping(e.rounded, anything); return !ok },
		func(e *evidence) string {
			return fmt.Sprintf("nothing is mapped from 0x%x to 0x%x.", e.rounded.Start, e.rounded.End)
		}}
}

// uffdSplits is for a request that would split a mapping. The memory that is lent for its structure
// counts as a mapping too.
var uffdSplits = reason{"ENOMEM", "too many mappings", uffdSource, func(e *evidence) bool {
	left, _, known := e.mappingsLeft()
	return known && left <= 1 && e.splitsMapping(e.rounded)
}, func(e *evidence) string {
	return "a mapping would have to be split, with one more for the structure of the call, but " + e.mapCountText()
}}

// uffdUnsupportedMemory is for memory that userfaultfd does not support (vma_can_userfault).
var uffdUnsupportedMemory = unfit("EINVAL", "neither anonymous nor shared memory", uffdSource, (*evidence).pages, (*evidence).uffdUnsupported,
	"is neither anonymous nor shared memory, and userfaultfd supports nothing else")

// uffdUnsupportedDroppable is for memory that the kernel may drop (vma_can_userfault).
var uffdUnsupportedDroppable = unfit("EINVAL", "droppable", uffdSource, (*evidence).pages,
	func(_ *evidence, m vmspace.Mapping) bool {
		return m.Smaps.HasFlag("dp") && kernel.UffdRefusesDroppable()
	},
	"is droppable (VmFlags dp), and userfaultfd does not support such memory")

// uffdUnsupported says whether m is lent by the kernel, or maps a file of a file system that is not
// in memory (tmpfs).
func (e *evidence) uffdUnsupported(m vmspace.Mapping) bool {
	if m.Kind() != vmspace.KindFile || m.Smaps.HasFlag("ht") {
		return lent(m)
	}
	inMemory, known := e.InMemory(m)
	return known && !inMemory
}

// uffdMappings are the reasons for which a registration, or its end, refuses the mappings of its
// range.
var uffdMappings = []reason{nothingMapped("EINVAL"), nothingMapped("ENOMEM"), uffdUnsupportedMemory, uffdUnsupportedDroppable, splitsHuge((*evidence).pages)}

var uffdRegisterSentences = sentences{
	why: explainUffdRegister,
	reasons: slices.Concat(uffdOpen, []reason{
		{"EINVAL", "no mode", uffdSource, func(e *evidence) bool { return e.Flags == 0 },
			func(*evidence) string { return "it must be told which faults to handle: missing, wp, minor." }},
	}, uffdRange, uffdMappings, []reason{
		unfitFor("EINVAL", "minor of anonymous memory", "mm/userfaultfd.c, vma_can_userfault", "minor", anonymous,
			"is anonymous: minor is for pages that shared memory has and the page table does not"),
		{"EINVAL", "no write protection", "arch Kconfig, HAVE_ARCH_USERFAULTFD_WP", func(e *evidence) bool {
			_, doubt := e.firstMapping(e.rounded, func(m vmspace.Mapping) bool { return m.Kind() == vmspace.KindFile || lent(m) })
			return e.has("wp") && !doubt
		}, func(*evidence) string {
			return "this kernel does not write-protect such memory with userfaultfd: that was added in Linux 6.10 for arm64, and in Linux 5.19 for shared memory."
		}},
		fallback("EINVAL", uffdSource, "userfaultfd is not for a mapping of this kind."),
		unfit("EPERM", "file not writable", uffdSource, (*evidence).pages, onMapping(neverWritable),
			"is a shared mapping of a file that was not opened for writing (VmFlags has no mw), and userfaultfd could fill its holes"),
		fallback("EPERM", uffdSource, "a mapping there may never be written."),
		uffdSplits,
		fallback("ENOMEM", uffdSource, "the kernel has no memory for its own records."),
	}),
}

func neverWritable(m vmspace.Mapping) bool { return m.Smaps != nil && !m.Smaps.HasFlag("mw") }

// explainUffdRegister says which faults userfaultfd handles from now on.
func explainUffdRegister(e *evidence) string {
	e.claim(history.ClaimKept, e.rounded, 0)
	var text []string
	if strings.HasPrefix(e.st.Call, "userfaultfd(") {
		text = append(text, fmt.Sprintf("%s has made a descriptor of userfaultfd, with UFFD_FEATURE_SIGBUS: a fault that it handles is SIGBUS, and nobody waits for a handler.", e.st.Process))
	}
	_, unread := e.firstMapping(e.rounded, smapsUnread)
	if len(changesOf(e.st.Changes, e.st.Process, vmspace.ChangeFlags)) == 0 && !unread {
		return strings.Join(append(text, "The range was registered like this already."), " ")
	}
	if e.has("missing") {
		if _, shared := e.firstMapping(e.rounded, fileOrShared); shared {
			text = append(text, "A touch of a page that the shared memory does not have is SIGBUS, until uffd_copy or uffd_zeropage brings it in (VmFlags um).")
		} else {
			text = append(text, "A touch of a page that is not there is SIGBUS, until uffd_copy or uffd_zeropage brings it in (VmFlags um).")
		}
	}
	if e.has("minor") {
		text = append(text, "A touch of a page that the shared memory has and the page table does not is SIGBUS, until uffd_continue maps it (VmFlags ui).")
	}
	if e.has("wp") {
		text = append(text, "uffd_wp can write-protect its pages, one by one (VmFlags uw).")
	}
	return strings.Join(text, " ") + e.splitText()
}

var uffdUnregisterSentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimKept, e.rounded, 0)
		if _, may := e.firstMapping(e.rounded, func(m vmspace.Mapping) bool { return smapsUnread(m) || uffdRegistered(m) }); !may {
			return "Nothing of it was registered."
		}
		text := "userfaultfd no longer handles faults there: the kernel does, as elsewhere."
		if n := e.protectedPages(e.before) - e.protectedPages(e.st.After.Process(e.st.Process)); n > 0 {
			text += fmt.Sprintf(" %s write-protected no longer.", pagesWere(n))
		}
		return text + e.splitText()
	},
	reasons: slices.Concat(uffdOpen, uffdRange, uffdMappings, []reason{
		fallback("EINVAL", uffdSource, "userfaultfd is not for a mapping of this kind."),
		uffdSplits,
		fallback("ENOMEM", uffdSource, "the kernel has no memory for its own records."),
	}),
}

// uffdNotForWP is for pages that would be write-protected from the start.
var uffdNotForWP = reason{"EINVAL", "not registered for wp", uffdSource, func(e *evidence) bool {
	return e.has("wp") && e.firstMremapped().Smaps != nil && !e.firstMremapped().Smaps.HasFlag("uw")
}, func(e *evidence) string {
	return fmt.Sprintf("%s is not registered for wp (VmFlags has no uw), so its pages cannot be write-protected.", e.mappingNameIn(e.firstMremapped(), e.rounded))
}}

// uffdTarget are the reasons of every request that fills the page table of one mapping
// (mm/userfaultfd.c, mfill_atomic).
var uffdTarget = slices.Concat(uffdOpen, uffdRange, []reason{
	{"ENOENT", "not registered", uffdSource, func(e *evidence) bool {
		m, ok := e.before.MappingAt(e.Given.Start)
		return !ok || m.Smaps != nil && !uffdRegistered(m)
	},
		func(e *evidence) string {
			m, ok := e.before.MappingAt(e.Given.Start)
			if !ok {
				return fmt.Sprintf("nothing is mapped at %s.", e.placeText(e.Given.Start))
			}
			return fmt.Sprintf("%s is not registered with userfaultfd (VmFlags has none of um, uw, ui).", e.mappingNameIn(m, e.rounded))
		}},
	{"ENOENT", "past the mapping", "mm/userfaultfd.c, mfill_atomic", func(e *evidence) bool { return e.firstMremapped().End < e.rounded.End },
		func(e *evidence) string {
			return fmt.Sprintf("the mapping ends at 0x%x, and pages are brought into one mapping at a time.", e.firstMremapped().End)
		}},
	fallback("ENOENT", uffdSource, "the range is not in one mapping that is registered with userfaultfd."),
})

// uffdFill are the reasons of uffd_copy and uffd_zeropage.
var uffdFill = slices.Concat(uffdTarget, []reason{
	uffdNotForWP,
	splitsHuge((*evidence).pages),
	{"EINVAL", "huge pages of the pool", uffdSource, func(e *evidence) bool { return e.firstMremapped().Smaps.HasFlag("ht") },
		func(e *evidence) string {
			return fmt.Sprintf("%s is made of huge pages of the pool (hugetlb), which are brought in whole and never as zeros; cowscope copies less than 1 MiB with one call.", e.mappingNameIn(e.firstMremapped(), e.rounded))
		}},
	fallback("EINVAL", uffdSource, "userfaultfd is not for a mapping of this kind."),
	{"EEXIST", "page there", uffdSource, nil, func(e *evidence) string {
		return fmt.Sprintf("%s is not missing: %s. No page is replaced.", e.placeText(e.Given.Start), e.thereText(e.Given.Start))
	}},
	{"EAGAIN", "page there", uffdSource, func(e *evidence) bool { return e.st.Done > 0 }, func(e *evidence) string {
		at := e.Given.Start + e.st.Done*e.pageSize()
		return fmt.Sprintf("%s brought in, and then %s is not missing: %s. What was done before counts, so the answer is not EEXIST.",
			pagesWere(e.st.Done), e.placeText(at), e.thereText(at))
	}},
	fallback("EAGAIN", uffdSource, "the mappings are being changed at this moment."),
	{"EFAULT", "past the file", "mm/userfaultfd.c, mfill_atomic_install_pte", func(e *evidence) bool { _, _, ok := e.pastFile(e.rounded); return ok },
		func(e *evidence) string {
			addr, size, _ := e.pastFile(e.rounded)
			return fmt.Sprintf("the file has %s and ends before %s.", amount.Size(size), e.placeText(addr))
		}},
	fallback("EFAULT", uffdSource, "the shared memory ends before a page of the range."),
	fallback("ENOMEM", uffdSource, "there is no memory for the pages, or the control group may have no more."),
})

// thereText says what is in the place of a page that should be brought in.
func (e *evidence) thereText(addr uint64) string {
	switch run := e.before.PageAt(addr, e.pageSize()); {
	case run.State != vmspace.None:
		return "it is " + run.State.String()
	case !anonymous(e.firstMremapped()):
		return "the shared memory has it, though no page table entry does"
	}
	return "something came there meanwhile"
}

// explainUffdFill says what was brought in.
func explainUffdFill(e *evidence) string {
	b := e.countPages(e.rounded)
	text := pagesWere(b.came) + " brought in"
	switch {
	case e.Verb == "uffd_copy" && e.has("wp"):
		text += " with a copy of the bytes, write-protected from the start"
	case e.Verb == "uffd_copy":
		text += " with a copy of the bytes"
	case anonymous(e.firstMremapped()):
		text += " as the kernel's one page of zeros: no memory is used"
	default:
		text += ", full of zeros"
	}
	return text + ". No fault was taken for it."
}

// uffdProtect are the reasons of uffd_wp and uffd_unwp (mm/userfaultfd.c, mwriteprotect_range).
var uffdProtect = slices.Concat(uffdOpen, uffdRange, []reason{
	nothingMapped("ENOENT"),
	unfit("ENOENT", "not registered for wp", uffdSource, (*evidence).pages,
		func(_ *evidence, m vmspace.Mapping) bool { return m.Smaps != nil && !m.Smaps.HasFlag("uw") }, "is not registered for wp (VmFlags has no uw)"),
	{"ENOENT", "past the mapping", "mm/userfaultfd.c, mwriteprotect_range", nil, func(e *evidence) string {
		return fmt.Sprintf("the mapping ends at 0x%x, and this kernel write-protects one mapping at a time.", e.firstMremapped().End)
	}},
	splitsHuge((*evidence).pages),
	fallback("EINVAL", uffdSource, "the range does not consist of whole pages of the mapping."),
	fallback("EAGAIN", uffdSource, "the mappings are being changed at this moment."),
	fallback("ENOMEM", uffdSource, "there is no memory for the page tables that markers need."),
})

var uffdWPSentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimKept, e.rounded, 0)
		var there, marked, open uint64
		for run := range e.st.After.Process(e.st.Process).PagesIn(e.rounded) {
			switch wp := run.Attrs&vmspace.UffdWP != 0; {
			case wp && run.Word&vmspace.WordPresent != 0:
				there += run.Pages
			case wp:
				marked += run.Pages
			case run.State == vmspace.None && run.Attrs&vmspace.Poisoned == 0:
				open += run.Pages
			}
		}
		text := fmt.Sprintf("%s %s write-protected (uffd-wp): a write that the letters allow is SIGBUS until uffd_unwp.",
			amount.Of(there+marked, "page"), isAre(there+marked))
		if marked > 0 {
			text += fmt.Sprintf(" Of them %s %s not there: a marker in the page table remembers it.", amount.Of(marked, "page"), isAre(marked))
		}
		if open > 0 {
			text += fmt.Sprintf(" %s %s not there, and this kernel leaves no marker for a missing page: it comes in unprotected.", amount.Of(open, "page"), isAre(open))
		}
		return text
	},
	reasons: uffdProtect,
}

var uffdUnwpSentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimKept, e.rounded, 0)
		n := e.protectedPages(e.before)
		if n == 0 {
			return "No page was write-protected."
		}
		return fmt.Sprintf("%s write-protected, and may be written again, as far as the letters allow.", pagesWere(n))
	},
	reasons: uffdProtect,
}

// protectedPages counts the write-protected pages of the range, including those that are not
// present.
func (e *evidence) protectedPages(p *vmspace.Process) (n uint64) {
	for run := range p.PagesIn(e.rounded) {
		if run.Attrs&vmspace.UffdWP != 0 {
			n += run.Pages
		}
	}
	return n
}

// uffdMissingText is for pages that were dropped where userfaultfd handles missing ones.
func (e *evidence) uffdMissingText() string {
	_, ok := e.firstMapping(e.rounded, func(m vmspace.Mapping) bool { return anonymous(m) && m.Smaps.HasFlag("um") })
	if !ok {
		return ""
	}
	return " Where it is registered with userfaultfd for missing pages, the next touch is SIGBUS."
}
