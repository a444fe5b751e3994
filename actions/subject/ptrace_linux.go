//go:build amd64 || arm64

package subject

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The raw calls. They bypass the Go scheduler (RawSyscall): none of them can block, because the
// process is already stopped. Only waiting can block, and goes through the scheduler.

const (
	traceOptions = unix.PTRACE_O_EXITKILL | // nothing survives cowscope, not even a kill -9
		unix.PTRACE_O_TRACESYSGOOD | // system call stops are SIGTRAP|0x80
		unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE

	// How a run proceeds: with every system call reported and not made, or for one instruction.
	runConfined = unix.PTRACE_SYSEMU
	runStep     = unix.PTRACE_SINGLESTEP

	sysStop = unix.SIGTRAP | 0x80
)

// resume lets the process run, delivering sig if it is not 0.
func resume(request, pid int, sig syscall.Signal) syscall.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), 0, uintptr(sig), 0, 0)
	return e
}

func setOptions(pid int) syscall.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETOPTIONS, uintptr(pid), 0, traceOptions, 0, 0)
	return e
}

// eventPID is the process that a fork event in pid announces.
func eventPID(pid int) (int, syscall.Errno) {
	var msg uint64
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETEVENTMSG, uintptr(pid), 0, uintptr(unsafe.Pointer(&msg)), 0, 0)
	return int(msg), e
}

// sigInfo is the head of the kernel's siginfo_t on 64-bit systems.
type sigInfo struct {
	signo, errno, code, _ int32
	addr                  uint64
	nr                    int32  // of SIGSYS: the system call,
	arch                  uint32 // and the table that it counts in
	_                     [96]byte
}

// signalInfo fails with EINVAL in a group-stop, which distinguishes it from a signal (ptrace(2),
// "Group-stop").
func signalInfo(pid int) (info sigInfo, e syscall.Errno) {
	_, _, e = unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(pid), 0, uintptr(unsafe.Pointer(&info)), 0, 0)
	return info, e
}

// callInfo is struct ptrace_syscall_info at the entry of a call.
type callInfo struct {
	op     uint8
	_      [3]byte
	arch   uint32
	ip, sp uint64
	nr     uint64
	args   [6]uint64
	_      [64]byte // room for what newer kernels append
}

// attempt returns the system call at which the process is stopped. PTRACE_GET_SYSCALL_INFO is used
// and not the registers, because a 32-bit call counts in another table and has its arguments
// elsewhere.
func attempt(pid int, r *registers) *Attempt {
	var info callInfo
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(pid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if e != 0 || info.op != unix.PTRACE_SYSCALL_INFO_ENTRY {
		return attemptFromRegs(r)
	}
	return &Attempt{Nr: info.nr, Args: info.args, Compat: info.arch != auditArch}
}

// A status is what wait4 says.
type status uint32

func (s status) stopped() bool          { return s&0xff == 0x7f }
func (s status) signal() syscall.Signal { return syscall.Signal(s >> 8 & 0xff) }
func (s status) event() int             { return int(s >> 16) }

func (s status) exited(pid int) *ExitedError {
	if s&0x7f == 0 {
		return &ExitedError{PID: pid, Code: int(s >> 8 & 0xff)}
	}
	return &ExitedError{PID: pid, Signal: syscall.Signal(s & 0x7f)}
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
