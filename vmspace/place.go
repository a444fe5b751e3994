package vmspace

import (
	"fmt"
	"path"
	"strings"

	"cowscope/vmspace/printable"
)

// Place is where in a program an address is. What is not known is empty; names are not escaped.
type Place struct {
	// Function is demangled, without parameters. If it was inlined, it is the innermost one.
	Function string
	// Offset is from the start of the function, in bytes; from that of the caller for an inlined
	// one.
	Offset uint64
	// File and Line are the innermost line outside of the system's headers and libraries, if there
	// is one, and the innermost line otherwise.
	File string
	Line int
	// Object is the path of the mapped file as the kernel gives it, or "[vdso]".
	Object string
	// At is the address as the object's symbol table counts it: the offset in the file if that
	// could not be read, the address itself without an object.
	At uint64
}

// String is the place in few characters: "main.c:20 main", "memcpy+0x1c", "libc.so.6+0x9f3a0".
func (p Place) String() string {
	switch {
	case p.Line > 0:
		return printable.Line(strings.TrimSpace(fmt.Sprintf("%s:%d %s", path.Base(p.File), p.Line, p.Function)))
	case p.Function != "":
		return printable.Line(fmt.Sprintf("%s+%#x", p.Function, p.Offset))
	case p.Object != "":
		return printable.Line(fmt.Sprintf("%s+%#x", path.Base(p.Object), p.At))
	}
	return fmt.Sprintf("%#x", p.At)
}
