package trace

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"cowscope/actions/ptrace"
	"cowscope/vmspace/symbol"

	"golang.org/x/sys/unix"
)

// starterCode is the starter (see starter_linux.go).
var starterCode = words(
	0xd2801588, 0xd4000001, // getpid
	0xd2800261, 0xd2801028, 0xd4000001, // kill(pid, SIGSTOP)
	0xd2800020, 0xd2800001, 0xd28014e8, 0xd4000001, // prctl(PR_SET_PDEATHSIG, 0)
	0xd2800020, 0xd2800081, 0xd2808002, 0xf2a00802, 0xd28022a8, 0xd4000001, // seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, fprog)
	0xb40001e0,                                                                         // done: cbz
	0xd28004c0, 0xd2800021, 0xd2800002, 0xd2800003, 0xd2800004, 0xd28014e8, 0xd4000001, // prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	0xd2800020, 0xd2800081, 0xd2808002, 0xf2a00802, 0xd28022a8, 0xd4000001, // seccomp again
	0xb50000e0,             // failed: cbnz to the end
	0xf94007e0,             // ldr x0, [sp, #8]
	0x910043e1,             // add x1, sp, #16
	0xf94003e9,             // ldr x9, [sp]
	0x8b090c22,             // add x2, x1, x9, lsl #3
	0xd2801ba8, 0xd4000001, // execve
	0xcb0003e0, 0xd2800bc8, 0xd4000001, // exit_group(errno)
)

func words(w ...uint32) []byte {
	var b []byte
	for _, x := range w {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

const native = unix.AUDIT_ARCH_AARCH64

var tables = []table{{native, calls}}

// numbered is the registers by the numbers of DWARF.
func numbered(r *ptrace.Registers) (out symbol.Registers) {
	copy(out[:], r.Regs[:])
	out[31], out[symbol.Counter] = r.Sp, r.Pc
	return out
}

// unmake makes the call that is about to be made one that answers ENOSYS.
func unmake(tid int) syscall.Errno {
	const ntARMSystemCall = 0x404 // NT_ARM_SYSTEM_CALL
	none := int32(-1)
	_, e := ptrace.RegisterSet(unix.PTRACE_SETREGSET, tid, ntARMSystemCall, unsafe.Pointer(&none), 4)
	return e
}

// births are the calls that make a thread or a process, compatBirths those of 32-bit programs (clone, fork, vfork, clone3).
var (
	births       = []uint64{unix.SYS_CLONE, unix.SYS_CLONE3}
	compatBirths = []uint64{compatClone, 2, 190, 435}
)

const compatClone = 120

// setFirst changes the first argument of the call that is about to be made.
func setFirst(tid int, _ bool, value uint64) syscall.Errno {
	var r ptrace.Registers
	if e := ptrace.GetRegisters(tid, &r); e != 0 {
		return e
	}
	r.Regs[0] = value
	return ptrace.SetRegisters(tid, &r)
}

// WrittenBehind says that the instruction that has written is the one before the counter of a Written event: here it is the one at the counter, which was not executed yet.
const WrittenBehind = false

// resumeAt lets a thread go on from a breakpoint. The kernel has switched the breakpoints of the thread off, to have it step
// over this one, and switches them on after that step (breakpoint_handler and reinstall_suspended_bps in
// arch/arm64/kernel/hw_breakpoint.c). PTRACE_CONT would take the step back, and they would stay off. The step is the kernel's own:
// it is no stop.
const resumeAt = unix.PTRACE_SINGLESTEP
