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

// What came of a request to userfaultfd, and what it refuses: each in the order of
// fs/userfaultfd.c, mm/userfaultfd.c and, before all, of the call that makes the descriptor.

const uffdSource = "ioctl_userfaultfd(2)"

// armed reports whether userfaultfd handles any faults in a mapping (VmFlags um, uw, ui).
var armed = flagged("um", "uw", "ui")

// uncounted says whether smaps was not read of a mapping.
func uncounted(m vmspace.Mapping) bool { return m.Smaps == nil }

// opening says whether the call that answered was the one that makes the descriptor.
func (e *evidence) opening() bool {
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
	{"EPERM", "no descriptor", "userfaultfd(2)", (*evidence).opening, func(*evidence) string {
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
	{"EINVAL", "length", uffdSource, func(e *evidence) bool { return e.Given.Len() == 0 },
		func(*evidence) string { return "the length is 0." }},
	{"EINVAL", "past the end", "fs/userfaultfd.c, validate_range", func(e *evidence) bool {
		top := kernel.UserTop()
		return top > 0 && (e.Given.Start >= top || e.Given.Len() > top-e.Given.Start)
	}, func(e *evidence) string {
		return fmt.Sprintf("the range reaches past 0x%x, the end of the user's addresses.", kernel.UserTop())
	}},
}

// nothingMapped is for a range without any mapping. Some kernels answer ENOMEM where none lies
// behind it either.
func nothingMapped(result string) reason {
	return reason{result, "nothing mapped", uffdSource, func(e *evidence) bool { _, ok := e.some(e.whole, anything); return !ok },
		func(e *evidence) string {
			return fmt.Sprintf("nothing is mapped from 0x%x to 0x%x.", e.whole.Start, e.whole.End)
		}}
}

// uffdSplits is for a request that would split a mapping. The memory that is lent for its structure
// is a mapping too.
var uffdSplits = reason{"ENOMEM", "too many mappings", uffdSource, func(e *evidence) bool {
	left, _, known := e.room()
	return known && left <= 1 && e.cuts(e.whole)
}, func(e *evidence) string {
	return "a mapping would have to be split, with one more for the structure of the call, but " + e.crowded()
}}

// unwatched is for memory that userfaultfd is not for (vma_can_userfault).
var unwatched = reason{"EINVAL", "neither anonymous nor shared memory", uffdSource, func(e *evidence) bool {
	_, ok := e.some(e.whole, e.unwatchable)
	return ok
}, func(e *evidence) string {
	m, _ := e.some(e.whole, e.unwatchable)
	return fmt.Sprintf("%s is neither anonymous nor shared memory, and userfaultfd is for nothing else.", e.inside(m, e.whole))
}}

// unwatchedDroppable is for memory that the kernel may drop (vma_can_userfault).
var unwatchedDroppable = reason{"EINVAL", "droppable", uffdSource, func(e *evidence) bool {
	_, ok := e.some(e.whole, flagged("dp"))
	return ok && kernel.UffdRefusesDroppable()
}, func(e *evidence) string {
	m, _ := e.some(e.whole, flagged("dp"))
	return fmt.Sprintf("%s is droppable (VmFlags dp), and userfaultfd is not for such memory.", e.inside(m, e.whole))
}}

// unwatchable says whether m is lent by the kernel, or a file of a file system that is none in
// memory (tmpfs).
func (e *evidence) unwatchable(m vmspace.Mapping) bool {
	if m.Kind() != vmspace.KindFile || m.Smaps.HasFlag("ht") {
		return lent(m)
	}
	inMemory, known := e.InMemory(m)
	return known && !inMemory
}

var uffdRegisterSentences = sentences{
	why: explainUffdRegister,
	reasons: slices.Concat(uffdOpen, []reason{
		{"EINVAL", "no mode", uffdSource, func(e *evidence) bool { return e.Flags == 0 },
			func(*evidence) string { return "it must be told of which faults: missing, wp, minor." }},
	}, uffdRange, []reason{
		nothingMapped("EINVAL"),
		nothingMapped("ENOMEM"),
		unwatched,
		unwatchedDroppable,
		{"EINVAL", "minor of anonymous memory", "mm/userfaultfd.c, vma_can_userfault", func(e *evidence) bool {
			_, ok := e.some(e.whole, anonymous)
			return ok && e.has("minor")
		}, func(e *evidence) string {
			m, _ := e.some(e.whole, anonymous)
			return fmt.Sprintf("%s is anonymous: minor is for pages that shared memory has and the page table has not.", e.inside(m, e.whole))
		}},
		splitsHuge((*evidence).pages),
		{"EINVAL", "no write protection", "arch Kconfig, HAVE_ARCH_USERFAULTFD_WP", func(e *evidence) bool {
			_, doubt := e.some(e.whole, func(m vmspace.Mapping) bool { return m.Kind() == vmspace.KindFile || lent(m) })
			return e.has("wp") && !doubt
		}, func(*evidence) string {
			return "this kernel does not write-protect such memory with userfaultfd: on arm64 it came with Linux 6.10, for shared memory with Linux 5.19."
		}},
		otherwise("EINVAL", uffdSource, "userfaultfd is not for a mapping of this kind."),
		{"EPERM", "file not writable", uffdSource, func(e *evidence) bool { _, ok := e.some(e.whole, neverWritable); return ok },
			func(e *evidence) string {
				m, _ := e.some(e.whole, neverWritable)
				return fmt.Sprintf("%s is a shared mapping of a file that was not opened for writing (VmFlags has no mw), and userfaultfd could fill its holes.",
					e.inside(m, e.whole))
			}},
		otherwise("EPERM", uffdSource, "a mapping there may never be written."),
		uffdSplits,
		otherwise("ENOMEM", uffdSource, "the kernel has no memory for its own records."),
	}),
}

func neverWritable(m vmspace.Mapping) bool { return m.Smaps != nil && !m.Smaps.HasFlag("mw") }

// explainUffdRegister says what is told to userfaultfd from now on.
func explainUffdRegister(e *evidence) string {
	e.claim(history.ClaimKept, e.whole, 0)
	var text []string
	if strings.HasPrefix(e.st.Call, "userfaultfd(") {
		text = append(text, fmt.Sprintf("%s has made a descriptor of userfaultfd, with UFFD_FEATURE_SIGBUS: a fault that it is told of is SIGBUS, and nobody waits for a handler.", e.st.Process))
	}
	_, unread := e.some(e.whole, uncounted)
	if len(changesOf(e.st.Changes, e.st.Process, vmspace.ChangeFlags)) == 0 && !unread {
		return strings.Join(append(text, "The range was registered so already."), " ")
	}
	if e.has("missing") {
		if _, shared := e.some(e.whole, filed); shared {
			text = append(text, "A touch of a page that the shared memory does not have is SIGBUS, until uffd_copy or uffd_zeropage brings it in (VmFlags um).")
		} else {
			text = append(text, "A touch of a page that is not there is SIGBUS, until uffd_copy or uffd_zeropage brings it in (VmFlags um).")
		}
	}
	if e.has("minor") {
		text = append(text, "A touch of a page that the shared memory has and the page table has not is SIGBUS, until uffd_continue maps it (VmFlags ui).")
	}
	if e.has("wp") {
		text = append(text, "uffd_wp can write-protect its pages, one by one (VmFlags uw).")
	}
	return strings.Join(text, " ") + e.splitText()
}

var uffdUnregisterSentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimKept, e.whole, 0)
		if _, may := e.some(e.whole, func(m vmspace.Mapping) bool { return uncounted(m) || armed(m) }); !may {
			return "Nothing of it was registered."
		}
		text := "userfaultfd is told of no fault there any more: the kernel deals with them as elsewhere."
		if n := e.protected(e.before) - e.protected(e.st.After.Process(e.st.Process)); n > 0 {
			text += fmt.Sprintf(" %s write-protected no longer.", pagesWere(n))
		}
		return text + e.splitText()
	},
	reasons: slices.Concat(uffdOpen, uffdRange, []reason{
		nothingMapped("EINVAL"),
		nothingMapped("ENOMEM"),
		unwatched,
		unwatchedDroppable,
		splitsHuge((*evidence).pages),
		otherwise("EINVAL", uffdSource, "userfaultfd is not for a mapping of this kind."),
		uffdSplits,
		otherwise("ENOMEM", uffdSource, "the kernel has no memory for its own records."),
	}),
}

