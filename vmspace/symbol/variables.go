package symbol

import (
	"debug/dwarf"
	"time"

	"cowscope/vmspace"
)

// Rules of this file: the variables that a function has on its stack. Only those whose place is the
// same as long as the function runs are known: a distance from its frame (DW_OP_fbreg), where the
// frame is what call frame information calls the canonical frame address. Compilers write that
// without optimisation; what they keep in registers, or move, is left out.

const (
	mostVariables = 256 // of one function
	mostHops      = 8   // from a type to what it is made of

	opFbreg        = 0x91 // DW_OP_fbreg
	opCallFrameCFA = 0x9c // DW_OP_call_frame_cfa
)

// Variable is a variable or a parameter of a function.
type Variable struct {
	Name string
	vmspace.Range
}

// Variables are those of frame i. frames is what Callers gave.
func (t *Table) Variables(pid int, mapping func(addr uint64) (vmspace.Mapping, bool), frames []Frame, i int) (found []Variable) {
	above := i + 1
	for above < len(frames) && frames[above].Stack == frames[i].Stack {
		above++
	}
	if above >= len(frames) {
		return nil
	}
	pc := frames[i].Counter
	if i > 0 {
		pc-- // it is in a call
	}
	m, ok := mapping(pc)
	if !ok {
		return nil
	}
	o := t.object(pid, m, false)
	if o == nil || o.dwarf == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok := o.address(pc-m.Start+m.Offset, true)
	if !ok {
		return nil
	}
	guard(func() error {
		found = o.dwarf.variables(at, frames[above].Stack, time.Now().Add(t.opt.Patience))
		return nil
	})
	o.cost.Add(o.dwarf.grown())
	return found
}

// variables reads the entry of the function at an address.
func (d *dwarfTable) variables(at, frame uint64, deadline time.Time) (found []Variable) {
	in, ok := spanAt(d.spans, at)
	if !ok {
		return nil
	}
	u := &d.units[in.of]
	d.read(u, deadline)
	top, ok := spanAt(u.tops, at)
	if !ok {
		return nil
	}
	r := d.data.Reader()
	r.Seek(u.scopes[top.of].entry)
	function, err := r.Next()
	if err != nil || function == nil || !function.Children {
		return nil
	}
	if base, _ := function.Val(dwarf.AttrFrameBase).([]byte); len(base) != 1 || base[0] != opCallFrameCFA {
		return nil
	}
	for depth := 1; depth > 0 && len(found) < mostVariables; {
		e, err := r.Next()
		if err != nil || e == nil || time.Now().After(deadline) {
			return found
		}
		switch e.Tag {
		case 0:
			depth--
			continue
		case dwarf.TagVariable, dwarf.TagFormalParameter:
			if v, ok := d.variable(e, frame); ok {
				found = append(found, v)
			}
		}
		if !e.Children {
			continue
		}
		if e.Tag == dwarf.TagLexDwarfBlock && depth < mostDepth {
			depth++
		} else if !d.skip(r, e) {
			return found
		}
	}
	return found
}

// skip passes the children of an entry.
func (d *dwarfTable) skip(r *dwarf.Reader, e *dwarf.Entry) bool {
	if next, ok := e.Val(dwarf.AttrSibling).(dwarf.Offset); ok && next > e.Offset {
		r.Seek(next)
		return true
	}
	for depth := 1; depth > 0; {
		e, err := r.Next()
		switch {
		case err != nil || e == nil || depth > mostDepth:
			return false
		case e.Tag == 0:
			depth--
		case e.Children:
			depth++
		}
	}
	return true
}

// variable is a variable with a place in a frame.
func (d *dwarfTable) variable(e *dwarf.Entry, frame uint64) (v Variable, ok bool) {
	where, _ := e.Val(dwarf.AttrLocation).([]byte)
	v.Name, _ = e.Val(dwarf.AttrName).(string)
	if len(where) < 2 || where[0] != opFbreg || v.Name == "" || len(v.Name) > mostName {
		return v, false
	}
	c := cursor(where[1:])
	v.Start = frame + uint64(c.sleb())
	kind, _ := e.Val(dwarf.AttrType).(dwarf.Offset)
	size := d.sizeOf(kind)
	v.End = v.Start + size
	return v, len(c) == 0 && size > 0 && v.End > v.Start
}

// sizeOf is the size of a type in bytes; 0 if it is not known.
func (d *dwarfTable) sizeOf(kind dwarf.Offset) uint64 {
	count := uint64(1)
	for range mostHops {
		r := d.data.Reader()
		r.Seek(kind)
		e, err := r.Next()
		if err != nil || e == nil {
			return 0
		}
		if size, ok := e.Val(dwarf.AttrByteSize).(int64); ok && size > 0 && size < 1<<40 {
			return count * uint64(size)
		}
		if e.Tag == dwarf.TagPointerType {
			return count * 8
		}
		if e.Tag == dwarf.TagArrayType {
			if count *= lengthOf(r); count == 0 || count > 1<<40 {
				return 0
			}
		}
		next, ok := e.Val(dwarf.AttrType).(dwarf.Offset)
		if !ok {
			return 0
		}
		kind = next
	}
	return 0
}

// lengthOf is the number of elements of the array whose children r reads.
func lengthOf(r *dwarf.Reader) uint64 {
	count := uint64(1)
	for range mostHops {
		e, err := r.Next()
		if err != nil || e == nil || e.Tag != dwarf.TagSubrangeType {
			break
		}
		if n, ok := e.Val(dwarf.AttrCount).(int64); ok && n > 0 && n < 1<<40 {
			count *= uint64(n)
		} else if n, ok := e.Val(dwarf.AttrUpperBound).(int64); ok && n >= 0 && n < 1<<40 {
			count *= uint64(n) + 1
		} else {
			return 0
		}
	}
	return count
}
