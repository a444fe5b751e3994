package symbol

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"path"
	"slices"
	"time"
)

// Rules of this file: it reads line number programs (DWARF 5, section 6.2, and 2 to 4). debug/dwarf
// allocates what a header claims to need; this does not. Reading past the end panics, and guard
// recovers.

const (
	mostFiles = 1 << 16 // of one unit; as many directories
	mostRows  = 1 << 20 // of one unit
	noLine    = 1<<32 - 1
)

var errLines = errors.New("line numbers that are malformed, or too many")

// cursor reads little-endian numbers.
type cursor []byte

func (c *cursor) bytes(n uint64) []byte {
	b := (*c)[:n:n]
	*c = (*c)[n:]
	return b
}
func (c *cursor) u8() uint8   { return c.bytes(1)[0] }
func (c *cursor) u16() uint16 { return binary.LittleEndian.Uint16(c.bytes(2)) }
func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.bytes(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.bytes(8)) }

func (c *cursor) uleb() uint64 {
	v, n := binary.Uvarint(*c)
	if n <= 0 {
		panic("no number")
	}
	*c = (*c)[n:]
	return v
}

func (c *cursor) sleb() int64 {
	var v int64
	for shift := 0; ; shift += 7 {
		b := c.u8()
		v |= int64(b&0x7f) << min(shift, 63)
		if b&0x80 == 0 {
			if b&0x40 != 0 && shift+7 < 64 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

// text is a string up to its NUL. It is not copied.
func (c *cursor) text() []byte {
	i := bytes.IndexByte(*c, 0)
	if i < 0 {
		panic("no end of a string")
	}
	s := c.bytes(uint64(i))
	c.u8()
	return s
}

// stringAt is a string in a section of strings.
func stringAt(section []byte, off uint64) []byte {
	c := cursor(section[off:])
	return c.text()
}

// unit is the start of a unit: its length, and whether offsets have 8 bytes.
func (c *cursor) unit() (body cursor, wide bool) {
	n := uint64(c.u32())
	if wide = n == 0xffffffff; wide {
		n = c.u64()
	}
	return c.bytes(n), wide
}

func (c *cursor) offset(wide bool) uint64 {
	if wide {
		return c.u64()
	}
	return uint64(c.u32())
}

// row is a line from addr on; noLine ends a sequence.
type row struct {
	addr       uint64
	file, line uint32
}

type lineFile struct {
	name []byte
	dir  uint64
}

// lineTable holds the lines of a unit, in the order of addresses.
type lineTable struct {
	rows  []row
	files []lineFile
	dirs  [][]byte
	comp  string // the directory of the compilation
}

// file is the path of a source file.
func (t *lineTable) file(i uint64) string {
	if t == nil || i >= uint64(len(t.files)) || len(t.files[i].name) == 0 {
		return ""
	}
	f := t.files[i]
	name := string(f.name[:min(len(f.name), mostName)])
	if f.dir < uint64(len(t.dirs)) && !path.IsAbs(name) {
		name = path.Join(string(t.dirs[f.dir][:min(len(t.dirs[f.dir]), mostName)]), name)
	}
	if !path.IsAbs(name) {
		name = path.Join(t.comp, name)
	}
	return name
}

// at is the file and the line of an address.
func (t *lineTable) at(addr uint64) (file string, line int) {
	if t == nil {
		return "", 0
	}
	i, _ := slices.BinarySearchFunc(t.rows, addr, func(r row, addr uint64) int {
		if r.addr <= addr {
			return -1
		}
		return 1
	})
	if i == 0 || t.rows[i-1].line == noLine {
		return "", 0
	}
	r := t.rows[i-1]
	return t.file(uint64(r.file)), int(r.line)
}

// readLines reads the program at off of .debug_line.
func (d *dwarfTable) readLines(off uint64, comp string, deadline time.Time) (*lineTable, error) {
	all := cursor(d.line[off:])
	c, wide := all.unit()
	version := c.u16()
	if version < 2 || version > 5 {
		return nil, errLines
	}
	if version >= 5 {
		c.u16() // sizes of addresses and of segment selectors
	}
	head := cursor(c.bytes(c.offset(wide)))
	minimum, most := uint64(head.u8()), uint64(1)
	if version >= 4 {
		most = max(1, uint64(head.u8()))
	}
	head.u8()
	base, spread, first := int64(int8(head.u8())), uint64(head.u8()), head.u8()
	if spread == 0 || first == 0 {
		return nil, errLines
	}
	args := head.bytes(uint64(first - 1))
	t := &lineTable{comp: comp}
	if version >= 5 {
		for _, f := range d.entries(&head, wide) {
			t.dirs = append(t.dirs, f.name)
		}
		t.files = d.entries(&head, wide)
	} else {
		t.dirs, t.files = [][]byte{nil}, []lineFile{{}}
		for s := head.text(); len(s) > 0 && len(t.dirs) < mostFiles; s = head.text() {
			t.dirs = append(t.dirs, s)
		}
		for s := head.text(); len(s) > 0 && len(t.files) < mostFiles; s = head.text() {
			t.files = append(t.files, lineFile{s, head.uleb()})
			head.uleb()
			head.uleb()
		}
	}
	addr, index, file, line, begin := uint64(0), uint64(0), uint64(1), int64(1), 0
	emit := func(line int64) {
		if line < 0 || line > noLine {
			line = 0
		}
		t.rows = append(t.rows, row{addr, uint32(min(file, mostFiles)), uint32(line)})
	}
	advance := func(n uint64) {
		index += n
		addr += minimum * (index / most)
		index %= most
	}
	for len(c) > 0 {
		if len(t.rows) > mostRows || len(c)&0xfff == 0 && time.Now().After(deadline) {
			return nil, errLines
		}
		switch op := c.u8(); {
		case op >= first:
			advance(uint64(op-first) / spread)
			line += base + int64(uint64(op-first)%spread)
			emit(line)
		case op == 0:
			x := cursor(c.bytes(c.uleb()))
			switch x.u8() {
			case 1: // DW_LNE_end_sequence
				emit(noLine)
				// What the linker removed is left at address 0.
				if s := t.rows[begin:]; s[0].addr == 0 || s[0].addr == addr {
					t.rows = t.rows[:begin]
				}
				addr, index, file, line, begin = 0, 0, 1, 1, len(t.rows)
			case 2: // DW_LNE_set_address
				if index = 0; len(x) == 8 {
					addr = x.u64()
				} else {
					addr = uint64(x.u32())
				}
			}
		case op == 1: // DW_LNS_copy
			emit(line)
		case op == 2: // DW_LNS_advance_pc
			advance(c.uleb())
		case op == 3: // DW_LNS_advance_line
			line += c.sleb()
		case op == 4: // DW_LNS_set_file
			file = c.uleb()
		case op == 8: // DW_LNS_const_add_pc
			advance(uint64(255-first) / spread)
		case op == 9: // DW_LNS_fixed_advance_pc
			addr += uint64(c.u16())
			index = 0
		default:
			for range args[op-1] {
				c.uleb()
			}
		}
	}
	t.rows = slices.Clip(t.rows[:begin])
	// A sequence may begin where another ends, and of two rows of one address the later one counts.
	slices.SortStableFunc(t.rows, func(a, b row) int {
		if a.addr == b.addr && (a.line == noLine) != (b.line == noLine) {
			if a.line == noLine {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.addr, b.addr)
	})
	return t, nil
}

// entries reads a table of directories or files of DWARF 5 (section 6.2.4.1).
func (d *dwarfTable) entries(c *cursor, wide bool) []lineFile {
	var format [][2]uint64
	for range c.u8() {
		format = append(format, [2]uint64{c.uleb(), c.uleb()})
	}
	n := c.uleb()
	if n > mostFiles {
		panic(errLines)
	}
	out := make([]lineFile, 0, min(n, 64))
	for range n {
		var f lineFile
		for _, e := range format {
			var text []byte
			var value uint64
			switch e[1] {
			case 0x08: // DW_FORM_string
				text = c.text()
			case 0x0e: // DW_FORM_strp
				text = stringAt(d.str, c.offset(wide))
			case 0x1f: // DW_FORM_line_strp
				text = stringAt(d.lineStr, c.offset(wide))
			case 0x0b: // DW_FORM_data1
				value = uint64(c.u8())
			case 0x05: // DW_FORM_data2
				value = uint64(c.u16())
			case 0x06: // DW_FORM_data4
				value = uint64(c.u32())
			case 0x07: // DW_FORM_data8
				value = c.u64()
			case 0x1e: // DW_FORM_data16
				c.bytes(16)
			case 0x09: // DW_FORM_block
				c.bytes(c.uleb())
			case 0x0f: // DW_FORM_udata
				value = c.uleb()
			default:
				panic(errLines)
			}
			switch e[0] {
			case 1: // DW_LNCT_path
				f.name = text
			case 2: // DW_LNCT_directory_index
				f.dir = value
			}
		}
		out = append(out, f)
	}
	return out
}
