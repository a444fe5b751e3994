//go:build amd64 || arm64

package ptrace

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CallStop is the signal of a stop at a system call, under PTRACE_O_TRACESYSGOOD.
const CallStop = unix.SIGTRAP | 0x80

// Call makes a request with two numbers; what they mean depends on it.
func Call(request, tid int, addr, data uintptr) syscall.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return e
}

// with makes a request that reads or writes what data points to.
func with(request, tid int, addr uintptr, data unsafe.Pointer) syscall.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, uintptr(data), 0, 0)
	return e
}

// Resume lets a thread go on as the request says, and delivers sig if it is not 0.
func Resume(request, tid int, sig syscall.Signal) syscall.Errno {
	return Call(request, tid, 0, uintptr(sig))
}

// SignalMask is the signals that a stopped thread blocks; bit 0 is signal 1.
func SignalMask(tid int) (mask uint64, e syscall.Errno) {
	const getSigMask = 0x420a // PTRACE_GETSIGMASK in include/uapi/linux/ptrace.h
	e = with(getSigMask, tid, unsafe.Sizeof(mask), unsafe.Pointer(&mask))
	return
}

// SetSignalMask sets the signals that a stopped thread blocks; bit 0 is signal 1.
func SetSignalMask(tid int, mask uint64) syscall.Errno {
	const setSigMask = 0x420b // PTRACE_SETSIGMASK in include/uapi/linux/ptrace.h
	return with(setSigMask, tid, unsafe.Sizeof(mask), unsafe.Pointer(&mask))
}

// Peek reads 8 bytes of memory, whatever its protection is (the system call gives the word by a
// pointer).
func Peek(tid int, addr uint64) (word uint64, e syscall.Errno) {
	e = with(unix.PTRACE_PEEKDATA, tid, uintptr(addr), unsafe.Pointer(&word))
	return
}

// Poke writes 8 bytes of memory, whatever its protection is.
func Poke(tid int, addr, word uint64) syscall.Errno {
	return Call(unix.PTRACE_POKEDATA, tid, uintptr(addr), uintptr(word))
}

// Message is what an event stop tells: the ID of a new thread, or what a filter said.
func Message(tid int) (int, syscall.Errno) {
	var msg uint64
	e := with(unix.PTRACE_GETEVENTMSG, tid, 0, unsafe.Pointer(&msg))
	return int(msg), e
}

// SigInfo is siginfo_t of 64-bit systems (include/uapi/asm-generic/siginfo.h).
type SigInfo struct {
	Signo, Errno, Code int32
	_                  int32
	Addr               uint64 // or the PID of the sender, in the lower half
	Data               uint64 // of TRAP_PERF: the word that the event was made with
	Kind, Flags        uint32 // of TRAP_PERF
	_                  [88]byte
}

// SystemCall is the number of a call that a filter refused with SIGSYS, and the table that it
// counts in (AUDIT_ARCH_X86_64, …).
func (i *SigInfo) SystemCall() (nr, arch uint32) { return uint32(i.Data), uint32(i.Data >> 32) }

// SignalInfo is the cause of a stop for a signal. It fails with EINVAL in a group-stop (ptrace(2),
// "Group-stop").
func SignalInfo(tid int) (info SigInfo, e syscall.Errno) {
	e = with(unix.PTRACE_GETSIGINFO, tid, 0, unsafe.Pointer(&info))
	return
}

// SetSignalInfo changes the cause of a stop for a signal, which the program sees.
func SetSignalInfo(tid int, info *SigInfo) syscall.Errno {
	return with(unix.PTRACE_SETSIGINFO, tid, 0, unsafe.Pointer(info))
}

// Pending reads the causes of signals that wait for a stopped thread alone, the first ones, and returns
// how many there were.
func Pending(tid int, causes []SigInfo) (int, syscall.Errno) {
	const peekSigInfo = 0x4209 // PTRACE_PEEKSIGINFO in include/uapi/linux/ptrace.h
	which := struct {
		off   uint64
		flags uint32
		nr    int32
	}{nr: int32(len(causes))}
	n, _, e := unix.RawSyscall6(unix.SYS_PTRACE, peekSigInfo, uintptr(tid), uintptr(unsafe.Pointer(&which)), uintptr(unsafe.Pointer(unsafe.SliceData(causes))), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// CallInfo is struct ptrace_syscall_info (include/uapi/linux/ptrace.h).
type CallInfo struct {
	Op     uint8
	_      [3]byte
	Arch   uint32
	IP, SP uint64
	Nr     uint64    // at an entry; at an exit the value
	Args   [6]uint64 // at an exit, Args[0] is not 0 for an error
	Data   uint32    // of a filter: what it said
	_      [60]byte  // room for what newer kernels append
}

// CallAt is the system call at which a thread is stopped. The registers alone do not tell it: a
// 32-bit call counts in another table, and has its arguments elsewhere. It is there since Linux 5.3.
func CallAt(tid int) (info CallInfo, e syscall.Errno) {
	e = with(unix.PTRACE_GET_SYSCALL_INFO, tid, unsafe.Sizeof(info), unsafe.Pointer(&info))
	return
}

// A Status is what wait4(2) says.
type Status uint32

// Stopped is false for a thread that has ended.
func (s Status) Stopped() bool { return s&0xff == 0x7f }

// Signal is that of a stop.
func (s Status) Signal() syscall.Signal { return syscall.Signal(s >> 8 & 0xff) }

// Event is PTRACE_EVENT_FORK and the like, 0 for another stop.
func (s Status) Event() int { return int(s >> 16) }

// Ending is how a thread ended: with a status, or by a signal.
func (s Status) Ending() (code int, sig syscall.Signal) {
	if s&0x7f == 0 {
		return int(s >> 8 & 0xff), 0
	}
	return 0, syscall.Signal(s & 0x7f)
}
