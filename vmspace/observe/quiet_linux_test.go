package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// quietView is what must not move while a process is only watched.
type quietView struct {
	faults string
	words  []uint64
	kflags []uint64 // of the frames, where visible, but for the bits that lists and looks move
}

func viewOf(t *testing.T, pid int, r vmspace.Range) quietView {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	st, err := procfs.ParseStat(b)
	if err != nil {
		t.Fatal(err)
	}
	v := quietView{faults: fmt.Sprint(st.MinorFlt, st.MajorFlt, st.RSSPages), words: simpleWords(pid, r)}
	if k := openKPage(); k != nil {
		defer k.close()
		for _, w := range v.words {
			if w&vmspace.WordPresent != 0 && w&vmspace.WordFrame != 0 {
				v.kflags = append(v.kflags, pageWord(k.flags, (w&vmspace.WordFrame)*8, 8)&vmspace.KKept)
			}
		}
	}
	return v
}

// TestWatchingIsQuiet reads and peeks many times at a process that does nothing, and holds that
// nothing of it moved.
func TestWatchingIsQuiet(t *testing.T) {
	p := startPuppet(t)
	pages, _, _ := everyState(t, p)
	r := vmspace.Range{Start: arena, End: arena + pages*pg}
	kid := p.child[0]
	// The parent is a Go program, whose own writes would part pages from the child's.
	if err := p.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond)
	before := viewOf(t, kid, r)
	rd, large := newReader(t, Options{}), newReader(t, Options{SmallMappings: -1})
	member := p.family()[1:]
	s := read(t, rd, member)
	buf := make([]byte, pages*pg)
	for range 50 {
		again := read(t, rd, member)
		if again != s {
			t.Fatalf("nothing happened, and the reader gives another snapshot: %+v", vmspace.Diff(s, again))
		}
		l := read(t, large, member)
		if u, err := large.Observe(ctx, member, Within(Touched{"p2", r})); err != nil || u != l {
			t.Fatalf("nothing happened, and the update gives another snapshot (%v): %+v", err, vmspace.Diff(l, u))
		}
		present, err := rd.Peek(kid, arena, buf)
		if err != nil {
			t.Fatal(err)
		}
		for i, yes := range present {
			if w := before.words[i]; yes != (w&vmspace.WordPresent != 0) {
				t.Fatalf("page %d: peeked %v, its word is %x", i, yes, w)
			}
		}
	}
	if buf[0] != 9 || buf[pg] != 0 || buf[2*pg] != 3 || buf[10*pg] != 1 {
		t.Errorf("peeked %d %d %d %d", buf[0], buf[pg], buf[2*pg], buf[10*pg])
	}
	if after := viewOf(t, kid, r); after.faults != before.faults || !slices.Equal(after.words, before.words) || !slices.Equal(after.kflags, before.kflags) {
		t.Errorf("watching moved something:\nbefore %x\nafter  %x", before, after)
	}
}

func TestPeekEdges(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena, 2*pg, rw, private)
	p.store(arena+pg-1, 'x')
	r := newReader(t, Options{})
	buf := []byte("....")
	present, err := r.Peek(p.cmd.Process.Pid, arena+pg-2, buf)
	if err != nil || !slices.Equal(present, []bool{true, false}) || string(buf) != "\x00x.." {
		t.Errorf("peek over an edge: %v %q %v", present, buf, err)
	}
	if _, err := r.Peek(p.cmd.Process.Pid, 1<<64-2, buf); err == nil {
		t.Error("a peek around the end of all addresses should fail")
	}
	if _, err := r.Peek(1<<22+1, arena, buf); err == nil || !strings.Contains(err.Error(), errGone) {
		t.Errorf("a peek at nobody: %v", err)
	}
}

