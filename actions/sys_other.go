//go:build !linux

package actions

import (
	"fmt"
	"runtime"
	"syscall"

	"cowscope/vmspace"
)

// Elsewhere no subject starts, so that these are never used; they let the package, and with it the language and the history, compile.
const sysMmap, sysMunmap, sysMprotect = 0, 0, 0

func errnoName(e syscall.Errno) string { return fmt.Sprintf("E%d", int(e)) }

func machine(*vmspace.Snapshot) Info { return Info{Kernel: runtime.GOOS} }
