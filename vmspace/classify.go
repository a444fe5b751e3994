package vmspace

// Rules of this file: pure. A state follows from the mapping and from the kernel's words about the
// page, and from nothing else; where those words leave two states open, the answer is Unknown, not
// the likelier of the two.

// The flag bits of a pagemap word (Documentation/admin-guide/mm/pagemap.rst). Bits 0 to 54 hold the
// frame number of a present page, for a reader with CAP_SYS_ADMIN; they are 0 for everyone else.
const (
	WordPresent   = 1 << 63
	WordSwapped   = 1 << 62 // swapped out, or any marker
	WordFile      = 1 << 61 // a page of a file or of shared memory
	WordGuard     = 1 << 58 // since 6.15
	WordUffdWP    = 1 << 57
	WordExclusive = 1 << 56 // mapped by this process alone
	WordSoftDirty = 1 << 55

	WordFrame = 1<<55 - 1
)

// The categories of PAGEMAP_SCAN (include/uapi/linux/fs.h).
const (
	ScanFile      = 1 << 2
	ScanPresent   = 1 << 3
	ScanSwapped   = 1 << 4
	ScanPFNZero   = 1 << 5
	ScanHuge      = 1 << 6 // mapped by one entry of the page middle directory
	ScanSoftDirty = 1 << 7
	ScanGuard     = 1 << 8
)

// What move_pages(2) answered about a page is kept beside the categories: it is asked only where
// there is no scan.
const (
	NodeNone = 1 << 14 // present, and on no node: the zero page
	NodeSome = 1 << 15 // on a node
)

// The bits of a kpageflags word that say something lasting of a page
// (include/uapi/linux/kernel-page-flags.h). The others, such as being locked or on a list this
// instant, come and go without anybody's doing and are not kept.
const (
	KReferenced    = 1 << 2
	KDirty         = 1 << 4
	KMmap          = 1 << 11
	KAnon          = 1 << 12
	KSwapBacked    = 1 << 14
	KHuge          = 1 << 17 // hugetlb
	KUnevictable   = 1 << 18
	KHWPoison      = 1 << 19
	KKSM           = 1 << 21
	KTHP           = 1 << 22
	KZeroPage      = 1 << 24
	KMlocked       = 1 << 33
	KAnonExclusive = 1 << 34 // a write goes straight through; not part of the stable interface

	KKept = KDirty | KMmap | KAnon | KSwapBacked | KHuge | KUnevictable | KHWPoison | KKSM | KTHP | KZeroPage |
		KMlocked | KAnonExclusive
)

// Evidence is what the kernel said of a page.
type Evidence struct {
	Word       uint64 // pagemap
	Scan       uint16 // PAGEMAP_SCAN
	KFlags     uint64 // kpageflags
	HaveScan   bool   // Scan was read, with all the categories this package asks for but guard and soft-dirty
	HaveKFlags bool   // KFlags was read
	Mapcount   int32  // kpagecount; 0 or less where not read
	ZeroFrame  bool   // the frame is known to be that of the zero page ...
	OtherFrame bool   // ... or known not to be
}

// Classify decides what a page of m is. In a shared mapping a present page is Shared whatever lies
// under it.
func Classify(m Mapping, e Evidence) (State, Attrs) {
	return m.Class().Classify(e)
}

// Class is what of a mapping matters to the state of its pages, worked out once for a mapping and
// not once a page.
type Class struct {
	special, shared, file, locked, hugetlb, noLazy, noSwap bool
	merged                                                 bool // smaps counts all of its pages as merged (KSM)
	allHuge                                                bool // and as huge, and nothing else tells
	noHuge                                                 bool // smaps counts none of them as huge, which leaves the huge zero page
}

// Class is the class of m.
func (m *Mapping) Class() Class {
	c := Class{shared: m.Perms&SharedMap != 0}
	switch m.Kind() {
	case KindSpecial:
		c.special = true
	case KindFile, KindShmem:
		c.file = true
	}
	if m.Smaps != nil {
		c.noLazy, c.noSwap = m.Smaps.LazyFree == 0, m.Smaps.Swap == 0
		c.noHuge = m.Smaps.AnonHuge == 0 && !c.file
		c.merged = m.Smaps.KSM > 0 && m.Smaps.KSM == m.Smaps.Rss
		for _, f := range m.Smaps.VMFlags {
			switch f {
			case "pf", "io", "mm": // VM_PFNMAP, VM_IO, VM_MIXEDMAP: pages without the usual bookkeeping
				c.special = true
			case "lo":
				c.locked = true
			case "ht":
				c.hugetlb = true
			}
		}
	}
	return c
}

