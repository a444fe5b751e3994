package pane

import (
	"testing"

	"cowscope/vmspace"

	"pgregory.net/rapid"
)

// family draws a few processes with random mappings, of pages of any size that Linux has.
func family(t *rapid.T) *vmspace.Snapshot {
	page := rapid.SampledFrom([]uint64{4 << 10, 16 << 10, 64 << 10}).Draw(t, "page size")
	s := &vmspace.Snapshot{PageSize: page}
	for i := range rapid.IntRange(1, 4).Draw(t, "processes") {
		var maps []vmspace.Mapping
		at := uint64(0)
		for range rapid.IntRange(0, 6).Draw(t, "mappings") {
			at += uint64(rapid.IntRange(0, 3).Draw(t, "gap")) * page
			end := at + uint64(rapid.IntRange(1, 4).Draw(t, "pages"))*page
			maps = append(maps, vmspace.Mapping{Range: vmspace.Range{Start: at, End: end}})
			at = end
		}
		s.Processes = append(s.Processes, &vmspace.Process{Member: vmspace.Member{Label: string(rune('a' + i))}, Mappings: vmspace.NewList(maps)})
	}
	return s
}

// Rows follow one another without hole or overlap, have no boundary of a mapping inside, and are
// found again from either side.
func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := family(t)
		l := Rows{Snap: s}
		r, ok := l.First()
		var all []Row
		for ; ok; r, ok = l.Below(r) {
			if len(all) > 0 && all[len(all)-1].End != r.Start {
				t.Fatalf("%v after %v", r, all[len(all)-1])
			}
			all = append(all, r)
		}
		if n := l.count(1000); n != len(all) {
			t.Fatalf("counted %d of %d", n, len(all))
		}
		for i, r := range all {
			checkRow(t, s, r)
			if up, ok := l.Above(r); ok != (i > 0) || ok && up != all[i-1] {
				t.Fatalf("above %v is %v, %v", r, up, ok)
			}
		}
		if last, ok := l.Last(); ok && (len(all) == 0 || last != all[len(all)-1]) {
			t.Fatalf("the last row is %v", last)
		}
		checkWindow(t, s, all)
	})
}

func checkRow(t *rapid.T, s *vmspace.Snapshot, r Row) {
	mapped := false
	for _, p := range s.Processes {
		for _, m := range p.Mappings.All() {
			mapped = mapped || m.Overlaps(r.Range)
			if r.Start < m.Start && m.Start < r.End || r.Start < m.End && m.End < r.End {
				t.Fatalf("%v has a boundary of %v inside", r, m.Range)
			}
		}
	}
	if mapped == r.Gap {
		t.Fatalf("%v: gap %v, mapped %v", r, r.Gap, mapped)
	}
}

func checkWindow(t *rapid.T, s *vmspace.Snapshot, all []Row) {
	if len(all) == 0 {
		return
	}
	here := rapid.SampledFrom(all).Draw(t, "row")
	n := rapid.IntRange(1, 12).Draw(t, "n")
	rows, selected := Rows{Snap: s}.window(here.Start, n, n/2)
	if len(rows) != min(n, len(all)) {
		t.Fatalf("%d rows of %d for a window of %d", len(rows), len(all), n)
	}
	if selected >= len(rows) || rows[selected] != here {
		t.Fatalf("row %d of %v is not %v", selected, rows, here)
	}
}
