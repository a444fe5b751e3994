package ptrace

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Registers of x86-64. PTRACE_GETREGS is used and not PTRACE_GETREGSET, whose layout depends on the
// mode of the thread: it can far-jump into 32-bit mode (arch/x86/kernel/ptrace.c,
// task_user_regset_view).
type Registers = unix.PtraceRegs

// GetRegisters reads the registers of a stopped thread.
func GetRegisters(tid int, r *Registers) syscall.Errno {
	return with(unix.PTRACE_GETREGS, tid, 0, unsafe.Pointer(r))
}

// SetRegisters writes them.
func SetRegisters(tid int, r *Registers) syscall.Errno {
	return with(unix.PTRACE_SETREGS, tid, 0, unsafe.Pointer(r))
}
