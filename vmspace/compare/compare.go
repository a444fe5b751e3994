package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"cowscope/vmspace"
)

// Rules of this file: pure. A page is in a state, or not mapped; what differs is counted in pages
// that are in another state than they were. Of one process each page has its like at the same
// address. Of two processes no page has, so that only numbers can be compared: of mappings with the
// same path, kind and letters together.

// unmapped is what a page is that no mapping has.
const unmapped = vmspace.State(len(vmspace.States))

// states is how many things a page can be.
const states = int(unmapped) + 1

func nameOf(s vmspace.State) string {
	if s == unmapped {
		return "unmapped"
	}
	return s.String()
}

// Result is what differs between two sides.
type Result struct {
	pageSize uint64
	min      uint64
	pairs    []*pair
}

// pair is two processes that are compared, or one that has no like.
type pair struct {
	a, b     *process // nil where there is none
	by       string   // how mappings are paired
	moves    moves    // by address: of all mappings
	before   counts   // pages of all mappings
	after    counts
	changes  []*change // of at least min bytes, largest first
	less     int       // changes that are left out
	lessSize uint64
}

// The ways to pair mappings.
const (
	byAddress = "address"
	byPath    = "path"
)

// counts are numbers of pages, by state.
type counts [states]uint64

// moves are numbers of pages, by the state they were in and the one they are in.
type moves map[[2]vmspace.State]uint64

// change is what became of a mapping, or of all those with the same path, kind and letters.
type change struct {
	what          string // came, went, changed
	mapping       vmspace.Mapping
	was           vmspace.Perms // letters before, where both sides have the mapping
	bytes         uint64        // of pages that are in another state
	moves         moves         // by address
	before, after counts        // by path
	number        [2]int        // of mappings, by path
}

// Differs says whether there is a change of at least the least size, or a process that only one side
// has.
func (d *Result) Differs() bool {
	return slices.ContainsFunc(d.pairs, func(p *pair) bool { return len(p.changes) > 0 || p.a == nil || p.b == nil })
}

// Compare compares two sides. Changes of less than least bytes are only counted.
func Compare(a, b *Side, least uint64) (*Result, error) {
	if a.pageSize != b.pageSize {
		return nil, fmt.Errorf("one side has pages of %d bytes, the other of %d: they cannot be compared", a.pageSize, b.pageSize)
	}
	d := &Result{pageSize: a.pageSize, min: least}
	for _, two := range couple(a.processes, b.processes) {
		p := &pair{a: two[0], b: two[1], moves: moves{}}
		d.pairs = append(d.pairs, p)
		if p.a == nil || p.b == nil || p.a.err != "" || p.b.err != "" {
			continue
		}
		var all []*change
		if p.by = byPath; p.a.pid == p.b.pid {
			p.by = byAddress
			all = d.byAddress(p)
		} else {
			all = d.byPath(p)
		}
		p.before, p.after = p.a.count(d.pageSize), p.b.count(d.pageSize)
		d.keep(p, all)
	}
	return d, nil
}

// couple finds for each process of a its like in b: the only one where each side has one, the one of
// the same number, or else that of the same label.
func couple(a, b []*process) (out [][2]*process) {
	taken := map[*process]bool{}
	find := func(like func(*process) bool) *process {
		for _, q := range b {
			if !taken[q] && like(q) {
				taken[q] = true
				return q
			}
		}
		return nil
	}
	like := make([]*process, len(a))
	for i, p := range a {
		like[i] = find(func(q *process) bool { return len(a) == 1 && len(b) == 1 || q.pid == p.pid })
	}
	for i, p := range a {
		if like[i] == nil {
			like[i] = find(func(q *process) bool {
				return q.label == p.label && !slices.ContainsFunc(a, func(o *process) bool { return o.pid == q.pid })
			})
		}
		out = append(out, [2]*process{p, like[i]})
	}
	for _, q := range b {
		if !taken[q] {
			out = append(out, [2]*process{nil, q})
		}
	}
	return out
}

// keep sorts the changes, and leaves out the small ones.
func (d *Result) keep(p *pair, all []*change) {
	slices.SortStableFunc(all, func(x, y *change) int { return cmp.Compare(y.bytes, x.bytes) })
	for _, c := range all {
		if c.bytes >= d.min {
			p.changes = append(p.changes, c)
		} else {
			p.less++
			p.lessSize += c.bytes
		}
	}
}

// count counts all pages of a process.
func (p *process) count(pageSize uint64) (n counts) {
	for i, m := range p.mappings {
		n.add(p.countOf(i, pageSize, m))
	}
	return n
}

func (n *counts) add(o counts) {
	for s := range o {
		n[s] += o[s]
	}
}

// countOf counts the pages of a mapping.
func (p *process) countOf(i int, pageSize uint64, m vmspace.Mapping) (n counts) {
	n[vmspace.None] = m.Pages(pageSize)
	for _, r := range p.runsOf(i) {
		n[r.state] += r.pages
		n[vmspace.None] -= r.pages
	}
	return n
}

// same says whether two mappings that overlap are of the same memory.
func same(a, b *vmspace.Mapping) bool {
	if a.Path != b.Path || a.Kind() != b.Kind() || a.Private() != b.Private() || a.Inode != b.Inode || a.Major != b.Major || a.Minor != b.Minor {
		return false
	}
	return a.Inode == 0 || a.Start-a.Offset == b.Start-b.Offset
}

