package observe

import (
	"testing"

	"cowscope/vmspace"
)

func TestRefineRuns(t *testing.T) {
	run := func(page, n, frame uint64, s vmspace.State) vmspace.Run {
		return vmspace.Run{Start: page * 4096, Pages: n, Word: vmspace.WordPresent, Frame: frame, State: s, Mapcount: -1}
	}
	mine := []vmspace.Run{run(0, 10, 100, vmspace.Anon), run(10, 5, 300, vmspace.Anon), run(20, 2, 900, vmspace.Anon)}
	theirs := vmspace.NewList([]vmspace.Run{run(2, 3, 102, vmspace.COW), run(7, 2, 555, vmspace.COW), run(10, 5, 300, vmspace.Anon), run(20, 2, 900, vmspace.File)})
	want := []vmspace.Run{run(0, 2, 100, vmspace.Anon), run(2, 3, 102, vmspace.COW), run(5, 5, 105, vmspace.Anon), run(10, 5, 300, vmspace.COW), run(20, 2, 900, vmspace.Anon)}
	got := refine(mine, theirs, sameFrame, false)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("run %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if same := refine(mine, vmspace.NewList([]vmspace.Run{run(0, 10, 7, vmspace.COW)}), sameFrame, false); &same[0] != &mine[0] {
		t.Error("nothing to refine should change nothing")
	}
}

// What may be a huge page is as large as one is with pages of that size.
func TestPerhapsHalfSplit(t *testing.T) {
	for size, table := range map[uint64]uint64{4 << 10: 512, 16 << 10: 2048, 64 << 10: 8192} {
		run := func(page, n uint64, s vmspace.State, word uint64) vmspace.Run {
			return vmspace.Run{Start: page * size, Pages: n, Word: vmspace.WordPresent | word, State: s, Mapcount: -1, Shift: vmspace.ShiftOf(size)}
		}
		for name, c := range map[string]struct {
			mine, theirs vmspace.Run
			unsure       uint64 // pages
		}{
			"a whole block":         {run(table, table, vmspace.Anon, vmspace.WordExclusive), run(table+9, 3, vmspace.COW, 0), 3},
			"a page less":           {run(table, table-1, vmspace.Anon, vmspace.WordExclusive), run(table+9, 3, vmspace.COW, 0), 0},
			"as long, and crooked":  {run(table+1, table, vmspace.Anon, vmspace.WordExclusive), run(table+9, 3, vmspace.COW, 0), 0},
			"two blocks, one known": {run(table, 2*table, vmspace.Anon, vmspace.WordExclusive), run(2*table-1, 2, vmspace.Anon, vmspace.WordExclusive), 0},
			"over an edge":          {run(table, 2*table, vmspace.Anon, vmspace.WordExclusive), run(2*table-1, 2, vmspace.COW, 0), 1},
		} {
			n := uint64(0)
			for _, r := range refine([]vmspace.Run{c.mine}, vmspace.NewList([]vmspace.Run{c.theirs}), perhapsHalfSplit, true) {
				if r.State == vmspace.Unknown {
					n += r.Pages
				}
			}
			if n != c.unsure {
				t.Errorf("%s, pages of %d: %d are not known, want %d", name, size, n, c.unsure)
			}
		}
	}
}
