package symbol

import "debug/dwarf"

// Rules of this file: where a variable is while one instruction is executed (DWARF 5, section 2.6, and
// DWARF 4). It is in memory, or in a register, or it is nowhere and its value can be computed. A list says
// where it is from which instruction to which. What lies in several pieces is left out. Reading past
// the end of a section panics, and guard recovers.

const (
	opFirstReg     = 0x50 // DW_OP_reg0
	opLastReg      = 0x6f
	opFirstBreg    = 0x70 // DW_OP_breg0
	opLastBreg     = 0x8f
	opRegx         = 0x90
	opFbreg        = 0x91
	opBregx        = 0x92
	opCallFrameCFA = 0x9c
	opImplicit     = 0x9e // DW_OP_implicit_value
	opStackValue   = 0x9f

	mostEntries = 1 << 16 // of one list
)

// activation is a function that is being executed, or that waits for one that it called.
type activation struct {
	at     uint64 // its instruction, as the object has addresses
	cfa    uint64 // the canonical frame address: the stack pointer before it was called
	regs   *[registers]uint64
	calls  bool // it waits: only what a called function must preserve is in its registers
	golang bool // Go's functions preserve none
	sound  bool // the registers are known
}

// register is what a register holds. Of an activation that waits only those are known that a called
// function must preserve.
func (a *activation) register(n uint64) (uint64, bool) {
	pointer := n == framePointer || n == stackPointer
	if n >= counter || !pointer && (!a.sound || a.calls && (a.golang || !preserved(n))) {
		return 0, false
	}
	return a.regs[n], true
}

// spot is where a variable is: at an address, or nowhere in memory, and then it has a value.
type spot struct {
	addr, value uint64
	kept        bool
}

// base is what DW_OP_fbreg counts from.
func (a *activation) base(function *dwarf.Entry) (uint64, bool) {
	switch e, _ := function.Val(dwarf.AttrFrameBase).([]byte); {
	case len(e) == 1 && e[0] == opCallFrameCFA:
		return a.cfa, true
	case len(e) == 1 && e[0] >= opFirstReg && e[0] <= opLastReg: // as clang has it
		return a.register(uint64(e[0] - opFirstReg))
	}
	return 0, false
}

// locate evaluates a description of one place. ok is false where it is not known.
func (a *activation) locate(description []byte, base uint64, based bool) (s spot, ok bool) {
	r := bites{b: description}
	switch op := r.byte(); {
	case op >= opFirstReg && op <= opLastReg:
		s.value, ok = a.register(uint64(op - opFirstReg))
		s.kept = true
	case op == opRegx:
		s.value, ok = a.register(r.uleb())
		s.kept = true
	case op == opFbreg:
		s.addr, ok = base+uint64(r.sleb()), based
	case op >= opFirstBreg && op <= opLastBreg:
		s.addr, ok = a.register(uint64(op - opFirstBreg))
		s.addr += uint64(r.sleb())
	case op == opBregx:
		s.addr, ok = a.register(r.uleb())
		s.addr += uint64(r.sleb())
	case op == opImplicit:
		n := r.uleb()
		s, ok = spot{value: r.number(min(n, 8)), kept: true}, n <= 8
	case op >= 0x30 && op <= 0x4f, op >= 0x08 && op <= 0x11: // a constant: the value is computed
		r = bites{b: description}
		s.value, ok = a.constant(&r)
		s.kept = true
		return s, ok
	}
	if ok && len(r.b) == 1 && r.b[0] == opStackValue && !s.kept {
		return spot{value: s.addr, kept: true}, true
	}
	return s, ok && !r.bad && len(r.b) == 0
}

// constant evaluates an expression that computes a value from constants alone.
func (a *activation) constant(r *bites) (uint64, bool) {
	n := len(r.b)
	if n < 2 || r.b[n-1] != opStackValue {
		return 0, false
	}
	v, err := evaluate(r.b[:n-1], nil, func(uint64) (uint64, bool) { return 0, false })
	return v, err == nil
}

// description is where an entry says that it is at an instruction: the same all the time, or by a list.
func (d *dwarfTable) description(u *unit, e *dwarf.Entry, at uint64) []byte {
	f := e.AttrField(dwarf.AttrLocation)
	if f == nil {
		return nil
	}
	switch where := f.Val.(type) {
	case []byte:
		return where
	case int64:
		if u.version < 5 {
			return d.oldList(u, uint64(where), at)
		}
		return d.list(u, uint64(where), at)
	case uint64: // DW_FORM_loclistx: the number of a list of the unit
		if f.Class == dwarf.ClassLocList {
			size := uint64(4)
			if u.wide {
				size = 8
			}
			c := cursor(d.loclists[u.loclists+where*size:])
			return d.list(u, u.loclists+c.offset(u.wide), at)
		}
	}
	return nil
}

// oldList looks an instruction up in a list of .debug_loc (DWARF 4, section 2.6.2).
func (d *dwarfTable) oldList(u *unit, off, at uint64) []byte {
	base := u.low
	c := cursor(d.loc[off:])
	for range mostEntries {
		lo, hi := c.u64(), c.u64()
		switch {
		case lo == 0 && hi == 0:
			return nil
		case lo == 1<<64-1:
			base = hi
			continue
		}
		if e := c.bytes(uint64(c.u16())); lo+base <= at && at < hi+base {
			return e
		}
	}
	return nil
}

// list looks an instruction up in a list of .debug_loclists (DWARF 5, section 2.6.2).
func (d *dwarfTable) list(u *unit, off, at uint64) []byte {
	base := u.low
	var otherwise []byte
	c := cursor(d.loclists[off:])
	indexed := func() uint64 {
		a := cursor(d.addr[u.addrs+8*c.uleb():])
		return a.u64()
	}
	for range mostEntries {
		var lo, hi uint64
		switch kind := c.u8(); kind {
		case 0: // DW_LLE_end_of_list
			return otherwise
		case 1: // DW_LLE_base_addressx
			base = indexed()
			continue
		case 2: // DW_LLE_startx_endx
			lo = indexed()
			hi = indexed()
		case 3: // DW_LLE_startx_length
			lo = indexed()
			hi = lo + c.uleb()
		case 4: // DW_LLE_offset_pair
			lo = base + c.uleb()
			hi = base + c.uleb()
		case 5: // DW_LLE_default_location
			otherwise = c.bytes(c.uleb())
			continue
		case 6: // DW_LLE_base_address
			base = c.u64()
			continue
		case 7: // DW_LLE_start_end
			lo = c.u64()
			hi = c.u64()
		case 8: // DW_LLE_start_length
			lo = c.u64()
			hi = lo + c.uleb()
		case 9: // DW_LLE_GNU_view_pair
			c.uleb()
			c.uleb()
			continue
		default:
			return nil
		}
		if e := c.bytes(c.uleb()); lo <= at && at < hi {
			return e
		}
	}
	return otherwise
}
