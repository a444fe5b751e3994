package symbol

import (
	"cmp"
	"debug/elf"
	"errors"
	"slices"
)

// Rules of this file: call frame information, as .eh_frame and .debug_frame have it (DWARF 5,
// section 6.4; Linux Standard Base, "Exception Frames"). It says for each instruction of a function
// where the registers of its caller are. A file may contain anything: what is read is bounded by
// the section, loops by the number of its bytes, expressions by steps.

// cfi is the table of an object.
type cfi struct {
	data []byte
	base uint64 // the address of data
	wide bool   // addresses have 8 bytes
	eh   bool   // .eh_frame
	fdes []fde  // by start
}

// fde is what is known of one function.
type fde struct {
	start, end uint64
	cie        *cie
	program    []byte
}

// cie is what several functions have in common.
type cie struct {
	codeAlign uint64
	dataAlign int64
	returns   uint64 // the column of the return address
	encoding  byte   // of addresses in its fdes
	augmented bool
	signal    bool // the frame is one that a signal made: its caller was interrupted, and called nothing
	program   []byte
}

var errCFI = errors.New("malformed call frame information")

// bites reads bytes of a section; bad says that there were too few.
type bites struct {
	b   []byte
	at  uint64 // the address of b[0]
	bad bool
}

func (r *bites) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b, r.at = r.b[n:], r.at+n
	return b
}

// part is the next n bytes, to be read by themselves.
func (r *bites) part(n uint64) bites {
	at := r.at // before take moves it
	return bites{at: at, b: r.take(n)}
}

func (r *bites) number(n uint64) (v uint64) {
	for i, x := range r.take(n) {
		v |= uint64(x) << (8 * i)
	}
	return v
}

func (r *bites) byte() byte { return byte(r.number(1)) }

func (r *bites) uleb() (v uint64) {
	for shift := uint(0); !r.bad; shift += 7 {
		b := r.byte()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 {
			break
		}
	}
	return v
}

func (r *bites) sleb() (v int64) {
	for shift := uint(0); !r.bad; {
		b := r.byte()
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		if shift += 7; b < 0x80 {
			if b&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			break
		}
	}
	return v
}

func (r *bites) text() string {
	i := slices.Index(r.b, 0)
	if i < 0 {
		r.bad = true
		return ""
	}
	return string(r.take(uint64(i) + 1)[:i])
}

// pointer reads an address in an encoding of the Linux Standard Base ("DWARF Exception Header
// Encoding"). Addresses that have to be looked up (0x80) or count from elsewhere are none.
func (r *bites) pointer(encoding byte, wide bool) (v uint64) {
	at := r.at
	switch encoding & 0x0f {
	case 0x00:
		v = r.number(4)
		if wide {
			v |= r.number(4) << 32
		}
	case 0x01:
		v = r.uleb()
	case 0x02:
		v = r.number(2)
	case 0x03:
		v = r.number(4)
	case 0x04, 0x0c:
		v = r.number(8)
	case 0x09:
		v = uint64(r.sleb())
	case 0x0a:
		v = uint64(int16(r.number(2)))
	case 0x0b:
		v = uint64(int32(r.number(4)))
	default:
		r.bad = true
	}
	switch encoding & 0xf0 {
	case 0x00:
	case 0x10:
		v += at
	default:
		r.bad = true
	}
	return v
}

// readCFI reads the table of a file, .eh_frame before .debug_frame.
func readCFI(f *elf.File, most int64) (*cfi, error) {
	for _, name := range []string{".eh_frame", ".debug_frame"} {
		s := f.Section(name)
		if s == nil {
			continue
		}
		data, err := sectionData(s, most)
		if err != nil {
			continue
		}
		c := &cfi{data: data, base: s.Addr, wide: f.Class == elf.ELFCLASS64, eh: name == ".eh_frame"}
		if c.read(); len(c.fdes) > 0 {
			return c, nil
		}
	}
	return nil, errors.New("no call frame information")
}