// TestComingAndGoing follows a family through birth, death and denial.
func TestComingAndGoing(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena, 4*pg, rw, private)
	p.store(arena, 1)
	r := newReader(t, Options{SmallMappings: -1})
	a := read(t, r, p.family())
	p.fork()
	b, err := r.Observe(ctx, p.family(), Within()) // even if nobody says what was touched
	if err != nil {
		t.Fatal(err)
	}
	wantLetters(t, b, "p1", 4, "c...")
	wantLetters(t, b, "p2", 4, "c...")
	p.inChild(0, 'x', 7, 7)
	for range 1000 {
		if st := read(t, newReader(t, Options{}), p.family()).Process("p2"); st.State == vmspace.Zombie {
			break
		}
		time.Sleep(time.Millisecond)
	}
	c, err := r.Observe(ctx, p.family(), Within())
	if err != nil {
		t.Fatal(err)
	}
	if q := c.Process("p2"); q.State != vmspace.Zombie || q.Mappings.Len() != 0 || q.Pages.Len() != 0 || q.Err != errZombie {
		t.Errorf("the dead child is %+v", q)
	}
	wantLetters(t, c, "p1", 4, "a...")
	p.must("wait %d", p.child[0])
	d, err := r.Observe(ctx, p.family(), Within())
	if err != nil || d.Process("p2").State != vmspace.Gone || d.Process("p2").Err != errGone {
		t.Errorf("%v, the child that was waited for is %+v", err, d.Process("p2"))
	}
	var kinds []string
	for _, s := range [][2]*vmspace.Snapshot{{a, b}, {b, c}, {c, d}} {
		for _, c := range vmspace.Diff(s[0], s[1]) {
			if c.Process == "p2" {
				kinds = append(kinds, string(c.Kind))
			}
		}
	}
	if got := strings.Join(kinds, " "); !strings.HasPrefix(got, "born ") || !strings.HasSuffix(got, "zombie ended") {
		t.Errorf("the child's life is told as %q", got)
	}
	if n := len(r.procs); n != 1 {
		t.Errorf("files of %d processes are open", n)
	}
	if os.Geteuid() != 0 {
		s, _ := r.Observe(ctx, []vmspace.Member{{Label: "p1", PID: 1}}, Scope{})
		if q := s.Process("p1"); q.Err != errDenied || q.State != vmspace.Running && q.State != vmspace.Stopped {
			t.Errorf("process 1 is %+v", q)
		}
	}
}

// TestRefine holds what bit 56 gets wrong: a huge page that one process maps as one piece and the
// other page by page.
func TestRefine(t *testing.T) {
	r := newReader(t, Options{})
	if !r.Features().Frames {
		t.Skip("needs frames: what is refined is what frames show")
	}
	p := startPuppet(t)
	p.mmap(arena, block, rw, private)
	p.must("call %d %d %d %d", unix.SYS_MADVISE, uint64(arena), block, unix.MADV_HUGEPAGE)
	p.store(arena, 1)
	p.fork()
	p.inChild(0, 's', arena+5*pg, 1)
	s := read(t, r, p.family())
	// The parent's page 5 is no longer mapped by anybody else, but its folio is: the kernel says
	// "maybe shared", and would copy it. From Linux 6.11 to 6.14 it says so of each page
	// (pagemap_pmd_range in fs/proc/task_mmu.c).
	parent := "ccccccc"
	if kernelAtLeast(t, 6, 11) && !kernelAtLeast(t, 6, 15) {
		parent = "cccccac"
	}
	wantLetters(t, s, "p1", 7, parent)
	wantLetters(t, s, "p2", 7, "cccccac")
	if run := s.Process("p1").PageAt(arena, pg); run.Attrs&vmspace.Huge == 0 {
		t.Skip("the kernel had no huge page to give")
	}
}

func TestNames(t *testing.T) {
	p := startPuppet(t)
	dir := publicDir(t)
	name := filepath.Join(dir, "two\nlines \x1b[31m) \\ö")
	if err := os.WriteFile(name, make([]byte, pg), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(name, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	p.mmapFile(arena, pg, unix.PROT_READ, unix.MAP_PRIVATE, filepath.Join(dir, "link"))
	p.mmap(arena+pg, pg, rw, shared)
	for _, o := range []Options{{}, {SmallMappings: -1}, {SmallMappings: -1, NoQuery: true}} {
		r := newReader(t, o)
		read(t, r, p.family())
		s, err := r.Observe(ctx, p.family(), Within(Touched{"p1", vmspace.Range{Start: arena, End: arena + pg}}))
		if err != nil {
			t.Fatal(err)
		}
		m, _ := s.Processes[0].MappingAt(arena)
		if m.Path != name {
			t.Errorf("path is %q, want %q", m.Path, name)
		}
		m, _ = s.Processes[0].MappingAt(arena + pg)
		if m.Path != "/dev/zero (deleted)" || m.Kind() != vmspace.KindShmem {
			t.Errorf("shared memory is %q, %v", m.Path, m.Kind())
		}
		var out bytes.Buffer
		if err := s.WriteJSON(&out, nil); err != nil || !bytes.Contains(out.Bytes(), []byte(`two\nlines \u001b[31m)`)) {
			t.Errorf("JSON: %v", err)
		}
	}
}

// TestHeapGrows holds that an update sees the heap move though nobody said where it is.
func TestHeapGrows(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena, pg, rw, private)
	for _, o := range []Options{{SmallMappings: -1}, {SmallMappings: -1, NoQuery: true}} {
		r := newReader(t, o)
		read(t, r, p.family())
		brk := p.must("call %d 0", unix.SYS_BRK)
		brk = p.must("call %d %d", unix.SYS_BRK, brk+3*pg)
		p.store(brk-1, 1)
		next, err := r.Observe(ctx, p.family(), Within(Touched{"p1", vmspace.Range{Start: arena, End: arena + pg}}))
		if err != nil {
			t.Fatal(err)
		}
		m, ok := next.Processes[0].MappingAt(brk - 1)
		if !ok || m.Kind() != vmspace.KindHeap || m.End != brk {
			t.Errorf("the heap is %+v, its end should be %x", m, brk)
		}
		if run := next.Processes[0].PageAt(brk-1, pg); run.State != vmspace.Anon {
			t.Errorf("the page at its end is %+v", run)
		}
	}
}

// TestGrowsDown does the same with a mapping that grows downwards by being touched below.
func TestGrowsDown(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena+600*pg, 2*pg, rw, private|unix.MAP_GROWSDOWN)
	r := newReader(t, Options{SmallMappings: -1})
	s := read(t, r, p.family())
	addr := uint64(arena + 590*pg)
	if got := vmspace.Predict(s.Processes[0], addr, vmspace.Store, vmspace.NoFacts); !got.Allows(vmspace.Grow) {
		t.Errorf("predicted %+v", got)
	}
	p.store(addr, 1)
	next, err := r.Observe(ctx, p.family(), Within(Touched{"p1", vmspace.Range{Start: addr, End: addr + pg}}))
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := next.Processes[0].MappingAt(addr); !ok || m.Start != addr || m.End != arena+602*pg {
		t.Errorf("the mapping is %+v", m)
	}
}

