package history

import (
	"slices"

	"cowscope/vmspace"
)

// Traits are what a process has beside its memory that decides how the kernel answers it.
type Traits struct {
	Keys   vmspace.Keys   // its rights to protection keys (pkeys(7))
	Limits vmspace.Limits // of its resources (getrlimit(2))
	SpaceTraits
}

// SpaceTraits are those of its address space.
type SpaceTraits struct {
	Allocated   uint32 // the allocated protection keys, a bit each
	LocksFuture bool   // mlockall future holds: new mappings are locked. No file of /proc shows it.
	Merges      bool   // prctl ksm on holds: KSM may merge all of the memory
	MDWE        uint64 // the bits that prctl mdwe has set
}

// The bits of PR_SET_MDWE (include/uapi/linux/prctl.h).
const (
	MDWERefuseExecGain = 1
	MDWENoInherit      = 2 // a child begins without
)

// Inherited are the traits of the copy that a child gets.
func (t SpaceTraits) Inherited() SpaceTraits {
	t.LocksFuture = false
	if t.MDWE&MDWENoInherit != 0 {
		t.MDWE = 0
	}
	return t
}

// Trait is one trait of one process.
type Trait[T any] struct {
	Process string // its label
	Value   T
}

// traitOf finds the trait of a process in a list, which leaves out those that have the usual one.
func traitOf[T any](list []Trait[T], label string, usual T) T {
	i := slices.IndexFunc(list, func(t Trait[T]) bool { return t.Process == label })
	if i < 0 {
		return usual
	}
	return list[i].Value
}

// KeysOf are the rights of a process after the step; where they were not read, they are not known.
func (st *Step) KeysOf(label string) vmspace.Keys { return traitOf(st.Keys, label, vmspace.Keys{}) }

// LimitsOf are the limits of a process after the step.
func (st *Step) LimitsOf(label string) vmspace.Limits {
	return traitOf(st.Limits, label, st.Facts.Limits)
}

// KeyText says what a process may do to memory with a key: "neither read nor written".
func KeyText(k vmspace.Keys, key uint32) string {
	switch {
	case !k.Known:
		return "who may read or write it is not known"
	case k.Forbid(key, vmspace.Load):
		return "neither read nor written"
	case k.Forbid(key, vmspace.Store):
		return "read, and not written"
	}
	return "read and written"
}
