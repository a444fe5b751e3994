//go:build !linux

package actions

import (
	"runtime"

	"cowscope/vmspace"
)

func Machine(*vmspace.Snapshot) Info { return Info{Kernel: runtime.GOOS} }
