package subject

import "cowscope/actions/ptrace"

// The ways into the kernel of x86-64. i386's unlink is call 10, x86-64's is 87.

func compatUnlink(r *ptrace.Registers, path uint64) { r.Rax, r.Rbx = 10, path }
func nativeUnlink(r *ptrace.Registers, path uint64) { r.Rax, r.Rdi = 87, path }

var ways = []way{
	{"int 0x80", []byte{0xcd, 0x80, 0xcc}, compatUnlink},
	{"int 0x80 behind a prefix", []byte{0x66, 0xcd, 0x80, 0xcc}, compatUnlink},
	{"syscall", []byte{0x0f, 0x05, 0xcc}, nativeUnlink},
	{"syscall behind a prefix", []byte{0x66, 0x0f, 0x05, 0xcc}, nativeUnlink},
	{"syscall of x32", []byte{0x0f, 0x05, 0xcc}, func(r *ptrace.Registers, path uint64) { r.Rax, r.Rdi = 0x40000000|87, path }},
	{"sysenter", []byte{0x0f, 0x34, 0xcc}, compatUnlink},
	// Not a multiple of the instruction: a step over a write of ss goes on over the next
	// instruction.
	{"mov ss; syscall", []byte{
		0x8c, 0xd2, // mov edx, ss
		0x8e, 0xd2, // mov ss, edx
		0x0f, 0x05, // syscall
		0xcc,
	}, nativeUnlink},
	{"pop ss by mov; int 0x80", []byte{
		0x8c, 0xd2, // mov edx, ss
		0x8e, 0xd2, // mov ss, edx
		0xcd, 0x80, // int 0x80
		0xcc,
	}, compatUnlink},
	// A step over the beginning of a transaction ends behind its fallback's first instruction, or
	// later.
	{"xbegin, syscall as its fallback", []byte{
		0xc7, 0xf8, 0x01, 0, 0, 0, // xbegin to the syscall
		0xcc,
		0x0f, 0x05, // syscall
		0xcc,
	}, nativeUnlink},
	{"xbegin, int 0x80 as its fallback", []byte{
		0xc7, 0xf8, 0x01, 0, 0, 0, // xbegin to the int
		0xcc,
		0xcd, 0x80, // int 0x80
		0xcc,
	}, compatUnlink},
	{"a far jump into 32-bit mode; int 0x80", farJump(0xcd, 0x80), compatUnlink},
	{"a far jump into 32-bit mode; syscall", farJump(0x0f, 0x05), compatUnlink},
	{"a far jump into 32-bit mode; sysenter", farJump(0x0f, 0x34), compatUnlink},
	{"jmp to a syscall elsewhere", []byte{
		0xeb, 0x00, // jmp to the next
		0x0f, 0x05,
		0xcc,
	}, nativeUnlink},
}

// farJump is placed at the instruction of system calls and goes to what is behind it, as 32-bit
// code.
func farJump(code ...byte) []byte {
	return append(append(toThirtyTwo(textBase+stubSyscall), code...), 0xcc)
}

// toThirtyTwo, at address at, goes on behind itself in the segment of 32-bit code.
func toThirtyTwo(at uint32) []byte {
	jump := []byte{0xff, 0x2d, 0, 0, 0, 0} // ljmp [rip]: four bytes of address, two of selector
	jump = append(jump, le32(at+12)...)
	return append(jump, 0x23, 0) // __USER32_CS
}
