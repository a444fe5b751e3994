package compare

import (
	"fmt"
	"testing"

	"cowscope/vmspace"
)

// pictured makes a process; each part may have its share of memory in pages, and runs with a frame.
type pictured struct {
	part
	pss   uint64 // pages; 0 for not read
	pages []vmspace.Run
}

func picture(parts ...pictured) *vmspace.Process {
	p := &vmspace.Process{Member: vmspace.Member{Label: "p1", PID: 1}, Shift: 12}
	var maps []vmspace.Mapping
	var runs []vmspace.Run
	for _, x := range parts {
		m := vmspace.Mapping{Range: vmspace.Range{Start: x.start * pg, End: x.end * pg}, Path: x.path}
		m.Perms, _ = vmspace.ParsePerms(x.perms)
		if x.pss > 0 {
			m.Smaps = &vmspace.Counters{Pss: x.pss * pg}
		}
		maps, runs = append(maps, m), append(runs, x.pages...)
	}
	p.Mappings, p.Pages = vmspace.NewList(maps), vmspace.NewList(runs)
	return p
}

// at is a run of present pages.
func at(page, n uint64, s vmspace.State, frame uint64, attrs vmspace.Attrs) vmspace.Run {
	return vmspace.Run{Start: page * pg, Pages: n, State: s, Frame: frame, Attrs: attrs, Word: vmspace.WordPresent, Mapcount: -1, Shift: 12}
}

func span(from, to uint64) vmspace.Range { return vmspace.Range{Start: from * pg, End: to * pg} }

func TestChanged(t *testing.T) {
	const anon, cow, file, zero = vmspace.Anon, vmspace.COW, vmspace.File, vmspace.Zero
	one := func(start, end uint64, perms, path string, pss uint64, runs ...vmspace.Run) pictured {
		return pictured{part{start: start, end: end, perms: perms, path: path}, pss, runs}
	}
	for _, c := range []struct {
		name string
		a, b *vmspace.Process
		seen Evidence
		want string // written copied appeared gone alone unknown rss pss, rows
	}{
		{"nothing", picture(one(10, 20, "rw-p", "", 4, at(10, 4, anon, 0, 0))), picture(one(10, 20, "rw-p", "", 4, at(10, 4, anon, 0, 0))), Evidence{}, "0 0 0 0 0 4 0 0 true rows 0"},
		{"nothing can be written", picture(one(10, 20, "r--p", "", 4, at(10, 4, anon, 0, 0))), picture(one(10, 20, "r--p", "", 4, at(10, 4, anon, 0, 0))), Evidence{}, "0 0 0 0 0 0 0 0 true rows 0"},
		{"appeared and gone", picture(one(10, 20, "rw-p", "", 2, at(10, 2, anon, 0, 0))), picture(one(10, 20, "rw-p", "", 3, at(11, 4, anon, 0, 0))), Evidence{}, "0 0 3 1 0 1 8192 4096 true rows 1"},
		{"a file is copied, and the zero page", picture(one(10, 20, "rw-p", "/f", 0, at(10, 2, file, 0, 0), at(14, 1, zero, 0, 0))),
			picture(one(10, 20, "rw-p", "/f", 0, at(10, 1, anon, 0, 0), at(11, 1, file, 0, 0), at(14, 1, anon, 0, 0))), Evidence{}, "2 2 0 0 0 1 4096 0 false rows 1"},
		{"shared no longer: frames hidden, the same, another", picture(one(10, 20, "rw-p", "", 0, at(10, 1, cow, 0, 0), at(12, 1, cow, 70, 0), at(14, 1, cow, 80, 0))),
			picture(one(10, 20, "rw-p", "", 0, at(10, 1, anon, 0, 0), at(12, 1, anon, 70, 0), at(14, 1, anon, 90, 0))), Evidence{}, "1 1 0 0 2 2 0 0 false rows 1"},
		{"evidence", picture(one(10, 20, "rw-p", "", 0, at(10, 8, anon, 0, 0))), picture(one(10, 20, "rw-p", "", 0, at(10, 9, anon, 0, 0))),
			Evidence{Written: []vmspace.Range{span(5, 11), span(13, 14), span(18, 19)}, Covered: []vmspace.Range{span(10, 16)}}, "2 0 1 0 0 2 4096 0 false rows 1"},
		{"soft-dirty", picture(one(10, 20, "rw-p", "", 0, at(10, 2, anon, 0, 0), at(12, 2, anon, 0, vmspace.SoftDirty))),
			picture(one(10, 20, "rw-p", "", 0, at(10, 1, anon, 0, vmspace.SoftDirty), at(11, 1, anon, 0, 0), at(12, 2, anon, 0, vmspace.SoftDirty))), Evidence{SoftDirty: true}, "1 0 0 0 0 2 0 0 false rows 1"},
		{"soft-dirty of a mapping that grew", picture(one(10, 20, "rw-p", "", 0, at(10, 2, anon, 0, 0))),
			picture(one(10, 21, "rw-p", "", 0, at(10, 1, anon, 0, vmspace.SoftDirty), at(11, 1, anon, 0, 0))), Evidence{SoftDirty: true}, "0 0 0 0 0 1 0 0 false rows 1"},
		{"came and went", picture(one(10, 20, "rw-p", "", 2, at(10, 2, anon, 0, 0)), one(30, 40, "r--p", "/a", 1, at(30, 1, file, 0, 0))),
			picture(one(10, 20, "rw-p", "", 2, at(10, 2, anon, 0, 0)), one(30, 40, "r--p", "/b", 3, at(33, 3, file, 0, 0))), Evidence{}, "0 0 3 1 0 2 8192 8192 true rows 2"},
	} {
		s := Changed(c.a, c.b, pg, c.seen)
		x := s.All
		got := fmt.Sprint(x.Written, x.Copied, x.Appeared, x.Gone, x.Alone, s.Unknown, x.RSS, x.PSS, x.PSSKnown, " rows ", len(s.Rows))
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
