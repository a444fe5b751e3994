package watch

import (
	"cmp"
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/symbol"
)

// Rules of this file: what was collected becomes the faults of a step: each with the process, the
// place in the code, and what it did, as far as the pictures before and after it show that.

const (
	mostFaults  = 1024    // of a step, on pages that are listed
	mostWindows = 64      // ranges of pages that are read anew because of faults
	windowGap   = 2 << 20 // bytes between two of them that are read as one
	mostWindow  = 1 << 30 // bytes of all
)

// Locate says where in a program an address is: of a process, in one of its mappings.
type Locate func(pid int, m vmspace.Mapping, addr uint64) vmspace.Place

// locator finds places by the symbols and the line tables of the mapped files.
func locator(r *observe.Reader) Locate {
	table := symbol.New(symbol.Options{Peek: r.Peek})
	return func(pid int, m vmspace.Mapping, addr uint64) vmspace.Place {
		return table.Place(pid, m, addr)
	}
}

// Touches adds up the faults that were told so far, by place in the code. It does not wait for a
// reading of the family.
func (l *Lab) Touches() history.Tally {
	l.spots.Lock()
	defer l.spots.Unlock()
	return l.spots.Tally()
}

func (l *Lab) count(faults []history.Fault, lost uint64) {
	l.spots.Lock()
	defer l.spots.Unlock()
	l.spots.Add(faults, lost)
}

// Untold is why page faults are not told, and what would help; "" if they are.
func (l *Lab) Untold() string { return l.untold }

// windows are the ranges in which faults were taken: none where they are too many, or too large.
func (l *Lab) windows(t taken) []observe.Touched {
	labels := map[int]string{}
	for _, m := range l.members {
		labels[m.PID] = m.Label
	}
	var all []observe.Touched
	for _, a := range t.pages {
		if label := labels[a.pid]; label != "" {
			all = append(all, observe.Touched{Label: label, Range: vmspace.Range{Start: a.at, End: a.at + l.rings.page}})
		}
	}
	slices.SortFunc(all, func(a, b observe.Touched) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Range.Start, b.Range.Start))
	})
	var out []observe.Touched
	var size uint64
	for _, w := range all {
		if n := len(out); n > 0 && out[n-1].Label == w.Label && w.Range.Start <= out[n-1].Range.End+windowGap {
			size += w.Range.End - out[n-1].Range.End
			out[n-1].Range.End = w.Range.End
			continue
		}
		out = append(out, w)
		size += l.rings.page
	}
	if len(out) > mostWindows || size > mostWindow {
		return nil
	}
	return out
}

// early gives all but those late faults whose page is not in the picture yet, which are told with
// the next one.
func (l *Lab) early(late taken, after *vmspace.Snapshot) taken {
	var wait []*acts
	late.pages = slices.DeleteFunc(late.pages, func(a *acts) bool {
		p := processOf(after, a.pid)
		absent := p != nil && p.Alive() && !p.PageAt(a.at, after.PageSize).HasFrame()
		if absent {
			wait = append(wait, a)
		}
		return absent
	})
	l.rings.keep(wait)
	return late
}

// processOf is the newest process of that number.
func processOf(s *vmspace.Snapshot, pid int) *vmspace.Process {
	for _, p := range slices.Backward(s.Processes) {
		if p.PID == pid {
			return p
		}
	}
	return nil
}

// tellingFaults makes the faults of a step.
type tellingFaults struct {
	l             *Lab
	before, after *vmspace.Snapshot
	places        map[act]vmspace.Place // by process and instruction
	mapping       vmspace.Mapping       // the last one that was looked up, of that process
	of            *vmspace.Process
	origin        *vmspace.Process   // its picture before; nil if there is none
	forks         []*vmspace.Process // its relatives across forks between the pictures
	was           vmspace.State      // of the page that did was asked about last, before
	faults        []history.Fault
	rest          map[history.Fault]*history.Fault // those on pages that are not listed
}

