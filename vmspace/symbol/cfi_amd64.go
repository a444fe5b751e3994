package symbol

// The numbers that DWARF gives to registers (System V ABI, AMD64 supplement, "DWARF Register
// Number Mapping").
const (
	framePointer = 6
	stackPointer = 7
	counter      = 16
)

// unsigned takes what is no address out of a return address: here there is nothing.
func unsigned(addr uint64) uint64 { return addr }

// instruction is what each instruction begins at a multiple of, in bytes.
const instruction = 1

// endsWithCall reports whether 8 bytes end with a system call instruction.
func endsWithCall(before uint64) bool { return before>>48 == 0x050f }

// preserved reports whether a function puts a register back before it returns (System V ABI, AMD64
// supplement, "Register Usage").
func preserved(n uint64) bool {
	return n == 3 || n == 6 || n == 7 || n >= 12 && n <= 15 // rbx, rbp, rsp, r12 to r15
}
