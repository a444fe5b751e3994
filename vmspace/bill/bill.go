// Package bill tells what a fork costs: which memory a parent and its child still share, which of the
// two has copied how much, what is left to copy, and, before a fork, what it would share.
package bill

import "cowscope/vmspace"

// Rules of this file: pure. Numbers are pages of the parent and the child at the same addresses.
// What counts as memory of a fork is private anonymous memory, the states anon and cow: the kernel
// shares it copy-on-write (copy_present_ptes in mm/memory.c). With frame numbers a page is decided by
// its frame. Without them only that is said which the exclusive bit proves: two pages, of which one is
// exclusive, are two frames. A page in state cow in both is most likely one frame, and counted apart:
// each may also share it with other relatives.

// Count is a number of pages, and how many of them the parent or the child maps as huge pages.
type Count struct{ Pages, Huge uint64 }

func (c *Count) add(n uint64, huge bool) {
	c.Pages += n
	if huge {
		c.Huge += n
	}
}

// Sums are the pages of a parent and a child, at the addresses of a mapping or of all. For each of the
// two, Shared, Likely and the fields of its Side add up to the pages that are present.
type Sums struct {
	Shared Count // one frame for both
	Likely Count // cow in both, shared at the fork, and frame numbers are hidden: most likely one frame
	// Left is what is left to copy: pages of Shared and Likely that one of the two may write to. Each is
	// copied at most once: who is left with the frame keeps it.
	Left Count
	// Apart are pages that both have, each in another frame.
	Apart Count
	// Copied are those of Apart that were shared at the fork, so that one of the two made a copy.
	// Where Parent.Copied and Child.Copied are less, nothing tells which of the two it was. One that
	// dropped its page and touched it again between two pictures looks as if it had copied it.
	Copied        Count
	Parent, Child Side
}

// Side are pages that one of the two has for itself.
type Side struct {
	Copied  uint64 // another frame than at the fork, and the other one has the frame of the fork
	Kept    uint64 // had at the fork, and not shared any more: the other one copied it, dropped it, or never got it
	New     uint64 // where there was no page at the fork
	Unsure  uint64 // copied, kept or new: nothing tells
	Unknown uint64 // pages that could not be read
	Other   uint64 // present, and no private anonymous memory: of files, of shared mappings, the zero page
}

// Own is the private anonymous memory of the side that it does not share with the other, in pages.
func (s Side) Own() uint64 { return s.Copied + s.Kept + s.New + s.Unsure }

// Undecided are copied pages of which nothing tells which of the two copied them.
func (s *Sums) Undecided() uint64 { return s.Copied.Pages - s.Parent.Copied - s.Child.Copied }

func (s *Sums) add(o *Sums) {
	for _, c := range []struct {
		to *Count
		of Count
	}{{&s.Shared, o.Shared}, {&s.Likely, o.Likely}, {&s.Left, o.Left}, {&s.Apart, o.Apart}, {&s.Copied, o.Copied}} {
		c.to.Pages, c.to.Huge = c.to.Pages+c.of.Pages, c.to.Huge+c.of.Huge
	}
	s.Parent.add(o.Parent)
	s.Child.add(o.Child)
}

func (s *Side) add(o Side) {
	s.Copied, s.Kept, s.New = s.Copied+o.Copied, s.Kept+o.Kept, s.New+o.New
	s.Unsure, s.Unknown, s.Other = s.Unsure+o.Unsure, s.Unknown+o.Unknown, s.Other+o.Other
}

// Row are the sums of one mapping: of the parent, or of the child where the parent has none.
type Row struct {
	vmspace.Mapping
	Sums
}

// Pair is the bill of one child.
type Pair struct {
	ParentLabel, ChildLabel string
	PID                     int  // of the child
	Whole                   bool // the parent was seen before the fork, so that what is new is told
	Sums
	Rows []Row // by address, those without a page left out
	// Replaced: of what was shared at the fork the child has nothing any more. It may have executed
	// another program, so that of none of its pages it is said that it was copied.
	Replaced bool
	// ChildFaults are those that the child took since the fork, and ParentFaults those of the parent
	// since it was seen before the fork. Counted: they were counted after the pages were read, so that no
	// page is copied by a fault that they leave out.
	ChildFaults, ParentFaults uint64
	Counted                   bool
}

// Doubt are pages that one of the two may have copied, and nothing tells which: of those that were
// shared at the fork, or where that is not known, of all that are apart.
func (p *Pair) Doubt() uint64 {
	if p.Whole {
		return p.Undecided()
	}
	return p.Apart.Pages - p.Parent.Copied - p.Child.Copied
}

