package symbol

// The numbers that DWARF gives to registers (DWARF for the Arm 64-bit Architecture), and one more
// for the program counter.
const (
	framePointer = 29
	stackPointer = 31
	counter      = 32
)

// unsigned takes the signature of pointer authentication, which is in the upper bits, out of a
// return address.
func unsigned(addr uint64) uint64 { return addr & (1<<48 - 1) }

// instruction is what each instruction begins at a multiple of, in bytes.
const instruction = 4

// endsWithCall reports whether 8 bytes end with a system call instruction.
func endsWithCall(before uint64) bool { return before>>32 == 0xd4000001 }

// preserved reports whether a function puts a register back before it returns (Procedure Call
// Standard for the Arm 64-bit Architecture).
func preserved(n uint64) bool {
	return n >= 19 && n <= 29 || n == 31 // x19 to x29, sp
}
