package vmspace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// space makes a process from words: "10-14 rw-p" or "10-14 rw-p /file@2" for mappings, "10+2 anon
// 100" for pages and their frame.
func space(t testing.TB, mappings, pages []string) *Process {
	t.Helper()
	var maps []Mapping
	for _, s := range mappings {
		var m Mapping
		var perms, file string
		if n, _ := fmt.Sscanf(s, "%d-%d %s %s", &m.Start, &m.End, &perms, &file); n < 3 {
			t.Fatalf("bad mapping %q", s)
		}
		m.Start, m.End = m.Start*pg4k, m.End*pg4k
		m.Perms, _ = ParsePerms(perms)
		if path, off, ok := strings.Cut(file, "@"); ok {
			n, _ := strconv.ParseUint(off, 10, 64)
			m.Path, m.Offset, m.Inode = path, n*pg4k, 9
		} else {
			m.Path = path
		}
		maps = append(maps, m)
	}
	var runs []Run
	for _, s := range pages {
		r := Run{Mapcount: -1}
		var state string
		if n, _ := fmt.Sscanf(s, "%d+%d %s %d %d", &r.Start, &r.Pages, &state, &r.Frame, &r.Mapcount); n < 3 {
			t.Fatalf("bad pages %q", s)
		}
		r.Start *= pg4k
		r.Word = WordPresent
		for _, i := range States {
			if i.Name == state {
				r.State = i.State
			}
		}
		runs = append(runs, r)
	}
	return &Process{Member: Member{Label: "p1", PID: 1}, Mappings: NewList(maps), Pages: NewList(runs)}
}

func show(c Change) string {
	s := string(c.Kind)
	if !c.Range.Empty() {
		s += fmt.Sprintf(" %d-%d", c.Range.Start/pg4k, c.Range.End/pg4k)
	}
	if c.From != "" || c.To != "" {
		s += " " + c.From + ">" + c.To
	}
	return s
}

func TestDiff(t *testing.T) {
	type side = [2][]string // mappings, pages
	for _, c := range []struct {
		name string
		a, b side
		want string
	}{
		{"mapped", side{{}, {}}, side{{"10-14 rw-p"}, {}}, "mapped 10-14"},
		{"unmapped, pages and all", side{{"10-14 rw-p"}, {"10+4 anon"}}, side{{}, {}}, "unmapped 10-14"},
		{"grown", side{{"10-14 rw-p"}, {}}, side{{"10-16 rw-p"}, {}}, "grown 14-16"},
		{"grown down", side{{"10-14 rw-p [stack]"}, {}}, side{{"8-14 rw-p [stack]"}, {}}, "grown 8-10 >[stack]"},
		{"shrunk", side{{"10-14 rw-p"}, {}}, side{{"10-12 rw-p"}, {}}, "shrunk 12-14"},
		{"hole", side{{"10-16 rw-p"}, {}}, side{{"10-12 rw-p", "14-16 rw-p"}, {}}, "split 10-16 1>2, unmapped 12-14"},
		{"protected part", side{{"10-16 rw-p"}, {}}, side{{"10-12 rw-p", "12-16 r--p"}, {}}, "split 10-16 1>2, perms 12-16 rw-p>r--p"},
		{"merged", side{{"10-12 rw-p", "12-16 r--p"}, {}}, side{{"10-16 rw-p"}, {}}, "perms 12-16 r--p>rw-p, merged 10-16 2>1"},
		{"mapped over", side{{"10-14 rw-p"}, {}}, side{{"10-14 rw-p /f@0"}, {}}, "unmapped 10-14, mapped 10-14 >/f"},
		{"another part of the file", side{{"10-14 rw-p /f@0"}, {}}, side{{"10-14 rw-p /f@1"}, {}}, "unmapped 10-14, mapped 10-14 >/f"},
		{"named", side{{"10-14 rw-p"}, {}}, side{{"10-14 rw-p [anon:x]"}, {}}, "renamed 10-14 >[anon:x]"},
		{"pages", side{{"10-20 rw-p"}, {"10+4 cow 100"}}, side{{"10-20 rw-p"}, {"10+1 cow 100", "11+1 anon 7", "12+2 cow 102", "15+2 zero"}},
			"page 11-12 cow>anon, page 15-17 none>zero"},
		{"pages side by side", side{{"10-20 rw-p"}, {}}, side{{"10-20 rw-p"}, {"10+1 anon 9", "11+1 anon 5"}}, "page 10-12 none>anon"},
		{"pages of two mappings", side{{"10-12 rw-p", "12-20 r--p"}, {}}, side{{"10-12 rw-p", "12-20 r--p"}, {"10+2 anon 9", "12+2 anon 5"}},
			"page 10-12 none>anon, page 12-14 none>anon"},
		{"frame", side{{"10-20 rw-p"}, {"10+4 anon 100"}}, side{{"10-20 rw-p"}, {"10+2 anon 100", "12+1 anon 50", "13+1 anon 103"}},
			"frame 12-13 anon>anon"},
		{"count", side{{"10-20 rw-s /f@0"}, {"10+4 shared 100 1"}}, side{{"10-20 rw-s /f@0"}, {"10+4 shared 100 2"}}, "count 10-14 1>2"},
		{"count not read", side{{"10-20 rw-s /f@0"}, {"10+4 shared 100 1"}}, side{{"10-20 rw-s /f@0"}, {"10+4 shared 100"}}, ""},
	} {
		a := &Snapshot{PageSize: pg4k, Processes: []*Process{space(t, c.a[0], c.a[1])}}
		b := &Snapshot{PageSize: pg4k, Processes: []*Process{space(t, c.b[0], c.b[1])}}
		var got []string
		for _, x := range Diff(a, b) {
			got = append(got, show(x))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %q, want %q", c.name, s, c.want)
		}
	}
}