// tell makes the faults of a step, by process and address; of one page in the order of time.
func (l *Lab) tell(t taken, before, after *vmspace.Snapshot) []history.Fault {
	s := &tellingFaults{l: l, before: before, after: after, places: map[act]vmspace.Place{}, rest: map[history.Fault]*history.Fault{}}
	slices.SortFunc(t.pages, func(a, b *acts) int {
		return cmp.Or(cmp.Compare(a.pid, b.pid), cmp.Compare(a.at, b.at), cmp.Compare(a.first, b.first), cmp.Compare(a.ip, b.ip))
	})
	for i, a := range t.pages {
		near := func(o *acts) bool { return o.pid == a.pid && o.at == a.at }
		alone := a.count == 1 && (i == 0 || !near(t.pages[i-1])) && (i+1 == len(t.pages) || !near(t.pages[i+1]))
		s.page(a, alone)
	}
	for _, a := range t.others {
		f, _ := s.fault(a)
		s.elsewhere(f)
	}
	for _, f := range s.rest {
		s.faults = append(s.faults, *f)
	}
	slices.SortStableFunc(s.faults, func(a, b history.Fault) int {
		return cmp.Or(cmp.Compare(order(a.Process), order(b.Process)), cmp.Compare(a.Start, b.Start), cmp.Compare(b.Pages, a.Pages))
	})
	return s.faults
}

// fault is what is known of an act, but for what it did; p is nil where no picture has the process.
func (s *tellingFaults) fault(a *acts) (f history.Fault, p *vmspace.Process) {
	f = history.Fault{TID: a.tid, Start: a.at, Count: a.count, Major: a.major, Kernel: a.kernel}
	if p = processOf(s.after, a.pid); p != nil {
		f.Process = p.Label
	}
	if a.kernel {
		return f, p
	}
	key := act{pid: a.pid, ip: a.ip}
	at, known := s.places[key]
	if !known {
		at = vmspace.Place{At: a.ip}
		if p != nil {
			if m, ok := p.MappingAt(a.ip); ok {
				at = s.l.locate(a.pid, m, a.ip)
			}
		}
		s.places[key] = at
	}
	f.At = at
	return f, p
}

// page tells faults on one page: with those on the page before it, where all else is the same. It
// says what a fault did only where it was alone on the page: else nothing shows which did what.
func (s *tellingFaults) page(a *acts, alone bool) {
	f, p := s.fault(a)
	size := s.after.PageSize
	f.Pages = 1
	if p == nil {
		s.elsewhere(f)
		return
	}
	if alone {
		f.Did, f.Start, f.Pages = s.did(p, a.at)
		if f.Did == vmspace.Copy && (s.was == vmspace.COW || s.was == vmspace.Anon) { // a copy of what was a page of the file is no matter of a fork
			s.l.book.Copied(f.Process, f.Where(), f.Count)
		}
	}
	for i := len(s.faults) - 1; i >= max(len(s.faults)-4, 0); i-- {
		o := &s.faults[i]
		if o.Process == f.Process && o.TID == f.TID && o.Kernel == f.Kernel && o.Did == f.Did && o.At == f.At && o.Start+o.Pages*size == f.Start {
			o.Pages, o.Count, o.Major = o.Pages+f.Pages, o.Count+f.Count, o.Major+f.Major
			return
		}
		if o.Covers(f.Process, f.Start, size) {
			break // it was before this one, and stays so
		}
	}
	if len(s.faults) >= mostFaults {
		s.elsewhere(f)
		return
	}
	s.faults = append(s.faults, f)
}

// did is what the only fault on a page did, and how many pages came with it: a huge page comes whole.
func (s *tellingFaults) did(p *vmspace.Process, addr uint64) (did vmspace.Happening, start, pages uint64) {
	size := s.after.PageSize
	if s.of != p || !s.mapping.Contains(addr) {
		s.mapping, _ = p.MappingAt(addr)
		s.of = p
		s.origin, s.forks = s.fork(p)
	}
	var was vmspace.Run
	if s.origin != nil {
		was = s.origin.PageAt(addr, size)
	}
	s.was = was.State
	m, is := s.mapping, p.PageAt(addr, size)
	if did = vmspace.FaultDid(m, was, is, addr, size, s.after.Frames); len(s.forks) > 0 {
		did = s.acrossFork(did, was, is, addr)
	}
	if block := vmspace.HugeBlock(size); was.State == vmspace.None && is.HasFrame() && is.Attrs&vmspace.Huge != 0 && m.Kind() == vmspace.KindAnon {
		return did, addr &^ (block - 1), block / size
	}
	return did, addr, 1
}

