package subject

import "golang.org/x/sys/unix"

// Foreign machine code of arm64.

var (
	retCode  = words(0xd65f03c0)
	loopCode = words(0x14000000)
	exitCode = words(0xd2800bc8, 0xd4000001) // mov x8, exit_group; svc #0
	zeroCode = words(0xd2800000)             // mov x0, #0: as long as a system call
)

// nonsense are instructions to fill the stubs with: nop, trap, zeros, ret (from stub to stub for
// ever), hlt, hvc.
var nonsense = [][]byte{words(0xd503201f), words(brk), words(0), retCode, words(0xd4400000), words(0xd4000002)}

var foreignCode = []foreign{
	{"ret", retCode, func(a uint64, e Ending) bool { return e == Ending{} }},
	{"brk", words(0xd503201f, brk), func(a uint64, e Ending) bool { return e == Ending{Trap: true, IP: a + 4} }},
	{"brk with a number", words(0xd4200020), func(a uint64, e Ending) bool { return e.Trap }},
	{"udf", words(0), raises(unix.SIGILL, "ILLOPC")},
	{"hlt", words(0xd4400000), raises(unix.SIGILL, "ILLOPC")},
	{"hvc", words(0xd4000002), raises(unix.SIGILL, "ILLOPC")},
	{"a register of the kernel: mrs x0, sctlr_el1", words(0xd5381000), raises(unix.SIGILL, "ILLOPC")},
	{"an exclusive load of 8 bytes from sp+12: mov x0, sp; add x0, x0, #12; ldxr x1, [x0]", words(0x910003e0, 0x91003000, 0xc85f7c01), raises(unix.SIGBUS, "ADRALN")},
	{"division by zero, which is no error: udiv x0, x0, xzr", words(0x9adf0800, 0xd65f03c0), func(a uint64, e Ending) bool { return e == Ending{} }},
	{"loop", loopCode, func(a uint64, e Ending) bool { return e == Ending{TimedOut: true, IP: a} }},
	{"getpid", words(0xd2801588, 0xd4000001, 0xd65f03c0), tries(unix.SYS_GETPID, false)},
	{"getpid, svc with a number", words(0xd2801588, 0xd4001001, 0xd65f03c0), tries(unix.SYS_GETPID, false)},
	{"kill(1, 9)", words(0xd2800020, 0xd2800121, 0xd2800002, 0xd2801028, 0xd4000001, 0xd65f03c0), func(a uint64, e Ending) bool {
		return e.Attempt != nil && *e.Attempt == Attempt{Nr: unix.SYS_KILL, Args: [6]uint64{1, 9, 0, 0, 0, 0}}
	}},
	{"exit_group", exitCode, tries(unix.SYS_EXIT_GROUP, false)},
	{"garbage in x18, x19, x29, x30 and sp", words(0x92800012, 0x92800013, 0x9280001d, 0x9280001e, 0x92800000, 0x9100001f, brk),
		func(a uint64, e Ending) bool { return e.Trap }},
	{"our own call, entered from outside: br to it", words(0xd2a00809 /* movz x9, #0x40, lsl 16 */, 0xf2800609 /* movk x9, #0x30 */, 0xd61f0120),
		func(a uint64, e Ending) bool { return e.Attempt != nil }},
}
