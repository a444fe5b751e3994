package trace

import (
	"syscall"

	"cowscope/actions/ptrace"
)

// Debug registers: four addresses in DR0 to DR3, which of them were reached in DR6, and how each is
// watched in DR7 (Intel's manual, volume 3, "Debug Registers").
const (
	debugStatus  = 6
	debugControl = 7
)

// setDebug has a stopped thread stop at breakpoints, and at no others.
func setDebug(tid int, _, at []Breakpoint) syscall.Errno {
	if e := ptrace.SetDebug(tid, debugControl, 0); e != 0 {
		return e
	}
	control := uint64(0)
	for i, b := range at {
		if e := ptrace.SetDebug(tid, i, b.Addr); e != 0 {
			return e
		}
		const onWrite = 1
		how := uint64(0) // when it is executed, with a length of 1
		if b.Written > 0 {
			how = onWrite | map[uint64]uint64{1: 0, 2: 1, 4: 3, 8: 2}[b.Written]<<2
		}
		control |= 1<<(2*i) | how<<(16+4*i)
	}
	if control == 0 {
		return 0
	}
	return ptrace.SetDebug(tid, debugControl, control)
}

// debugHit is the breakpoint that a thread has stopped at.
func debugHit(tid int, _ *ptrace.SigInfo, at []Breakpoint) (Breakpoint, bool) {
	status, e := ptrace.Debug(tid, debugStatus)
	_ = ptrace.SetDebug(tid, debugStatus, 0)
	for i, b := range at {
		if e == 0 && status&(1<<i) != 0 {
			return b, true
		}
	}
	return Breakpoint{}, false
}

// debugAgain says that a thread stops again at the instruction at which it goes on: here the kernel tells
// the processor to pass it once (RF).
const debugAgain = false
