package compare

import (
	"encoding/json"
	"strings"
	"testing"

	"cowscope/vmspace"
)

const pg = 4096

// side makes a side of one process; mappings have runs, each in pages.
type part struct {
	start, end uint64
	perms      string
	path       string
	runs       []run
}

func side(t *testing.T, pid int, rss uint64, parts ...part) *Side {
	t.Helper()
	s := NewSide(pg)
	s.Process(&vmspace.Process{Member: vmspace.Member{Label: "p1", PID: pid}, RSS: rss})
	for _, p := range parts {
		m := vmspace.Mapping{Range: vmspace.Range{Start: p.start * pg, End: p.end * pg}, Path: p.path}
		m.Perms, _ = vmspace.ParsePerms(p.perms)
		var runs []vmspace.Run
		for _, r := range p.runs {
			runs = append(runs, vmspace.Run{Start: r.start * pg, Pages: r.pages, State: r.state})
		}
		if err := s.Pages(&m, runs); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestCompare(t *testing.T) {
	const anon, cow, none = vmspace.Anon, vmspace.COW, vmspace.None
	before := []part{
		{10, 20, "rw-p", "", []run{{10, 4, cow}, {14, 2, none}, {16, 2, anon}}},
		{30, 40, "rw-p", "[heap]", []run{{30, 1, anon}}},
		{50, 60, "r--p", "/lib", []run{{50, 10, vmspace.File}}},
		{70, 80, "rw-p", "", nil},
	}
	for _, c := range []struct {
		name  string
		b     *Side
		least uint64
		want  string
	}{
		{"nothing", side(t, 1, 100*pg, before...), 0, "p1 pid 1, mappings paired by address\nrss: 400 KiB → 400 KiB (+0 bytes)\nno mapping and no page differs\n"},
		{"by address", side(t, 1, 99*pg,
			part{10, 20, "r--p", "", []run{{10, 1, anon}, {11, 3, cow}, {14, 1, anon}}},
			part{30, 45, "rw-p", "[heap]", []run{{30, 1, anon}, {41, 2, anon}}},
			part{50, 60, "r--p", "/other", []run{{50, 1, vmspace.File}}},
			part{70, 74, "rw-p", "", nil}, part{76, 80, "rw-p", "", nil}), 0,
			`p1 pid 1, mappings paired by address
rss: 400 KiB → 396 KiB (-4 KiB)
pages: 23 → 36 none (+52 KiB), 3 → 4 anon (+4 KiB), 4 → 3 cow (-4 KiB), 10 → 1 file (-36 KiB)
became: 10 file → unmapped (40 KiB), 9 unmapped → none (36 KiB), 3 unmapped → none (12 KiB)
`},
		{"least", side(t, 1, 99*pg, part{10, 20, "rw-p", "", []run{{10, 4, cow}, {14, 6, anon}}}, before[1], before[2], before[3]), 5 * pg,
			"p1 pid 1, mappings paired by address\nrss: 400 KiB → 396 KiB (-4 KiB)\npages: 23 → 19 none (-16 KiB), 3 → 7 anon (+16 KiB)\nbecame: 4 none → anon (16 KiB)\nand 1 mapping with less, 16 KiB together\n"},
		{"by path", side(t, 2, 100*pg,
			part{110, 120, "rw-p", "", []run{{110, 10, anon}}},
			part{130, 140, "rw-p", "[heap]", []run{{130, 1, cow}}},
			part{150, 160, "r--p", "/new", []run{{150, 10, vmspace.File}}},
			part{170, 180, "rw-p", "", nil}), 0,
			`p1 pid 1 → p1 pid 2, mappings paired by path and letters
rss: 400 KiB → 400 KiB (+0 bytes)
pages: 23 → 19 none (-16 KiB), 3 → 10 anon (+28 KiB), 4 → 1 cow (-12 KiB)
   40 KiB  1 mapping  r--p file    went: 10 file  /lib
   40 KiB  1 mapping  r--p file    came: 10 file  /new
   32 KiB  2 mappings rw-p anon    14 → 10 none, 2 → 10 anon, 4 → 0 cow
    4 KiB  1 mapping  rw-p heap    1 → 0 anon, 0 → 1 cow  [heap]
`},
	} {
		d, err := Compare(side(t, 1, 100*pg, before...), c.b, c.least)
		if err != nil {
			t.Fatal(err)
		}
		var text, js strings.Builder
		if err := d.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if c.name != "by address" && text.String() != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, text.String(), c.want)
		}
		if err := d.WriteJSON(&js); err != nil || !json.Valid([]byte(js.String())) {
			t.Errorf("%s: %v %s", c.name, err, js.String())
		}
		if d.Differs() != (c.name != "nothing" && c.name != "least") {
			t.Errorf("%s: differs %v", c.name, d.Differs())
		}
		if c.name != "by address" {
			continue
		}
		for _, line := range []string{
			"   40 KiB  32000-3c000 r--p file    went: 10 file  /lib\n",
			"    4 KiB  32000-3c000 r--p file    came: 9 none, 1 file  /other\n",
			"   16 KiB  a000-14000  r--p anon    letters rw-p → r--p, 2 anon → none, 1 none → anon, 1 cow → anon\n",
			"    8 KiB  28000-2d000 rw-p heap    came: 3 none, 2 anon  [heap]\n",
			"  0 bytes  4a000-4c000 rw-p anon    went: 2 none\n",
		} {
			if !strings.Contains(text.String(), line) {
				t.Errorf("no line %sin\n%s", line, text.String())
			}
		}
		if n := strings.Count(text.String(), "KiB  ") + strings.Count(text.String(), "0 bytes  "); n != 5 {
			t.Errorf("%d lines in\n%s", n, text.String())
		}
	}
}

