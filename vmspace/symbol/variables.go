package symbol

import (
	"debug/dwarf"
	"slices"
	"time"

	"cowscope/vmspace"
)

// Rules of this file: the variables of a function that is being executed. Compilers say of each where
// it is at which instruction (location.go), and of some nothing. Those of functions that were inlined
// are left out.

const (
	mostVariables = 256 // of one function
	mostHops      = 8   // from a type to what it is made of
)

// Variable is a variable or a parameter of a function. One that is in no memory, but in a register or
// nowhere at all, has a Value instead of a Range.
type Variable struct {
	Name string
	vmspace.Range
	Size  uint64 // bytes
	Kept  bool   // in no memory
	Value uint64 // if it is Kept
}

// Variables are those of frame i. frames is what Callers gave.
func (t *Table) Variables(pid int, mapping func(addr uint64) (vmspace.Mapping, bool), frames []Frame, i int) (found []Variable) {
	above := i + 1
	for above < len(frames) && frames[above].Stack == frames[i].Stack && frames[above].Counter == frames[i].Counter { // inlined
		above++
	}
	if above >= len(frames) {
		return nil
	}
	a := activation{cfa: frames[above].Stack, regs: (*[registers]uint64)(&frames[i].Registers), calls: frames[i].Called, sound: frames[i].Sound}
	pc := frames[i].Counter
	if a.calls {
		pc--
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
	a.golang = o.golang != nil
	if a.at, ok = o.address(pc-m.Start+m.Offset, true); !ok {
		return nil
	}
	guard(func() error {
		found = o.dwarf.variables(&a, time.Now().Add(t.opt.Patience))
		return nil
	})
	o.cost.Add(o.dwarf.grown())
	return found
}

// variables reads the entry of a function.
func (d *dwarfTable) variables(a *activation, deadline time.Time) (found []Variable) {
	in, ok := spanAt(d.spans, a.at)
	if !ok {
		return nil
	}
	u := &d.units[in.of]
	d.read(u, deadline)
	top, ok := spanAt(u.tops, a.at)
	if !ok {
		return nil
	}
	r := d.data.Reader()
	r.Seek(u.scopes[top.of].entry)
	function, err := r.Next()
	if err != nil || function == nil || !function.Children {
		return nil
	}
	base, based := a.base(function)
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
			if v := d.variable(e); v.Name != "" && v.Size > 0 {
				var s spot
				var ok bool
				// What one list has wrong is no reason to give up the others.
				guard(func() error { s, ok = a.locate(d.description(u, e, a.at), base, based); return nil })
				v.Kept, v.Value = s.kept, s.value
				if !s.kept {
					v.Range = vmspace.Range{Start: s.addr, End: s.addr + v.Size}
				}
				if ok && v.End >= v.Start {
					found = append(found, v)
				}
			}
		}
		if !e.Children {
			continue
		}
		if e.Tag == dwarf.TagLexDwarfBlock && depth < mostDepth && d.covers(e, a.at) {
			depth++
		} else if !d.skip(r, e) {
			return found
		}
	}
	return found
}

// covers reports whether a block is being executed; one that does not say where it is may be.
func (d *dwarfTable) covers(block *dwarf.Entry, at uint64) bool {
	ranges, err := d.data.Ranges(block)
	return err == nil && (len(ranges) == 0 || slices.ContainsFunc(ranges, func(r [2]uint64) bool { return r[0] <= at && at < r[1] }))
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

// variable is what an entry says of a variable, itself or by the entry that it is an instance of.
func (d *dwarfTable) variable(e *dwarf.Entry) (v Variable) {
	for range mostHops {
		if v.Name == "" {
			v.Name, _ = e.Val(dwarf.AttrName).(string)
		}
		if kind, ok := e.Val(dwarf.AttrType).(dwarf.Offset); ok && v.Size == 0 {
			v.Size = d.sizeOf(kind)
		}
		origin, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok || v.Name != "" && v.Size > 0 {
			break
		}
		r := d.data.Reader()
		r.Seek(origin)
		var err error
		if e, err = r.Next(); err != nil || e == nil {
			break
		}
	}
	if len(v.Name) > mostName {
		v.Name = ""
	}
	return v
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