// TestPredictionsHold asks before a few accesses and looks afterwards.
func TestPredictionsHold(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena, 8*pg, rw, private)
	r := newReader(t, Options{})
	for _, c := range []struct {
		page  uint64
		write bool
		want  vmspace.Happening
		after vmspace.State
	}{{0, false, vmspace.ZeroMap, vmspace.Zero}, {0, true, vmspace.ZeroFill, vmspace.Anon}, {1, true, vmspace.ZeroFill, vmspace.Anon}, {1, true, vmspace.NoFault, vmspace.Anon}, {1, false, vmspace.NoFault, vmspace.Anon}} {
		addr := arena + c.page*pg
		s := read(t, r, p.family())
		access := vmspace.Load
		if c.write {
			access = vmspace.Store
		}
		if got := vmspace.Predict(s.Processes[0], addr, access, vmspace.NoFacts); len(got.Can) == 0 || got.Can[0] != c.want {
			t.Errorf("%v of page %d: predicted %+v, want %s", access, c.page, got, c.want)
		}
		if c.write {
			p.store(addr, 1)
		} else {
			p.load(addr)
		}
		if run := read(t, r, p.family()).Processes[0].PageAt(addr, pg); run.State != c.after {
			t.Errorf("page %d is %v, want %v", c.page, run.State, c.after)
		}
	}
}

// impatient is a context that is over once it has been asked often enough.
type impatient struct {
	context.Context
	stops int
	asked *int
}

func (c impatient) Err() error {
	if *c.asked++; *c.asked > c.stops {
		return context.Canceled
	}
	return nil
}

// A reading that nobody waits for any more leaves nothing behind: the next one is as if it had not
// been.
func TestObserveCanceled(t *testing.T) {
	p := startPuppet(t)
	p.mmap(arena, 64*pg, rw, private)
	o := Options{SmallMappings: -1, KPageBudget: 1 << 20}
	r, full := newReader(t, o), newReader(t, o)
	before := read(t, r, p.family())
	p.store(arena+3*pg, 1)
	for stops := range 64 { // at one place after the other, until it comes to its end
		asked := 0
		s, err := r.Observe(impatient{ctx, stops, &asked}, p.family(), Scope{})
		if asked <= stops {
			if err != nil || s == before {
				t.Errorf("asked %d times: %v", asked, err)
			}
			break
		}
		if stops == 63 || s != nil || !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped when asked %d times: %v, %v", asked, s, err)
		}
		next, err := r.Observe(ctx, p.family(), Within(Touched{"p1", vmspace.Range{Start: arena + 3*pg, End: arena + 4*pg}}))
		if err != nil {
			t.Fatal(err)
		}
		got, want := next.Processes[0], read(t, full, p.family()).Processes[0]
		for i := range uint64(64) { // elsewhere the puppet's own runtime is at work
			if a, b := got.PageAt(arena+i*pg, pg), want.PageAt(arena+i*pg, pg); a != b {
				t.Errorf("after a reading that stopped, page %d is %+v and not %+v", i, a, b)
			}
		}
		p.must("call %d %d %d %d", unix.SYS_MADVISE, arena+3*pg, pg, unix.MADV_DONTNEED)
		before = read(t, r, p.family())
		p.store(arena+3*pg, 1)
	}
}