// byAddress compares two pictures of one process.
func (d *Result) byAddress(p *pair) (all []*change) {
	a, b := cursor{process: p.a}, cursor{process: p.b}
	note := func(what string, r vmspace.Range, m vmspace.Mapping, was vmspace.Perms) {
		c := &change{what: what, mapping: m, was: was, moves: moves{}}
		c.mapping.Range = r
		d.walk(r, &a, &b, what, c)
		for k, n := range c.moves {
			p.moves[k] += n
		}
		if what != changed || len(c.moves) > 0 || was != m.Perms {
			all = append(all, c)
		}
	}
	pieces(&a, &b, func(what string, r vmspace.Range, x, y *vmspace.Mapping) {
		switch what {
		case changed:
			note(what, r, *y, x.Perms)
		case went:
			note(what, r, *x, x.Perms)
		default:
			note(what, r, *y, y.Perms)
		}
	})
	return all
}

// pieces calls f for each part of the address space that is one mapping on a side and one, or none,
// on the other: x before, y after, nil where it is not told of. Parts come upwards.
func pieces(a, b *cursor, f func(what string, r vmspace.Range, x, y *vmspace.Mapping)) {
	at := uint64(0)
	for {
		x, y := a.mapping(at), b.mapping(at)
		if x == nil && y == nil {
			return
		}
		// From at to end both sides stay what they are.
		at = min(max(at, startOf(x)), max(at, startOf(y)))
		end := min(edge(x, at), edge(y, at))
		here := vmspace.Range{Start: at, End: end}
		inX, inY := x != nil && x.Contains(at), y != nil && y.Contains(at)
		if inX && inY && same(x, y) {
			f(changed, here, x, y)
		} else {
			if inX {
				f(went, here, x, nil)
			}
			if inY {
				f(came, here, nil, y)
			}
		}
		at = end
	}
}

// What can become of a mapping.
const (
	came    = "came"
	went    = "went"
	changed = "changed"
)

// startOf is where a mapping begins; nil does nowhere.
func startOf(m *vmspace.Mapping) uint64 {
	if m == nil {
		return vmspace.Everything.End
	}
	return m.Start
}

// edge is the first address behind at where m begins or ends.
func edge(m *vmspace.Mapping, at uint64) uint64 {
	switch {
	case m == nil:
		return vmspace.Everything.End
	case at < m.Start:
		return m.Start
	}
	return m.End
}

// cursor walks through the mappings and the runs of a process, upwards.
type cursor struct {
	*process
	m, r int
}

// mapping is the first one that ends behind an address, nil behind the last.
func (c *cursor) mapping(at uint64) *vmspace.Mapping {
	for c.m < len(c.mappings) && c.mappings[c.m].End <= at {
		c.m++
	}
	if c.m == len(c.mappings) {
		return nil
	}
	return &c.mappings[c.m]
}

// state is that of the page at an address that is mapped, and where the next one may begin.
func (c *cursor) state(at, pageSize uint64) (s vmspace.State, until uint64) {
	for c.r < len(c.runs) && c.runs[c.r].start+c.runs[c.r].pages*pageSize <= at {
		c.r++
	}
	switch {
	case c.r == len(c.runs):
		return vmspace.None, vmspace.Everything.End
	case at < c.runs[c.r].start:
		return vmspace.None, c.runs[c.r].start
	}
	return c.runs[c.r].state, c.runs[c.r].start + c.runs[c.r].pages*pageSize
}

// walk counts what became of the pages of r.
func (d *Result) walk(r vmspace.Range, a, b *cursor, what string, c *change) {
	for at := r.Start; at < r.End; {
		from, to, end, until := unmapped, unmapped, r.End, uint64(0)
		if what != came {
			from, until = a.state(at, d.pageSize)
			end = min(end, until)
		}
		if what != went {
			to, until = b.state(at, d.pageSize)
			end = min(end, until)
		}
		if from != to {
			n := (end - at) / d.pageSize
			c.moves[[2]vmspace.State{from, to}] += n
			if present := (from != unmapped || to != vmspace.None) && (from != vmspace.None || to != unmapped); present {
				c.bytes += n * d.pageSize
			}
		}
		at = end
	}
}

// key is what mappings of different processes are paired by.
type key struct {
	kind  vmspace.Kind
	perms vmspace.Perms
	path  string
}

// byPath compares two processes.
func (d *Result) byPath(p *pair) []*change {
	found := map[key]*change{}
	var order []*change
	gather := func(p *process, side int) {
		for i, m := range p.mappings {
			k := key{m.Kind(), m.Perms, m.Path}
			c := found[k]
			if c == nil {
				c = &change{what: changed, mapping: m, was: m.Perms}
				found[k], order = c, append(order, c)
			}
			c.number[side]++
			[]*counts{&c.before, &c.after}[side].add(p.countOf(i, d.pageSize, m))
		}
	}
	gather(p.a, 0)
	gather(p.b, 1)
	return slices.DeleteFunc(order, func(c *change) bool {
		switch {
		case c.number[0] == 0:
			c.what = came
		case c.number[1] == 0:
			c.what = went
		}
		var more, fewer uint64
		for s := range states {
			if s != int(vmspace.None) {
				more += c.after[s] - min(c.after[s], c.before[s])
				fewer += c.before[s] - min(c.after[s], c.before[s])
			}
		}
		c.bytes = max(more, fewer) * d.pageSize
		return c.before == c.after && c.number[0] == c.number[1]
	})
}

// sorted are the moves, largest first.
func (m moves) sorted() [][2]vmspace.State {
	return slices.SortedFunc(maps.Keys(m), func(x, y [2]vmspace.State) int {
		return cmp.Or(cmp.Compare(m[y], m[x]), cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	})
}
