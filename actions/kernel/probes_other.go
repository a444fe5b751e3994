//go:build !linux

package kernel

import (
	"os"
	"runtime"

	"cowscope/vmspace"
)

func KnowsAdvice(uint64) bool { return true }

func KnowsProt(uint64) bool { return true }

func UffdRefusesDroppable() bool { return true }

func KnowsDroppable() bool { return false }

func KnowsSealExec() bool { return true }

func AdvisesProcesses(uint64) bool { return true }

func LeavesProtected() bool { return false }

func MovesPages() bool { return true }

func Poison() vmspace.Happening { return "" }

func PoisonsPages() bool { return true }

func ContinuesProtected() bool { return true }

func CollapsesWritable() bool { return false }

func KnowsPolicy(uint64) bool { return true }

func UserTop() uint64   { return 0 }
func MapWindow() uint64 { return 0 }

func ComparesRounded() bool { return true }

func SameFile(os.FileInfo, vmspace.Mapping) bool { return false }

func ExecOnly() vmspace.Happening { return "" }

func fullOfMemory(string) bool { return false }

func LimitsOf(int) vmspace.Limits { return vmspace.Limits{} }

// Release is the system.
func Release() string { return runtime.GOOS }
