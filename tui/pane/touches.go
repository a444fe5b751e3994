package pane

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/tui/cell"
	"cowscope/vmspace"
)

// letters are what the pages of a code are drawn as: the first codes have letters of their own.
const letters = "abcdefghijklmnopqrstuvwxyz"

// look is how a page is drawn: by its state, or by the code that touched it first, where that is asked
// for. Of several pages it is the first one whose code is known.
func (s *Scene) look(label string, state vmspace.State, pages vmspace.Range) (glyph string, st cell.Style) {
	glyph, st = cell.StateLook[state].Glyph, cell.StateRole(state)
	if s.Touchers == nil {
		return glyph, st
	}
	st = cell.Faint
	if state == vmspace.None {
		return glyph, st
	}
	for n, addr := 0, pages.Start; n < summaryRuns && addr < pages.End; n, addr = n+1, addr+s.Snap.PageSize {
		if code, ok := s.Touchers.Of(label, addr, s.Step.N); ok {
			return letterOf(code), cell.HueRole(code)
		}
	}
	return glyph, st
}

func letterOf(code int) string {
	if code < len(letters) {
		return letters[code : code+1]
	}
	return "+"
}

// drawTouchers writes into the lower border of the map which code the letters are, the most frequent in
// the rows that are shown first.
func drawTouchers(p cell.Pen, s *Scene, rows []Row, w int) {
	const most = 4096 // pages that are counted
	count, n := map[int]int{}, 0
	for _, r := range rows {
		for addr := r.Start; addr < r.End && !r.Gap && n < most; addr, n = addr+s.Snap.PageSize, n+1 {
			if code, ok := s.Touchers.Of(s.Current, addr, s.Step.N); ok {
				count[code]++
			}
		}
	}
	codes := make([]int, 0, len(count))
	for code := range count {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(a, b int) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return a - b
	})
	x := 2
	for _, code := range codes {
		name := s.Touchers.Name(code)
		if i := strings.LastIndexByte(name, '/'); i >= 0 { // of the path of a Go package
			name = name[i+1:]
		}
		need := cell.Width(name) + 4
		if x+need > w {
			return
		}
		p.Put(x, p.R.H-1, cell.Plain, " ")
		p.Put(x+1, p.R.H-1, cell.HueRole(code), letterOf(code))
		p.Put(x+2, p.R.H-1, cell.Dim, " "+name+" ")
		x += need
	}
	if len(codes) == 0 {
		p.Cut(2, p.R.H-1, w-2, cell.Dim, " nothing is known of who touched these pages first ")
	}
}

// touchFacts are who took page faults on the page under the cursor, as far as that was told.
func touchFacts(s *Scene) (facts []fact) {
	t := history.TouchedBy(s.Steps[:s.Pos+1], s.Current, s.Cursor)
	by := func(f *history.Fault) string { return fmt.Sprintf("thread %d at %s", f.TID, f.Where()) }
	switch {
	case t.First != nil && t.First == t.Copied: // of a page of a file that was written at once
		return []fact{{"touched", cell.Plain, "first touched, and copied, by " + by(t.First), "perf"}}
	case t.First != nil:
		facts = append(facts, fact{"touched", cell.Plain, "first touched by " + by(t.First), "perf"})
	}
	switch {
	case t.Copied != nil:
		facts = append(facts, fact{"copied", cell.Plain, "copied by " + by(t.Copied), "perf"})
	case t.Last != nil && t.First == nil:
		facts = append(facts, fact{"faulted", cell.Plain, "last fault by " + by(t.Last), "perf"})
	}
	return facts
}
