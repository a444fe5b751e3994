//go:build !linux

package kernel

import (
	"os"

	"cowscope/vmspace"
)

func KnowsAdvice(uint64) bool { return true }

func LeavesProtected() bool { return false }

func UserTop() uint64   { return 0 }
func MapWindow() uint64 { return 0 }

func ComparesRounded() bool { return true }

func SameFile(os.FileInfo, vmspace.Mapping) bool { return false }

func ExecOnly() vmspace.Happening { return "" }

func StackLimit(int) uint64 { return 0 }
