//go:build amd64 || arm64

package subject

import (
	"bytes"
	"encoding/binary"
	"os"
)

// The program, byte by byte: an ELF header, two program headers, and one page of stubs. It needs no
// heap, no data and no interpreter, so that its address space contains nothing that needs an
// explanation.
//
// Headers and text are different pages of the file: the text page then begins with an instruction
// instead of "\x7fELF", and jumping to its start is harmless.

const (
	ehSize = 64
	phSize = 56

	etExec     = 2
	ptLoad     = 1
	ptGNUStack = 0x6474e551
	pfX        = 1
	pfW        = 2
	pfR        = 4

	textSize = 4096 // what stubs and data may take: the smallest page size
)

type elfHeader struct {
	Ident                                      [16]byte
	Type, Machine                              uint16
	Version                                    uint32
	Entry, Phoff, Shoff                        uint64
	Flags                                      uint32
	Ehsize, Phentsize, Phnum, Shentsize, Shnum uint16
	Shstrndx                                   uint16
}

type progHeader struct {
	Type, Flags                                uint32
	Offset, Vaddr, Paddr, Filesz, Memsz, Align uint64
}

// program is the whole ELF file. PT_GNU_STACK without PF_X keeps the stack from being executable
// (fs/binfmt_elf.c); without it older x86 kernels made every readable mapping executable.
func program(gate string, filter []byte) []byte {
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			panic(err) // fixed-size values into memory: cannot fail
		}
	}
	put(elfHeader{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', 2 /* 64 bit */, 1 /* little endian */, 1 /* version */},
		Type:  etExec, Machine: elfMachine, Version: 1,
		Entry: textBase + stubEntry, Phoff: ehSize,
		Ehsize: ehSize, Phentsize: phSize, Phnum: 2,
	})
	page := text(gate, filter)
	put(progHeader{
		Type: ptLoad, Flags: pfR | pfX, Offset: textOffset, Vaddr: textBase, Paddr: textBase,
		Filesz: uint64(len(page)), Memsz: uint64(len(page)), Align: textOffset,
	})
	put(progHeader{Type: ptGNUStack, Flags: pfR | pfW, Align: 16})
	return append(append(b.Bytes(), make([]byte, textOffset-b.Len())...), page...)
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
