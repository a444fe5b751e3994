package history

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// Rules of this file: a session with many thousand names keeps a version of its names for each
// step, so the versions share everything but the bindings of a step. The table of a process is a
// short chain of the last bound names, and older layers, each sorted by name and by address, each
// at least twice as long as the next newer one. A full chain becomes a layer, and layers of similar
// length are merged. So a name is copied only when its layer doubles, and a look-up searches a few
// layers. Memory that another version may share is never written to. The old binding of a name that
// was bound again stays in its layer until that is merged; get does not return it.

// chainFull is the maximum length of the chain.
const chainFull = 32

// link is an element of the chain.
type link struct {
	*Bound
	older *link
}

// after reports whether b was bound after o: by a later step, or by the same step and earlier by
// name. Everything is after nil.
func (b *Bound) after(o *Bound) bool {
	return o == nil || b.Step > o.Step || b.Step == o.Step && b.Name < o.Name
}

// table holds the names of one process. A nil table is empty.
type table struct {
	label  string
	newest *link    // the start of the chain
	chain  int      // its length
	layers []*layer // the oldest and longest first
	count  int      // the number of names
}

// layer is a sorted part of a table in which a name occurs once.
type layer struct {
	byName, byStart []*Bound
	// reach is a search tree over byStart: the middle element of a section is the root of the
	// sections left and right of it, and its reach summarises the whole section.
	reach []reachOf
}

// reachOf summarises a section of a layer.
type reachOf struct {
	end  uint64 // the highest end of a range
	last *Bound // the last bound one
}

func (t *table) len() int {
	if t == nil {
		return 0
	}
	return t.count
}

// copyFor returns a table of the process label with the same names, to which bind may add.
func (t *table) copyFor(label string) *table {
	var c table
	if t != nil {
		c = *t
	}
	c.label = label
	return &c
}

// bind adds to a table that is not shared yet.
func (t *table) bind(b Bound) {
	if t.get(b.Name) == nil {
		t.count++
	}
	if t.newest != nil && t.newest.Name == b.Name { // as a loop does
		t.newest = &link{&b, t.newest.older}
		return
	}
	t.newest = &link{&b, t.newest}
	if t.chain++; t.chain == chainFull {
		t.flush()
	}
}

// flush turns the chain into a layer.
func (t *table) flush() {
	var bounds []*Bound
	for k := t.newest; k != nil; k = k.older {
		bounds = append(bounds, k.Bound)
	}
	slices.SortStableFunc(bounds, byName) // of several bindings of a name, the newest stays first
	l := layerOf(slices.CompactFunc(bounds, func(a, b *Bound) bool { return a.Name == b.Name }))
	layers := t.layers
	for n := len(layers); n > 0 && len(layers[n-1].byName) < 2*len(l.byName); n = len(layers) {
		l, layers = layers[n-1].with(l), layers[:n-1]
	}
	t.layers = append(slices.Clone(layers), l)
	t.newest, t.chain = nil, 0
}

// keep returns a table of the names that matter most: names that a person gave and that name a mapping,
// up to given; and at most most others: half of them the last bound, then those that name a mapping.
func (t *table) keep(most, given int, mapped func(addr uint64) (uint64, bool)) *table {
	var bounds []*Bound
	for b := range t.since(nil) {
		if t.get(b.Name) == b {
			bounds = append(bounds, b)
		}
	}
	slices.SortFunc(bounds, func(a, b *Bound) int { return cmp.Compare(b.Step, a.Step) })
	var persons, newest, called, rest []*Bound
	for _, b := range bounds {
		calls := t.calls(b, mapped)
		switch {
		case b.Given && calls && len(persons) < given:
			persons = append(persons, b)
		case len(newest) < most/2:
			newest = append(newest, b)
		case calls:
			called = append(called, b)
		default:
			rest = append(rest, b)
		}
	}
	others := slices.Concat(newest, called, rest)
	bounds = append(persons, others[:min(most, len(others))]...)
	slices.SortFunc(bounds, byName)
	return &table{label: t.label, layers: []*layer{layerOf(bounds)}, count: len(bounds)}
}

// calls says whether anything of the range of b is mapped, and called by no name that was bound since.
func (t *table) calls(b *Bound, mapped func(addr uint64) (uint64, bool)) bool {
	for addr, ok := mapped(b.Start); ok && addr < b.End; {
		now := t.at(addr)
		if now == b {
			return true
		}
		addr, ok = mapped(now.End)
	}
	return false
}

func byName(a, b *Bound) int { return strings.Compare(a.Name, b.Name) }

func byStart(a, b *Bound) int { return cmp.Compare(a.Start, b.Start) }

// layerOf makes a layer of bindings sorted by name.
func layerOf(bounds []*Bound) *layer {
	sorted := slices.Clone(bounds)
	slices.SortFunc(sorted, byStart)
	l := &layer{byName: bounds, byStart: sorted}
	l.sumUp()
	return l
}

// with merges l with a newer layer, whose bindings replace those of l.
func (l *layer) with(newer *layer) *layer {
	kept := func(bounds []*Bound) []*Bound {
		out := make([]*Bound, 0, len(bounds))
		for _, b := range bounds {
			if newer.get(b.Name) == nil {
				out = append(out, b)
			}
		}
		return out
	}
	m := &layer{byName: merged(kept(l.byName), newer.byName, byName), byStart: merged(kept(l.byStart), newer.byStart, byStart)}
	m.sumUp()
	return m
}

