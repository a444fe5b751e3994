//go:build amd64 || arm64

package subject

import (
	"fmt"
	"syscall"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

const (
	traceOptions = unix.PTRACE_O_EXITKILL | // nothing survives cowscope, not even a kill -9
		unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE

	// How a run proceeds: with every system call reported and not made, or for one instruction.
	runConfined = unix.PTRACE_SYSEMU
	runStep     = unix.PTRACE_SINGLESTEP
)

// attempt returns the system call at which the process is stopped.
func attempt(pid int, r *ptrace.Registers) *Attempt {
	info, e := ptrace.CallAt(pid)
	if e != 0 || info.Op != unix.PTRACE_SYSCALL_INFO_ENTRY {
		return attemptFromRegs(r)
	}
	return &Attempt{Nr: info.Nr, Args: info.Args, Compat: info.Arch != auditArch}
}

// exitedBy is the end that wait4 tells.
func exitedBy(st ptrace.Status, pid int) *ExitedError {
	code, sig := st.Ending()
	return &ExitedError{PID: pid, Code: code, Signal: sig}
}

// ErrnoName is the name of an errno, such as EINVAL, or E and the number.
func ErrnoName(e syscall.Errno) string {
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return fmt.Sprintf("E%d", int(e))
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}
