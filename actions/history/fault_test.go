package history

import (
	"fmt"
	"testing"

	"cowscope/vmspace"
)

const testPage = 4096

// pictured is a snapshot in which p1 has one mapping of four pages, of which these are anonymous.
func pictured(present ...uint64) *vmspace.Snapshot {
	p := &vmspace.Process{Member: vmspace.Member{Label: "p1", PID: 1}}
	p.Mappings = vmspace.Keep([]vmspace.Mapping{{Range: vmspace.Range{Start: 0x1000, End: 0x5000}}})
	var runs []vmspace.Run
	for _, at := range present {
		runs = append(runs, vmspace.Run{Start: at, Pages: 1, State: vmspace.Anon, Word: vmspace.WordPresent})
	}
	p.Pages = vmspace.Keep(runs)
	return &vmspace.Snapshot{PageSize: testPage, Processes: []*vmspace.Process{p}}
}

// Who touched a page is said only as far back as it is known to be the same page.
func TestTouchedBy(t *testing.T) {
	none, there := pictured(), pictured(0x2000)
	by := func(tid int, did vmspace.Happening) Fault {
		return Fault{Process: "p1", TID: tid, Start: 0x1000, Pages: 2, Count: 2, Did: did}
	}
	step := func(n int, before, after *vmspace.Snapshot, faults ...Fault) *Step {
		return &Step{N: n, Before: before, After: after, Faults: faults}
	}
	for _, c := range []struct {
		name                string
		steps               []*Step
		first, copied, last int
	}{
		{"it came with a fault", []*Step{step(0, none, there, by(1, vmspace.ZeroFill)), step(1, there, there)}, 1, 0, 1},
		{"two faults in one picture", []*Step{step(0, none, there, by(1, ""), by(2, ""))}, 1, 0, 2},
		{"copied later", []*Step{step(0, none, there, by(1, vmspace.MapPage)), step(1, there, there, by(2, vmspace.Copy))}, 1, 2, 2},
		{"it was there before", []*Step{step(0, nil, there), step(1, there, there, by(2, vmspace.Copy))}, 0, 2, 2},
		{"it came, and nobody is known", []*Step{step(0, none, there, by(1, vmspace.ZeroFill)), step(1, there, none), step(2, none, there), step(3, there, there, by(3, vmspace.Copy))}, 0, 3, 3},
		{"a fault that may have brought it anew", []*Step{step(0, none, there, by(1, vmspace.ZeroFill)), step(1, there, there, by(2, "")), step(2, there, there)}, 0, 0, 2},
		{"steps are missing", []*Step{step(0, none, there, by(1, vmspace.ZeroFill)), step(5, there, there, by(2, vmspace.Copy))}, 0, 2, 2},
		{"it is not there", []*Step{step(0, none, there, by(1, vmspace.ZeroFill)), step(1, there, none)}, 0, 0, 0},
		{"of another page", []*Step{step(0, none, there, Fault{Process: "p1", TID: 1, Start: 0x3000, Pages: 1}, Fault{Process: "p2", TID: 1, Start: 0x2000, Pages: 1}, Fault{Process: "p1", TID: 1, Start: 0x2000})}, 0, 0, 0},
	} {
		got := TouchedBy(c.steps, "p1", 0x2000)
		tid := func(f *Fault) int {
			if f == nil {
				return 0
			}
			return f.TID
		}
		if g := fmt.Sprint(tid(got.First), tid(got.Copied), tid(got.Last)); g != fmt.Sprint(c.first, c.copied, c.last) {
			t.Errorf("%s: %s, want %d %d %d", c.name, g, c.first, c.copied, c.last)
		}
	}
}

func TestPlace(t *testing.T) {
	for want, p := range map[string]vmspace.Place{
		"a.c:20 main":       {Function: "main", File: "/src/a.c", Line: 20, Object: "/bin/a"},
		"a.c:20":            {File: "a.c", Line: 20},
		"memcpy+0x1c":       {Function: "memcpy", Offset: 0x1c, Object: "/lib/libc.so.6"},
		"libc.so.6+0x9f3a0": {Object: "/lib/libc.so.6", At: 0x9f3a0},
		"0x7f00":            {At: 0x7f00},
		`a\x1b[2J+0x0`:      {Function: "a\x1b[2J"}, // a name may hold anything
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := (Fault{Kernel: true, At: vmspace.Place{At: 1}}).Where(); got != "in the kernel" {
		t.Error(got)
	}
}

// Faults are added up by place and by what they did; however many places there are, all are counted.
func TestSpots(t *testing.T) {
	var s Spots
	a, b := vmspace.Place{Object: "/bin/a", At: 1}, vmspace.Place{Object: "/bin/a", At: 2}
	s.Add([]Fault{{Process: "p1", Count: 2, At: a, Did: vmspace.ZeroFill}, {Process: "p2", TID: 3, Count: 3, Major: 1, At: a, Did: vmspace.ZeroFill}, {Count: 1, At: a, Did: vmspace.Copy}, {Count: 4, At: b}}, 7)
	got := s.Tally()
	if g := fmt.Sprint(got); g != "{[{a+0x1 zero-fill 5 1 /bin/a} {a+0x2  4 0 /bin/a} {a+0x1 copy 1 0 /bin/a}] 0 7}" {
		t.Error(g)
	}
	for i := range uint64(2 * mostSpots) {
		s.Add([]Fault{{Count: 1, At: vmspace.Place{At: i}}}, 1)
	}
	if got = s.Tally(); len(got.Spots) != mostSpots || got.Elsewhere != mostSpots+3 || got.Lost != 7+2*mostSpots {
		t.Errorf("%d places, %d elsewhere, %d lost", len(got.Spots), got.Elsewhere, got.Lost)
	}
}

// Each fault is an object with the fields that watch --json promises.
func TestFaultList(t *testing.T) {
	b, err := EncodeJSON(FaultList([]Fault{{Process: "p1", TID: 9, Start: 0x2000, Pages: 1, Count: 1, Did: vmspace.Copy, At: vmspace.Place{Function: "main", File: "/a.c", Line: 20}}, {Count: 2, Kernel: true}}))
	want := `[{"process":"p1","thread":9,"address":"0x2000","pages":1,"count":1,"happened":"copy","at":{"function":"main","file":"/a.c","line":20}},` +
		`{"process":"","thread":0,"address":"0x0","count":2,"kernel":true,"at":{}}]` + "\n"
	if err != nil || string(b) != want {
		t.Errorf("%v\n%s\n%s", err, b, want)
	}
}