// uffdNotForWP is for pages that would be write-protected from the start.
var uffdNotForWP = reason{"EINVAL", "not registered for wp", uffdSource, func(e *evidence) bool {
	return e.has("wp") && e.first().Smaps != nil && !e.first().Smaps.HasFlag("uw")
}, func(e *evidence) string {
	return fmt.Sprintf("%s is not registered for wp (VmFlags has no uw), so its pages cannot be write-protected.", e.inside(e.first(), e.whole))
}}

// uffdTarget are the reasons of every request that fills the page table of one mapping
// (mm/userfaultfd.c, mfill_atomic).
var uffdTarget = slices.Concat(uffdOpen, uffdRange, []reason{
	{"ENOENT", "not registered", uffdSource, func(e *evidence) bool {
		m, ok := e.before.MappingAt(e.Given.Start)
		return !ok || m.Smaps != nil && !armed(m)
	},
		func(e *evidence) string {
			m, ok := e.before.MappingAt(e.Given.Start)
			if !ok {
				return fmt.Sprintf("nothing is mapped at %s.", e.at(e.Given.Start))
			}
			return fmt.Sprintf("%s is not registered with userfaultfd (VmFlags has none of um, uw, ui).", e.inside(m, e.whole))
		}},
	{"ENOENT", "past the mapping", "mm/userfaultfd.c, mfill_atomic", func(e *evidence) bool { return e.first().End < e.whole.End },
		func(e *evidence) string {
			return fmt.Sprintf("the mapping ends at 0x%x, and pages are brought into one mapping at a time.", e.first().End)
		}},
	otherwise("ENOENT", uffdSource, "the range is not in one mapping that is registered with userfaultfd."),
})

