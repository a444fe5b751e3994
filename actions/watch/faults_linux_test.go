package watch

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"cowscope/actions/feature"
	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/fault"
	"cowscope/vmspace/observe"
)

// told opens a session that is watched, where page faults are told.
func told(t *testing.T) watched {
	t.Helper()
	w := open(t)
	if w.l.untold != "" {
		t.Skip("needs perf-faults: " + w.l.untold)
	}
	return w
}

// place is the address of a name of the session.
func (w watched) place(label, name string, page uint64) uint64 {
	w.Helper()
	st := w.s.History()[len(w.s.History())-1]
	b, ok := st.Names.Get(label, name)
	if !ok {
		w.Fatalf("%s has no %s", label, name)
	}
	return b.Start + page*st.After.PageSize
}

// A large space is not read anew all the time, but where faults were taken it is.
func TestWatchReadsWhereFaultsWere(t *testing.T) {
	w := told(t)
	w.do("a = mmap 60000p rw private anon")
	w.do("touch a 20000p write")
	const elsewhere = 50000
	// As if reading everything had taken so long that it may not be read again for weeks.
	w.l.rhythm.Forget()
	w.l.rhythm.Share = 1 << 30
	done := w.l.rhythm.Begin(observe.Everything)
	for start := time.Now(); time.Since(start) < 2*time.Millisecond; {
	}
	done()
	slow := w.l.rhythm
	for _, rings := range []*collector{w.l.rings, nil} {
		kept := w.l.rings
		w.l.rings = rings
		page := uint64(elsewhere)
		if rings == nil {
			page += 5000
		}
		w.l.rhythm = slow
		st := w.polled(fmt.Sprintf("write a+%dp 1", page))
		w.l.rings = kept
		addr := w.place("p1", "a", page)
		is := w.l.last().After.Process("p1").PageAt(addr, w.l.last().After.PageSize).State
		if rings == nil {
			if is != vmspace.None {
				t.Errorf("without rings the page is %v: the space is small, and the test shows nothing", is)
			}
			continue
		}
		if is != vmspace.Anon || st == nil || len(st.Faults) == 0 || st.Faults[0].Did != vmspace.ZeroFill && st.Faults[len(st.Faults)-1].Did != vmspace.ZeroFill {
			t.Errorf("the page is %v, the step %+v", is, st)
		}
	}
}

