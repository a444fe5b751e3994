package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"sort"
	"strings"
)

// Rules of this file: it reads the function table that every Go program carries, stripped or not,
// as Go 1.18 and later write it (runtime/symtab.go, pcHeader and _func). It is searched where it
// lies: debug/gosym copies every name first, and a malformed table can make that any size. Inlined
// functions are not reported; lines are those of the innermost function. An index out of range
// panics, and guard recovers.

// pclntab is the function table of a Go program.
type pclntab struct {
	data                        []byte
	quantum                     uint64
	funcs                       int
	text                        uint64 // what offsets of functions count from
	names, cus, files, pcs, tab []byte
}

var errNoGo = errors.New("no Go function table")

// openPclntab finds the table of a 64-bit Go program.
func openPclntab(f *elf.File, most int64) (*pclntab, error) {
	for _, s := range f.Sections {
		if s.Name != ".gopclntab" && s.Name != ".data.rel.ro.gopclntab" {
			continue
		}
		b, err := sectionData(s, most)
		if err != nil {
			return nil, err
		}
		le := binary.LittleEndian
		if magic := le.Uint32(b); magic != 0xfffffff1 && magic != 0xfffffff0 || b[7] != 8 {
			return nil, errNoGo
		}
		word := func(i int) uint64 { return le.Uint64(b[8+8*i:]) }
		t := &pclntab{data: b, quantum: uint64(b[6]), funcs: int(word(0)),
			names: b[word(3):], cus: b[word(4):], files: b[word(5):], pcs: b[word(6):], tab: b[word(7):]}
		if t.funcs <= 0 || t.funcs > len(t.tab)/8-1 {
			return nil, errNoGo
		}
		if !t.findText(f, word(2)) {
			return nil, errors.New("where Go's code starts is not known")
		}
		return t, nil
	}
	return nil, errNoGo
}

// findText finds the address of runtime.text, which the table does not hold since Go 1.26. It is
// that of .text if the entry point is then a function of Go's; a program with cgo begins with code
// of C, and there the module data tell.
func (t *pclntab) findText(f *elf.File, header uint64) bool {
	if t.text = header; header != 0 {
		return true
	}
	if s := f.Section(".text"); s != nil {
		t.text = s.Addr
		if i, ok := t.find(f.Entry); ok && t.start(i) == f.Entry {
			return true
		}
	}
	// runtime.moduledata: the header, five slices, ftab, findfunctab, minpc, maxpc, text.
	if s := f.Section(".go.module"); s != nil {
		if b, err := sectionData(s, 64<<10); err == nil && len(b) >= 23*8 && binary.LittleEndian.Uint64(b[17*8:]) == uint64(t.funcs)+1 {
			t.text = binary.LittleEndian.Uint64(b[22*8:])
			return t.text != 0
		}
	}
	return false
}

// start is the address of function i.
func (t *pclntab) start(i int) uint64 {
	return t.text + uint64(binary.LittleEndian.Uint32(t.tab[8*i:]))
}

// find is the function that an address belongs to.
func (t *pclntab) find(at uint64) (i int, ok bool) {
	i = sort.Search(t.funcs+1, func(i int) bool { return t.start(i) > at }) - 1
	return i, i >= 0 && i < t.funcs
}

// record is what the table says of function i, and name its name.
func (t *pclntab) record(i int) []byte { return t.tab[binary.LittleEndian.Uint32(t.tab[8*i+4:]):] }
func (t *pclntab) name(record []byte) string {
	return shortGo(cString(t.names[binary.LittleEndian.Uint32(record[4:]):]))
}

// lookup gives the function and the line at an address.
func (t *pclntab) lookup(at uint64) (f frame, start uint64, ok bool) {
	if t == nil {
		return f, 0, false
	}
	i, ok := t.find(at)
	if !ok {
		return f, 0, false
	}
	rec := t.record(i)
	field := func(n int) uint32 { return binary.LittleEndian.Uint32(rec[4*n:]) }
	start = t.start(i)
	f.function = t.name(rec)
	if no := t.value(field(5), start, at); no >= 0 {
		if off := binary.LittleEndian.Uint32(t.cus[4*(uint64(field(8))+uint64(no)):]); off != ^uint32(0) {
			f.file, f.line = cString(t.files[off:]), max(0, int(t.value(field(6), start, at)))
		}
	}
	return f, start, f.function != ""
}

// value is what a table of values for addresses says of one (funcdata in runtime/symtab.go, step).
func (t *pclntab) value(off uint32, pc, at uint64) int32 {
	if off == 0 {
		return -1
	}
	p, val := t.pcs[off:], int32(-1)
	varint := func() uint32 {
		v, n := binary.Uvarint(p)
		if n <= 0 {
			panic("no number")
		}
		p = p[n:]
		return uint32(v)
	}
	for first := true; ; first = false {
		d := varint()
		if d == 0 && !first {
			return -1
		}
		val += int32(d>>1) ^ -int32(d&1)
		if pc += uint64(varint()) * t.quantum; at < pc {
			return val
		}
	}
}

// size is the memory that the table takes, in bytes.
func (t *pclntab) size() int64 {
	if t == nil {
		return 0
	}
	return int64(len(t.data))
}

// cString is a string that ends with a NUL, cut at mostName bytes.
func cString(b []byte) string {
	b = b[:min(len(b), mostName)]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// shortGo is a name without type arguments, as runtime.FuncForPC gives it.
func shortGo(name string) string {
	i, j := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if i < 0 || j < i {
		return name
	}
	return name[:i] + "[...]" + name[j+1:]
}
