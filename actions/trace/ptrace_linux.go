//go:build amd64 || arm64

package trace

import "golang.org/x/sys/unix"

// All requests of ptrace are made on the one thread that seized.

const traceOptions = unix.PTRACE_O_EXITKILL | // nothing under the filter survives cowscope, not even a kill -9
	unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_TRACEEXEC |
	unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEVFORKDONE

const (
	siTkill         = -6 // SI_TKILL
	trapTrace       = 2  // TRAP_TRACE
	trapHardware    = 4  // TRAP_HWBKPT
	trapPerf        = 6  // TRAP_PERF
	trapPerfIsAsync = 1  // TRAP_PERF_FLAG_ASYNC: SIGTRAP was blocked
)