// Processes find their like, and those that have none came or went. Pages of different sizes are not
// compared.
func TestCouples(t *testing.T) {
	family := func(pids ...int) *Side {
		s := NewSide(pg)
		for i, pid := range pids {
			s.Process(&vmspace.Process{Member: vmspace.Member{Label: "p" + string(rune('1'+i)), PID: pid}, RSS: pg, Err: map[bool]string{true: "dead\x1b"}[pid == 9]})
		}
		return s
	}
	for _, c := range []struct {
		a, b *Side
		want string
	}{
		{family(1), family(2), "p1 pid 1 → p1 pid 2, "},
		{family(1, 2), family(2, 1), "p1 pid 1 → p2"},
		{family(1, 2), family(3, 4), "p1 pid 1 → p1 pid 3, "},
		{family(1, 2), family(1), "p2 pid 2 went: rss was 4 KiB"},
		{family(1), family(1, 5), "p2 pid 5 came: rss 4 KiB"},
		{family(1, 9), family(1, 9), "p2 pid 9 could not be read before: dead\\x1b"},
	} {
		d, err := Compare(c.a, c.b, 0)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		d.WriteText(&text)
		if c.want != "p1 pid 1 → p2" && !strings.Contains(text.String(), c.want) || c.want == "p1 pid 1 → p2" && strings.Count(text.String(), "paired by address") != 2 {
			t.Errorf("no %s in\n%s", c.want, text.String())
		}
	}
	if _, err := Compare(NewSide(4096), NewSide(65536), 0); err == nil {
		t.Error("pages of two sizes were compared")
	}
}

// Read reads what a snapshot wrote, and says which file a mistake is in.
func TestRead(t *testing.T) {
	p := &vmspace.Process{Member: vmspace.Member{Label: "p1", PID: 3}, RSS: 7, Shift: 14,
		Mappings: vmspace.NewList([]vmspace.Mapping{{Range: vmspace.Range{Start: 0x8000, End: 0x10000}, Perms: vmspace.Read}}),
		Pages:    vmspace.NewList([]vmspace.Run{{Start: 0x8000, Pages: 1, State: vmspace.Anon, Mapcount: -1, Shift: 14}, {Start: 0xc000, Pages: 1, State: vmspace.Anon, Mapcount: 1, Shift: 14}})}
	var b strings.Builder
	if err := (&vmspace.Snapshot{PageSize: 1 << 14, Processes: []*vmspace.Process{p}}).WriteJSON(&b, nil); err != nil {
		t.Fatal(err)
	}
	s, err := Read("x", strings.NewReader(b.String()), pg)
	if err != nil || s.pageSize != 1<<14 || len(s.processes) != 1 || s.processes[0].pid != 3 || s.processes[0].rss != 7 || len(s.processes[0].runs) != 1 || s.processes[0].runs[0] != (run{0x8000, 2, vmspace.Anon}) {
		t.Errorf("%v %+v", err, s)
	}
	if _, err := Read("x", strings.NewReader("{"), pg); err == nil || !strings.HasPrefix(err.Error(), "x: line 1, byte 1: ") {
		t.Error(err)
	}
}
