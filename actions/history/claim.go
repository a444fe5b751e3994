package history

import "cowscope/vmspace"

// Claim is what the explanation of a step says about pages and mappings, in a form that a test can
// compare with what the kernel shows before the step and after it.
type Claim struct {
	Kind    ClaimKind
	Process string // label
	Range   vmspace.Range
	Count   uint64 // of pages or mappings; 0 if the kind has no count
	To      uint64 // address; of ClaimMoved
}

// ClaimKind is what is claimed of Range in Process.
type ClaimKind string

// The kinds of claims.
const (
	ClaimCame ClaimKind = "came" // Count pages were absent and are present
	// ClaimOwned: Count pages were present (shared, of a file, or the zero page) and are now pages
	// of the process's own.
	ClaimOwned   ClaimKind = "owned"
	ClaimDropped ClaimKind = "dropped" // Count pages were present or swapped out and are neither
	// ClaimKept: every page that was present is unchanged: in the same state and, if frames are
	// visible, in the same frame. One zero page counts as equal to another.
	ClaimKept    ClaimKind = "kept"
	ClaimPresent ClaimKind = "present" // Count pages are present
	// ClaimMoved: the pages that were present are at To, in the same order and, if frames are
	// visible, in the same frames.
	ClaimMoved ClaimKind = "moved"
	// ClaimShared: Count pages are shared copy-on-write and, if frames are visible, in frames of
	// the process that acted.
	ClaimShared    ClaimKind = "shared"
	ClaimLocked    ClaimKind = "locked"    // every mapping is locked (VmFlags lo)
	ClaimUnlocked  ClaimKind = "unlocked"  // no mapping is locked
	ClaimSealed    ClaimKind = "sealed"    // every mapping is sealed (VmFlags sl)
	ClaimJoined    ClaimKind = "joined"    // the range is part of one larger mapping
	ClaimMapped    ClaimKind = "mapped"    // every page is in a mapping
	ClaimUnmapped  ClaimKind = "unmapped"  // no page is in a mapping
	ClaimRefused   ClaimKind = "refused"   // a load and a store of the first byte are refused
	ClaimGrows     ClaimKind = "grows"     // an access to the first byte makes the mapping above grow
	ClaimUntouched ClaimKind = "untouched" // mappings and pages are unchanged
	ClaimOneSpace  ClaimKind = "one space" // its mappings and pages are those of the process that acted
	ClaimWaits     ClaimKind = "waits"     // the process is alive and not stopped: its call has not returned
)
