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
