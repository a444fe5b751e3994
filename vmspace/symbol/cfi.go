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

func (c *cfi) size() int64 {
	if c == nil {
		return 0
	}
	return int64(len(c.data)) + int64(len(c.fdes))*96
}

// rule says where a register of the caller is.
type rule struct {
	kind  ruleKind
	n     int64  // an offset
	reg   uint64 // another register
	bytes []byte // an expression
}

type ruleKind uint8

const (
	same       ruleKind = iota // it is what it was
	undefined                  // it is gone
	atOffset                   // in memory, at the frame's address and n
	isOffset                   // it is the frame's address and n
	inRegister                 // in another register
	atExpression
	isExpression
	fromRegister // of the frame's address: a register and n
)

// ruleSet is the rules at one instruction.
type ruleSet struct {
	cfa  rule
	regs [registers]rule
}

// registers is how many registers are followed: more than either processor needs to go back.
const registers = 34

// rules are those at an address of a function.
func (c *cfi) rules(f *fde, at uint64) (*ruleSet, error) {
	var first, now ruleSet
	if err := c.execute(f, f.cie.program, at, nil, &first); err != nil {
		return nil, err
	}
	now = first
	if err := c.execute(f, f.program, at, &first, &now); err != nil {
		return nil, err
	}
	return &now, nil
}

// execute runs instructions until they are about what lies behind an address.
func (c *cfi) execute(f *fde, program []byte, at uint64, first, now *ruleSet) error {
	r := bites{b: program}
	pc := f.start
	var kept []ruleSet
	x := f.cie
	set := func(reg uint64, to rule) {
		if reg < registers {
			now.regs[reg] = to
		}
	}
	advance := func(by uint64) bool {
		pc += by * x.codeAlign
		return pc > at
	}
	for len(r.b) > 0 && !r.bad {
		op := r.byte()
		switch op >> 6 {
		case 1: // DW_CFA_advance_loc
			if advance(uint64(op & 0x3f)) {
				return nil
			}
			continue
		case 2: // DW_CFA_offset
			set(uint64(op&0x3f), rule{kind: atOffset, n: int64(r.uleb()) * x.dataAlign})
			continue
		case 3: // DW_CFA_restore
			if reg := uint64(op & 0x3f); reg < registers && first != nil {
				now.regs[reg] = first.regs[reg]
			}
			continue
		}
		switch op {
		case 0x00: // nop
		case 0x01: // set_loc
			if pc = r.pointer(x.encoding, c.wide); pc > at {
				return nil
			}
		case 0x02, 0x03, 0x04: // advance_loc1, 2, 4
			if advance(r.number(1 << (op - 2))) {
				return nil
			}
		case 0x05: // offset_extended
			reg := r.uleb()
			set(reg, rule{kind: atOffset, n: int64(r.uleb()) * x.dataAlign})
		case 0x06: // restore_extended
			if reg := r.uleb(); reg < registers && first != nil {
				now.regs[reg] = first.regs[reg]
			}
		case 0x07: // undefined
			set(r.uleb(), rule{kind: undefined})
		case 0x08: // same_value
			set(r.uleb(), rule{kind: same})
		case 0x09: // register
			reg := r.uleb()
			set(reg, rule{kind: inRegister, reg: r.uleb()})
		case 0x0a: // remember_state
			if len(kept) > 64 {
				return errCFI
			}
			kept = append(kept, *now)
		case 0x0b: // restore_state
			if len(kept) == 0 {
				return errCFI
			}
			*now, kept = kept[len(kept)-1], kept[:len(kept)-1]
		case 0x0c: // def_cfa
			reg := r.uleb()
			now.cfa = rule{kind: fromRegister, reg: reg, n: int64(r.uleb())}
		case 0x0d: // def_cfa_register
			now.cfa.kind, now.cfa.reg = fromRegister, r.uleb()
		case 0x0e: // def_cfa_offset
			now.cfa.n = int64(r.uleb())
		case 0x0f: // def_cfa_expression
			now.cfa = rule{kind: isExpression, bytes: r.take(r.uleb())}
		case 0x10: // expression
			reg := r.uleb()
			set(reg, rule{kind: atExpression, bytes: r.take(r.uleb())})
		case 0x11: // offset_extended_sf
			reg := r.uleb()
			set(reg, rule{kind: atOffset, n: r.sleb() * x.dataAlign})
		case 0x12: // def_cfa_sf
			reg := r.uleb()
			now.cfa = rule{kind: fromRegister, reg: reg, n: r.sleb() * x.dataAlign}
		case 0x13: // def_cfa_offset_sf
			now.cfa.n = r.sleb() * x.dataAlign
		case 0x14: // val_offset
			reg := r.uleb()
			set(reg, rule{kind: isOffset, n: int64(r.uleb()) * x.dataAlign})
		case 0x15: // val_offset_sf
			reg := r.uleb()
			set(reg, rule{kind: isOffset, n: r.sleb() * x.dataAlign})
		case 0x16: // val_expression
			reg := r.uleb()
			set(reg, rule{kind: isExpression, bytes: r.take(r.uleb())})
		case 0x2d: // arm64: DW_CFA_AARCH64_negate_ra_state: the return address is signed from here on; signs are cleared always
		case 0x2e: // GNU_args_size
			r.uleb()
		case 0x2f: // GNU_negative_offset_extended
			reg := r.uleb()
			set(reg, rule{kind: atOffset, n: -int64(r.uleb()) * x.dataAlign})
		default:
			return errCFI
		}
	}
	if r.bad {
		return errCFI
	}
	return nil
}