// A mapping's key can change alone; where smaps was not read on either side, nothing is said of it.
func TestDiffKeys(t *testing.T) {
	plain := space(t, []string{"10-14 rw-p"}, nil)
	zero, one := keyed(plain, 10, 0), keyed(plain, 10, 1)
	for _, c := range []struct {
		a, b *Process
		want string
	}{{zero, one, "key 10-14 0>1"}, {one, zero, "key 10-14 1>0"}, {one, one, ""}, {plain, one, ""}, {one, plain, ""}} {
		got := ""
		for _, x := range Diff(&Snapshot{PageSize: pg4k, Processes: []*Process{c.a}}, &Snapshot{PageSize: pg4k, Processes: []*Process{c.b}}) {
			got += show(x)
		}
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if x, y := zero.Mappings.At(0), one.Mappings.At(0); SameMapping(&x, &y) {
		t.Error("two keys are the same")
	}
}

// A key that says something is in the JSON.
func TestJSONKeys(t *testing.T) {
	plain := space(t, []string{"10-14 rw-p"}, nil)
	for key, want := range map[int]bool{0: false, 1: true, 15: true} {
		var out strings.Builder
		if err := (&Snapshot{PageSize: pg4k, Processes: []*Process{keyed(plain, 10, key)}}).WriteJSON(&out, nil); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), fmt.Sprintf(`"protection_key":%d,`, key)) != want || strings.Contains(out.String(), "protection_key") != want {
			t.Errorf("key %d: %s", key, out.String())
		}
	}
}

func TestDiffProcesses(t *testing.T) {
	p := space(t, []string{"10-14 rw-p"}, nil)
	a := &Snapshot{PageSize: pg4k, Processes: []*Process{p}}
	for _, c := range []struct {
		edit func(*Process)
		want string
	}{
		{func(q *Process) { q.State = Zombie; q.Mappings = List[Mapping]{} }, "zombie running>zombie"},
		{func(q *Process) { q.State = Gone }, "ended running>gone"},
		{func(q *Process) { q.State = Stopped }, "state running>stopped"},
		{func(q *Process) { q.PID++ }, "ended running>gone, born >running, mapped 10-14"},
		{func(q *Process) { q.Err = "denied" }, "error >denied"},
		{func(q *Process) { q.MinorFlt++ }, ""},
	} {
		q := *p
		c.edit(&q)
		var got []string
		for _, x := range Diff(a, &Snapshot{PageSize: pg4k, Processes: []*Process{&q}}) {
			got = append(got, show(x))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%q, want %q", s, c.want)
		}
	}
	if got := Diff(nil, a); len(got) != 2 || got[0].Kind != ChangeBorn {
		t.Errorf("from nothing: %+v", got)
	}
	if got := Diff(a, nil); len(got) != 1 || got[0].Kind != ChangeEnded {
		t.Errorf("to nothing: %+v", got)
	}
}

