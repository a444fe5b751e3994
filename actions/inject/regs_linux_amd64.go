package inject

import (
	"fmt"
	"slices"
	"syscall"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Registers of x86-64. A thread that was interrupted in a call has its number in orig_rax, and in
// rax the code by which the kernel restarts it, when the thread goes on from a stop in get_signal
// (arch_do_signal_or_restart in arch/x86/kernel/signal.c). So all that a restart needs is to put
// both back.

// instruction is syscall.
var instruction = []byte{0x0f, 0x05}

const (
	align  = 1 // of instructions
	userCS = 0x33
)

// suits fails for a thread in 32-bit mode.
func suits(r *ptrace.Registers) error {
	if r.Cs != userCS {
		return fmt.Errorf("it runs in 32-bit mode (cs 0x%x)", r.Cs)
	}
	return nil
}

// setCall has the thread make a call with the instruction at ip. An orig_rax of -1 says that no
// call is in progress, which the kernel could restart.
func setCall(r *ptrace.Registers, ip, nr uint64, args [6]uint64) {
	r.Rip, r.Rax, r.Orig_rax = ip, nr, ^uint64(0)
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = args[0], args[1], args[2], args[3], args[4], args[5]
}

// setCode has the thread execute code at ip, in which the direction of string instructions is upwards
// and alignment is not checked.
func setCode(r *ptrace.Registers, ip uint64) {
	const direction, alignment, trap = 1 << 10, 1 << 18, 1 << 8 // of RFLAGS
	r.Rip, r.Orig_rax = ip, ^uint64(0)
	r.Eflags &^= direction | alignment | trap
}

// rewind puts the thread before the call that it is about to make.
func rewind(r *ptrace.Registers) {
	r.Rip, r.Rax, r.Orig_rax = r.Rip-uint64(len(instruction)), r.Orig_rax, ^uint64(0)
}

// restarts reports whether a call was interrupted that the kernel restarts: the codes ERESTARTSYS,
// ERESTARTNOINTR, ERESTARTNOHAND and ERESTART_RESTARTBLOCK (include/linux/errno.h).
func restarts(r *ptrace.Registers) bool {
	switch -int64(r.Rax) {
	case 512, 513, 514, 516:
		return int64(r.Orig_rax) >= 0
	}
	return false
}

// keepHidden keeps the registers that a stop may hide: none here.
func keepHidden(int, *ptrace.Registers) syscall.Errno { return 0 }

// SleepsAnew says that a call that is restarted does not know how much of its time is left, unless Save is told
// in which call the thread slept: here the kernel does.
const SleepsAnew = false

func callResult(r *ptrace.Registers) uint64 { return r.Rax }

// notRestarted are calls that end with EINTR after a stop (signal(7), "Interruption of system calls
// and library functions by stop signals"), and can be made again.
var notRestarted = []uint64{unix.SYS_EPOLL_WAIT, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2, unix.SYS_SEMOP, unix.SYS_SEMTIMEDOP, unix.SYS_RT_SIGTIMEDWAIT}

// resumable makes r what the thread goes on with: a call that was interrupted by the stop alone is
// made again.
func resumable(r *ptrace.Registers, _ *Sleep) {
	if int64(r.Rax) == -int64(unix.EINTR) && slices.Contains(notRestarted, r.Orig_rax) {
		r.Rax, r.Orig_rax, r.Rip = r.Orig_rax, ^uint64(0), r.Rip-uint64(len(instruction))
	}
}

// vectors are registers that a system call does not keep: none here.
type vectors struct{}

func getVectors(int) vectors { return vectors{} }
func (vectors) putBack(int)  {}