// What every fault did is told with the step in which the page changed, of the process that took it.
func TestWatchFaults(t *testing.T) {
	w := told(t)
	w.do("file f 40p")
	zeros, _, _ := feature.Available("zero-page")
	for _, c := range []struct {
		line, label, name string
		page, pages       uint64
		did               vmspace.Happening
	}{
		{"a = mmap 8p rw private anon", "", "", 0, 0, ""},
		{"write a 1", "p1", "a", 0, 1, vmspace.ZeroFill},
		{"write a 2", "", "", 0, 0, ""},
		{"read a+1p 1", "p1", "a", 1, 1, vmspace.ZeroMap},
		{"write a+1p 1", "p1", "a", 1, 1, vmspace.ZeroFill},
		{"fill a+2p 3p 1", "p1", "a", 2, 3, vmspace.ZeroFill},
		{"b = mmap 2p rw private file=f", "", "", 0, 0, ""},
		{"read b 1", "p1", "b", 0, 1, vmspace.MapPage},
		{"write b 1", "p1", "b", 0, 1, vmspace.Copy},
		{"c = mmap 2p rw private file=f offset=32p", "", "", 0, 0, ""},
		{"write c 1", "p1", "c", 0, 1, vmspace.Copy},
		{"d = mmap 2p rw shared anon", "", "", 0, 0, ""},
		{"write d 1", "p1", "d", 0, 1, vmspace.MapPage},
		{"fork", "", "", 0, 0, ""},
		{"@p2 write a 3", "p2", "a", 0, 1, vmspace.Copy},
		{"@p1 write a+2p 3", "p1", "a", 2, 1, vmspace.Copy},
	} {
		st := w.do(c.line)
		if st == nil {
			st = &history.Step{}
		}
		if st.Lost > 0 {
			t.Fatalf("%s: %d faults were lost", c.line, st.Lost)
		}
		if c.name == "" {
			for _, f := range st.Faults {
				if !f.Kernel && st.After.Process(f.Process).Alive() && c.line == "write a 2" {
					t.Errorf("%s: a fault, %+v", c.line, f)
				}
			}
			continue
		}
		pid := st.After.Process(c.label).PID
		want := history.Fault{Process: c.label, TID: pid, Start: w.place(c.label, c.name, c.page), Pages: c.pages, Count: c.pages, Did: c.did}
		found := false
		for _, f := range st.Faults {
			if !f.Covers(want.Process, want.Start, st.After.PageSize) {
				continue
			}
			found = true
			if f.At.Object == "" || f.At.At == 0 || !strings.Contains(f.Where(), "+0x") {
				t.Errorf("%s: at %q", c.line, f.Where())
			}
			if !zeros && (c.did == vmspace.ZeroMap || c.did == vmspace.ZeroFill) {
				f.Did = c.did // which of the two it was does not show
			}
			if f.At = (vmspace.Place{}); c.did == vmspace.MapPage || c.did == vmspace.Copy {
				want.Major = f.Major // a page of a file may have to be read
			}
			if f != want {
				t.Errorf("%s: %+v, want %+v", c.line, f, want)
			}
		}
		if !found {
			t.Fatalf("%s: no fault on %#x: %+v", c.line, want.Start, st.Faults)
		}
		if !strings.Contains(st.Why, "page fault") {
			t.Errorf("%s: %s", c.line, st.Why)
		}
	}
	steps := w.l.History()
	who := func(label, name string, page uint64) history.Touched {
		return history.TouchedBy(steps, label, w.place(label, name, page))
	}
	p1, p2 := w.l.last().After.Process("p1").PID, w.l.last().After.Process("p2").PID
	if got := who("p2", "a", 0); got.First != nil || got.Copied == nil || got.Copied.TID != p2 {
		t.Errorf("the child's copy: %+v", got)
	}
	if got := who("p1", "a", 2); got.First == nil || got.First.TID != p1 || got.First.Did != vmspace.ZeroFill || got.Copied == nil || got.Copied.TID != p1 {
		t.Errorf("the parent's copy: %+v", got)
	}
	if got := who("p1", "a", 1); got.First == nil || got.First.Did != vmspace.ZeroMap || got.Last == nil || got.Last.Did != vmspace.ZeroFill || got.Copied != nil {
		t.Errorf("a page that was read first: %+v", got)
	}
	if got := who("p1", "a", 7); got != (history.Touched{}) {
		t.Errorf("an untouched page: %+v", got)
	}
	w.do("@p1 madvise a+2p 1p dontneed")
	steps = w.l.History()
	if got := who("p1", "a", 2); got != (history.Touched{}) {
		t.Errorf("a page that was dropped: %+v", got)
	}
	w.do("@p1 write a+2p 1")
	steps = w.l.History()
	if got := who("p1", "a", 2); got.First == nil || got.First != got.Last || got.Copied != nil {
		t.Errorf("a page that came again: %+v", got)
	}
	if got := w.l.Touches(); len(got.Spots) == 0 || got.Elsewhere+got.Lost > 0 || got.Spots[0].Count < got.Spots[len(got.Spots)-1].Count {
		t.Errorf("%+v", got)
	}
}

// One fault brings a whole huge page, and all of it is told to be touched by it.
func TestWatchFaultsHuge(t *testing.T) {
	w := told(t)
	block := vmspace.HugeBlock(w.l.last().After.PageSize)
	w.do(fmt.Sprintf("a = mmap %d rw private anon", 3*block))
	w.do("madvise a hugepage")
	start := w.place("p1", "a", 0)
	st := w.do(fmt.Sprintf("write 0x%x 1", (start+2*block)&^(block-1)))
	addr := (start+2*block)&^(block-1) + block/2
	if run := st.After.Process("p1").PageAt(addr, st.After.PageSize); run.Attrs&vmspace.Huge == 0 {
		t.Skip("needs thp: the kernel had no huge page to give, or does not say so")
	}
	got := history.TouchedBy(w.l.History(), "p1", addr)
	if got.First == nil || got.First.Count != 1 || got.First.Pages != block/st.After.PageSize || got.First.Did != vmspace.ZeroFill {
		t.Errorf("%+v", got.First)
	}
}

