package observe

import (
	"fmt"
	"strings"
	"testing"

	"cowscope/vmspace"
)

// TestSettleHidden has a mapping of one huge page whose bit says exclusive, of which a relative has
// pages 4 to 6: what smaps counts as mapped elsewhere decides.
func TestSettleHidden(t *testing.T) {
	const table = 512
	run := func(page, n uint64, s vmspace.State) vmspace.Run {
		return vmspace.Run{Start: (table + page) * 4096, Pages: n, Word: vmspace.WordPresent, State: s, Attrs: vmspace.Huge, Mapcount: -1}
	}
	whole := []vmspace.Run{run(0, table, vmspace.Anon)}
	guessed := []vmspace.Run{run(0, 4, vmspace.Anon), run(4, 3, vmspace.COW), run(7, table-7, vmspace.Anon)}
	for _, c := range []struct {
		shared, huge uint64 // pages that smaps counts
		want         string
	}{
		{0, table, "512 anon"},
		{3, 0, "512 anon"},
		{3, table, "4 anon 3 cow 505 anon"},
		{2, table, "4 anon 3 unknown 505 anon"},
		{4, table, "1 anon 511 unknown"},
	} {
		m := vmspace.Mapping{Range: vmspace.Range{Start: table * 4096, End: 2 * table * 4096}, Perms: vmspace.Read | vmspace.Write,
			Smaps: &vmspace.Counters{Rss: table * 4096, Private: (table - c.shared) * 4096, AnonHuge: c.huge * 4096}}
		var got []string
		for _, r := range settleHidden(vmspace.NewList([]vmspace.Mapping{m}), whole, guessed, nil, func(vmspace.Run) bool { return true }) {
			got = append(got, fmt.Sprint(r.Pages, " ", r.State))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%d pages shared, %d huge: %s, want %s", c.shared, c.huge, text, c.want)
		}
	}
	if got := behindFirst(vmspace.Range{Start: (table - 1) * 4096, End: (2*table + 1) * 4096}, 4096, true); len(got) != 2 || got[1].Start != (table+1)*4096 || got[1].Len() != (table-1)*4096 {
		t.Errorf("%v", got)
	}
}
