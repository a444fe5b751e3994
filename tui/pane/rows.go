// Rows: the address axis that all processes share on the screen.
//
// A row is the longest range of addresses in which no process of the family has a boundary of a
// mapping, so that a row is the same addresses in every column; or a fold of several such. Rows are
// found from an address, outwards, and are never counted: the cost of a screen does not depend on
// the number of mappings.

package pane

import "cowscope/vmspace"

// Row is one line of the map: a range that each process maps as a whole or not at all, a gap in all
// of them, or a fold.
type Row struct {
	vmspace.Range
	Gap  bool
	Fold Fold
}

// Rows are the lines of the map of one picture. Without Folds no row is folded.
type Rows struct {
	Snap  *vmspace.Snapshot
	Folds *Folds
}

// topOfMemory is where rows end: the upper half of the address space is the kernel's. The one line
// of maps there, [vsyscall] on x86, is not a mapping of the process (arch/x86/entry/vsyscall,
// gate_vma).
const topOfMemory = uint64(1) << 63

// RowAt is the row that contains addr, where nothing is folded.
func RowAt(s *vmspace.Snapshot, addr uint64) Row {
	addr = min(addr, topOfMemory-1)
	r := Row{Range: vmspace.Range{Start: 0, End: topOfMemory}, Gap: true}
	for _, p := range s.Processes {
		i, ok := p.Mappings.Find(addr)
		if ok {
			m := p.Mappings.At(i)
			r.Gap = false
			r.Start, r.End = max(r.Start, m.Start), min(r.End, m.End)
			continue
		}
		if i > 0 {
			r.Start = max(r.Start, p.Mappings.At(i-1).End)
		}
		if i < p.Mappings.Len() { // [vsyscall] is above topOfMemory
			r.End = min(r.End, p.Mappings.At(i).Start)
		}
	}
	return r
}

// At is the row that contains addr.
func (l Rows) At(addr uint64) Row {
	r := RowAt(l.Snap, addr)
	if l.Folds == nil {
		return r
	}
	return l.Folds.fold(l.Snap, r)
}

// Above is the row before r; ok is false at the first mapping.
func (l Rows) Above(r Row) (Row, bool) {
	if r.Start == 0 {
		return r, false
	}
	up := l.At(r.Start - 1)
	return up, !up.Gap || up.Start != 0
}

// Below is the row after r; ok is false at the last mapping.
func (l Rows) Below(r Row) (Row, bool) {
	if r.End == topOfMemory {
		return r, false
	}
	down := l.At(r.End)
	return down, !down.Gap || down.End != topOfMemory
}

// window lists at most n rows around the one that contains addr, which is at index `at` if there
// are enough rows above it, and returns its index.
func (l Rows) window(addr uint64, n, at int) (rows []Row, selected int) {
	rows = []Row{l.At(addr)}
	for len(rows) <= at {
		up, ok := l.Above(rows[0])
		if !ok {
			break
		}
		rows = append([]Row{up}, rows...)
	}
	selected = len(rows) - 1
	for len(rows) < n {
		down, ok := l.Below(rows[len(rows)-1])
		if !ok {
			break
		}
		rows = append(rows, down)
	}
	for len(rows) < n {
		up, ok := l.Above(rows[0])
		if !ok {
			break
		}
		rows = append([]Row{up}, rows...)
		selected++
	}
	return rows[:min(n, len(rows))], selected
}

// count counts the rows of the family, up to limit.
func (l Rows) count(limit int) int {
	r, ok := l.First()
	n := 0
	for ; ok && n < limit; n++ {
		r, ok = l.Below(r)
	}
	return n
}

// First is the first mapped row.
func (l Rows) First() (Row, bool) {
	r := l.At(0)
	if r.Gap {
		return l.Below(r)
	}
	return r, true
}

// Last is the last mapped row.
func (l Rows) Last() (Row, bool) {
	r := l.At(topOfMemory - 1)
	if r.Gap {
		return l.Above(r)
	}
	return r, true
}

// pages is how many pages a row has: those that are mapped, of a fold.
func (l Rows) pages(r Row) (n uint64) {
	if r.Fold != Closed {
		return r.Pages(l.Snap.PageSize)
	}
	for _, p := range l.Snap.Processes {
		for _, m := range p.Mappings.View(p.Mappings.Overlap(r.Range)) {
			n += m.Intersect(r.Range).Len() / l.Snap.PageSize
		}
		if n > 0 {
			break // whoever maps a part of it maps the same
		}
	}
	return n
}
