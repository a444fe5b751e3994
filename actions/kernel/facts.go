package kernel

import (
	"runtime"

	"cowscope/vmspace"
)

// Facts are what predictions of this kernel and this processor use for a process of which nothing is
// known but what is read: it may have forked, and changed its memory in any way.
func Facts() vmspace.Facts {
	f := vmspace.NoFacts
	f.Arch, f.ExecOnly, f.Poison = runtime.GOARCH, ExecOnly(), Poison()
	f.Reprotected, f.WriteTracked, f.ProtectedMoved = LeavesProtected(), true, true
	return f
}
