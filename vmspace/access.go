package vmspace

// Rules of this file: the words for accesses and for what comes of them. No logic.

// Access is what an instruction does to a byte.
type Access uint8

// The accesses.
const (
	Load Access = iota
	Store
	Fetch // of an instruction
)

// String is the word for a.
func (a Access) String() string { return [...]string{"read", "write", "exec"}[a] }

// Happening is what an access can lead to.
type Happening string

// The happenings. A write to the zero page is ZeroFill, not Copy: the kernel sees that there is
// nothing to copy and hands out a zeroed frame (wp_page_copy in mm/memory.c). The first write to an
// absent page of a private file mapping is Copy: one fault brings the page in and copies it
// (do_cow_fault).
const (
	NoFault  Happening = "none"
	ZeroMap  Happening = "zero-map"
	ZeroFill Happening = "zero-fill"
	MapPage  Happening = "map"
	Copy     Happening = "copy"
	Reuse    Happening = "reuse"
	SwapIn   Happening = "swap-in"
	MapErr   Happening = "SIGSEGV/MAPERR"
	AccErr   Happening = "SIGSEGV/ACCERR"
	PkuErr   Happening = "SIGSEGV/PKUERR" // a protection key forbids it (pkeys(7)); memory that may only be executed has one
	BusErr   Happening = "SIGBUS/ADRERR"
	Grow     Happening = "grow"
)

// Happenings is the table of all of them, each with a sentence.
var Happenings = [...]struct {
	Name     Happening
	Sentence string
}{
	{NoFault, "no fault: the page is there and allows it"},
	{ZeroMap, "a minor fault maps the shared zero page"},
	{ZeroFill, "a minor fault hands out a fresh frame of zeros"},
	{MapPage, "a fault maps a page of the file or of the shared memory"},
	{Copy, "a minor fault copies the frame; the others keep theirs"},
	{Reuse, "a minor fault, and the frame is kept: write permission was all that was missing"},
	{SwapIn, "a fault brings the page back from swap"},
	{MapErr, "SIGSEGV: there is nothing mapped that the access could reach"},
	{AccErr, "SIGSEGV: the mapping does not allow it"},
	{PkuErr, "SIGSEGV: the mapping's protection key forbids it"},
	{BusErr, "SIGBUS: the file ends before this page"},
	{Grow, "the stack grows down to the address"},
}

// Facts are what a prediction may rest on beside the snapshot. The zero Facts are wrong about
// FileSize: start from NoFacts.
type Facts struct {
	FileSize    int64  // of the file or shared memory behind the mapping, in bytes; -1 where not known
	StackLimit  uint64 // RLIMIT_STACK in bytes; 0 where not known
	OnlyStack   bool   // no mapping but the stack grows downwards
	NeverForked bool   // neither this process nor one it came from has forked since its exec: nothing is write-protected for that
	// Reprotected says that mprotect was called on a kernel that leaves clean pages write-protected
	// when their letters change, and whole huge pages too, though the new letters let them be written:
	// before Linux 6.2 (can_change_pte_writable in mm/mprotect.c, change_huge_pmd in mm/huge_memory.c).
	Reprotected bool
	Arch        string // as GOARCH; "" for amd64
	// ExecOnly is what a load from memory with PROT_EXEC alone leads to on this machine: NoFault,
	// where nothing forbids it; PkuErr, with protection keys (x86, pkeys(7)), which then forbid
	// stores before the letters do; AccErr, where page tables can say it (arm64). "" where that is
	// not known.
	ExecOnly Happening
	Keys     Keys
}

// Keys are the rights that a process's own instructions have to memory with a protection key
// (pkeys(7)). Which key a mapping has, smaps tells.
type Keys struct {
	PKRU  uint32 // of x86, two bits a key: the lower one forbids loads and stores, the upper one stores
	Known bool   // PKRU was read
	// Used says that the process has dealt with keys by itself: the letters of a mapping do not
	// tell any more whether it has one.
	Used bool
}

// The two bits that PKRU has for each key. They are those of pkey_alloc(2).
const (
	KeyDisableAccess = 1 // PKEY_DISABLE_ACCESS: neither loads nor stores
	KeyDisableWrite  = 2 // PKEY_DISABLE_WRITE: no stores
	KeyCount         = 16
)

// Of gives the two bits of a key.
func (k Keys) Of(key uint32) uint32 {
	if key >= KeyCount {
		return 0
	}
	return k.PKRU >> (2 * key) & (KeyDisableAccess | KeyDisableWrite)
}

// Forbid says whether an access to memory with that key is refused. Instructions are always
// fetched.
func (k Keys) Forbid(key uint32, access Access) bool {
	switch access {
	case Load:
		return k.Of(key)&KeyDisableAccess != 0
	case Store:
		return k.Of(key) != 0
	}
	return false
}

// NoFacts are the Facts of someone who knows only the snapshot.
var NoFacts = Facts{FileSize: -1}

// Prediction is what can happen, likeliest first, and why.
type Prediction struct {
	Can []Happening // empty where the process cannot make an access, or nothing is known of it
	Why string
}

// Allows says whether h is among what can happen.
func (p Prediction) Allows(h Happening) bool {
	for _, c := range p.Can {
		if c == h {
			return true
		}
	}
	return false
}
