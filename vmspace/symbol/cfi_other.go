//go:build !amd64 && !arm64

package symbol

const (
	framePointer = 6
	stackPointer = 7
	counter      = 16
)

func unsigned(addr uint64) uint64 { return addr }

const instruction = 1

func endsWithCall(uint64) bool { return false }
func preserved(uint64) bool    { return false }