// mostOperations limits an expression.
const mostOperations = 256

// evaluate computes an expression from the registers of a frame; begin is what is on the stack at
// first.
func evaluate(program []byte, regs *[registers]uint64, read func(addr uint64) (uint64, bool), begin ...uint64) (uint64, error) {
	stack := begin
	r := bites{b: program}
	pop := func() (v uint64) {
		if len(stack) == 0 {
			r.bad = true
			return 0
		}
		v, stack = stack[len(stack)-1], stack[:len(stack)-1]
		return v
	}
	truth := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	for n := 0; len(r.b) > 0; n++ {
		if r.bad || n > mostOperations || len(stack) > 64 {
			return 0, errCFI
		}
		switch op := r.byte(); {
		case op >= 0x30 && op <= 0x4f: // lit
			stack = append(stack, uint64(op-0x30))
		case op >= 0x70 && op <= 0x8f: // breg
			off := r.sleb()
			stack = append(stack, regs[op-0x70]+uint64(off))
		case op == 0x92: // bregx
			reg, off := r.uleb(), r.sleb()
			if reg >= registers {
				return 0, errCFI
			}
			stack = append(stack, regs[reg]+uint64(off))
		case op == 0x03: // addr
			stack = append(stack, r.number(8))
		case op >= 0x08 && op <= 0x0f: // const1u to const8s
			size := uint64(1) << ((op - 0x08) / 2)
			v := r.number(size)
			if op%2 == 1 && size < 8 { // signed
				shift := 64 - 8*size
				v = uint64(int64(v<<shift) >> shift)
			}
			stack = append(stack, v)
		case op == 0x10:
			stack = append(stack, r.uleb())
		case op == 0x11:
			stack = append(stack, uint64(r.sleb()))
		case op == 0x06: // deref
			v, ok := read(pop())
			if !ok {
				return 0, errCFI
			}
			stack = append(stack, v)
		case op == 0x12: // dup
			v := pop()
			stack = append(stack, v, v)
		case op == 0x13: // drop
			pop()
		case op == 0x16: // swap
			b, a := pop(), pop()
			stack = append(stack, b, a)
		case op == 0x1f: // neg
			stack = append(stack, -pop())
		case op == 0x20: // not
			stack = append(stack, ^pop())
		case op == 0x23: // plus_uconst
			stack = append(stack, pop()+r.uleb())
		case op == 0x1a || op == 0x1c || op == 0x1e || op == 0x21 || op == 0x22 || op >= 0x24 && op <= 0x27 || op >= 0x29 && op <= 0x2e:
			b, a := pop(), pop()
			var v uint64
			switch op {
			case 0x1a:
				v = a & b
			case 0x1c:
				v = a - b
			case 0x1e:
				v = a * b
			case 0x21:
				v = a | b
			case 0x22:
				v = a + b
			case 0x24:
				v = a << b
			case 0x25:
				v = a >> b
			case 0x26:
				v = uint64(int64(a) >> min(b, 63))
			case 0x27:
				v = a ^ b
			case 0x29:
				v = truth(a == b)
			case 0x2a:
				v = truth(int64(a) >= int64(b))
			case 0x2b:
				v = truth(int64(a) > int64(b))
			case 0x2c:
				v = truth(int64(a) <= int64(b))
			case 0x2d:
				v = truth(int64(a) < int64(b))
			case 0x2e:
				v = truth(a != b)
			}
			stack = append(stack, v)
		case op == 0x96: // nop
		default:
			return 0, errCFI
		}
	}
	v := pop()
	if r.bad {
		return 0, errCFI
	}
	return v, nil
}

// caller turns the registers of a frame into those of its caller, by the rules at an instruction.
func (w *ruleSet) caller(regs *[registers]uint64, returns uint64, read func(addr uint64) (uint64, bool)) (out [registers]uint64, err error) {
	var cfa uint64
	switch w.cfa.kind {
	case fromRegister:
		if w.cfa.reg >= registers {
			return out, errCFI
		}
		cfa = regs[w.cfa.reg] + uint64(w.cfa.n)
	case isExpression:
		if cfa, err = evaluate(w.cfa.bytes, regs, read); err != nil {
			return out, err
		}
	default:
		return out, errCFI
	}
	out = *regs
	out[stackPointer] = cfa
	for reg := range w.regs {
		x := w.regs[reg]
		ok := true
		switch x.kind {
		case undefined:
			out[reg] = 0
		case atOffset:
			out[reg], ok = read(cfa + uint64(x.n))
		case isOffset:
			out[reg] = cfa + uint64(x.n)
		case inRegister:
			if ok = x.reg < registers; ok {
				out[reg] = regs[x.reg]
			}
		case atExpression, isExpression:
			v, err := evaluate(x.bytes, regs, read, cfa)
			if err != nil {
				return out, err
			}
			if out[reg] = v; x.kind == atExpression {
				out[reg], ok = read(v)
			}
		}
		if !ok {
			return out, errCFI
		}
	}
	if returns >= registers {
		return out, errCFI
	}
	out[counter] = out[returns]
	return out, nil
}