// CountedClass is the class of m where neither a scan nor flags of frames tell which pages are
// huge: smaps does if all are.
func (m *Mapping) CountedClass() Class {
	c := m.Class()
	c.allHuge = m.allHuge()
	return c
}

// allHuge says whether smaps counts all that is resident of the mapping as huge. The huge zero page
// is in neither number.
func (m *Mapping) allHuge() bool {
	return m.Smaps != nil && m.Smaps.AnonHuge > 0 && m.Smaps.AnonHuge == m.Smaps.Rss
}

// Classify decides what a page of a mapping of class c is.
func (c Class) Classify(e Evidence) (State, Attrs) {
	a := e.attrs(c)
	switch {
	case e.Word&WordGuard != 0 || e.Scan&ScanGuard != 0: // before swapped: bit 62 is set for every marker
		return Guard, a &^ Locked
	case e.Word&WordPresent == 0 && e.Word&WordUffdWP != 0 && (c.noSwap || c.shared):
		return None, UffdWP // a marker of userfaultfd, with no page behind it (PTE_MARKER_UFFD_WP in include/linux/swapops.h)
	case e.Word&WordPresent == 0 && e.Word&WordSwapped != 0:
		return Swapped, a &^ Locked
	case e.Word&WordPresent == 0:
		return None, 0
	case c.special:
		return Special, a
	case c.shared:
		return Shared, a
	case e.Scan&(ScanPFNZero|NodeNone) != 0 || e.ZeroFrame || e.KFlags&KZeroPage != 0:
		return Zero, a
	case e.Word&WordFile != 0 && !c.file:
		return Unknown, a // a page of a file that the mapping does not have: the one or the other was read too late
	case e.Word&WordFile != 0:
		return File, a
	// A merged page is never written, though it may be mapped only once. And of a huge page that
	// one entry maps, all the words have the bit of the first small page, though the others may be
	// mapped elsewhere too (pagemap_pmd_range in fs/proc/task_mmu.c).
	case e.Word&WordExclusive != 0 && a&KSM == 0 && (a&Huge == 0 || e.Mapcount < 2):
		return Anon, a
	// The zero page, too, is present, not of a file and not exclusive. The scan tells it, the frame
	// and kpageflags tell it; without any of them a page of plain memory may be either. No private
	// file mapping maps the zero page.
	case e.HaveScan || e.HaveKFlags || e.OtherFrame || c.file || e.Scan&NodeSome != 0:
		return COW, a
	}
	return Unknown, a
}

// UnknownWhy is the reason for a page in state Unknown in a process that could be read.
const UnknownWhy = "present, but its mapping changed while it was read, or the zero page and a page shared copy-on-write look alike here: " +
	"telling those apart needs PAGEMAP_SCAN (Linux 6.7), move_pages or root"

// attrs are the attributes that e shows; they are dropped where there is no page.
func (e Evidence) attrs(c Class) Attrs {
	var a Attrs
	present := e.Word&WordPresent != 0
	if present && (e.Scan&ScanHuge != 0 || c.hugetlb || c.allHuge && (e.Word&WordExclusive != 0 || e.Scan&NodeSome != 0) || !e.HaveScan && (!c.noHuge || e.KFlags&KZeroPage != 0) && e.KFlags&(KTHP|KHuge) != 0) {
		a |= Huge
	}
	if e.KFlags&KKSM != 0 || present && c.merged && e.Scan&(ScanPFNZero|NodeNone) == 0 && !e.ZeroFrame && e.KFlags&KZeroPage == 0 {
		a |= KSM
	}
	if present && (c.locked || e.KFlags&KMlocked != 0) {
		a |= Locked
	}
	// MADV_FREE clears the swap-backed bit of an anonymous page (folio_mark_lazyfree in mm/swap.c),
	// and a write after it does not set it again at once: where smaps was read and counts none,
	// there is none.
	if e.KFlags&(KAnon|KSwapBacked) == KAnon && !c.noLazy {
		a |= LazyFree
	}
	if e.Word&WordUffdWP != 0 {
		a |= UffdWP
	}
	if e.Word&WordSoftDirty != 0 || e.Scan&ScanSoftDirty != 0 {
		a |= SoftDirty
	}
	if e.KFlags&KDirty != 0 {
		a |= Dirty
	}
	if e.KFlags&KReferenced != 0 {
		a |= Referenced
	}
	return a
}
