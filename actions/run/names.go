package run

import (
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/trace"
	"cowscope/vmspace"
	"cowscope/vmspace/symbol"
)

// Rules of this file: a mapping is called after the variable that its address is stored in. The
// address is known when the call returns, and the variable has it some instructions later: it is
// looked for at each event from then on, in the functions that the thread is in, and among the
// variables of the whole program.

const (
	mostUnnamed = 64 // mappings that wait for a name, the newest
	mostFrames  = 8  // whose variables are looked at, the nearest
)

// unnamed is memory that a program was given, and has not stored anywhere yet.
type unnamed struct {
	process string
	vmspace.Range
}

// keepNames keeps the names of mappings up to date with an event.
func (r *Run) keepNames(st *history.Step, e trace.Event, words *pages) {
	switch {
	case e.Kind == trace.Exec:
		r.names = r.names.Without(st.Process)
		r.unnamed = slices.DeleteFunc(r.unnamed, func(u unnamed) bool { return u.process == st.Process })
	case e.Kind == trace.Fork && !e.Thread:
		r.names = r.names.Inherit(st.Process, r.label(e.Child))
	case e.Kind == trace.Call && (st.Verb == "mmap" || st.Verb == "mremap" || st.Verb == "shmat") && st.OK() && slices.ContainsFunc(r.frames, ofSource):
		at := vmspace.Range{Start: st.Value, End: st.Focus.End}
		if p := st.After.Process(st.Process); at.Empty() && p != nil {
			if m, ok := p.MappingAt(st.Value); ok {
				at = m.Range
			}
		}
		r.unnamed = slices.DeleteFunc(r.unnamed, func(u unnamed) bool { return u.process == st.Process && u.Overlaps(at) })
		r.unnamed = append(r.unnamed, unnamed{st.Process, at})
		r.unnamed = r.unnamed[max(0, len(r.unnamed)-mostUnnamed):]
	}
	if words != nil && slices.ContainsFunc(r.unnamed, func(u unnamed) bool { return u.process == st.Process }) {
		for _, v := range r.pointers(st, e) {
			r.bind(st, v, words)
		}
	}
	st.Names = r.names
}

// ofSource reports whether a function is the user's own, and its variables may be known.
func ofSource(f symbol.Frame) bool { return f.Line > 0 && !symbol.Foreign(f.File) }

// pointers are the variables that may hold an address. Those of a function that calls come before
// those of the function that is called, which may have been given the address.
func (r *Run) pointers(st *history.Step, e trace.Event) (found []symbol.Variable) {
	p := st.After.Process(st.Process)
	if p == nil {
		return nil
	}
	var own []int // frames
	for i, f := range r.frames {
		if ofSource(f) && len(own) < mostFrames {
			own = append(own, i)
		}
	}
	for _, i := range slices.Backward(own) {
		found = append(found, r.table.Variables(e.PID, p.MappingAt, r.frames, i)...)
	}
	for _, v := range r.table.Globals(e.PID, p.Mappings) {
		found = append(found, symbol.Variable{Name: v.Name, Range: v.Range, Size: v.Range.Len()})
	}
	const address = 8 // bytes
	return slices.DeleteFunc(found, func(v symbol.Variable) bool {
		return v.Size != address || !lang.IsName(v.Name) || v.Name == "text" || slices.Contains(history.FixedNames, v.Name) // names that stand for something else
	})
}

// bind names the memory whose address a variable holds.
func (r *Run) bind(st *history.Step, v symbol.Variable, words *pages) {
	addr, ok := v.Value, v.Kept
	if !v.Kept {
		addr, ok = words.word(v.Start)
	}
	if !ok || addr == 0 {
		return
	}
	i := slices.IndexFunc(r.unnamed, func(u unnamed) bool { return u.process == st.Process && u.Start == addr })
	if i < 0 {
		return
	}
	r.names = r.names.With(st.Process, v.Name, history.Binding{Range: r.unnamed[i].Range, Step: st.N})
	r.unnamed = slices.Delete(r.unnamed, i, i+1)
}

// named is the memory of a name in a process, as the screen has it: of a mapping that is called after
// the variable that holds its address, of another mapping that has a name, or of a variable.
func (r *Run) named(st *history.Step, label, name string) (vmspace.Range, bool) {
	if b, ok := st.Names.Get(label, name); ok {
		return b.Range, true
	}
	if p := st.After.Process(label); p != nil {
		if m, ok := history.Fixed(p, name); ok {
			return m.Range, true
		}
	}
	return r.variable(st, label, name)
}

// variable is the memory of a variable itself: of the function that is shown, or of the whole program;
// or of a function.
func (r *Run) variable(st *history.Step, label, name string) (vmspace.Range, bool) {
	p := st.After.Process(label)
	if p == nil {
		return vmspace.Range{}, false
	}
	if v, ok := r.local(p, name); ok {
		return v.Range, !v.Kept
	}
	if found := r.table.Find(p.PID, p.Mappings, name); len(found) > 0 {
		return found[0].Range, true
	}
	return vmspace.Range{}, false
}

// local is a variable of the function that is shown.
func (r *Run) local(p *vmspace.Process, name string) (symbol.Variable, bool) {
	if p == nil || p.PID != r.event.PID {
		return symbol.Variable{}, false
	}
	own := r.table.Variables(p.PID, p.MappingAt, r.frames, r.shown)
	for _, v := range slices.Backward(own) { // that of an inner block hides that of an outer one
		if v.Name == name {
			return v, true
		}
	}
	return symbol.Variable{}, false
}
