package trace

import (
	"math"
	"slices"
	"syscall"
	"unsafe"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// The sets of debug registers (include/uapi/linux/elf.h), and struct user_hwdebug_state
// (arch/arm64/include/uapi/asm/ptrace.h).
const (
	ntARMHWBreak = 0x402
	ntARMHWWatch = 0x403
)

type debugState struct {
	info, _ uint32
	slots   [MostBreakpoints]debugSlot
}

type debugSlot struct {
	addr    uint64
	control uint32
	_       uint32
}

// setDebug has a stopped thread stop at breakpoints, and at no others. was are those that it has.
func setDebug(tid int, was, at []Breakpoint) syscall.Errno {
	for _, set := range []struct {
		note  int
		holds func(Breakpoint) bool
	}{{ntARMHWBreak, func(b Breakpoint) bool { return b.Written == 0 }}, {ntARMHWWatch, func(b Breakpoint) bool { return b.Written > 0 }}} {
		other := func(b Breakpoint) bool { return !set.holds(b) }
		old, now := slices.DeleteFunc(slices.Clone(was), other), slices.DeleteFunc(slices.Clone(at), other)
		n := max(len(old), len(now))
		if n == 0 {
			continue
		}
		var s debugState
		for i := range n {
			if i >= len(now) {
				s.slots[i].addr = old[i].Addr // and off
				continue
			}
			const on, user, onWrite, instruction = 1, 2 << 1, 2 << 3, 0xf << 5
			s.slots[i].addr, s.slots[i].control = now[i].Addr, on|user|instruction
			if b := now[i]; b.Written > 0 {
				s.slots[i].control = on | user | onWrite | (1<<b.Written-1)<<5
			}
		}
		size := unsafe.Offsetof(s.slots) + uintptr(n)*unsafe.Sizeof(s.slots[0])
		if _, e := ptrace.RegisterSet(unix.PTRACE_SETREGSET, tid, set.note, unsafe.Pointer(&s), uint64(size)); e != 0 {
			return e
		}
	}
	return 0
}

// debugHit is the breakpoint that a thread has stopped at. An access that is wider than what is watched may
// begin below it (watchpoint_handler in arch/arm64/kernel/hw_breakpoint.c): then it is the nearest.
func debugHit(_ int, info *ptrace.SigInfo, at []Breakpoint) (hit Breakpoint, ok bool) {
	nearest := uint64(math.MaxUint64)
	for _, b := range at {
		switch {
		case info.Addr >= b.Addr && info.Addr < b.Addr+max(b.Written, 1):
			return b, true
		case b.Written > 0 && info.Addr < b.Addr && b.Addr-info.Addr < nearest:
			hit, ok, nearest = b, true, b.Addr-info.Addr
		}
	}
	return hit, ok
}

// debugAgain says that a thread stops again at the instruction at which it goes on, unless it steps over
// it: the kernel steps over breakpoints of perf only (breakpoint_handler in
// arch/arm64/kernel/hw_breakpoint.c).
const debugAgain = true