// uffdFill are the reasons of uffd_copy and uffd_zeropage.
var uffdFill = slices.Concat(uffdTarget, []reason{
	uffdNotForWP,
	splitsHuge((*evidence).pages),
	{"EINVAL", "huge pages of the pool", uffdSource, func(e *evidence) bool { return e.first().Smaps.HasFlag("ht") },
		func(e *evidence) string {
			return fmt.Sprintf("%s is made of huge pages of the pool (hugetlb), which are brought in whole and never as zeros; cowscope copies less than 1 MiB with one call.", e.inside(e.first(), e.whole))
		}},
	otherwise("EINVAL", uffdSource, "userfaultfd is not for a mapping of this kind."),
	{"EEXIST", "page there", uffdSource, nil, func(e *evidence) string {
		return fmt.Sprintf("%s is not missing: %s. No page is replaced.", e.at(e.Given.Start), e.thereText(e.Given.Start))
	}},
	{"EAGAIN", "page there", uffdSource, func(e *evidence) bool { return e.st.Done > 0 }, func(e *evidence) string {
		at := e.Given.Start + e.st.Done*e.pageSize()
		return fmt.Sprintf("%s brought in, and then %s is not missing: %s. What was done before counts, so the answer is not EEXIST.",
			pagesWere(e.st.Done), e.at(at), e.thereText(at))
	}},
	otherwise("EAGAIN", uffdSource, "the mappings are being changed at this moment."),
	{"EFAULT", "past the file", "mm/userfaultfd.c, mfill_atomic_install_pte", func(e *evidence) bool { _, _, ok := e.pastFile(e.whole); return ok },
		func(e *evidence) string {
			addr, size, _ := e.pastFile(e.whole)
			return fmt.Sprintf("the file has %s and ends before %s.", amount.Size(size), e.at(addr))
		}},
	otherwise("EFAULT", uffdSource, "the shared memory ends before a page of the range."),
	otherwise("ENOMEM", uffdSource, "there is no memory for the pages, or the control group may have no more."),
})