// Watching ends with nothing left: no descriptor, no thread of its own that goes on.
func TestWatchFaultsClose(t *testing.T) {
	before := events(t)
	l, err := Open(context.Background(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if l.untold == "" && events(t) == before {
		t.Error("nothing is open")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if n := events(t); n != before {
		t.Errorf("%d perf events are open, %d before", n, before)
	}
	if l.rings == nil {
		t.Skip("needs perf-faults: " + l.untold)
	}
	select {
	case <-l.rings.ended:
	default:
		t.Error("it is still drained")
	}
}

func events(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "perf_event") {
			n++
		}
	}
	return n
}

// Where perf events are refused, watching goes on, and says once what would help.
func TestWatchWithoutFaults(t *testing.T) {
	w := open(t)
	w.l.rings.close()
	w.l.rings, w.l.untold = nil, "perf_event_open answers EACCES: sysctl kernel.perf_event_paranoid=2 would help; it is 4"
	w.do("a = mmap 4p rw private anon")
	st := w.do("write a 1")
	if st == nil || !strings.Contains(st.Why, "1 page none → anon") || len(st.Faults) > 0 || st.Lost > 0 {
		t.Errorf("%+v", st)
	}
	if !strings.Contains(w.l.Untold(), "perf_event_paranoid=2") {
		t.Error(w.l.Untold())
	}
}

// However many faults there are, what is kept of them is limited, and all are counted.
func TestFaultsAreBounded(t *testing.T) {
	const page = 4096
	c := &collector{page: page}
	c.forget()
	const all = mostPages + 3*mostCode
	for i := range uint64(all) {
		c.add(fault.Event{PID: 10, TID: 11, IP: 0x1000 + i%5000, Addr: 0x10_0000_0000 + 3*i*page, Time: time.Duration(i)})
	}
	c.add(fault.Event{Kind: fault.Exit, PID: 10, TID: 11})
	if len(c.pages) > mostPages || len(c.others) > mostCode {
		t.Errorf("%d pages, %d others", len(c.pages), len(c.others))
	}
	var got taken
	for _, a := range c.pages {
		got.pages = append(got.pages, a)
	}
	for _, a := range c.others {
		got.others = append(got.others, a)
	}
	p := &vmspace.Process{Member: vmspace.Member{Label: "p1", PID: 10}}
	snap := &vmspace.Snapshot{PageSize: page, Processes: []*vmspace.Process{p}}
	l := &Lab{locate: inObject}
	faults := l.tell(got, snap, snap)
	count := c.lost
	for i, f := range faults {
		count += f.Count
		if i > 0 && f.Start < faults[i-1].Start {
			t.Fatal("they are not in the order of addresses")
		}
	}
	if count != all || len(faults) > 2*mostFaults+1 {
		t.Errorf("%d of %d, in %d entries", count, all, len(faults))
	}
}

// Of a process with a new program the pages from before are not told apart any more.
func TestFaultsBeforeExec(t *testing.T) {
	c := &collector{page: 4096}
	c.forget()
	for i := range uint64(3) {
		c.add(fault.Event{PID: 10, TID: 10, IP: 7, Addr: 4096 * i})
	}
	c.add(fault.Event{PID: 20, TID: 20, IP: 7, Addr: 4096})
	c.add(fault.Event{Kind: fault.Exec, PID: 10, TID: 10})
	if len(c.pages) != 1 || len(c.others) != 1 {
		t.Fatalf("%d pages, %d others", len(c.pages), len(c.others))
	}
	for _, a := range c.others {
		if a.pid != 10 || a.count != 3 {
			t.Errorf("%+v", a)
		}
	}
}

// Pages side by side are told as one only where all else is the same, and of one page the order is
// that of time.
func TestFaultsMerge(t *testing.T) {
	at := func(page uint64, ip uint64, first int) *acts {
		return &acts{act: act{pid: 10, tid: 10, page: page * 4096, ip: ip}, at: page * 4096, count: 1, first: time.Duration(first)}
	}
	p := &vmspace.Process{Member: vmspace.Member{Label: "p1", PID: 10}}
	snap := &vmspace.Snapshot{PageSize: 4096, Processes: []*vmspace.Process{p}}
	for _, c := range []struct {
		pages []*acts
		want  string
	}{
		{[]*acts{at(3, 7, 3), at(1, 7, 1), at(2, 7, 2)}, "1+3@7"},
		{[]*acts{at(1, 7, 1), at(3, 7, 2)}, "1+1@7 3+1@7"},
		{[]*acts{at(1, 7, 1), at(2, 8, 2)}, "1+1@7 2+1@8"},
		{[]*acts{at(1, 7, 1), at(1, 8, 2), at(2, 7, 3), at(2, 8, 4)}, "1+2@7 1+2@8"},
		{[]*acts{at(1, 8, 1), at(2, 7, 2), at(2, 8, 3)}, "1+1@8 2+1@7 2+1@8"}, // not before what came first
	} {
		var got []string
		for _, f := range (&Lab{locate: inObject}).tell(taken{pages: c.pages}, snap, snap) {
			got = append(got, fmt.Sprintf("%d+%d@%d", f.Start/4096, f.Pages, f.At.At))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s, want %s", s, c.want)
		}
	}
}

// inObject is the place in the mapped file, without names.
func inObject(_ int, m vmspace.Mapping, addr uint64) vmspace.Place {
	switch {
	case m.Inode != 0:
		return vmspace.Place{Object: m.Path, At: addr - m.Start + m.Offset}
	case m.Kind() == vmspace.KindSpecial:
		return vmspace.Place{Object: m.Path, At: addr - m.Start}
	}
	return vmspace.Place{At: addr}
}

// The bill of a fork says which code has copied since, and how much.
func TestBillSaysWhoCopies(t *testing.T) {
	w := told(t)
	for _, line := range []string{"a = mmap 64p rw private anon", "file f 4p", "b = mmap 4p rw private file=f", "fill a 1", "fork"} {
		w.do(line)
	}
	for _, line := range []string{"@p1 touch a 7p write", "@p2 touch a+7p 11p write", "@p2 write b 1", "@p1 write a 3"} {
		w.do(line)
	}
	b := w.l.Bill(w.l.last().After)
	copied := map[string]uint64{}
	for _, c := range b.Forks[0].Copiers {
		if c.At == "" {
			t.Errorf("%+v", c)
		}
		copied[c.Process] += c.Faults
	}
	if copied["p1"] != 7 || copied["p2"] != 11 || b.Forks[0].Copied.Pages != 18 {
		t.Errorf("copied %v, and %+v", copied, b.Forks[0].Copied)
	}
	if text := strings.Join(b.Lines(), "\n"); !strings.Contains(text, fmt.Sprintf(" copied by p2 at %s", b.Forks[0].Copiers[0].At)) {
		t.Error(text)
	}
}

// Where a fork comes between two pictures, what its two sides then did to the pages that they share is
// a copy, and not a page that came anew: by the frame that the other one still has. Without frame
// numbers nothing is said.
func TestFaultsAcrossAFork(t *testing.T) {
	w := told(t)
	for _, line := range []string{"a = mmap 64p rw private anon", "touch a 32p write"} {
		w.do(line)
	}
	for _, line := range []string{"fork", "@p2 touch a 7p write", "@p2 fill a+40p 3p 1", "@p1 touch a+8p 2p write", "@p1 fill a+50p 4p 1"} {
		if st, err := w.s.Do(context.Background(), line); err != nil || !st.OK() {
			t.Fatalf("%s: %v", line, err)
		}
	}
	st := w.do("@p1 read a+20p 1")
	did := map[string]uint64{}
	for _, f := range st.Faults {
		if a := w.place("p1", "a", 0); f.Start >= a && f.Start < a+64*st.After.PageSize {
			did[f.Process+" "+string(f.Did)] += f.Count
		}
	}
	want := map[string]uint64{"p1 copy": 2, "p2 copy": 7, "p1 zero-fill": 4, "p2 zero-fill": 3}
	if !st.After.Frames {
		want = map[string]uint64{"p1 ": 2, "p2 ": 7, "p1 zero-fill": 4, "p2 zero-fill": 3}
	}
	if !maps.Equal(did, want) {
		t.Errorf("%v, want %v", did, want)
	}
}
