package vmspace

// Rules of this file: pure. A state follows only from the mapping and from the kernel's words about
// the page. If those words allow two states, the answer is Unknown, never the likelier of the two.

// The flag bits of a pagemap word (Documentation/admin-guide/mm/pagemap.rst). Bits 0 to 54 hold the
// frame number of a present page if the reader has CAP_SYS_ADMIN, otherwise 0.
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

// The answers of move_pages(2) are kept beside the categories: it is called only where there is no
// PAGEMAP_SCAN.
const (
	NodeNone = 1 << 14 // present, and on no node: the zero page
	NodeSome = 1 << 15 // on a node
)

// The lasting bits of a kpageflags word (include/uapi/linux/kernel-page-flags.h). The others, such
// as LOCKED or LRU, change without any action of the process and are not kept.
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
	KAnonExclusive = 1 << 34 // a write takes no fault; not part of the stable interface

	KKept = KDirty | KMmap | KAnon | KSwapBacked | KHuge | KUnevictable | KHWPoison | KKSM | KTHP | KZeroPage |
		KMlocked | KAnonExclusive
)

// Evidence is the kernel's words about one page.
type Evidence struct {
	Word   uint64 // pagemap
	Scan   uint16 // PAGEMAP_SCAN
	KFlags uint64 // kpageflags
	// HaveScan: Scan was read, with all categories that this package uses except guard and
	// soft-dirty.
	HaveScan   bool
	HaveKFlags bool // KFlags was read
	// HaveGuard: a guard page has a bit of its own in Word and in Scan, since Linux 6.15.
	HaveGuard  bool
	Mapcount   int32 // kpagecount; 0 or less where not read
	ZeroFrame  bool  // the frame is known to be the zero page's ...
	OtherFrame bool  // ... or known not to be
}

// Class is everything about a mapping that affects the state of its pages. It is computed once per
// mapping, not once per page.
type Class struct {
	special, shared, file, locked, hugetlb, noLazy, noSwap bool
	// merged: smaps counts all its resident pages as merged (KSM).
	merged bool
	// allHuge: smaps counts them all as huge, and nothing else tells.
	allHuge bool
	// noHuge: smaps counts no huge page here, so that a huge page can only be the huge zero page.
	noHuge bool
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
			case "pf", "io", "mm":
				// VM_PFNMAP, VM_IO, VM_MIXEDMAP: the mapping may hold pages without a struct page.
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

// CountedClass is the class of m if neither PAGEMAP_SCAN nor kpageflags tells which pages are huge:
// smaps tells only when all of them are.
func (m *Mapping) CountedClass() Class {
	c := m.Class()
	c.allHuge = m.allHuge()
	return c
}

// allHuge reports whether smaps counts all resident pages of the mapping as huge. The huge zero
// page is in neither number.
func (m *Mapping) allHuge() bool {
	return m.Smaps != nil && m.Smaps.AnonHuge > 0 && m.Smaps.AnonHuge == m.Smaps.Rss
}

// Classify decides the state and the attributes of a page in a mapping of class c. In a shared
// mapping every present page is Shared, whatever backs it.
func (c Class) Classify(e Evidence) (State, Attrs) {
	a := e.attrs(c)
	switch {
	case e.Word&WordGuard != 0 || e.Scan&ScanGuard != 0:
		// Guard is tested before swapped: bit 62 is set for every marker.
		return Guard, a &^ Locked
	case e.Word&WordPresent == 0 && e.Word&WordUffdWP != 0 && (c.noSwap || c.shared):
		// A marker of userfaultfd, with no page behind it (PTE_MARKER_UFFD_WP in
		// include/linux/swapops.h).
		return None, UffdWP
	case e.Word&WordPresent == 0 && e.Word&WordSwapped != 0 && e.HaveGuard && !c.special && (c.noSwap || c.shared):
		// A marker for a broken page (PTE_MARKER_POISONED), or its swap entry (SWP_HWPOISON).
		return None, Poisoned
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
		// The page is of a file and the mapping has none: one of them was read too late.
		return Unknown, a
	case e.Word&WordFile != 0:
		return File, a
	// A write to a merged page always faults, even if it is mapped only once. For a huge page that
	// one entry maps, every word has the bit of the first small page, although the others may be
	// mapped elsewhere too (pagemap_pmd_range in fs/proc/task_mmu.c).
	case e.Word&WordExclusive != 0 && a&KSM == 0 && (a&Huge == 0 || e.Mapcount < 2):
		return Anon, a
	// The zero page, too, is present, not of a file and not exclusive. PAGEMAP_SCAN, the frame or
	// kpageflags identifies it; without any of them a page of anonymous memory may be either. No
	// private file mapping maps the zero page.
	case e.HaveScan || e.HaveKFlags || e.OtherFrame || c.file || e.Scan&NodeSome != 0:
		return COW, a
	}
	return Unknown, a
}

// UnknownWhy is the reason given for a page in state Unknown in a process that could be read.
const UnknownWhy = "present, but its mapping changed while it was read, or the zero page and a page shared copy-on-write look alike here: " +
	"telling those apart needs PAGEMAP_SCAN (Linux 6.7), move_pages or root"

// attrs are the attributes that e shows; a page that is not present has none.
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
	// and a later write does not set it again at once: if smaps was read and counts no such page,
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
