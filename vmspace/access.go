package vmspace

// Rules of this file: names for accesses and for their outcomes; no logic.

// Access is the kind of access that an instruction makes to one byte.
type Access uint8

// The kinds of access.
const (
	Load Access = iota
	Store
	Fetch // instruction fetch
)

// String is the name of a.
func (a Access) String() string { return [...]string{"read", "write", "exec"}[a] }

// Happening is one possible outcome of an access.
type Happening string

// The outcomes. A write to the zero page is ZeroFill, not Copy: the kernel has nothing to copy and
// allocates a zeroed frame (wp_page_copy in mm/memory.c). The first write to an absent page of a
// private file mapping is Copy: a single fault brings the page in and copies it (do_cow_fault).
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
	// PkuErr: a protection key forbids the access (pkeys(7)). Execute-only memory has such a key.
	PkuErr Happening = "SIGSEGV/PKUERR"
	BusErr Happening = "SIGBUS/ADRERR"
	// MceErr: the page is broken, or was made so by UFFDIO_POISON. Without CONFIG_MEMORY_FAILURE
	// the kernel calls that BusErr (do_sigbus in arch/x86/mm/fault.c).
	MceErr Happening = "SIGBUS/MCEERR_AR"
	Grow   Happening = "grow"
)

// Refused reports whether the access ends with a signal and reaches no memory.
func (h Happening) Refused() bool {
	return h == MapErr || h == AccErr || h == PkuErr || h == BusErr || h == MceErr
}

// Happenings lists all outcomes, each with a sentence.
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
	{BusErr, "SIGBUS: the file ends before this page, or userfaultfd handles the fault"},
	{MceErr, "SIGBUS: the page is broken, or userfaultfd made it so"},
	{Grow, "the stack, or a mapping made with MAP_GROWSDOWN, grows down to the address"},
}

// Facts are what a prediction uses beside the snapshot. The zero value states a FileSize of 0:
// start from NoFacts.
type Facts struct {
	FileSize  int64 // bytes of the file or shared memory behind the mapping; -1 if unknown
	Limits    Limits
	OnlyStack bool // only the stack has VM_GROWSDOWN
	// NeverForked: neither this process nor any ancestor of it has forked since its exec, so that
	// no page is write-protected for copy-on-write.
	NeverForked bool
	// Reprotected says that mprotect was called on a kernel that leaves clean pages and whole huge
	// pages write-protected although the new permissions allow writes: before Linux 6.2
	// (can_change_pte_writable in mm/mprotect.c, change_huge_pmd in mm/huge_memory.c).
	Reprotected bool
	Arch        string // as GOARCH; "" for amd64
	// ExecOnly is the outcome of a load from memory with PROT_EXEC alone on this machine: NoFault
	// if nothing forbids it; PkuErr with protection keys (x86, pkeys(7)), which forbid stores too,
	// before the permissions do; AccErr if page tables can express it (arm64); "" if unknown.
	ExecOnly Happening
	// Poison is the outcome of an access to a poisoned page: MceErr, or BusErr without
	// CONFIG_MEMORY_FAILURE; "" if unknown.
	Poison Happening
	Keys   Keys
	// Userfaultfd says that a process of the family has created a userfaultfd, and that all of them
	// answer faults with SIGBUS (UFFD_FEATURE_SIGBUS). Without that feature the holder of the
	// descriptor decides how a fault ends.
	Userfaultfd bool
	// WriteTracked says that a process of the family has registered memory for write protection
	// with userfaultfd: shared memory mapped there is write-protected until it is written to.
	WriteTracked bool
	// ProtectedMoved says that mremap was called for such memory: a page that was write-protected
	// and moved has lost the mark, and not the protection (move_ptes in mm/mremap.c).
	ProtectedMoved bool
}

// Keys are the rights of a process's own instructions to memory with a protection key (pkeys(7)).
// The key of a mapping is in smaps.
type Keys struct {
	// PKRU is the x86 register, two bits per key: the lower forbids loads and stores, the upper
	// forbids stores.
	PKRU  uint32
	Known bool // PKRU was read
	// Used says that the process has managed keys itself, so that the permissions of a mapping no
	// longer tell whether it has a key.
	Used bool
}

// The two bits that PKRU has for each key; they are those of pkey_alloc(2).
const (
	KeyDisableAccess = 1 // PKEY_DISABLE_ACCESS: neither loads nor stores
	KeyDisableWrite  = 2 // PKEY_DISABLE_WRITE: no stores
	KeyCount         = 16
)

// Of is the two bits of a key.
func (k Keys) Of(key uint32) uint32 {
	if key >= KeyCount {
		return 0
	}
	return k.PKRU >> (2 * key) & (KeyDisableAccess | KeyDisableWrite)
}

// Forbid reports whether an access to memory with that key is refused. Instruction fetches are
// never refused.
func (k Keys) Forbid(key uint32, access Access) bool {
	switch access {
	case Load:
		return k.Of(key)&KeyDisableAccess != 0
	case Store:
		return k.Of(key) != 0
	}
	return false
}

// Limits are the resource limits (getrlimit(2)) that bound a growing stack, in bytes.
type Limits struct {
	Known  bool
	Stack  uint64 // RLIMIT_STACK: of the stack itself
	Space  uint64 // RLIMIT_AS: of the whole address space
	Locked uint64 // RLIMIT_MEMLOCK: of all locked memory; Unlimited for a process exempt from it
}

// Unlimited is the value of a limit that allows everything (RLIM_INFINITY).
const Unlimited = 1<<64 - 1

// NoFacts are the Facts when only the snapshot is known.
var NoFacts = Facts{FileSize: -1}

// Prediction is the set of possible outcomes, likeliest first, and the reason.
type Prediction struct {
	Can []Happening // empty if the process cannot make an access, or nothing is known of it
	Why string
}

// Allows reports whether h is one of the possible outcomes.
func (p Prediction) Allows(h Happening) bool {
	for _, c := range p.Can {
		if c == h {
			return true
		}
	}
	return false
}
