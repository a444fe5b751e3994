package history

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// Rules of this file: a session of many thousand names keeps a version of its names for each step,
// so the versions share all but what a step bound. The names of a process are a short chain of
// those bound last, and behind it layers, each sorted by name and by address, each at least twice
// as long as the next one, newer one. When the chain is full, it becomes a layer, and layers too
// alike in length become one. So a name is copied as often as its layer doubles, and a look-up asks
// a few layers. Nothing that another version may hold is written to. A name that was bound anew
// stays in the older layer until that is merged, where get no longer finds it.

// chainFull is how many names the chain holds at most.
const chainFull = 32

// link is a place in the chain.
type link struct {
	*Bound
	older *link
}

// after says whether b was bound after o: by a later step, or beside it and first by name. All are
// after nil.
func (b *Bound) after(o *Bound) bool {
	return o == nil || b.Step > o.Step || b.Step == o.Step && b.Name < o.Name
}

// table is what one process has. Nil is an empty one.
type table struct {
	label  string
	newest *link    // of the chain
	chain  int      // how many are in it
	layers []*layer // the oldest and longest one first
	count  int      // of names
}

// layer is a sorted piece of a table, in which a name stands once.
type layer struct {
	byName, byStart []*Bound
	// reach makes a tree of byStart: the middle one of a piece is the root of what is left and
	// right of it, and reach of the middle one is of the whole piece.
	reach []reachOf
}

// reachOf sums up a piece of a layer.
type reachOf struct {
	end  uint64 // the highest one
	last *Bound // that was bound last
}

func (t *table) len() int {
	if t == nil {
		return 0
	}
	return t.count
}

// copyFor is a table of the process label with the same names, for bind.
func (t *table) copyFor(label string) *table {
	var c table
	if t != nil {
		c = *t
	}
	c.label = label
	return &c
}

// bind adds to a table that nobody else holds yet.
func (t *table) bind(b Bound) {
	if t.get(b.Name) == nil {
		t.count++
	}
	if t.newest != nil && t.newest.Name == b.Name { // as a loop does, again and again
		t.newest = &link{&b, t.newest.older}
		return
	}
	t.newest = &link{&b, t.newest}
	if t.chain++; t.chain == chainFull {
		t.flush()
	}
}

// flush makes a layer of the chain.
func (t *table) flush() {
	var bounds []*Bound
	for k := t.newest; k != nil; k = k.older {
		bounds = append(bounds, k.Bound)
	}
	slices.SortStableFunc(bounds, byName) // of a name, the newest one stays first
	l := layerOf(slices.CompactFunc(bounds, func(a, b *Bound) bool { return a.Name == b.Name }))
	layers := t.layers
	for n := len(layers); n > 0 && len(layers[n-1].byName) < 2*len(l.byName); n = len(layers) {
		l, layers = layers[n-1].with(l), layers[:n-1]
	}
	t.layers = append(slices.Clone(layers), l)
	t.newest, t.chain = nil, 0
}

// keep is a table of the most names that count most: half of it those that were bound last, then
// those by which what is mapped is called.
func (t *table) keep(most int, mapped func(addr uint64) bool) *table {
	var bounds []*Bound
	for b := range t.since(nil) {
		if t.get(b.Name) == b {
			bounds = append(bounds, b)
		}
	}
	slices.SortFunc(bounds, func(a, b *Bound) int { return cmp.Compare(b.Step, a.Step) })
	newest, older := bounds[:most/2], bounds[most/2:]
	var called, rest []*Bound
	for _, b := range older {
		if mapped(b.Start) && t.at(b.Start) == b {
			called = append(called, b)
		} else {
			rest = append(rest, b)
		}
	}
	bounds = slices.Concat(newest, called, rest)[:most]
	slices.SortFunc(bounds, byName)
	return &table{label: t.label, layers: []*layer{layerOf(bounds)}, count: most}
}

func byName(a, b *Bound) int { return strings.Compare(a.Name, b.Name) }

func byStart(a, b *Bound) int { return cmp.Compare(a.Start, b.Start) }

// layerOf makes a layer of what is sorted by name.
func layerOf(bounds []*Bound) *layer {
	sorted := slices.Clone(bounds)
	slices.SortFunc(sorted, byStart)
	l := &layer{byName: bounds, byStart: sorted}
	l.sumUp()
	return l
}

// with is l with a newer layer, whose names are the ones that count.
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

// merged is two sorted lists as one.
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

// get is what binds name now, nil where nothing does.
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

// at is what was bound last of all that hold addr, nil where nothing does.
func (t *table) at(addr uint64) *Bound {
	if t == nil {
		return nil
	}
	s := search{t: t, addr: addr}
	s.all()
	return s.last
}

// search looks for what holds an address.
type search struct {
	t      *table
	addr   uint64
	last   *Bound // found so far
	looked int    // at so many
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

// in looks through the piece [lo, hi) of a layer: the part first that was bound last, and no part
// that cannot have a better one.
func (s *search) in(l *layer, lo, hi int) {
	if lo == hi {
		return
	}
	mid := (lo + hi) / 2
	if r := l.reach[mid]; r.end <= s.addr || !r.last.after(s.last) {
		return
	}
	b := l.byStart[mid]
	if b.Start > s.addr { // and so has all that is right of it
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

// newer says whether what was bound last in piece a is after all of piece b.
func (l *layer) newer(a, b [2]int) bool {
	if a[0] == a[1] {
		return false
	}
	return b[0] == b[1] || l.reach[(a[0]+a[1])/2].last.after(l.reach[(b[0]+b[1])/2].last)
}

// since yields all that t does not share with the table o, the newest first; what is of the past
// too.
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

// meet is where the chains of two tables become one.
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

// changedSince lists what t binds otherwise than the table o, by name; kept says that no name of o
// is missing.
func (t *table) changedSince(o *table) (changed []Bound, kept bool) {
	kept = true
	for b := range t.since(o) {
		if was := o.get(b.Name); t.get(b.Name) == b && (was == nil || was.Binding != b.Binding) {
			changed = append(changed, *b)
		}
	}
	for was := range o.since(t) { // which t may have from before o, or not at all
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
