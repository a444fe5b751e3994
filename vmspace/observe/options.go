package observe

import "cowscope/vmspace"

// Options are what a Reader may use, and from which size on it does not read everything. The zero
// Options suit a single reading; the No switches let tests compare the fallbacks with the better
// ways.
type Options struct {
	NoScan   bool // do without PAGEMAP_SCAN
	NoQuery  bool // do without PROCMAP_QUERY
	NoNodes  bool // do without move_pages, the substitute for PAGEMAP_SCAN if frames are hidden
	NoFrames bool // do without frame numbers, and so without counts and flags of frames
	NoKPage  bool // do without kpagecount and kpageflags

	// Gentle reads in short slices with rests between, for a process that is watched while it runs.
	Gentle bool
	// Workers is the number of goroutines that share the pages of a large space (0: two if there
	// are two CPUs).
	Workers int

	// SmallMappings and SmallPages bound a small space, which is always read in full, with smaps:
	// at most this many mappings (0: 256, negative: none) and resident pages (0: 16384).
	SmallMappings int
	SmallPages    int
	// SparseSize is a size in bytes: without PAGEMAP_SCAN, of a larger space only the parts that a
	// command touched are read (0: 64 GiB).
	SparseSize uint64
	// KPageBudget is how many frames are looked up for one snapshot, for count and flags (0: 4096,
	// negative: none).
	KPageBudget int
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

// scattered is the size in bytes from which on each resident page may be in a page table of its
// own, so that a few of them make smaps slow.
const scattered = 64 << 30

// Scope is what may have changed since the last snapshot of a Reader; it decides how much is read.
// The zero Scope is everything.
type Scope struct {
	known   bool
	touched []Touched
	held    *Held
	part    bool
}

// Within is the scope of commands that can have changed only what lies in touched, and what depends
// on it; without arguments, only fault counters and the ends of processes. A small space is always
// read in full, as is a process that is not in the last snapshot; if a process appeared, died or
// was replaced, the entire family is read in full.
func Within(touched ...Touched) Scope { return Scope{known: true, touched: touched} }

// Only is Within for one of many events in a row: a small space is not read in full either, and what
// was read keeps its counters and VmFlags; a mapping that changed has none.
func Only(touched ...Touched) Scope { return Scope{known: true, touched: touched, part: true} }

// AtRest is the scope of one command, if a tracer keeps the whole family stopped: the counters and
// VmFlags of mappings and the resident size stay as last read, and a mapping that changed has no
// Smaps. No process may have run except the touched one.
func AtRest(touched Touched, held Held) Scope {
	return Scope{known: true, touched: []Touched{touched}, held: &held}
}

// Touched says that a command may have changed what lies in Range in the process Label. A command
// that may change everything, such as fork, touches vmspace.Everything.
type Touched struct {
	Label string
	Range vmspace.Range
}

// Held is what the tracer of a stopped family knows about a command: it touched private anonymous
// memory without VmFlags of its own, and nothing else has changed.
type Held struct {
	// Mapped says that mappings were added, removed or changed there, not only pages.
	Mapped bool
	// Minor and Major are the faults that the process took.
	Minor, Major uint64
}

// The values of Process.Err.
const (
	errDenied  = "permission denied: needs the same user or CAP_SYS_PTRACE"
	errGone    = "no such process"
	errNoSpace = "it has no address space to read, as a kernel thread has none"
	errZombie  = "dead and not yet waited for: its address space is gone"
)

// Features lists what a Reader found and may use.
type Features struct {
	// Scan is PAGEMAP_SCAN (Linux 6.7), which identifies the zero page and huge pages without root.
	Scan   bool
	Query  bool // PROCMAP_QUERY (Linux 6.11): finds one mapping among many
	Frames bool // frame numbers in pagemap: CAP_SYS_ADMIN in the first user namespace
	KPage  bool // kpagecount and kpageflags: root
	Nodes  bool // move_pages(2) identifies the zero page, if neither the scan nor frames do
	Guard  bool // the scan reports guard markers; the pagemap word may do so without it
	// Distrusted describes, a phrase each, the bits of the kernel's words that do not mean here
	// what they should. They decide nothing.
	Distrusted []string
}

// Ending is how a process ended: by exit(2) with Code, or killed by Signal, which is then not 0.
type Ending struct{ Code, Signal int }
