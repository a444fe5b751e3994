package vmspace

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSplices makes one random list of runs from another: what was told is enough, and is no more
// than what differs.
func TestSplices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var was []Run
		for i := range rapid.IntRange(0, 1500).Draw(t, "n") {
			was = append(was, Run{Start: uint64(i) * 4 << 12, Pages: 3, Frame: uint64(i)})
		}
		a := NewList(was)
		b := a
		for range rapid.IntRange(0, 100).Draw(t, "edits") {
			at := uint64(rapid.IntRange(0, 1600).Draw(t, "at")) * 4 << 12
			var add []Run
			for k := range rapid.IntRange(0, 2).Draw(t, "add") {
				add = append(add, Run{Start: at + uint64(k)<<12, Pages: 1, Frame: 7})
			}
			b = replace(b, Range{at, at + uint64(rapid.IntRange(1, 9).Draw(t, "len"))*4<<12}, add)
		}
		s := RunSplices(a, b)
		got, err := ApplyRuns(a, s)
		if err != nil || !slices.Equal(got.Slice(0, got.Len()), b.Slice(0, b.Len())) {
			t.Fatalf("%v: %d splices make %d items of %d, want %d", err, len(s), got.Len(), a.Len(), b.Len())
		}
		if back := RunSplices(b, got); len(back) > 0 {
			t.Fatalf("equal lists differ by %v", back)
		}
		for _, x := range s {
			for _, r := range a.Slice(x.At, x.At+x.Drop) {
				if slices.Contains(x.Add, r) {
					t.Fatalf("%v is dropped and added again", r)
				}
			}
		}
	})
}

// Splices that come from a stranger are refused where they do not fit.
func TestSplicesThatDoNotFit(t *testing.T) {
	run := func(page, pages uint64) Run { return Run{Start: page << 12, Pages: pages} }
	l := NewList([]Run{run(1, 1), run(3, 2), run(8, 1)})
	for what, s := range map[string][]Splice[Run]{
		"cannot be replaced":    {{At: 4}},
		"5+0 of 3":              {{At: 5, Add: []Run{run(20, 1)}}},
		"2+2 of 3":              {{At: 2, Drop: 2}},
		"-1":                    {{At: -1}},
		"0+-1":                  {{At: 0, Drop: -1}},
		"0+9223372036854775807": {{At: 0, Drop: 1<<63 - 1}},
		"1 to 1+1":              {{At: 0, Drop: 2}, {At: 1, Drop: 1}},
		"is empty":              {{At: 3, Add: []Run{run(20, 0)}}},
		"1000-2000 is empty":    {{At: 1, Add: []Run{run(1, 1)}}},
		"4000-6000":             {{At: 1, Drop: 1, Add: []Run{run(3, 2), run(4, 2)}}},
		"8000-9000 overlaps":    {{At: 1, Drop: 1, Add: []Run{run(7, 2)}}},
		"3000-5000 overlaps":    {{At: 0, Drop: 1}, {At: 1, Add: []Run{run(2, 2)}}},
	} {
		if got, err := ApplyRuns(l, s); err == nil || !strings.Contains(err.Error(), what) || !got.Same(l) {
			t.Errorf("%v: %v, want %q", s, err, what)
		}
	}
}
