package observe

import "cowscope/vmspace"

// Options are what a Reader may use, and where it stops reading everything. The zero Options are
// the ones to use for looking once; the switches are there so that tests can hold the fallbacks
// against the better ways.
type Options struct {
	NoScan   bool // do without PAGEMAP_SCAN
	NoQuery  bool // do without PROCMAP_QUERY
	NoNodes  bool // do without move_pages, which stands in for PAGEMAP_SCAN where frames are hidden
	NoFrames bool // do without frame numbers, and so without counts and flags of frames
	NoKPage  bool // do without kpagecount and kpageflags

	Gentle  bool // read in short slices with rests between, for a process that is watched while it runs
	Workers int  // goroutines that share the pages of a large space (0: two where there are two CPUs)

	SmallMappings int    // a space with at most this many mappings ... (0: 256, negative: none)
	SmallPages    int    // ... and this many resident pages is always read in full, with smaps (0: 16384)
	SparseSize    uint64 // without PAGEMAP_SCAN, a space of more bytes is read only where a command went (0: 64 GiB)
	KPageBudget   int    // frames whose count and flags are read for one snapshot (0: 4096, negative: none)
}

func (o Options) withDefaults() Options {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&o.SmallMappings, 256)
	set(&o.SmallPages, 16384)
	set(&o.KPageBudget, 4096)
	if o.SparseSize == 0 {
		o.SparseSize = scattered
	}
	return o
}

// scattered is a size, in bytes, from which on resident pages may each be in a page table of their
// own, and few of them make smaps slow.
const scattered = 64 << 30

// Scope is what may have changed since the snapshot that a Reader gave last: how much is read
// follows from it. The zero Scope is everything.
type Scope struct {
	known   bool
	touched []Touched
	held    *Held
}

// Within is the scope of commands that can have changed only what lies in touched, and what hangs
// on it; of none, the faults and the ends of processes. A small space is always read in full, a
// process that the last snapshot does not know too; where a process came, died or became another,
// the entire family is.
func Within(touched ...Touched) Scope { return Scope{known: true, touched: touched} }

// AtRest is the scope of one command, where a tracer holds the whole family still: the counters and
// VmFlags of mappings and the resident size stay as they were read last, and a mapping that changed
// has no Smaps. No process may have run but the one that was touched.
func AtRest(touched Touched, held Held) Scope {
	return Scope{known: true, touched: []Touched{touched}, held: &held}
}

// Touched says that a command may have changed what lies in Range in the process Label. A command
// that may change everything, as fork does, gives the whole of the address space:
// vmspace.Everything.
type Touched struct {
	Label string
	Range vmspace.Range
}

// Held is what the tracer of a family that stands still knows of a command. It touched private
// anonymous memory without VmFlags of its own, and nothing else has changed.
type Held struct {
	// Mapped says that mappings came, went or changed there, not only pages.
	Mapped bool
	// Minor and Major are the faults that the process took.
	Minor, Major uint64
}

// The reasons in Process.Err.
const (
	errDenied  = "permission denied: needs the same user or CAP_SYS_PTRACE"
	errGone    = "no such process"
	errNoSpace = "it has no address space to read, as a kernel thread has none"
	errZombie  = "dead and not yet waited for: its address space is gone"
)

// Features says what a Reader found that it may use.
type Features struct {
	Scan   bool // PAGEMAP_SCAN (Linux 6.7): tells the zero page and huge pages without root
	Query  bool // PROCMAP_QUERY (Linux 6.11): finds one mapping among many
	Frames bool // frame numbers in pagemap: CAP_SYS_ADMIN in the first user namespace
	KPage  bool // kpagecount and kpageflags: root
	Nodes  bool // move_pages(2) tells the zero page, where there is neither scan nor frames
	Guard  bool // the scan knows guard markers; the pagemap word may know them without
	// Distrusted are bits of the kernel's words that do not mean here what they should, each in a
	// phrase: they decide nothing.
	Distrusted []string
}
