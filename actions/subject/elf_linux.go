//go:build amd64 || arm64

package subject

import (
	"bytes"
	"os"

	"cowscope/actions/image"
)

// The program is one page of stubs. It needs no heap, no data and no interpreter, so that its
// address space contains nothing that needs an explanation.

const textSize = 4096 // what stubs and data may take: the smallest page size

// program is the whole ELF file.
func program(gate string, filter []byte) []byte {
	return image.ELF(text(gate, filter), textBase, textBase+stubEntry)
}

// text is the page of stubs. The rest of it is filled with traps, so that a jump to any instruction
// boundary of the page ends at once.
func text(gate string, filter []byte) []byte {
	page := bytes.Repeat(trapBytes, os.Getpagesize()/len(trapBytes))
	for _, c := range code {
		copy(page[c.at:], c.bytes)
	}
	copy(page[nameAt:], commName+"\x00")
	copy(page[defaultAt:], make([]byte, 32))
	copy(page[gateAt:], gate+"\x00")
	copy(page[fprogAt:], filter)
	return page
}

// The page contains what system calls read from the memory of the process, because it has no other
// memory: the process name for prctl(PR_SET_NAME), the default action of a signal, the path of the
// gate, and the seccomp filter (see confine_linux.go).
const (
	nameAt    = 0x800
	defaultAt = 0x820 // struct sigaction of SIG_DFL: all zeros
	gateAt    = 0x840
	commName  = "cow-subject"
)

// A piece is some instructions at an offset of the text page.
type piece struct {
	at    int
	bytes []byte
}

// A stub is a piece as run needs it: its start, its end, and which of its instructions may fault on
// the user's memory. All are addresses.
type stub struct {
	start   uint64
	end     uint64 // the ip, as ptrace reports it, when the stub is done
	faultLo uint64 // first and
	faultHi uint64 // last instruction that touches the user's memory
}
