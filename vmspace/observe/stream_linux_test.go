package observe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// littleSizes are the layouts' sizes for tests: some batches each.
var littleSizes = map[string]uint64{"vmas": 5000, "vmasfile": 2000, "dense": 50000, "sparse": 1500, "sparsenone": 1500, "mixed": 4096}

// still stops the puppet and waits until it stands.
func (p *puppet) still(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(p.cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("waiting for the stop: %v %v", status, err)
	}
}

// TestLayouts reads every large layout in every way there is, and holds each against the others and
// against the truth.
func TestLayouts(t *testing.T) {
	for i := range layouts {
		l := &layouts[i]
		t.Run(l.name, func(t *testing.T) {
			l.needs(t)
			n := littleSizes[l.name]
			p, r := l.start(t, n)
			p.still(t)
			var first *vmspace.Process
			for _, way := range []struct {
				name string
				o    Options
			}{{"one worker", Options{Workers: 1}}, {"three workers", Options{Workers: 3}}, {"gentle", Options{Gentle: true}},
				{"no query", Options{NoQuery: true}}, {"no scan", Options{NoScan: true}}} {
				way.o.SmallMappings, way.o.KPageBudget = -1, -1
				rd := newReader(t, way.o)
				if way.o.NoScan && (!rd.Features().Frames || l.sparse()) {
					continue // cannot tell the zero page; reads the words of 1 TiB, which takes a second
				}
				q := read(t, rd, p.family()[:1]).Processes[0]
				if first == nil {
					first = q
					holdTruth(t, l.truth(n), q, r)
				}
				if d := unlike(first, q, r, way.o.NoScan); d != "" {
					t.Errorf("%s reads something else: %s", way.name, d)
				}
			}
		})
	}
}

func (l *layout) sparse() bool { return l.name == "sparse" || l.name == "sparsenone" }

// needs skips a layout that would keep this kernel busy for minutes.
func (l *layout) needs(t *testing.T) {
	if l.sparse() {
		needsScan(t)
	}
}

func needsScan(t *testing.T) {
	if !newReader(t, Options{}).Features().Scan {
		t.Skip("needs scan: without it the words of 1 TiB are read again and again")
	}
}

// holdTruth counts the states of the pages in r.
func holdTruth(t *testing.T, want map[vmspace.State]uint64, p *vmspace.Process, r vmspace.Range) {
	t.Helper()
	if n, ok := want[vmspace.Guard]; ok {
		delete(want, vmspace.Guard)
		if s := guardsAre(t); s != vmspace.None {
			want[s] = n
		}
	}
	got := map[vmspace.State]uint64{}
	for _, x := range runsIn(p.Pages, r) {
		got[x.State] += x.Pages
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("pages by state: %v, want %v", got, want)
	}
}

// unlike says where two processes are not the same in r: outside of it are pages of files that
// others map. Without the scan its categories are not compared, nor what is asked in its place.
func unlike(a, b *vmspace.Process, r vmspace.Range, noScan bool) string {
	equal := func(x, y vmspace.Mapping) bool { return vmspace.SameMapping(&x, &y) }
	if !slices.EqualFunc(a.Mappings.Slice(0, a.Mappings.Len()), b.Mappings.Slice(0, b.Mappings.Len()), equal) {
		return "mappings"
	}
	if len(b.Changed) > 0 {
		return fmt.Sprintf("changed %v", b.Changed)
	}
	var at string
	as, bs := runsIn(a.Pages, r), runsIn(b.Pages, r)
	vmspace.PairRuns(as, bs, func(x, y vmspace.Run) {
		if noScan {
			x.Scan, x.KFlags, x.Mapcount = y.Scan, y.KFlags, y.Mapcount
		}
		if x != y && at == "" {
			at = fmt.Sprintf("%+v, %+v", x, y)
		}
	})
	if at == "" && len(as) != len(bs) {
		at = fmt.Sprintf("%d runs, %d runs", len(as), len(bs))
	}
	return at
}

