package observe

import (
	"testing"

	"cowscope/vmspace"
)

// A page that is kept is as it was, and all others are as they are.
func TestKeep(t *testing.T) {
	const size, huge = 4096, 2 << 20
	mapping := func(start, end uint64) vmspace.Mapping {
		return vmspace.Mapping{Range: vmspace.Range{Start: start, End: end}, Perms: vmspace.Read | vmspace.Write}
	}
	run := func(start, pages uint64, state vmspace.State, attrs vmspace.Attrs) vmspace.Run {
		return vmspace.Run{Start: start, Pages: pages, State: state, Attrs: attrs}
	}
	picture := func(m []vmspace.Mapping, runs ...vmspace.Run) *vmspace.Snapshot {
		p := &vmspace.Process{Member: vmspace.Member{Label: "p1"}, Mappings: vmspace.NewList(m), Pages: vmspace.NewList(runs)}
		return &vmspace.Snapshot{PageSize: size, Processes: []*vmspace.Process{p}}
	}
	whole := []vmspace.Mapping{mapping(huge, 3*huge)}
	for name, c := range map[string]struct {
		was, is *vmspace.Snapshot
		at      uint64
		want    map[uint64]vmspace.State
	}{
		"a page that came": {picture(whole), picture(whole, run(huge, 3, vmspace.Anon, 0)), huge + size,
			map[uint64]vmspace.State{huge: vmspace.Anon, huge + size: vmspace.None, huge + 2*size: vmspace.Anon}},
		"a page that was copied": {picture(whole, run(huge, 2, vmspace.COW, 0)), picture(whole, run(huge, 2, vmspace.Anon, 0)), huge + size + 5,
			map[uint64]vmspace.State{huge: vmspace.Anon, huge + size: vmspace.COW}},
		"a huge page": {picture(whole), picture(whole, run(huge, 512, vmspace.Anon, vmspace.Huge)), huge + 7*size,
			map[uint64]vmspace.State{huge: vmspace.None, 2*huge - size: vmspace.None}},
		"of a mapping that was split": {picture(whole), picture([]vmspace.Mapping{mapping(huge, huge+size), mapping(huge+size, 3*huge)}, run(huge, 2, vmspace.Anon, 0)), huge + size,
			map[uint64]vmspace.State{huge: vmspace.Anon, huge + size: vmspace.None}},
		"of a mapping that is new": {picture(nil), picture(whole, run(huge, 1, vmspace.Anon, 0)), huge,
			map[uint64]vmspace.State{huge: vmspace.Anon}},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.is.Processes[0].Pages
			got := Keep(c.is, c.was, "p1", c.at).Process("p1")
			for addr, want := range c.want {
				if now := got.PageAt(addr, size).State; now != want {
					t.Errorf("0x%x is %s, want %s", addr, now, want)
				}
			}
			if c.is.Processes[0].Pages.Len() != before.Len() {
				t.Error("the picture itself has changed")
			}
		})
	}
	if s := picture(whole); Keep(s, s, "p2", huge) != s {
		t.Error("a process that is not there")
	}
}
