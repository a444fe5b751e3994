package bill

import "cowscope/vmspace"

// Rules of this file: what is known of a fork follows from the first picture that has the child, and
// from the last one of the parent before that. What the pictures leave open stays open. Where the
// VmFlags of a mapping were not read, nothing tells that MADV_WIPEONFORK emptied it: a page that the
// child touched there counts as copied.

// kind is what is known of a page at the fork.
type kind uint8

const (
	none    kind = iota // there was no page
	shared              // the child got the page of the parent
	parents             // the parent had it, and the child got none
	unsure              // nothing tells
)

// mark is a run of pages at the fork.
type mark struct {
	start, pages uint64
	frame        uint64 // of the first page, in the parent; 0 where hidden or unsure
	size         uint64 // of a page, in bytes
	kind         kind
}

func (m mark) end() uint64 { return m.start + m.pages*m.size }

// from is the part of m from an address on.
func (m mark) from(at uint64) mark {
	i := (at - m.start) / m.size
	if m.frame != 0 {
		m.frame += i
	}
	m.start, m.pages = at, m.pages-i
	return m
}

// markEdge drops marks that end at an address or before, and gives the next edge behind it.
func markEdge(marks *[]mark, at uint64) uint64 {
	for len(*marks) > 0 && (*marks)[0].end() <= at {
		*marks = (*marks)[1:]
	}
	switch {
	case len(*marks) == 0:
		return vmspace.Everything.End
	case (*marks)[0].start > at:
		return (*marks)[0].start
	}
	return (*marks)[0].end()
}

// Base is what is known of the memory of a parent and a child at the fork. It is immutable.
type Base struct {
	Shared uint64 // pages that the child got
	marks  []mark // by address
	whole  bool   // the parent was seen before
	faults uint64 // of the parent, when it was seen last before the fork, or else first after it
}

// NewBase makes a Base of the last picture of the parent before the fork, nil if there is none, and the
// first picture of both after it, or any later one.
func NewBase(before, parent, child *vmspace.Process) *Base {
	b := &Base{whole: before != nil, faults: parent.MinorFlt + parent.MajorFlt}
	evidence := false
	w := sweep{a: newStrand(parent), b: newStrand(child)}
	if before != nil {
		b.faults = before.MinorFlt + before.MajorFlt
		w.c = newStrand(before)
	}
	for w.next(nil) {
		if m := b.judge(&w); m.kind != none {
			b.add(m)
		}
		kin := compare(&w.a, &w.b)
		evidence = evidence || kin == same || kin == likely
	}
	if !evidence && b.Shared > 0 {
		// Whoever has nothing of the fork any more has most likely executed another program: what it has
		// at the same addresses are no copies.
		b.Shared = 0
		for i := range b.marks {
			if b.marks[i].kind == shared {
				b.marks[i].kind = unsure
			}
		}
	}
	return b
}

// judge says what pages that are alike were at the fork.
func (b *Base) judge(w *sweep) mark {
	m := mark{start: w.at, pages: w.pages, size: w.size}
	kin := compare(&w.a, &w.b)
	known := func(t *strand) bool {
		return t.run == nil || t.run.State != vmspace.Swapped && t.run.State != vmspace.Unknown
	}
	switch {
	case kin == same:
		m.kind, m.frame = shared, w.a.frame
	case !known(&w.a) || !known(&w.b) || !known(&w.c) || kin == open:
		m.kind = unsure
	case w.c.own:
		// If neither has the frame of then, it may have been gone before the fork.
		kept := w.c.frame == 0 || w.a.frame == w.c.frame || w.b.frame == w.c.frame
		switch {
		case !w.b.own || w.c.mapping.Smaps.HasFlag("wf") || w.c.mapping.Smaps.HasFlag("dc"):
			m.kind, m.frame = parents, w.c.frame
		case kept:
			m.kind, m.frame = shared, w.c.frame
		default:
			m.kind = unsure
		}
	case kin == likely:
		m.kind = shared
	case kin == apart, !b.whole && (w.a.own || w.b.own):
		m.kind = unsure
	}
	return m
}

func (b *Base) add(m mark) {
	if m.kind == shared {
		b.Shared += m.pages
	}
	if n := len(b.marks); n > 0 {
		last := &b.marks[n-1]
		if last.end() == m.start && last.kind == m.kind && (last.frame == 0) == (m.frame == 0) && (m.frame == 0 || last.frame+last.pages == m.frame) {
			last.pages += m.pages
			return
		}
	}
	b.marks = append(b.marks, m)
}

// strand walks through one process, upwards.
type strand struct {
	maps  vmspace.Walker[vmspace.Mapping]
	runs  vmspace.Walker[vmspace.Run]
	there bool

	// What is at the address of the sweep.
	mapping *vmspace.Mapping
	run     *vmspace.Run
	own     bool   // private anonymous memory that is present
	frame   uint64 // 0 where hidden, or where own is false
}

func newStrand(p *vmspace.Process) strand {
	return strand{maps: p.Mappings.Walk(0), runs: p.Pages.Walk(0), there: true}
}

// seek goes to an address, and gives the next edge behind it.
func (s *strand) seek(at uint64) (edge uint64) {
	edge = vmspace.Everything.End
	s.mapping, s.run, s.own, s.frame = nil, nil, false, 0
	if !s.there {
		return edge
	}
	for s.maps.Item() != nil && s.maps.Item().End <= at {
		s.maps.Next()
	}
	for s.runs.Item() != nil && s.runs.Item().Bounds().End <= at {
		s.runs.Next()
	}
	if m := s.maps.Item(); m != nil && m.Start <= at {
		s.mapping, edge = m, m.End
	} else if m != nil {
		edge = m.Start
	}
	if r := s.runs.Item(); r != nil && r.Start > at {
		edge = min(edge, r.Start)
	} else if r != nil {
		s.run, edge = r, min(edge, r.Bounds().End)
		if s.own = r.State == vmspace.Anon || r.State == vmspace.COW; s.own {
			s.frame = r.FrameOf((at - r.Start) / r.PageSize())
		}
	}
	return edge
}

// sweep walks through processes in parallel: the parent, the child, and perhaps the parent as it was.
type sweep struct {
	a, b, c   strand
	at, pages uint64
	size      uint64 // of a page, in bytes
	end       uint64
}

// next goes to the next pages that are alike, where one of the first two maps something. more gives
// further edges, or is nil.
func (w *sweep) next(more func(at uint64) uint64) bool {
	for w.end < vmspace.Everything.End {
		w.at = w.end
		w.end = min(w.a.seek(w.at), w.b.seek(w.at), w.c.seek(w.at))
		if more != nil {
			w.end = min(w.end, more(w.at))
		}
		if w.a.mapping == nil && w.b.mapping == nil || w.a.run == nil && w.b.run == nil && w.c.run == nil {
			continue
		}
		for _, s := range []*strand{&w.a, &w.b, &w.c} {
			if s.run != nil {
				w.size = s.run.PageSize()
			}
		}
		w.pages = (w.end - w.at) / w.size
		return true
	}
	return false
}