// TestPagesIn holds that the runs of a range are all its mapped pages, in order, once, each as
// PageAt has it.
// What changed in an address space that several share is told once: of the one that acted, where it
// is among them, else of the first that lives.
func TestDiffOfSharedSpaces(t *testing.T) {
	family := func(last State, states ...ProcState) *Snapshot {
		s := &Snapshot{PageSize: pg4k, Frames: true}
		for i, state := range states {
			p := *space(t, []string{"10-14 rw-p"}, []string{"11+1 " + last.String() + " 100 1"})
			p.Member = Member{Label: fmt.Sprintf("p%d", i+1), PID: i + 1}
			if p.State = state; i > 0 && i < 3 { // the fourth has a space of its own
				p.Shares = "p1"
			}
			s.Processes = append(s.Processes, &p)
		}
		return s
	}
	const run, dead = Stopped, Zombie
	for _, c := range []struct {
		label  string
		states []ProcState
		want   string
	}{
		{"p2", []ProcState{run, run, run, run}, "p2 p4"},
		{"p3", []ProcState{run, run, run, run}, "p3 p4"},
		{"p4", []ProcState{run, run, run, run}, "p1 p4"},
		{"", []ProcState{run, run, run, run}, "p1 p4"},
		{"p2", []ProcState{run, dead, run, run}, "p1 p4"},
		{"p1", []ProcState{dead, run, run, run}, "p2 p4"},
	} {
		var told []string
		for _, ch := range DiffBy(family(Anon, c.states...), family(COW, c.states...), c.label) {
			told = append(told, ch.Process)
		}
		if got := strings.Join(told, " "); got != c.want {
			t.Errorf("%s acted, %v: told of %s, want %s", c.label, c.states, got, c.want)
		}
	}
	s := family(Anon, run, run, dead, run)
	if with := s.Sharing(s.Processes[1]); !slices.Equal(with, []string{"p1"}) {
		t.Errorf("p2 shares with %q", with)
	}
	born := DiffBy(&Snapshot{PageSize: pg4k, Processes: s.Processes[:1]}, &Snapshot{PageSize: pg4k, Processes: s.Processes[:2]}, "p1")
	if len(born) != 1 || born[0].Kind != ChangeBorn {
		t.Errorf("a process that came into a space that was there: %+v", born)
	}
}

func TestPagesIn(t *testing.T) {
	p := space(t, []string{"10-14 rw-p", "14-20 r--p", "30-40 rw-p", "50-60 rw-p"},
		[]string{"11+2 anon 100", "14+3 anon 103", "19+1 zero 5", "30+10 cow 200", "52+2 zero 5", "58+2 guard"})
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Uint64Range(0, 70).Draw(t, "lo")
		hi := rapid.Uint64Range(lo, 75).Draw(t, "hi")
		r := Range{lo * pg4k, hi * pg4k}
		if !r.Empty() {
			r.Start += rapid.Uint64Range(0, pg4k-1).Draw(t, "inside")
		}
		at := lo
		for run := range p.PagesIn(r) {
			for i := range run.Pages {
				for ; at < run.Start/pg4k+i; at++ {
					if _, ok := p.MappingAt(at * pg4k); ok {
						t.Fatalf("page %d is missing", at)
					}
				}
				want := p.PageAt(at*pg4k+5, pg4k)
				if want.State != run.State || want.Frame != run.FrameOf(i) || at >= hi {
					t.Fatalf("page %d is %+v in %+v", at, want, run)
				}
				at++
			}
		}
		for ; at < hi; at++ {
			if _, ok := p.MappingAt(at * pg4k); ok {
				t.Fatalf("page %d is missing at the end", at)
			}
		}
	})
	if n := p.Resident(Range{12 * pg4k, 31 * pg4k}); n != 1+3+1+1 {
		t.Errorf("%d pages resident", n)
	}
}

func TestWriteJSON(t *testing.T) {
	p := space(t, []string{"10-14 rw-p", "14-20 r--p /f\x1b[m\"@2"}, []string{"11+2 anon 100 1", "12+1 none", "14+3 file"})
	p.Pages = NewList(slices.DeleteFunc(p.Pages.Slice(0, 3), func(r Run) bool { return r.State == None }))
	p.MinorFlt, p.RSS = 5, 5*pg4k
	s := &Snapshot{PageSize: pg4k, Frames: true, Processes: []*Process{p, {Member: Member{Label: "p2", Parent: "p1", PID: 2, Shares: "p1"}, State: Zombie, Err: "dead"}}}
	var out bytes.Buffer
	if err := s.WriteJSON(&out, func(label string, m Mapping) string { return label + "!" }); err != nil {
		t.Fatal(err)
	}
	want := `{"page_size":4096,"processes":[{"label":"p1","pid":1,"state":"running","faults":{"minor":5,"major":0},"rss":20480,"mappings":[` +
		`{"name":"p1!","start":"0xa000","end":"0xe000","perms":"rw-p","offset":0,"device":"00:00","inode":0,"path":"","kind":"anon","rss":8192,"pages":[` +
		`{"start":"0xb000","count":2,"state":"anon","huge":false,"frame":"0x64","mapcount":1,"source":"pagemap"}]},` +
		`{"name":"p1!","start":"0xe000","end":"0x14000","perms":"r--p","offset":8192,"device":"00:00","inode":9,"path":"/f\u001b[m\"","kind":"file","rss":12288,"pages":[` +
		`{"start":"0xe000","count":3,"state":"file","huge":false,"source":"pagemap"}]}]},` +
		`{"label":"p2","parent":"p1","shares":"p1","pid":2,"state":"zombie","error":"` + "dead" + `","faults":{"minor":0,"major":0},"rss":0,"mappings":[]}]}` + "\n"
	if out.String() != want || !json.Valid(out.Bytes()) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
