package symbol

// mostOperations limits an expression.
const mostOperations = 256

// evaluate computes an expression from the registers of a frame; begin is what is on the stack at
// first. Without registers it refuses what is no constant.
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
		case regs == nil && (op >= 0x70 && op <= 0x8f || op == 0x92 || op == 0x03):
			return 0, errCFI
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
