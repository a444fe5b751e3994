package symbol

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ianlancetaylor/demangle"
)

// Rules of this file: a file may contain anything. Each size is compared with a limit before as
// much is read or allocated, names are copied only when they are asked for, and a panic for a
// malformed file (debug/elf and debug/dwarf had some) ends in guard.

const (
	mostHeaders = 128 << 10 // bytes of program headers, section headers and section names
	mostName    = 4096
)

// object is an ELF file with its tables.
type object struct {
	id   identity
	most int64 // bytes that may be read
	cost atomic.Int64
	once sync.Once

	used    uint64 // guarded by Table.mu, as counted
	counted int64  // the cost that Table.sum holds

	mu       sync.Mutex
	image    []byte // of a vdso
	segments []elf.ProgHeader
	symbols  []symbol
	data     []symbol // variables
	names    []byte   // of both
	golang   *pclntab
	dwarf    *dwarfTable
	calls    *cfi
}

// symbol is a function, a label in code, or a variable.
type symbol struct {
	start, end uint64
	name       uint32 // in names
	sized      bool
}

// guard makes a panic an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed: %v", r)
		}
	}()
	return f()
}

// limited reads no more than left bytes in all.
type limited struct {
	io.ReaderAt
	left int64
}

func (l *limited) ReadAt(b []byte, off int64) (int, error) {
	if l.left -= int64(len(b)); l.left < 0 {
		return 0, errors.New("the tables of this file are too large")
	}
	return l.ReaderAt.ReadAt(b, off)
}

// parseELF parses the headers, and leaves r with most bytes to be read.
func parseELF(r io.ReaderAt, most int64) (*elf.File, error) {
	l := &limited{r, mostHeaders}
	// Tables of more than 65,000 sections are not those of a linked file, and compressed section
	// names would have no limit.
	var h [64]byte
	if _, err := l.ReadAt(h[:], 0); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	shoff, size, count, names := int64(le.Uint64(h[40:])), le.Uint16(h[58:]), le.Uint16(h[60:]), le.Uint16(h[62:])
	if h[elf.EI_CLASS] == byte(elf.ELFCLASS32) {
		shoff, size, count, names = int64(le.Uint32(h[32:])), le.Uint16(h[46:]), le.Uint16(h[48:]), le.Uint16(h[50:])
	}
	if h[elf.EI_DATA] != byte(elf.ELFDATA2LSB) || shoff != 0 && count == 0 {
		return nil, errors.New("not a linked little-endian file")
	}
	if count > 0 {
		var flags [4]byte
		if _, err := l.ReadAt(flags[:], shoff+int64(size)*int64(names)+8); err != nil || le.Uint32(flags[:])&uint32(elf.SHF_COMPRESSED) != 0 {
			return nil, errors.New("no names of sections")
		}
	}
	f, err := elf.NewFile(l)
	l.left = most
	return f, err
}

// load reads the tables of a file and of its debug file. What is malformed or too large is left
// out.
func (o *object) load(r io.ReaderAt, path string, opt Options) {
	deadline := time.Now().Add(opt.Patience)
	guard(func() error {
		f, err := parseELF(r, o.most)
		if err != nil {
			return err
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD {
				o.segments = append(o.segments, p.ProgHeader)
			}
		}
		if opt.Callers {
			guard(func() (err error) { o.calls, err = readCFI(f, o.most/4); return err })
		}
		full := guard(func() error { return o.readSymbols(f, elf.SHT_SYMTAB) }) == nil
		guard(func() (err error) { o.dwarf, err = openDWARF(f, o.most/2, deadline); return err })
		if o.dwarf == nil && (opt.SystemDebug || !hasPrefix(path, "/lib", "/usr/lib")) {
			guard(func() error { return o.readDebugFile(f, path, opt, &full, deadline) })
		}
		guard(func() (err error) { o.golang, err = openPclntab(f, o.most/2); return err })
		if !full {
			guard(func() error { return o.readSymbols(f, elf.SHT_DYNSYM) })
		}
		return nil
	})
	o.cost.Store(1024 + int64(len(o.image)+len(o.names)) + int64(len(o.symbols)+len(o.data))*int64(unsafe.Sizeof(symbol{})) + o.golang.size() + o.dwarf.size() + o.calls.size())
}

// readDebugFile takes lines from the separate debug file, and symbols if the object has none.
func (o *object) readDebugFile(f *elf.File, path string, opt Options, full *bool, deadline time.Time) error {
	debug, err := findDebugFile(f, path, opt.DebugRoot)
	if err != nil {
		return err
	}
	defer debug.Close()
	d, err := parseELF(debug, o.most)
	if err != nil {
		return err
	}
	if !*full {
		*full = guard(func() error { return o.readSymbols(d, elf.SHT_SYMTAB) }) == nil
	}
	o.dwarf, err = openDWARF(d, o.most/2, deadline)
	return err
}

// address converts an offset in the file to the object's own address. Two segments can share a page
// of the file, and mappings are of whole pages: the segment is that of code, or of data, as the
// mapping is; it need not contain the offset, but a page of it does.
func (o *object) address(off uint64, code bool) (addr uint64, ok bool) {
	best := 0
	for _, p := range o.segments {
		exact, like := off >= p.Off && off-p.Off < p.Filesz, code == (p.Flags&elf.PF_X != 0)
		slack := max(p.Align, 1) - 1
		near := off+slack >= p.Off && off < p.Off+p.Filesz+slack
		fit := 0
		switch {
		case exact && like:
			fit = 3
		case near && like:
			fit = 2
		case exact:
			fit = 1
		}
		if fit > best {
			best, addr = fit, off-p.Off+p.Vaddr
		}
	}
	return addr, best > 0
}

