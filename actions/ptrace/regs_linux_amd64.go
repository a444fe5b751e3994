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

// debugRegisters is where the debug registers are in struct user (arch/x86/include/asm/user_64.h).
const debugRegisters = 848

// Debug reads a debug register of a stopped thread.
func Debug(tid, n int) (value uint64, e syscall.Errno) {
	e = with(unix.PTRACE_PEEKUSR, tid, debugRegisters+8*uintptr(n), unsafe.Pointer(&value))
	return
}

// SetDebug writes one. The kernel checks what they watch (ptrace_set_debugreg in
// arch/x86/kernel/ptrace.c): it asks for no rights beyond those of ptrace.
func SetDebug(tid, n int, value uint64) syscall.Errno {
	return Call(unix.PTRACE_POKEUSR, tid, debugRegisters+8*uintptr(n), uintptr(value))
}
