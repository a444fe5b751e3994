package vmspace

// State is the state of a page of a mapping, as Classify decides it.
type State uint8

// The states; States describes each.
const (
	None State = iota
	Zero
	Anon
	COW
	File
	Shared
	Swapped
	Guard
	Special
	Unknown
)

// StateInfo describes a state.
type StateInfo struct {
	State    State
	Name     string // in the command language, the JSON and the legend
	Sentence string // one sentence for a person
	Evidence string // the words of the kernel that show it
}

// States is the table of all states, in the order of their constants.
var States = [...]StateInfo{
	{None, "none", "no page table entry: the first touch faults", "neither present nor swapped"},
	{Zero, "zero", "the kernel's shared zero page, from a read of untouched memory", "present, PAGE_IS_PFNZERO"},
	{Anon, "anon", "anonymous memory that this process owns alone", "present, not file, exclusive"},
	{COW, "cow", "anonymous memory shared copy-on-write: a write makes the writer a copy", "present, not file, not exclusive"},
	{File, "file", "a page of the page cache in a private mapping: a write copies it", "present, file, private mapping"},
	{Shared, "shared", "a page of a shared mapping: everyone who maps it sees every write", "present, file, shared mapping"},
	{Swapped, "swapped", "swapped out: the next touch brings it back", "swapped and not guard"},
	{Guard, "guard", "a guard marker: any touch is SIGSEGV", "guard bit 58"},
	{Special, "special", "lent by the kernel (vdso, vvar, device): the usual words do not apply", "VmFlags pf, io or mm, or a name in brackets; pagemap may say nothing"},
	{Unknown, "unknown", "could not be read", "the error"},
}

// String is the name of s.
func (s State) String() string { return States[s].Name }

// Attrs is a set of attributes that a page has beside its state.
type Attrs uint16

// The attributes, as bits.
const (
	Huge Attrs = 1 << iota
	KSM
	Locked
	LazyFree
	UffdWP
	SoftDirty
	Dirty
	Referenced
	Poisoned
)

// AttrNames are the words for the attributes, by bit.
var AttrNames = [...]string{"huge", "ksm", "locked", "lazyfree", "uffd-wp", "soft-dirty", "dirty", "referenced", "poisoned"}

// AttrSentences say what the attributes mean, by bit.
var AttrSentences = [...]string{
	"part of a huge page",
	"merged with equal pages by KSM",
	"kept in memory by mlock",
	"may be dropped when memory is short (MADV_FREE)",
	"write-protected by userfaultfd",
	"written to since the marks were cleared (clear_refs)",
	"changed, and not yet written to its file or to swap",
	"used of late, as the kernel sees it",
	"a marker stands for a page that is broken, or that UFFDIO_POISON made so: any touch is SIGBUS",
}

// Names lists the words for the bits set in a.
func (a Attrs) Names() []string {
	var out []string
	for i, n := range AttrNames {
		if a&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// Run is a run of adjacent pages of one mapping that are alike: same state, attributes and words,
// and, if frames are visible, consecutive frames.
type Run struct {
	Start uint64 // address of the first page
	Pages uint64
	Word  uint64 // the pagemap word without its frame bits 0-54
	Frame uint64 // frame number of the first page; 0 if hidden or not present
	// KFlags is the kpageflags word, reduced to its lasting bits; 0 if not read.
	KFlags uint64
	// Scan is the PAGEMAP_SCAN categories, or the answer of move_pages; 0 if neither was called.
	Scan     uint16
	Attrs    Attrs
	Mapcount int32 // from kpagecount; -1 if not read
	State    State
	Shift    uint8 // log2 of the page size in bytes; 0 stands for 12 (4 KiB)
}

// PageSize is the size in bytes of the pages of r.
func (r Run) PageSize() uint64 {
	if r.Shift == 0 {
		return 1 << 12
	}
	return 1 << r.Shift
}

// Bounds is the range of addresses that r covers.
func (r Run) Bounds() Range { return Range{r.Start, r.Start + r.Pages*r.PageSize()} }

// HasFrame reports whether the pages of r are present, so that reading their bytes takes no fault.
func (r Run) HasFrame() bool {
	if r.Word&WordPresent == 0 {
		return false
	}
	switch r.State {
	case Zero, Anon, COW, File, Shared, Special:
		return true
	}
	return false
}

// FrameOf is the frame number of page i of r, 0 if frames are hidden. All pages of a zero run map
// the same frame, except those of a huge zero page, whose frames are consecutive.
func (r Run) FrameOf(i uint64) uint64 {
	if r.Frame == 0 || r.State == Zero && r.Attrs&Huge == 0 {
		return r.Frame
	}
	return r.Frame + i
}

// Clip is the part of r inside o; its Pages are 0 if there is none. The edges of o are rounded to
// whole pages.
func (r Run) Clip(o Range) Run {
	size := r.PageSize()
	lo := max(r.Start, o.Start&^(size-1))
	hi := r.Bounds().End
	if o.End < hi {
		hi = min(hi, (o.End+size-1)&^(size-1))
	}
	if hi <= lo {
		return Run{Start: lo, Mapcount: -1, Shift: r.Shift}
	}
	r.Frame = r.FrameOf((lo - r.Start) / size)
	r.Start, r.Pages = lo, (hi-lo)/size
	return r
}

// Extends reports whether o, which starts where r ends, is alike, so that the two are one run.
func (r Run) Extends(o Run) bool {
	if o.Frame != r.FrameOf(r.Pages) {
		return false
	}
	o.Start, o.Pages, o.Frame = r.Start, r.Pages, r.Frame
	return o == r
}
