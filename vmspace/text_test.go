package vmspace

import (
	"strings"
	"testing"
)

// A path from the kernel is shown and never obeyed, and only pages that are there get a line.
func TestWriteText(t *testing.T) {
	m := Mapping{Range: Range{0x1000, 0x4000}, Perms: Read | Write, Path: "/tmp/\x1b[2Jevil\nname", Inode: 7}
	run := Run{Start: 0x2000, Pages: 1, State: Anon, Attrs: Locked, Frame: 0x99, Mapcount: 1}
	s := &Snapshot{PageSize: 4096, Processes: []*Process{{
		Member: Member{Label: "p1", PID: 12}, State: Stopped, MinorFlt: 3, RSS: 4096,
		Mappings: NewList([]Mapping{m}), Pages: NewList([]Run{run}),
	}}}
	var b strings.Builder
	if err := s.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `p1 pid 12 stopped, rss 4096, faults 3 minor 0 major
1000-4000 rw-p file 3 pages "/tmp/\x1b[2Jevil\nname"
    2000 1 anon locked frame 0x99 mapped 1 times
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
