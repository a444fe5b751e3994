package subject

import "syscall"

// Names of si_code values, sigaction(2). Only codes above zero are needed: those that the kernel
// sets if an instruction caused the signal.

// siKernel is SI_KERNEL: x86 sets it for a general protection fault (hlt, in,
// a non-canonical address) and for int3.
const siKernel = 0x80

var codeNames = map[syscall.Signal][]string{
	syscall.SIGSEGV: {"", "MAPERR", "ACCERR", "BNDERR", "PKUERR", "ACCADI", "ADIDERR", "ADIPERR", "MTEAERR", "MTESERR", "CPERR"},
	sigBUS:          {"", "ADRALN", "ADRERR", "OBJERR", "MCEERR_AR", "MCEERR_AO"},
	syscall.SIGILL:  {"", "ILLOPC", "ILLOPN", "ILLADR", "ILLTRP", "PRVOPC", "PRVREG", "COPROC", "BADSTK"},
	syscall.SIGFPE:  {"", "INTDIV", "INTOVF", "FLTDIV", "FLTOVF", "FLTUND", "FLTRES", "FLTINV", "FLTSUB"},
	syscall.SIGTRAP: {"", "BRKPT", "TRACE", "BRANCH", "HWBKPT", "UNK", "PERF"},
}

// sigBUS is Linux's number: Windows and macOS count differently, and a Signal
// always comes from Linux.
const sigBUS = syscall.Signal(7)

// Name is the kernel's name of the signal, "SIGSEGV".
func (s *Signal) Name() string { return signalName(s.Signo) }

// CodeName is the kernel's name of si_code without its prefix, "MAPERR", or "" for an unknown code.
func (s *Signal) CodeName() string {
	if s.Code == siKernel {
		return "KERNEL"
	}
	names := codeNames[s.Signo]
	if s.Code < 0 || int(s.Code) >= len(names) {
		return ""
	}
	return names[s.Code]
}