// Most is how many pages the parent and the child can have copied, each at most. A copy takes a fault of
// the one who writes, and copies one page: the child's faults are counted from the fork on. It is
// inferred: what a debugger writes takes no fault of the process. known is false where huge pages are
// apart, of which one fault makes many pages, and where faults were not counted.
func (p *Pair) Most() (parent, child uint64, known bool) {
	perhaps := p.Doubt() + p.Likely.Pages // a copy that its owner shares with a child of its own looks likely
	parent, child = p.Parent.Copied+perhaps, p.Child.Copied+perhaps
	if p.Apart.Huge > 0 || !p.Counted {
		return parent, child, false
	}
	if p.Whole {
		parent = max(p.Parent.Copied, min(parent, p.ParentFaults))
	}
	return parent, max(p.Child.Copied, min(child, p.ChildFaults)), true
}

// Of is the bill of a child and its parent now, as far as base tells how they were at the fork.
func Of(base *Base, parent, child *vmspace.Process) *Pair {
	p := &Pair{ParentLabel: parent.Label, ChildLabel: child.Label, PID: child.PID, Whole: base.whole}
	marks := base.marks
	w := sweep{a: newStrand(parent), b: newStrand(child)}
	var row Row
	flush := func() {
		if row.Sums != (Sums{}) {
			p.Rows = append(p.Rows, row)
			p.Sums.add(&row.Sums)
		}
	}
	for w.next(func(at uint64) uint64 { return markEdge(&marks, at) }) {
		m := w.a.mapping
		if m == nil {
			m = w.b.mapping
		}
		if m.Start != row.Start || m.End != row.End {
			flush()
			row = Row{Mapping: *m}
		}
		var was mark
		if len(marks) > 0 && marks[0].start <= w.at {
			was = marks[0].from(w.at)
		}
		row.Sums.piece(&w, was)
	}
	flush()
	c := &p.Child
	if p.Replaced = base.Shared > 0 && p.Shared.Pages+p.Likely.Pages+c.Kept == 0; p.Replaced {
		c.Unsure, c.Copied = c.Unsure+c.Copied, 0
		p.Copied = Count{Pages: p.Parent.Copied}
		for i := range p.Rows {
			c := &p.Rows[i].Child
			c.Unsure, c.Copied = c.Unsure+c.Copied, 0
			p.Rows[i].Copied = Count{Pages: p.Rows[i].Parent.Copied}
		}
	}
	return p
}

// piece adds pages that are alike.
func (s *Sums) piece(w *sweep, was mark) {
	n, a, b := w.pages, &w.a, &w.b
	s.Parent.rest(a, n)
	s.Child.rest(b, n)
	huge := a.own && a.run.Attrs&vmspace.Huge != 0 || b.own && b.run.Attrs&vmspace.Huge != 0
	kin := compare(a, b)
	if kin == same || kin == likely && was.kind == shared {
		to := &s.Shared
		if kin == likely {
			to = &s.Likely
		}
		to.add(n, huge)
		if a.mapping.Perms&vmspace.Write != 0 || b.mapping.Perms&vmspace.Write != 0 {
			s.Left.add(n, huge)
		}
		return
	}
	if kin == apart {
		s.Apart.add(n, huge)
		if was.kind == shared {
			s.Copied.add(n, huge)
		}
	}
	if a.own {
		*s.Parent.field(was, a.frame, b.frame, kin, false) += n
	}
	if b.own {
		*s.Child.field(was, b.frame, a.frame, kin, true) += n
	}
}

// field is where a page belongs that the other one does not share; mine and other are the frames now.
func (s *Side) field(was mark, mine, other uint64, kin kinship, child bool) *uint64 {
	switch {
	case was.kind == unsure || kin == likely || kin == open:
		return &s.Unsure
	case was.kind == parents && !child:
		return &s.Kept
	case was.kind == none || was.kind == parents:
		return &s.New
	case was.frame != 0 && mine == was.frame:
		return &s.Kept
	case was.frame != 0 && other == was.frame:
		return &s.Copied
	}
	return &s.Unsure
}

// rest counts pages that are present and not private anonymous memory.
func (s *Side) rest(t *strand, n uint64) {
	switch {
	case t.run == nil || t.own:
	case t.run.State == vmspace.Unknown:
		s.Unknown += n
	case t.run.Word&vmspace.WordPresent != 0:
		s.Other += n
	}
}

// kinship is what is known about the pages of two processes at one address.
type kinship uint8

const (
	alone  kinship = iota // one of them, or none, has private anonymous memory there
	same                  // one frame
	apart                 // two frames
	likely                // one frame most likely: both cow, frame numbers hidden
	open                  // nothing tells
)

// compare says what the words of two pages prove.
func compare(a, b *strand) kinship {
	switch {
	case a.run != nil && a.run.State == vmspace.Unknown || b.run != nil && b.run.State == vmspace.Unknown:
		return open
	case !a.own || !b.own:
		return alone
	case a.frame != 0 && a.frame == b.frame:
		return same
	case a.frame != 0 && b.frame != 0, a.run.State == vmspace.Anon, b.run.State == vmspace.Anon:
		return apart
	}
	return likely
}