// merged merges two sorted lists.
func merged(a, b []*Bound, order func(a, b *Bound) int) []*Bound {
	out := make([]*Bound, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if order(a[0], b[0]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func (l *layer) sumUp() {
	l.reach = make([]reachOf, len(l.byStart))
	l.sumUpPiece(0, len(l.byStart))
}

func (l *layer) sumUpPiece(lo, hi int) reachOf {
	if lo == hi {
		return reachOf{}
	}
	mid := (lo + hi) / 2
	b := l.byStart[mid]
	sum := reachOf{b.End, b}
	for _, part := range []reachOf{l.sumUpPiece(lo, mid), l.sumUpPiece(mid+1, hi)} {
		sum.end = max(sum.end, part.end)
		if part.last != nil && part.last.after(sum.last) {
			sum.last = part.last
		}
	}
	l.reach[mid] = sum
	return sum
}

func (l *layer) get(name string) *Bound {
	i, ok := slices.BinarySearchFunc(l.byName, name, func(b *Bound, name string) int { return strings.Compare(b.Name, name) })
	if !ok {
		return nil
	}
	return l.byName[i]
}

// get returns the current binding of name, nil if there is none.
func (t *table) get(name string) *Bound {
	if t == nil {
		return nil
	}
	for k := t.newest; k != nil; k = k.older {
		if k.Name == name {
			return k.Bound
		}
	}
	for _, l := range slices.Backward(t.layers) {
		if b := l.get(name); b != nil {
			return b
		}
	}
	return nil
}

// at returns the last bound range that contains addr, nil if there is none.
func (t *table) at(addr uint64) *Bound {
	if t == nil {
		return nil
	}
	s := search{t: t, addr: addr}
	s.all()
	return s.last
}

// search finds the last bound range that contains an address.
type search struct {
	t      *table
	addr   uint64
	last   *Bound // the best so far
	looked int    // the number of bindings examined
}

func (s *search) all() {
	for k := s.t.newest; k != nil; k = k.older {
		s.look(k.Bound)
	}
	for _, l := range slices.Backward(s.t.layers) {
		s.in(l, 0, len(l.byStart))
	}
}

func (s *search) look(b *Bound) {
	s.looked++
	if b.Contains(s.addr) && b.after(s.last) && s.t.get(b.Name) == b {
		s.last = b
	}
}

// in searches the section [lo, hi) of a layer: first the half with the last bound range, and no
// half that cannot contain a later one than the best so far.
func (s *search) in(l *layer, lo, hi int) {
	if lo == hi {
		return
	}
	mid := (lo + hi) / 2
	if r := l.reach[mid]; r.end <= s.addr || !r.last.after(s.last) {
		return
	}
	b := l.byStart[mid]
	if b.Start > s.addr { // so do all to the right of it
		s.in(l, lo, mid)
		return
	}
	left, right := [2]int{lo, mid}, [2]int{mid + 1, hi}
	if l.newer(left, right) {
		left, right = right, left
	}
	s.in(l, right[0], right[1])
	s.look(b)
	s.in(l, left[0], left[1])
}

// newer reports whether the last bound range of section a was bound after that of section b.
func (l *layer) newer(a, b [2]int) bool {
	if a[0] == a[1] {
		return false
	}
	return b[0] == b[1] || l.reach[(a[0]+a[1])/2].last.after(l.reach[(b[0]+b[1])/2].last)
}

// since yields all bindings of t that are not shared with the table o, the newest first, including
// those that were replaced later.
func (t *table) since(o *table) iter.Seq[*Bound] {
	return func(yield func(*Bound) bool) {
		if t == nil {
			return
		}
		if o == nil {
			o = &table{}
		}
		shared := t.meet(o)
		for k := t.newest; k != shared; k = k.older {
			if !yield(k.Bound) {
				return
			}
		}
		for _, l := range slices.Backward(t.layers) {
			if slices.Contains(o.layers, l) {
				continue
			}
			for _, b := range l.byStart {
				if !yield(b) {
					return
				}
			}
		}
	}
}

// meet returns the first link that the chains of two tables share.
func (t *table) meet(o *table) *link {
	a, b := t.newest, o.newest
	for n := t.chain; n > o.chain; n-- {
		a = a.older
	}
	for n := o.chain; n > t.chain; n-- {
		b = b.older
	}
	for a != b {
		a, b = a.older, b.older
	}
	return a
}

// changedSince lists the bindings of t that differ from the table o, by name; kept reports that
// every name of o still exists.
func (t *table) changedSince(o *table) (changed []Bound, kept bool) {
	kept = true
	for b := range t.since(o) {
		if was := o.get(b.Name); t.get(b.Name) == b && (was == nil || was.Binding != b.Binding) {
			changed = append(changed, *b)
		}
	}
	// Names of o that t has from an older version, or not at all.
	for was := range o.since(t) {
		if o.get(was.Name) != was {
			continue
		}
		b := t.get(was.Name)
		if kept = kept && b != nil; b != nil && was.Binding != b.Binding {
			changed = append(changed, *b)
		}
	}
	slices.SortFunc(changed, func(a, b Bound) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(changed, func(a, b Bound) bool { return a.Name == b.Name }), kept
}
