// Rows: the address axis that all processes share on the screen.
//
// A row is the longest range of addresses in which no process of the family has a boundary of a
// mapping, so that a row is the same addresses in every column. Rows are found from an address,
// outwards, and are never counted: the cost of a screen does not depend on the number of mappings.

package pane

import "cowscope/vmspace"

// Row is one line of the map: a range that each process maps as a whole or not at all, or a gap in
// all of them.
type Row struct {
	vmspace.Range
	Gap bool
}

// topOfMemory is where rows end: the upper half of the address space is the kernel's. The one line
// of maps there, [vsyscall] on x86, is not a mapping of the process (arch/x86/entry/vsyscall,
// gate_vma).
const topOfMemory = uint64(1) << 63

// RowAt is the row that contains addr.
func RowAt(s *vmspace.Snapshot, addr uint64) Row {
	addr = min(addr, topOfMemory-1)
	r := Row{vmspace.Range{Start: 0, End: topOfMemory}, true}
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

// Above is the row before r; ok is false at the first mapping.
func Above(s *vmspace.Snapshot, r Row) (Row, bool) {
	if r.Start == 0 {
		return r, false
	}
	up := RowAt(s, r.Start-1)
	return up, !up.Gap || up.Start != 0
}

// Below is the row after r; ok is false at the last mapping.
func Below(s *vmspace.Snapshot, r Row) (Row, bool) {
	if r.End == topOfMemory {
		return r, false
	}
	down := RowAt(s, r.End)
	return down, !down.Gap || down.End != topOfMemory
}

// window lists at most n rows around the one that contains addr, which is at index `at` if there
// are enough rows above it, and returns its index.
func window(s *vmspace.Snapshot, addr uint64, n, at int) (rows []Row, selected int) {
	here := RowAt(s, addr)
	rows = []Row{here}
	for len(rows) <= at {
		up, ok := Above(s, rows[0])
		if !ok {
			break
		}
		rows = append([]Row{up}, rows...)
	}
	selected = len(rows) - 1
	for len(rows) < n {
		down, ok := Below(s, rows[len(rows)-1])
		if !ok {
			break
		}
		rows = append(rows, down)
	}
	for len(rows) < n {
		up, ok := Above(s, rows[0])
		if !ok {
			break
		}
		rows = append([]Row{up}, rows...)
		selected++
	}
	return rows[:min(n, len(rows))], selected
}

// countRows counts the rows of the family, up to limit.
func countRows(s *vmspace.Snapshot, limit int) int {
	r, ok := FirstRow(s)
	n := 0
	for ; ok && n < limit; n++ {
		r, ok = Below(s, r)
	}
	return n
}

// FirstRow and lastRow are the first and the last mapped row.
func FirstRow(s *vmspace.Snapshot) (Row, bool) {
	r := RowAt(s, 0)
	if r.Gap {
		return Below(s, r)
	}
	return r, true
}

func LastRow(s *vmspace.Snapshot) (Row, bool) {
	r := RowAt(s, topOfMemory-1)
	if r.Gap {
		return Above(s, r)
	}
	return r, true
}
