//go:build amd64 || arm64

package trace

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The raw calls. They bypass the Go scheduler (RawSyscall): none of them can block. All of them are
// made on the one thread that seized.

const traceOptions = unix.PTRACE_O_EXITKILL | // nothing under the filter survives cowscope, not even a kill -9
	unix.PTRACE_O_TRACESYSGOOD | // stops at calls are SIGTRAP|0x80
	unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_TRACEEXEC |
	unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEVFORKDONE

const callStop = unix.SIGTRAP | 0x80

func ptrace(request, tid int, addr, data uintptr) syscall.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return e
}

// peek and poke read and write 8 bytes of a stopped thread's memory (PTRACE_PEEKDATA, POKEDATA: the
// raw call gives the word by a pointer).
func peek(tid int, addr uint64, word *uint64) syscall.Errno {
	return ptrace(unix.PTRACE_PEEKDATA, tid, uintptr(addr), uintptr(unsafe.Pointer(word)))
}

func poke(tid int, addr, word uint64) syscall.Errno {
	return ptrace(unix.PTRACE_POKEDATA, tid, uintptr(addr), uintptr(word))
}

// message is what an event stop tells: a thread id, or what the filter said.
func message(tid int) (int, syscall.Errno) {
	var msg uint64
	e := ptrace(unix.PTRACE_GETEVENTMSG, tid, 0, uintptr(unsafe.Pointer(&msg)))
	return int(msg), e
}

// sigInfo is siginfo_t of 64-bit kernels, as force_sig_perf and send_signal fill it
// (include/uapi/asm-generic/siginfo.h).
type sigInfo struct {
	signo, errno, code, _ int32
	addr                  uint64 // or the pid of the sender, in the lower half
	data                  uint64 // of TRAP_PERF: the word that the event was made with
	kind, flags           uint32 // of TRAP_PERF
	_                     [88]byte
}

const (
	siTkill         = -6 // SI_TKILL
	trapPerf        = 6  // TRAP_PERF
	trapPerfIsAsync = 1  // TRAP_PERF_FLAG_ASYNC: SIGTRAP was blocked
)

func signalInfo(tid int) (info sigInfo, e syscall.Errno) {
	return info, ptrace(unix.PTRACE_GETSIGINFO, tid, 0, uintptr(unsafe.Pointer(&info)))
}

// callInfo is struct ptrace_syscall_info (include/uapi/linux/ptrace.h).
type callInfo struct {
	op     uint8
	_      [3]byte
	arch   uint32
	ip, sp uint64
	nr     uint64    // at an entry; at an exit the value
	args   [6]uint64 // at an exit, args[0] is not 0 for an error
	data   uint32    // of a filter: what it said
	_      [60]byte  // room for what newer kernels append
}

func callAt(tid int) (info callInfo, e syscall.Errno) {
	return info, ptrace(unix.PTRACE_GET_SYSCALL_INFO, tid, unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)))
}

// A status is what wait4 says.
type status uint32

func (s status) stopped() bool          { return s&0xff == 0x7f }
func (s status) signal() syscall.Signal { return syscall.Signal(s >> 8 & 0xff) }
func (s status) event() int             { return int(s >> 16) }

// ending is how a process ended: with a status, or by a signal.
func (s status) ending() (code int, sig syscall.Signal) {
	if s&0x7f == 0 {
		return int(s >> 8 & 0xff), 0
	}
	return 0, syscall.Signal(s & 0x7f)
}
