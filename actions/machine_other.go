//go:build !linux

package actions

import (
	"runtime"

	"cowscope/vmspace"
)

func machine(*vmspace.Snapshot) Info { return Info{Kernel: runtime.GOOS} }
