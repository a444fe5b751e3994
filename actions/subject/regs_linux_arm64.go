package subject

import (
	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// makeIdle turns the registers at the first trap into those that every run starts from. The kernel
// restarts an interrupted call only while pc is where the kernel put it
// (arch/arm64/kernel/signal.c, do_signal); settle moves it away.
func makeIdle(r *ptrace.Registers) {
	r.Regs[30] = textBase + stubBack // a ret in foreign code leads here
	r.Pc = idleStub.end
}

func setIP(r *ptrace.Registers, ip uint64) { r.Pc = ip }
func getIP(r *ptrace.Registers) uint64     { return r.Pc }

func setOperands(r *ptrace.Registers, addr, count, value uint64) {
	r.Regs[0], r.Regs[1], r.Regs[2] = addr, count, value
}

func setJump(r *ptrace.Registers, target uint64) { r.Regs[2] = target }

func setRights(*ptrace.Registers, uint32) {}

func rights(*ptrace.Registers) uint32 { return 0 }

func remaining(r *ptrace.Registers) uint64  { return r.Regs[1] }
func loadedByte(r *ptrace.Registers) uint64 { return r.Regs[3] & 0xff }

func setCall(r *ptrace.Registers, nr uint64, args []uint64) {
	copy(r.Regs[:6], []uint64{0, 0, 0, 0, 0, 0})
	copy(r.Regs[:6], args)
	r.Regs[8] = nr
}

func callResult(r *ptrace.Registers) uint64 { return r.Regs[0] }

// called is always true: on arm64 the registers do not distinguish a system call from another
// instruction that ends at the same place.
func called(*ptrace.Registers) bool { return true }

// interrupted reports whether the stop is a call that a signal interrupted: the kernel has already
// put pc back to the svc at the stop, so a step that ends where it began has to be repeated.
func interrupted(r *ptrace.Registers, s *stub) bool { return s == syscallStub && r.Pc == s.start }

// trapAddress is the address of the breakpoint instruction: brk is reported in place.
func trapAddress(ip uint64, _ int32) uint64 { return ip }

const auditArch = unix.AUDIT_ARCH_AARCH64

// attemptFromRegs is for kernels without PTRACE_GET_SYSCALL_INFO (before 5.3).
func attemptFromRegs(r *ptrace.Registers) *Attempt {
	a := &Attempt{Nr: r.Regs[8]}
	copy(a.Args[:], r.Regs[:6])
	return a
}