// thereText says what stands where a page should be brought in.
func (e *evidence) thereText(addr uint64) string {
	switch run := e.before.PageAt(addr, e.pageSize()); {
	case run.State != vmspace.None:
		return "it is " + run.State.String()
	case !anonymous(e.first()):
		return "the shared memory has it, though no page table entry does"
	}
	return "something came there meanwhile"
}

var uffdCopySentences = sentences{
	why:     explainUffdFill,
	reasons: uffdFill,
}

var uffdZeropageSentences = sentences{
	why:     explainUffdFill,
	reasons: uffdFill,
}

// explainUffdFill says what was brought in.
func explainUffdFill(e *evidence) string {
	b := e.became(e.whole)
	text := pagesWere(b.came) + " brought in"
	switch {
	case e.Verb == "uffd_copy" && e.has("wp"):
		text += " with a copy of the bytes, write-protected from the start"
	case e.Verb == "uffd_copy":
		text += " with a copy of the bytes"
	case anonymous(e.first()):
		text += " as the kernel's one page of zeros: no memory is used"
	default:
		text += ", full of zeros"
	}
	return text + ". No fault was taken for it."
}

// uffdProtect are the reasons of uffd_wp and uffd_unwp (mm/userfaultfd.c, mwriteprotect_range).
var uffdProtect = slices.Concat(uffdOpen, uffdRange, []reason{
	{"ENOENT", "nothing mapped", uffdSource, func(e *evidence) bool { _, ok := e.some(e.whole, anything); return !ok },
		func(e *evidence) string {
			return fmt.Sprintf("nothing is mapped from 0x%x to 0x%x.", e.whole.Start, e.whole.End)
		}},
	{"ENOENT", "not registered for wp", uffdSource, func(e *evidence) bool { _, ok := e.some(e.whole, notForWP); return ok },
		func(e *evidence) string {
			m, _ := e.some(e.whole, notForWP)
			return fmt.Sprintf("%s is not registered for wp (VmFlags has no uw).", e.inside(m, e.whole))
		}},
	{"ENOENT", "past the mapping", "mm/userfaultfd.c, mwriteprotect_range", nil, func(e *evidence) string {
		return fmt.Sprintf("the mapping ends at 0x%x, and this kernel write-protects one mapping at a time.", e.first().End)
	}},
	splitsHuge((*evidence).pages),
	otherwise("EINVAL", uffdSource, "the range does not consist of whole pages of the mapping."),
	otherwise("EAGAIN", uffdSource, "the mappings are being changed at this moment."),
	otherwise("ENOMEM", uffdSource, "there is no memory for the page tables that markers need."),
})

func notForWP(m vmspace.Mapping) bool { return m.Smaps != nil && !m.Smaps.HasFlag("uw") }

var uffdWPSentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimKept, e.whole, 0)
		var there, marked, open uint64
		for run := range e.st.After.Process(e.st.Process).PagesIn(e.whole) {
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
			text += fmt.Sprintf(" %s %s not there, and this kernel leaves no marker for what is not: it comes unprotected.", amount.Of(open, "page"), isAre(open))
		}
		return text
	},
	reasons: uffdProtect,
}

var uffdUnwpSentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimKept, e.whole, 0)
		n := e.protected(e.before)
		if n == 0 {
			return "No page was write-protected."
		}
		return fmt.Sprintf("%s write-protected, and may be written again, as far as the letters allow.", pagesWere(n))
	},
	reasons: uffdProtect,
}

// protected counts the pages of the range that are write-protected, those that are not there with
// them.
func (e *evidence) protected(p *vmspace.Process) (n uint64) {
	for run := range p.PagesIn(e.whole) {
		if run.Attrs&vmspace.UffdWP != 0 {
			n += run.Pages
		}
	}
	return n
}

// toldText is for pages that were dropped where userfaultfd is told of missing ones.
func (e *evidence) toldText() string {
	_, ok := e.some(e.whole, func(m vmspace.Mapping) bool { return anonymous(m) && m.Smaps.HasFlag("um") })
	if !ok {
		return ""
	}
	return " Where it is registered with userfaultfd for missing pages, the next touch is SIGBUS."
}
