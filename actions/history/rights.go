package history

import (
	"slices"

	"cowscope/vmspace"
)

// The rights of processes to protection keys (pkeys(7)).

// KeyRights are the rights of one process.
type KeyRights struct {
	Process string // its label
	vmspace.Keys
}

// KeysOf are the rights of a process after the step; where they were not read, they are not known.
func (st *Step) KeysOf(label string) vmspace.Keys {
	i := slices.IndexFunc(st.Keys, func(k KeyRights) bool { return k.Process == label })
	if i < 0 {
		return vmspace.Keys{}
	}
	return st.Keys[i].Keys
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
