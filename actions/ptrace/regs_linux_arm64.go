package ptrace

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Registers of arm64, which has no PTRACE_GETREGS, only register sets.
type Registers = unix.PtraceRegs

const general = 1 // NT_PRSTATUS in include/uapi/linux/elf.h

// RegisterSet reads or writes a set (PTRACE_GETREGSET, PTRACE_SETREGSET), and tells how many bytes
// of it there are.
func RegisterSet(request, tid, note int, b unsafe.Pointer, size uint64) (uint64, syscall.Errno) {
	iov := unix.Iovec{Base: (*byte)(b), Len: size}
	e := with(request, tid, uintptr(note), unsafe.Pointer(&iov))
	return iov.Len, e
}

// GetRegisters reads the registers of a stopped thread. Those of a 32-bit thread are fewer, and then
// the program counter is 0.
func GetRegisters(tid int, r *Registers) syscall.Errno {
	n, e := RegisterSet(unix.PTRACE_GETREGSET, tid, general, unsafe.Pointer(r), uint64(unsafe.Sizeof(*r)))
	if e == 0 && n != uint64(unsafe.Sizeof(*r)) {
		r.Pc = 0
	}
	return e
}

// SetRegisters writes them.
func SetRegisters(tid int, r *Registers) syscall.Errno {
	_, e := RegisterSet(unix.PTRACE_SETREGSET, tid, general, unsafe.Pointer(r), uint64(unsafe.Sizeof(*r)))
	return e
}
