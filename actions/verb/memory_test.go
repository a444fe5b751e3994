package verb

import (
	"math/bits"
	"slices"
	"testing"

	"cowscope/vmspace"
)

func TestMissingTables(t *testing.T) {
	for _, size := range []uint64{4 << 10, 16 << 10, 64 << 10} {
		missingTablesOf(t, size)
	}
}

func missingTablesOf(t *testing.T, size uint64) {
	table := size / 8 // pages
	at := func(page, pages uint64, s vmspace.State) vmspace.Run {
		return vmspace.Run{Start: page * size, Shift: uint8(bits.TrailingZeros64(size)), Pages: pages, State: s}
	}
	for name, c := range map[string]struct {
		runs []vmspace.Run
		want uint64 // tables
	}{
		"nothing":       {nil, 0},
		"one page":      {[]vmspace.Run{at(5, 1, vmspace.None)}, 1},
		"over an edge":  {[]vmspace.Run{at(table-1, 2, vmspace.None)}, 2},
		"many":          {[]vmspace.Run{at(0, table<<20, vmspace.None)}, 1 << 20},
		"there":         {[]vmspace.Run{at(0, 1<<20, vmspace.Guard)}, 0},
		"behind a page": {[]vmspace.Run{at(3, 1, vmspace.Anon), at(4, table, vmspace.None)}, 1},
		"far apart":     {[]vmspace.Run{at(0, 1, vmspace.None), at(table, 1, vmspace.None), at(9*table, 1, vmspace.None)}, 3},
		"side by side":  {[]vmspace.Run{at(0, 1, vmspace.None), at(1, 1, vmspace.Anon), at(2, 1, vmspace.None), at(3, 1, vmspace.None)}, 1},
	} {
		if got := missingTables(slices.Values(c.runs), size); got != c.want*size {
			t.Errorf("%s, pages of %d: %d bytes, want %d tables", name, size, got, c.want)
		}
	}
}
