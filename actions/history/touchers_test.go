package history

import (
	"testing"

	"cowscope/vmspace"
)

// Who touched a page first is known at every step: also after it has gone and come again, in a child, and
// for steps that are added later.
func TestTouchers(t *testing.T) {
	const page = 4096
	at := func(pages ...string) *vmspace.Snapshot {
		s := &vmspace.Snapshot{PageSize: page}
		for _, label := range pages {
			m := vmspace.Member{Label: label}
			m.Parent = map[string]string{"p2": "p1", "p3": "p2"}[label]
			s.Processes = append(s.Processes, &vmspace.Process{Member: m})
		}
		return s
	}
	one, two := at("p1"), at("p1", "p2")
	fault := func(process, function string, addr, pages uint64) []Fault {
		return []Fault{{Process: process, Start: addr, Pages: pages, At: vmspace.Place{Function: function}}}
	}
	lost := func(kind vmspace.ChangeKind, start, end uint64) []vmspace.Change {
		return []vmspace.Change{{Kind: kind, Process: "p1", Range: vmspace.Range{Start: start, End: end}}}
	}
	steps := []*Step{
		{N: 0, After: one},
		{N: 1, Before: one, After: one, Faults: fault("p1", "fill", 2*page, 2)},
		{N: 2, Before: one, After: one, Faults: fault("p1", "read", 2*page, 1)}, // it was there
		{N: 3, Before: one, After: two},                                         // a fork
		{N: 4, Before: two, After: two, Faults: fault("p2", "child", 3*page, 1)},
		{N: 5, Before: two, After: two, Changes: lost(vmspace.ChangePage, 2*page, 3*page)},
		{N: 6, Before: two, After: two, Faults: fault("p1", "read", 2*page, 1)},
		{N: 7, Before: two, After: two, Changes: lost(vmspace.ChangeUnmapped, 0, 1<<40)},
		{N: 8, Before: two, After: at("p2", "p3"), Changes: []vmspace.Change{{Kind: vmspace.ChangeUnmapped, Process: "p2", Range: vmspace.Range{Start: 2 * page, End: 3 * page}}}},
	}
	var touchers Touchers
	touchers.Add(steps[:3])
	touchers.Add(steps)
	for _, c := range []struct {
		process    string
		page, step int
		want       string
	}{
		{"p1", 2, 0, ""}, {"p1", 2, 1, "fill"}, {"p1", 2, 2, "fill"}, {"p1", 3, 4, "fill"}, {"p1", 4, 4, ""},
		{"p1", 2, 5, ""}, {"p1", 2, 6, "read"}, {"p1", 3, 6, "fill"}, {"p1", 2, 7, ""}, {"p1", 3, 7, ""},
		{"p2", 2, 2, ""}, {"p2", 2, 3, "fill"}, {"p2", 2, 7, "fill"}, {"p2", 3, 3, "fill"}, {"p2", 3, 4, "child"}, {"p3", 2, 7, ""},
		{"p2", 2, 8, ""}, {"p2", 3, 8, "child"}, {"p3", 3, 8, "child"},
	} {
		got := ""
		if code, ok := touchers.Of(c.process, uint64(c.page)*page, c.step); ok {
			got = touchers.Name(code)
		}
		if got != c.want {
			t.Errorf("page %d of %s after step %d: %q, want %q", c.page, c.process, c.step, got, c.want)
		}
	}
}
