package symbol

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