// sectionData is the content of a section of at most most bytes.
func sectionData(s *elf.Section, most int64) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS || int64(s.Size) > most || int64(s.Size) < 0 {
		return nil, errors.New("a section that is too large, or not there")
	}
	return s.Data()
}

// readSymbols reads the functions and the variables of .symtab or .dynsym.
func (o *object) readSymbols(f *elf.File, table elf.SectionType) error {
	s := f.SectionByType(table)
	if s == nil || int(s.Link) >= len(f.Sections) {
		return errors.New("no symbols")
	}
	data, err := sectionData(s, o.most/4)
	if err != nil {
		return err
	}
	names, err := sectionData(f.Sections[s.Link], o.most/4)
	if err != nil {
		return err
	}
	entry := 24
	if f.Class == elf.ELFCLASS32 {
		entry = 16
	}
	var found, variables []symbol
	for ; len(data) >= entry; data = data[entry:] {
		b, le := data, binary.LittleEndian
		name, info, section, value, size := le.Uint32(b), b[4], le.Uint16(b[6:]), le.Uint64(b[8:]), uint64(0)
		if entry == 24 {
			size = le.Uint64(b[16:])
		} else {
			info, section, value, size = b[12], le.Uint16(b[14:]), uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[8:]))
		}
		kind := elf.ST_TYPE(info)
		if section == 0 || int(section) >= len(f.Sections) || int(name) >= len(names) || names[name] == 0 || names[name] == '$' {
			continue // $x and $d are the mapping symbols of arm64
		}
		in := &f.Sections[section].SectionHeader
		y := symbol{value, value + size, name, size > 0}
		if kind == elf.STT_OBJECT && in.Flags&(elf.SHF_ALLOC|elf.SHF_EXECINSTR) == elf.SHF_ALLOC && y.start < y.end {
			variables = append(variables, y)
			continue
		}
		if in.Flags&elf.SHF_EXECINSTR == 0 || kind != elf.STT_FUNC && kind != elf.STT_GNU_IFUNC && kind != elf.STT_NOTYPE {
			continue
		}
		if !y.sized {
			y.end = in.Addr + in.Size
		}
		if y.start < y.end {
			found = append(found, y)
		}
	}
	if len(found) == 0 {
		return errors.New("no functions")
	}
	o.names, o.symbols, o.data = names, found, slices.Clip(variables)
	slices.SortFunc(found, func(a, b symbol) int {
		if a.start != b.start {
			return cmp.Compare(a.start, b.start)
		}
		return o.prefer(a, b)
	})
	// One symbol an address, and no labels within functions.
	kept, end := found[:0], uint64(0)
	for i, y := range found {
		if i > 0 && y.start == found[i-1].start || !y.sized && y.start < end {
			continue
		}
		if y.sized {
			end = max(end, y.end)
		}
		kept = append(kept, y)
	}
	o.symbols = slices.Clip(kept)
	return nil
}

// prefer orders symbols of one address: those with a size, the shorter name, fewer underscores.
func (o *object) prefer(a, b symbol) int {
	if a.sized != b.sized {
		if a.sized {
			return -1
		}
		return 1
	}
	x, y := o.name(a), o.name(b)
	under := func(s []byte) int { return len(s) - len(bytes.TrimLeft(s, "_")) }
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(under(x), under(y)), bytes.Compare(x, y))
}

// name is the name of a symbol, without a version.
func (o *object) name(y symbol) []byte {
	b := o.names[y.name:min(int(y.name)+mostName, len(o.names))]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	b, _, _ = bytes.Cut(b, []byte("@"))
	return b
}

// symbol finds the symbol that an address belongs to: the nearest below whose size reaches there.
func (o *object) symbol(at uint64) (y symbol, ok bool) {
	i, _ := slices.BinarySearchFunc(o.symbols, at, func(y symbol, at uint64) int {
		if y.start <= at {
			return -1
		}
		return 1
	})
	for j := i - 1; j >= 0 && j >= i-8; j-- {
		if at < o.symbols[j].end && (o.symbols[j].sized || j == i-1) {
			return o.symbols[j], true
		}
	}
	return y, false
}

// frames gives the functions at an address, the innermost first, and where the outermost starts.
func (o *object) frames(at uint64, deadline time.Time) (frames []frame, start uint64) {
	guard(func() error { frames, start = o.dwarf.frames(at, deadline); return nil })
	o.cost.Add(o.dwarf.grown())
	var outer frame
	guard(func() error {
		ok := false
		if outer, start, ok = o.golang.lookup(at); ok {
			return nil
		}
		if y, ok := o.symbol(at); ok {
			outer.function, start = demangled(string(o.name(y))), y.start
		}
		return nil
	})
	if n := len(frames); n == 0 && outer.function != "" {
		return []frame{outer}, start
	} else if n > 0 && outer.function != "" {
		// "main.cold" and "f.constprop.0" are parts and copies that the compiler made.
		if own := &frames[n-1].function; *own == "" || o.golang != nil || !strings.HasPrefix(outer.function, *own+".") {
			*own = outer.function
		}
		if frames[0].line == 0 {
			frames[0].file, frames[0].line = outer.file, outer.line
		}
	}
	for i := range frames {
		if o.golang != nil {
			frames[i].function = shortGo(frames[i].function)
		}
	}
	return frames, start
}

// demangled is the name of a function as its author wrote it, without parameters.
func demangled(name string) (out string) {
	out = name
	guard(func() error { out = demangle.Filter(name, demangle.NoParams, demangle.MaxLength(12)); return nil })
	return out
}
