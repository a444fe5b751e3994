package inject

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
	"unsafe"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Registers of arm64. At a stop in get_signal a call that will be restarted is already wound back:
// pc is at its svc, and x0 what it was (do_signal in arch/arm64/kernel/signal.c). But only that
// same do_signal turns a sleep into restart_syscall(2), which knows how much of it is left. The
// thread goes on from another one, so this is done here.

const (
	ntARMSVE     = 0x405 // include/uapi/linux/elf.h
	ntARMSSVE    = 0x40b
	restartSleep = 128 // __NR_restart_syscall
)

// instruction is svc #0.
var instruction = []byte{0x01, 0x00, 0x00, 0xd4}

const align = 4 // of instructions

// suits fails for a thread in 32-bit mode.
func suits(r *ptrace.Registers) error {
	if r.Pc == 0 {
		return errors.New("it runs in 32-bit mode")
	}
	return nil
}

// setCall has the thread make a call with the instruction at ip.
func setCall(r *ptrace.Registers, ip, nr uint64, args [6]uint64) {
	r.Pc, r.Regs[8] = ip, nr
	copy(r.Regs[:6], args[:])
}

// setCode has the thread execute code at ip.
func setCode(r *ptrace.Registers, ip uint64) { r.Pc = ip }

// rewind puts the thread before the call that it is about to make.
func rewind(r *ptrace.Registers) { r.Pc -= uint64(len(instruction)) }

// restarts is false: a call that is restarted is wound back already.
func restarts(*ptrace.Registers) bool { return false }

// keepHidden keeps x7, which at a stop at a system call only says whether it is the beginning or the
// end (report_syscall in arch/arm64/kernel/ptrace.c).
func keepHidden(tid int, r *ptrace.Registers) syscall.Errno {
	var now ptrace.Registers
	e := ptrace.GetRegisters(tid, &now)
	r.Regs[7] = now.Regs[7]
	return e
}

// SleepsAnew says that a call that is restarted does not know how much of its time is left, unless Save is told
// in which call the thread slept.
const SleepsAnew = true

func callResult(r *ptrace.Registers) uint64 { return r.Regs[0] }

// notRestarted are calls that end with EINTR after a stop (signal(7), "Interruption of system calls
// and library functions by stop signals"), and can be made again.
var notRestarted = []uint64{unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2, unix.SYS_SEMOP, unix.SYS_SEMTIMEDOP, unix.SYS_RT_SIGTIMEDWAIT}

// resumable makes r what the thread goes on with: a call that was interrupted by the stop alone is
// made again, and a sleep lasts as long as it would have. was is the call before the stop.
func resumable(r *ptrace.Registers, was *Sleep) {
	if was == nil || r.Regs[8] != was.nr {
		return
	}
	length := uint64(len(instruction))
	switch {
	case r.Pc == was.pc && int64(r.Regs[0]) == -int64(unix.EINTR) && slices.Contains(notRestarted, was.nr):
		r.Pc, r.Regs[0] = r.Pc-length, was.args[0]
	case r.Pc == was.pc-length && r.Regs[0] == was.args[0] && hasRemainder(was):
		r.Regs[8] = restartSleep
	}
}

// hasRemainder says that the kernel restarts the call with what is left of its time: those that
// return ERESTART_RESTARTBLOCK.
func hasRemainder(was *Sleep) bool {
	const (
		absolute = 1 // TIMER_ABSTIME
		futexCmd = 0x7f
		wait     = 0
		waitBits = 9
	)
	switch was.nr {
	case unix.SYS_NANOSLEEP:
		return true
	case unix.SYS_CLOCK_NANOSLEEP:
		return was.args[1]&absolute == 0
	case unix.SYS_FUTEX:
		op := was.args[1] & futexCmd
		return was.args[3] != 0 && (op == wait || op == waitBits)
	}
	return false
}

// vectors are registers that a system call does not keep: of SVE the parts beyond 128 bits
// (Documentation/arch/arm64/sve.rst).
type vectors struct {
	note int
	data []byte
}

// getVectors reads them, where the thread uses any.
func getVectors(tid int) vectors {
	const flags, inUse = 12, 1 // of struct user_sve_header: SVE_PT_REGS_SVE
	for _, note := range []int{ntARMSSVE, ntARMSVE} {
		b := make([]byte, 20<<10)
		n, e := ptrace.RegisterSet(unix.PTRACE_GETREGSET, tid, note, unsafe.Pointer(&b[0]), uint64(len(b)))
		if e == 0 && n >= 16 && binary.NativeEndian.Uint16(b[flags:])&inUse != 0 {
			return vectors{note, b[:n]}
		}
	}
	return vectors{}
}

func (v vectors) putBack(tid int) {
	if len(v.data) > 0 {
		ptrace.RegisterSet(unix.PTRACE_SETREGSET, tid, v.note, unsafe.Pointer(&v.data[0]), uint64(len(v.data)))
	}
}
