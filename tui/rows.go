// Rows: the address axis that all processes share on the screen.
//
// A row is the longest range of addresses in which no process of the family has a boundary of a
// mapping, so that a row means the same addresses in every column. Rows are found from an address,
// outwards, never counted: what a screen costs does not depend on how many mappings there are.

package tui

import "cowscope/vmspace"

// row is one line of the map: a range that is mapped alike throughout in each process, or a gap in
// all of them.
type row struct {
	vmspace.Range
	gap bool
}

// topOfMemory is where rows end: the upper half of the addresses is the kernel's. The one line of
// maps that lies there, [vsyscall] on x86, is a fixed gate and no mapping of the process
// (arch/x86/entry/vsyscall, gate_vma).
const topOfMemory = uint64(1) << 63

// rowAt is the row that holds addr.
func rowAt(s *vmspace.Snapshot, addr uint64) row {
	addr = min(addr, topOfMemory-1)
	r := row{vmspace.Range{Start: 0, End: topOfMemory}, true}
	for _, p := range s.Processes {
		i, ok := p.Mappings.Find(addr)
		if ok {
			m := p.Mappings.At(i)
			r.gap = false
			r.Start, r.End = max(r.Start, m.Start), min(r.End, m.End)
			continue
		}
		if i > 0 {
			r.Start = max(r.Start, p.Mappings.At(i-1).End)
		}
		if i < p.Mappings.Len() { // a gate mapping lies above topOfMemory
			r.End = min(r.End, p.Mappings.At(i).Start)
		}
	}
	return r
}

// above is the row before r; ok is false at the first mapping.
func above(s *vmspace.Snapshot, r row) (row, bool) {
	if r.Start == 0 {
		return r, false
	}
	up := rowAt(s, r.Start-1)
	return up, !up.gap || up.Start != 0
}

// below is the row after r; ok is false at the last mapping.
func below(s *vmspace.Snapshot, r row) (row, bool) {
	if r.End == topOfMemory {
		return r, false
	}
	down := rowAt(s, r.End)
	return down, !down.gap || down.End != topOfMemory
}

// window lists at most n rows around the one that holds addr, which stands at line `at` where there
// is enough above it, and says which of them that is.
func window(s *vmspace.Snapshot, addr uint64, n, at int) (rows []row, selected int) {
	here := rowAt(s, addr)
	rows = []row{here}
	for len(rows) <= at {
		up, ok := above(s, rows[0])
		if !ok {
			break
		}
		rows = append([]row{up}, rows...)
	}
	selected = len(rows) - 1
	for len(rows) < n {
		down, ok := below(s, rows[len(rows)-1])
		if !ok {
			break
		}
		rows = append(rows, down)
	}
	for len(rows) < n {
		up, ok := above(s, rows[0])
		if !ok {
			break
		}
		rows = append([]row{up}, rows...)
		selected++
	}
	return rows[:min(n, len(rows))], selected
}

// countRows counts the rows of the family, up to limit.
func countRows(s *vmspace.Snapshot, limit int) int {
	r, ok := firstRow(s)
	n := 0
	for ; ok && n < limit; n++ {
		r, ok = below(s, r)
	}
	return n
}

// firstRow and lastRow are the ends of what is mapped at all.
func firstRow(s *vmspace.Snapshot) (row, bool) {
	r := rowAt(s, 0)
	if r.gap {
		return below(s, r)
	}
	return r, true
}

func lastRow(s *vmspace.Snapshot) (row, bool) {
	r := rowAt(s, topOfMemory-1)
	if r.gap {
		return above(s, r)
	}
	return r, true
}
