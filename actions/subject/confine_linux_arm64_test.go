package subject

import (
	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// The ways into the kernel of arm64. It has no unlink, only unlinkat.

func nativeUnlink(r *ptrace.Registers, path uint64) {
	at := int64(unix.AT_FDCWD)
	r.Regs[8], r.Regs[0], r.Regs[1], r.Regs[2] = unix.SYS_UNLINKAT, uint64(at), path, 0
}

var ways = []way{
	{"svc", words(0xd4000001, brk), nativeUnlink},
	{"svc with a number", words(0xd4001001, brk), nativeUnlink},
	{"svc elsewhere", words(0xd503201f /* nop */, 0xd4000001, brk), nativeUnlink},
	{"hvc", words(0xd4000002, brk), nativeUnlink},
	{"smc", words(0xd4000003, brk), nativeUnlink},
	{"b to a svc elsewhere", words(0x14000001, 0xd4000001, brk), nativeUnlink},
}