// TestStream holds what is streamed against the snapshot of the same process, byte by byte.
func TestStream(t *testing.T) {
	for i := range layouts {
		l := &layouts[i]
		t.Run(l.name, func(t *testing.T) {
			l.needs(t)
			n := littleSizes[l.name]
			if testing.Short() {
				n /= 4
			}
			p, _ := l.start(t, n)
			p.still(t)
			m := p.family()[0]
			for _, o := range []Options{{Workers: 1}, {Workers: 3}, {NoQuery: true}} {
				full := newReader(t, Options{SmallMappings: 1 << 30, SmallPages: 1 << 40})
				r := newReader(t, o)
				snapshot := func() *vmspace.Snapshot { return read(t, full, []vmspace.Member{m}) }
				sameBytes(t, func(w io.Writer) error { return snapshot().WriteJSON(w, nil) }, func(w io.Writer) error { return r.Stream(ctx, m, vmspace.NewJSON(w, pg, r.features.Frames, nil)) })
				sameBytes(t, func(w io.Writer) error { return snapshot().WriteText(w) }, func(w io.Writer) error { return r.Stream(ctx, m, vmspace.NewText(w, pg)) })
			}
		})
	}
}

// withoutLibraries leaves out the numbers of mapped libraries, and of what the kernel lends to every
// process: they change as other processes come and go.
func withoutLibraries(b []byte) string {
	library := regexp.MustCompile(`^"([^"]*\.so[.0-9]*|\[v(dso|var|var_vclock)\])"`)
	parts := strings.Split(string(b), `"path":`)
	for i, part := range parts[1:] {
		if name := library.FindString(part); name != "" {
			parts[i+1] = name + part[max(strings.LastIndex(part, `"perms":`), len(name)):] // of the next mapping
		}
	}
	var lines []string
	inside := false
	for line := range strings.Lines(strings.Join(parts, "")) {
		if !strings.HasPrefix(line, " ") {
			inside = strings.Contains(line, ".so") || strings.Contains(line, "[v")
		}
		if !inside || !strings.HasPrefix(line, " ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// sameBytes holds what two writers write of a process that stands still against each other. Others
// do not stand still, and the counts of libraries follow their coming and going: a difference
// counts if it is there again and again, and is not in these alone.
func sameBytes(t *testing.T, want, got func(io.Writer) error) {
	t.Helper()
	var a, b bytes.Buffer
	for range 20 {
		a.Reset()
		b.Reset()
		if err := errors.Join(want(&a), got(&b)); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(a.Bytes(), b.Bytes()) {
			return
		}
	}
	if withoutLibraries(a.Bytes()) == withoutLibraries(b.Bytes()) {
		return
	}
	at := 0
	for at < min(a.Len(), b.Len()) && a.Bytes()[at] == b.Bytes()[at] {
		at++
	}
	from := max(0, at-80)
	t.Errorf("differ at byte %d of %d and %d: %.200q, want %.200q", at, b.Len(), a.Len(), b.Bytes()[from:], a.Bytes()[from:])
}

// sink is a Sink of two functions, nil for none.
type sink struct {
	process func(*vmspace.Process)
	pages   func([]vmspace.Run) error
}

func (s sink) Process(p *vmspace.Process) error {
	if s.process != nil {
		s.process(p)
	}
	return nil
}

func (s sink) Pages(_ *vmspace.Mapping, runs []vmspace.Run) error {
	if s.pages != nil {
		return s.pages(runs)
	}
	return nil
}

func (s sink) End([]vmspace.Range) error { return nil }
func (s sink) Close(bool) error          { return nil }

// TestStreamOfTheDying has the process die when its mappings were told: that is an error, however
// the reading goes on.
func TestStreamOfTheDying(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena, 2000*pg, rw, private)
	p.must("fill %d %d", arena, 2000*pg)
	kid := p.child[p.fork()]
	r := newReader(t, Options{})
	pages := uint64(0)
	err := r.Stream(ctx, vmspace.Member{Label: "p2", PID: kid}, sink{func(q *vmspace.Process) {
		if m, ok := q.MappingAt(arena); !ok || m.Smaps == nil || m.Smaps.Rss != 2000*pg {
			t.Errorf("the mapping is %+v", m)
		}
		p.inChild(0, 'x', 0, 0)
		p.must("wait %d", kid)
	}, func(runs []vmspace.Run) error {
		for _, x := range runs {
			pages += x.Pages
		}
		return nil
	}})
	if err == nil || err.Error() != errGone {
		t.Errorf("a process that died while it was read: %v, after %d pages; want %q", err, pages, errGone)
	}
	if err = r.Stream(ctx, vmspace.Member{Label: "p2", PID: kid}, sink{}); err == nil || err.Error() != errGone {
		t.Errorf("a process that is gone: %v", err)
	}
	if name, _ := os.ReadFile("/proc/2/comm"); os.Geteuid() == 0 && string(name) == "kthreadd\n" {
		if err = r.Stream(ctx, vmspace.Member{Label: "p1", PID: 2}, sink{}); err == nil || err.Error() != errNoSpace {
			t.Errorf("a kernel thread: %v", err)
		}
	} else if err = r.Stream(ctx, vmspace.Member{Label: "p1", PID: 1}, sink{}); os.Geteuid() != 0 && (err == nil || err.Error() != errDenied) {
		t.Errorf("a process of somebody else: %v", err)
	}
	stop := errors.New("enough")
	if err = r.Stream(ctx, p.family()[0], sink{pages: func([]vmspace.Run) error { return stop }}); err != stop {
		t.Errorf("a stream that is told to stop says %v", err)
	}
}

// TestExec has a process begin another program between two readings, and in the middle of one.
func TestExec(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena, 2000*pg, rw, private)
	for _, o := range []Options{{}, {SmallMappings: -1}, {NoQuery: true, SmallMappings: -1}} {
		kid := vmspace.Member{Label: "p2", PID: p.child[p.fork()]}
		r := newReader(t, o)
		read(t, r, []vmspace.Member{kid})
		err := r.Stream(ctx, kid, sink{process: func(*vmspace.Process) {
			p.ask("child %d %d 0 0", kid.PID, 'e') // no answer comes: the pipes close, and the new program stands
		}})
		if err == nil || err.Error() != errExec.Error() {
			t.Errorf("in the middle: %v, want %v", err, errExec)
		}
		q := read(t, r, []vmspace.Member{kid}).Processes[0]
		if _, ok := q.MappingAt(arena); ok || q.Mappings.Len() == 0 || q.Pages.Len() == 0 {
			t.Errorf("afterwards there are %d mappings, of the old program: %v", q.Mappings.Len(), ok)
		}
		if err := unix.Kill(kid.PID, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.must("wait %d", kid.PID)
	}
}

// TestReserved: a reservation costs nothing, however large.
func TestReserved(t *testing.T) {
	needsScan(t)
	p := startPuppet(t)
	addr := p.must("call %d 0 %d %d %d %d 0", unix.SYS_MMAP, uint64(1<<40), rw, private|unix.MAP_NORESERVE, uint64(1<<64-1))
	for _, at := range []uint64{0, 1 << 39, 1<<40 - pg} {
		p.store(addr+at, 1)
	}
	r := newReader(t, Options{SmallMappings: -1, KPageBudget: -1})
	q := read(t, r, p.family()).Processes[0]
	r.startCost()
	runs, err := r.pages.read(r.procs[q.PID], q.Mappings, []vmspace.Range{{Start: addr, End: addr + 1<<40}})
	if c := r.Cost(); err != nil || len(runs) != 3 || c.Calls > 4 {
		t.Errorf("1 TiB with three pages in it: %d runs, %+v, %v", len(runs), c, err)
	}
}

// TestReadOfTheDying reads children while they die: all of their pages are told, or that they are
// dead.
func TestReadOfTheDying(t *testing.T) {
	p := startPuppet(t)
	const pages = 30000
	p.mmap(arena, pages*pg, rw, private)
	p.must("call %d %d %d %d", unix.SYS_MADVISE, uint64(arena), uint64(pages*pg), unix.MADV_NOHUGEPAGE)
	p.must("fill %d %d", arena, uint64(pages*pg))
	r := newReader(t, Options{KPageBudget: -1})
	alive, dead := 0, 0
	for range 40 {
		kid := p.child[p.fork()]
		killed := make(chan error)
		ready := make(chan bool)
		go func() {
			<-ready
			killed <- unix.Kill(kid, unix.SIGKILL)
		}()
		for first := true; ; first = false {
			s, err := r.Observe(ctx, []vmspace.Member{{Label: "p2", PID: kid}}, Scope{})
			if err != nil {
				t.Fatal(err)
			}
			q := s.Processes[0]
			if q.Err != "" {
				if q.State < vmspace.Zombie || q.Err != errZombie && q.Err != errGone || q.Mappings.Len()+q.Pages.Len() > 0 {
					t.Fatalf("dead, and told as %v, %q with %d mappings", q.State, q.Err, q.Mappings.Len())
				}
				dead++
				break
			}
			if n := q.Resident(vmspace.Range{Start: arena, End: arena + pages*pg}); n != pages {
				t.Fatalf("%d of %d pages of a process in state %v", n, uint64(pages), q.State)
			}
			alive++
			if first {
				close(ready)
			}
		}
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		p.must("wait %d", kid)
	}
	if alive < 40 || dead != 40 {
		t.Errorf("%d readings of the living, %d of the dead", alive, dead)
	}
}

// TestNothingPerPage: however many pages and mappings, reading and parsing them again allocates
// next to nothing.
func TestNothingPerPage(t *testing.T) {
	p, _ := layouts[0].start(t, 4000)
	p.still(t)
	r := newReader(t, Options{SmallMappings: -1, KPageBudget: -1})
	q := read(t, r, p.family()).Processes[0]
	f := r.procs[q.PID]
	if runs := q.Pages.Len(); runs < 4000 {
		t.Fatalf("only %d runs", runs)
	}
	text, err := readAll(f.maps, nil)
	counters, err2 := []byte(nil), f.need(&f.smaps, "smaps")
	if err2 == nil {
		counters, err2 = readAll(f.smaps, nil)
	}
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	var maps []vmspace.Mapping
	smaps := procfs.SmapsParser{}
	for _, c := range []struct {
		name string
		most float64
		do   func() error
	}{
		{"pages", 60, func() error { _, err := r.pages.read(f, q.Mappings, []vmspace.Range{vmspace.Everything}); return err }},
		{"comparing", 4, func() error {
			if !r.features.Query {
				return nil
			}
			_, err := r.query.differences(f.maps, q.Mappings, vmspace.Range{Start: 0, End: userEnd(q.Mappings)}, nil)
			return err
		}},
		{"maps", 40, func() (err error) { maps, err = procfs.ParseMaps(maps[:0], text); return err }},
		{"smaps", 4000/128 + 60, func() error { smaps.Reset(); return smaps.Parse(counters) }},
	} {
		if n := testing.AllocsPerRun(3, func() { err = errors.Join(err, c.do()) }); n > c.most || err != nil {
			t.Errorf("%s of 4,000 mappings and 10,000 pages: %v allocations, at most %v wanted; %v", c.name, n, c.most, err)
		}
	}
}

// TestCost holds that only a gentle reader rests, and that the sums fit.
func TestCost(t *testing.T) {
	p, _ := layouts[2].start(t, 50000)
	for _, gentle := range []bool{false, true} {
		r := newReader(t, Options{Gentle: gentle})
		read(t, r, p.family())
		c := r.Cost()
		if c.Calls == 0 || c.Longest <= 0 || c.Longest > c.Held || c.Rests > 0 != gentle {
			t.Errorf("gentle %v: %+v", gentle, c)
		}
	}
}

// TestWatchIdle: a process at rest is proved to be so; one that did anything is not.
func TestWatchIdle(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena, pg, rw, private)
	kid := p.child[p.fork()]
	var w *idle
	for !w.still() { // until it sleeps, and did so when the watch began
		w.close()
		w = watchIdle(kid)
	}
	defer func() { w.close() }()
	for range 100 {
		if !w.still() {
			t.Fatal("a process that only waits is said to have run")
		}
	}
	p.inChild(0, 'l', arena, 0)
	if w.still() {
		t.Error("a process that ran is said to have slept")
	}
	if (*idle)(nil).still() {
		t.Error("nothing known, and yet a proof")
	}
	p.inChild(0, 'x', 0, 0)
	p.must("wait %d", kid)
	if w.still() {
		t.Error("a dead process is said to have slept")
	}
	if x := watchIdle(kid); x != nil {
		t.Error("a dead process is watched")
	}
}

func TestWithoutLibraries(t *testing.T) {
	const own, library = `{"start":"1","perms":"r","path":"/x","pss":%d},`, `{"start":"2","perms":"r","path":"/lib/libc.so.6","pss":%d,"pages":[{"start":"2"}]},`
	json := func(first, second, third int) []byte {
		return fmt.Appendf(nil, own+library+own, first, second, third)
	}
	text := func(first, second int) []byte {
		return fmt.Appendf(nil, "1-2 r-xp file 1 pages /lib/libc.so.6\n    1 1 file mapped %d times\n2-3 rw-p anon 1 pages\n    2 1 anon mapped %d times\n", first, second)
	}
	for _, c := range []struct {
		a, b []byte
		same bool
	}{
		{json(1, 2, 3), json(1, 9, 3), true}, {json(1, 2, 3), json(9, 2, 3), false}, {json(1, 2, 3), json(1, 2, 9), false},
		{text(1, 2), text(9, 2), true}, {text(1, 2), text(1, 9), false},
	} {
		if same := withoutLibraries(c.a) == withoutLibraries(c.b); same != c.same {
			t.Errorf("%s\n%s: %v", c.a, c.b, same)
		}
	}
}
