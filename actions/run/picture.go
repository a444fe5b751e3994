package run

import (
	"context"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/trace"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Rules of this file: what is read after an event. A picture has what the event can have changed, and
// everything where more has happened; but not the pages of faults of others that are told next.

// look reads the family. Where the kernel took faults that nobody tells of, everything is read.
func (r *Run) look(ctx context.Context, st *history.Step, e trace.Event, touched []vmspace.Range) (*vmspace.Snapshot, error) {
	scope := observe.Scope{}
	if r.last != nil && !slices.Contains(touched, vmspace.Everything) {
		var parts []observe.Touched
		for _, t := range touched {
			parts = append(parts, observe.Touched{Label: st.Process, Range: t})
		}
		scope = observe.Only(parts...)
		if e.Kind == trace.Call { // its explanation needs the counters and VmFlags
			scope = observe.Within(parts...)
		}
	}
	after, err := r.reader.Observe(ctx, r.members, scope)
	if err != nil {
		return nil, err
	}
	if e.Kind == trace.Fault && !e.Late && r.changed(st, e, after) { // else it was counted earlier
		r.told[st.Process]++
	}
	if r.untold(after) {
		if after, err = r.reader.Observe(ctx, r.members, observe.Scope{}); err != nil {
			return nil, err
		}
	}
	return r.withoutPending(after, st), nil
}

// withoutPending is a picture with the pages of faults to come as they were before them. Of a process
// that shares its memory, and of what this event may have changed, it is as it is.
func (r *Run) withoutPending(after *vmspace.Snapshot, st *history.Step) *vmspace.Snapshot {
	if r.last == nil {
		return after
	}
	for _, next := range r.program.Pending() {
		label := r.label(next.PID)
		p := after.Process(label)
		if next.Kind != trace.Fault || next.Late || p == nil || len(after.Sharing(p)) > 0 {
			continue
		}
		if label == st.Process && slices.ContainsFunc(r.touched, func(t vmspace.Range) bool { return t.Contains(next.Addr) }) {
			continue
		}
		after = observe.Keep(after, r.last, label, next.Addr)
	}
	return after
}

// changed reports whether the page of a fault is another one than in the last picture. It is not if
// that picture came after the fault: of a thread that blocks SIGTRAP, or was stopped before it could tell.
func (r *Run) changed(st *history.Step, e trace.Event, after *vmspace.Snapshot) bool {
	was, is := r.last.Process(st.Process), after.Process(st.Process)
	if was == nil || is == nil {
		return false
	}
	before, now := was.PageAt(e.Addr, after.PageSize), is.PageAt(e.Addr, after.PageSize)
	return before.Word != now.Word || before.State != now.State || before.Frame != 0 && before.FrameOf((e.Addr-before.Start)/after.PageSize) != now.FrameOf((e.Addr-now.Start)/after.PageSize)
}

// faultsOf is how many page faults the kernel has counted of a process.
func faultsOf(s *vmspace.Snapshot, label string) uint64 {
	if p := s.Process(label); p != nil {
		return p.MinorFlt + p.MajorFlt
	}
	return 0
}

// untold reports whether the kernel has counted faults since the last picture that are neither told
// nor will be told next: faults in the kernel, and those of a thread that blocks SIGTRAP.
func (r *Run) untold(s *vmspace.Snapshot) (more bool) {
	pending := map[int]int{}
	for _, e := range r.program.Pending() {
		if e.Kind == trace.Fault && !e.Late {
			pending[e.PID]++
		}
	}
	for _, p := range s.Processes {
		n := int(faultsOf(s, p.Label)) - r.told[p.Label] - pending[p.PID]
		more = more || n > r.uncounted[p.Label]
		r.uncounted[p.Label] = n
	}
	return more
}

// heap is where a brk that answered with an end may have changed the heap.
func (r *Run) heap(label string, end uint64) []vmspace.Range {
	p := r.last.Process(label)
	if p == nil {
		return []vmspace.Range{vmspace.Everything}
	}
	m, ok := history.Fixed(p, "heap")
	switch {
	case !ok && end == r.ends[label]:
		return nil
	case !ok:
		r.ends[label] = end
		return []vmspace.Range{vmspace.Everything}
	case m.End == end:
		return nil
	}
	return []vmspace.Range{{Start: min(m.Start, end), End: max(m.End, end)}}
}

// settle reads everything that a picture of a screen shows: where one event follows another, the
// counters of mappings are left as they were.
func (r *Run) settle(ctx context.Context, st *history.Step) error {
	after, err := r.reader.Observe(ctx, r.members, observe.Scope{})
	if err != nil {
		return err
	}
	after = r.withoutPending(after, st)
	st.After, r.last = after, after
	if st.Before != nil {
		st.Changes = vmspace.Diff(st.Before, after)
	}
	return nil
}