const mostFunctions = 256 << 10 // of one object

// read lists the functions. What is malformed ends the list.
func (c *cfi) read() {
	cies := map[uint64]*cie{}
	for r := (bites{b: c.data, at: c.base}); len(r.b) > 0 && len(c.fdes) < mostFunctions; {
		begin := uint64(len(c.data) - len(r.b))
		length, wide := r.number(4), false
		if length == 0xffffffff {
			length, wide = r.number(8), true
		}
		if length == 0 || r.bad {
			if c.eh && length == 0 { // the end, or the end of what one input file brought
				continue
			}
			break
		}
		body := r.part(length)
		if r.bad {
			break
		}
		idAt := uint64(len(c.data)) - uint64(len(r.b)) - length
		size := uint64(4)
		if wide {
			size = 8
		}
		id := body.number(size)
		isCIE := id == 0
		if !c.eh {
			isCIE = id == 1<<(8*size)-1 || wide && id == ^uint64(0)
		}
		if isCIE {
			if x := c.cie(body); x != nil {
				cies[begin] = x
			}
			continue
		}
		of := id
		if c.eh {
			of = idAt - id
		}
		if x := cies[of]; x != nil {
			if f := c.fde(body, x); f != nil {
				c.fdes = append(c.fdes, *f)
			}
		}
	}
	slices.SortFunc(c.fdes, func(a, b fde) int { return cmp.Compare(a.start, b.start) })
}

func (c *cfi) cie(r bites) *cie {
	x := &cie{}
	version := r.byte()
	augmentation := r.text()
	if version != 1 && version != 3 && version != 4 {
		return nil
	}
	if version == 4 {
		r.take(2) // sizes of addresses and of selectors
	}
	x.codeAlign, x.dataAlign = r.uleb(), r.sleb()
	if version == 1 {
		x.returns = uint64(r.byte())
	} else {
		x.returns = r.uleb()
	}
	for i, a := range augmentation {
		switch {
		case a == 'z' && i == 0:
			x.augmented = true
			n := r.uleb()
			own := r.part(n)
			for _, a := range augmentation[1:] {
				switch a {
				case 'R':
					x.encoding = own.byte()
				case 'P':
					own.pointer(own.byte()&0x0f, c.wide)
				case 'L':
					own.byte()
				case 'S':
					x.signal = true
				case 'B': // arm64: return addresses are signed with the other key
				default:
					return nil
				}
			}
			r.bad = r.bad || own.bad
		case !x.augmented:
			return nil
		}
	}
	x.program = r.b
	if r.bad {
		return nil
	}
	return x
}

func (c *cfi) fde(r bites, x *cie) *fde {
	f := &fde{cie: x}
	f.start = r.pointer(x.encoding, c.wide)
	f.end = f.start + r.pointer(x.encoding&0x0f, c.wide)
	if x.augmented {
		r.take(r.uleb())
	}
	f.program = r.b
	if r.bad || f.end <= f.start {
		return nil
	}
	return f
}

// find is the entry of the function at an address.
func (c *cfi) find(at uint64) *fde {
	i, _ := slices.BinarySearchFunc(c.fdes, at, func(f fde, at uint64) int {
		if f.start <= at {
			return -1
		}
		return 1
	})
	if i == 0 || at >= c.fdes[i-1].end {
		return nil
	}
	return &c.fdes[i-1]
}

// behind is the one that ended just before an address: glibc's clone and clone3 have none
// behind their system call, since it would be wrong in the child.
func (c *cfi) behind(at uint64) *fde {
	const most = 16 // bytes, a few instructions
	for n := uint64(1); n <= min(most, at); n++ {
		if f := c.find(at - n); f != nil {
			return f
		}
	}
	return nil
}

func (c *cfi) size() int64 {
	if c == nil {
		return 0
	}
	return int64(len(c.data)) + int64(len(c.fdes))*96
}
