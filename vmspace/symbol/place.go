// Package symbol says where in a program an address is: the function, the line of source, the ELF
// object.
//
//	pid, mapping, address ──► file (device and inode are those of the mapping) ──► address in it
//	      ├──► .symtab, else .dynsym, else Go's pclntab ──► function
//	      └──► DWARF of the file, or of its debug file  ──► line, inlined functions
//
// Nothing is run, stopped or written. Files come from strangers: what is read of one is limited by
// Options.Memory and Options.Patience before it is read, and a malformed file has no names.
package symbol

import (
	"strings"
	"time"
)

// Options are the limits of a Table. The zero value of each field stands for its default.
type Options struct {
	// Memory is how many bytes of tables are kept, 64 MiB by default; the object that was used
	// least recently is dropped first. Of one file no more than that is read.
	Memory int64
	// Patience limits how long one file is worked on, 2 s by default.
	Patience time.Duration
	// SystemDebug loads debug files of system libraries (below /lib and /usr/lib), too. That of the
	// C library takes a tenth of a second.
	SystemDebug bool
	// Callers reads what Table.Callers needs: for the C library, 100 KiB.
	Callers bool
	// DebugRoot is where debug files are installed, /usr/lib/debug by default.
	DebugRoot string
	// Peek reads bytes of a process without faulting pages in, as observe.Reader.Peek does. Without
	// it the vdso has no names.
	Peek func(pid int, addr uint64, buf []byte) (present []bool, err error)
}

func (o Options) withDefaults() Options {
	if o.Memory <= 0 {
		o.Memory = 64 << 20
	}
	if o.Patience <= 0 {
		o.Patience = 2 * time.Second
	}
	if o.DebugRoot == "" {
		o.DebugRoot = "/usr/lib/debug"
	}
	return o
}

// frame is one function at an address.
type frame struct {
	function string
	file     string
	line     int
}

// hasPrefix reports whether s begins with one of the prefixes.
func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// Foreign reports whether a source file is part of the system or of a language, and so is not what
// the user wrote.
func Foreign(file string) bool {
	return hasPrefix(file, "/usr/include/", "/usr/lib/", "/usr/local/go/", "/rustc/") || strings.Contains(file, "/rustlib/src/")
}
