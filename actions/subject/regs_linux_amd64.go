package subject

import (
	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// makeIdle turns the registers at the first trap into those that every run starts from. An orig_rax
// of -1 says that no system call is in progress, so that the kernel never moves ip back to restart
// one (arch/x86/kernel/signal.c).
func makeIdle(r *ptrace.Registers) {
	r.Orig_rax = ^uint64(0)
	r.Rip = idleStub.end
}

func setIP(r *ptrace.Registers, ip uint64) { r.Rip = ip }
func getIP(r *ptrace.Registers) uint64     { return r.Rip }

func setOperands(r *ptrace.Registers, addr, count, value uint64) {
	r.Rdi, r.Rsi = addr, addr
	r.Rcx = count
	r.Rax, r.Rdx = value, value
}

// setJump leaves all registers 0 except the one with the target: code that uses one by mistake
// accesses address 0. Zero bytes, for example, are an instruction that does.
func setJump(r *ptrace.Registers, target uint64) { r.R11 = target }

// setRights sets the registers for the PKRU stubs: the new value, and the zeros that they need.
func setRights(r *ptrace.Registers, pkru uint32) { r.Rax, r.Rcx, r.Rdx = uint64(pkru), 0, 0 }

func rights(r *ptrace.Registers) uint32 { return uint32(r.Rax) }

func remaining(r *ptrace.Registers) uint64  { return r.Rcx }
func loadedByte(r *ptrace.Registers) uint64 { return r.Rax & 0xff }

func setCall(r *ptrace.Registers, nr uint64, args []uint64) {
	var a [6]uint64
	copy(a[:], args)
	r.Rax = nr
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = a[0], a[1], a[2], a[3], a[4], a[5]
}

func callResult(r *ptrace.Registers) uint64 { return r.Rax }

// called reports whether the step was a system call: the entry code keeps its
// number in orig_rax, any other instruction leaves the -1 there.
func called(r *ptrace.Registers) bool { return r.Orig_rax != ^uint64(0) }

// interrupted reports whether the stop at the end of the step is a call that a signal interrupted
// and that will restart: the codes ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND and
// ERESTART_RESTARTBLOCK never reach a program (include/linux/errno.h).
func interrupted(r *ptrace.Registers, s *stub) bool {
	if s != syscallStub || r.Rip != s.end || !called(r) {
		return false
	}
	switch -int64(r.Rax) {
	case 512, 513, 514, 516:
		return true
	}
	return false
}

// trapAddress is the address of the breakpoint instruction that led to this ip: int3 is reported
// with the ip after it.
func trapAddress(ip uint64, code int32) uint64 {
	if code == siKernel {
		return ip - 1
	}
	return ip
}

const auditArch = unix.AUDIT_ARCH_X86_64

// attemptFromRegs is for kernels without PTRACE_GET_SYSCALL_INFO (before 5.3).
func attemptFromRegs(r *ptrace.Registers) *Attempt {
	return &Attempt{Nr: r.Orig_rax, Args: [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}}
}