// fork gives the picture of a process before, and its relatives across forks since then. Of one that
// came by a fork since, the picture is that of its parent; one that has executed a program has none.
func (s *tellingFaults) fork(p *vmspace.Process) (origin *vmspace.Process, relatives []*vmspace.Process) {
	isNew := func(q *vmspace.Process) bool {
		was := s.before.Process(q.Label)
		return was == nil || was.PID != q.PID
	}
	for _, q := range s.after.Processes {
		if q.Parent == p.Label && isNew(q) || isNew(p) && p.Parent == q.Label {
			relatives = append(relatives, q)
		}
	}
	if !isNew(p) {
		return s.before.Process(p.Label), relatives
	}
	if parent := s.before.Process(p.Parent); parent != nil {
		if m, ok := parent.MappingAt(s.mapping.Start); ok && m.Range == s.mapping.Range && m.Path == s.mapping.Path {
			return parent, relatives
		}
	}
	return nil, nil
}

// acrossFork corrects what a fault did where there was a fork between the pictures: what was the
// process's own before, or its parent's, was shared by then.
func (s *tellingFaults) acrossFork(did vmspace.Happening, was, is vmspace.Run, addr uint64) vmspace.Happening {
	size := s.after.PageSize
	frame := func(r vmspace.Run) uint64 {
		if r.Frame == 0 {
			return 0
		}
		return r.FrameOf((addr - r.Start) / size)
	}
	there := func(has func(r vmspace.Run) bool) bool {
		return slices.ContainsFunc(s.forks, func(q *vmspace.Process) bool { return q.Alive() && has(q.PageAt(addr, size)) })
	}
	switch was.State {
	case vmspace.None: // if it has come before the fork, a relative has it
		if there(vmspace.Run.HasFrame) {
			return ""
		}
	case vmspace.Anon, vmspace.COW:
		before, now := frame(was), frame(is)
		switch {
		case before == 0 || now == 0:
			return ""
		case before == now:
			return vmspace.Reuse
		case there(func(r vmspace.Run) bool { return frame(r) == before }):
			return vmspace.Copy
		}
		return "" // it may have been dropped and brought in anew
	}
	return did
}

// elsewhere counts faults among those whose pages are not listed.
func (s *tellingFaults) elsewhere(f history.Fault) {
	key := f
	key.Start, key.Pages, key.Count, key.Major = 0, 0, 0, 0
	if o := s.rest[key]; o != nil {
		o.Count, o.Major, o.Start = o.Count+f.Count, o.Major+f.Major, min(o.Start, f.Start)
		return
	}
	if len(s.rest) >= mostFaults {
		key = history.Fault{Process: f.Process}
		if o := s.rest[key]; o != nil {
			o.Count, o.Major = o.Count+f.Count, o.Major+f.Major
			return
		}
		f = history.Fault{Process: f.Process, Start: f.Start, Count: f.Count, Major: f.Major}
	}
	f.Pages = 0
	s.rest[key] = &f
}

// faultsText says how many faults there were, and where most of them were taken.
func faultsText(faults []history.Fault, lost uint64) string {
	var all uint64
	for _, f := range faults {
		all += f.Count
	}
	var spots history.Spots
	spots.Add(faults, lost)
	text := ""
	switch list := spots.Tally().Spots; {
	case all == 1:
		text = fmt.Sprintf("1 page fault, at %s.", list[0].At)
	case len(list) == 1:
		text = fmt.Sprintf("%d page faults, at %s.", all, list[0].At)
	case all > 0:
		text = fmt.Sprintf("%d page faults, %d of them at %s.", all, list[0].Count, list[0].At)
	}
	if lost > 0 {
		text += fmt.Sprintf(" %d page faults were not seen.", lost)
	}
	return text
}
