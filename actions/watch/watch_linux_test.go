package watch

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"cowscope/actions"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// watched is a session, and who watches its first process.
type watched struct {
	*testing.T
	s *actions.Session
	l *Lab
}

func open(t *testing.T) watched {
	t.Helper()
	s, err := actions.Open(actions.Options{Limits: family.Limits{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	l, err := Open(context.Background(), s.History()[0].PID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return watched{t, s, l}
}

// do runs a command in the session, and gives the step that the watcher makes of it, or nil.
func (w watched) do(line string) *history.Step {
	w.Helper()
	w.l.rhythm.Forget()
	return w.polled(line)
}

// polled does the same in the rhythm that there is.
func (w watched) polled(line string) *history.Step {
	w.Helper()
	if _, err := w.s.Do(context.Background(), line); err != nil {
		w.Fatalf("%s: %v", line, err)
	}
	st, err := w.l.Poll(context.Background())
	if err != nil {
		w.Fatalf("%s: %v", line, err)
	}
	return st
}

// What a family does shows as it does it, page by page as the session itself reads it.
func TestWatch(t *testing.T) {
	w := open(t)
	for _, c := range []struct{ line, says string }{
		{"a = mmap 4p rw private anon", "p1: 4 pages mapped"},
		{"write a 1", "p1: 1 page none → anon"},
		{"read a 1", ""},
		{"fork", "p1: "},
		{"@p2 write a 2", "p2: 1 page cow → anon"},
		{"mprotect a 1p r", "p1: 1 page rw-p → r--p"},
		{"munmap a+2p", "p1: 2 pages unmapped"},
		{"@p2 exit 3", ""},
		{"wait", ""},
	} {
		st := w.do(c.line)
		if c.says == "" {
			continue
		}
		if st == nil || !strings.Contains(st.Why, c.says) {
			t.Fatalf("%s: %+v, want %q", c.line, st, c.says)
		}
		for _, want := range w.s.History()[len(w.s.History())-1].After.Processes {
			got := st.After.Process(want.Label)
			if got == nil || got.PID != want.PID || !samePages(got, want) {
				t.Errorf("%s: %s is not as the session has it", c.line, want.Label)
			}
		}
	}
}

// What is predicted of a process that is watched holds when it does it.
func TestWatchForetells(t *testing.T) {
	w, known := open(t), 0
	for _, line := range []string{
		"a = mmap 4p rw private anon", "read a", "write a 1", "write a+1p 1",
		"file f 2p", "b = mmap 3p rw shared file=f", "read b", "write b+1p 1", "read b+2p",
		"c = mmap 3p rw private file=f", "read c", "write c 1", "write c+1p 1", "write c+2p 1",
		"mprotect a 1p r", "write a 1", "read a", "fork", "write a+1p 2", "@p2 write a+1p 3", "@p2 read c+1p",
	} {
		before := w.l.log.Last()
		w.do(line)
		st := w.s.History()[len(w.s.History())-1]
		cmd, err := w.s.Grammar().Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		access, ok := actions.AccessOf(cmd)
		if !ok {
			continue
		}
		if st.Happened == "" {
			continue // frames are hidden, and nothing else shows it
		}
		known++
		foretold := before.Predict(st.Process, st.Focus.Start, access)
		if !foretold.Allows(st.Happened) || foretold.Can[0].Refused() && !st.Happened.Refused() {
			t.Errorf("%s: %v were predicted (%s), and %s happened", line, foretold.Can, foretold.Why, st.Happened)
		}
	}
	if known < 12 {
		t.Errorf("of %d accesses alone it is known what happened", known)
	}
}

func samePages(a, b *vmspace.Process) bool {
	if a.Mappings.Len() != b.Mappings.Len() {
		return false
	}
	for _, m := range a.Mappings.All() {
		for page := range a.PagesIn(m.Range) {
			for i := range page.Pages {
				at := page.Start + i*page.PageSize()
				if b.PageAt(at, page.PageSize()).State != page.State {
					return false
				}
			}
		}
	}
	return true
}

// Who dies leaves the last picture; a child leaves it with the next step, the first process never.
func TestWatchDeath(t *testing.T) {
	w := open(t)
	w.do("a = mmap 4p rw private anon")
	w.do("fork")
	st := w.do("@p2 exit 3")
	if st == nil || !strings.HasPrefix(st.Event, "p2 exited 3 at ") {
		t.Fatalf("the child's end: %+v", st)
	}
	if p := st.After.Process("p2"); p == nil || p.Alive() || p.Mappings.Len() == 0 {
		t.Errorf("the last picture of the child: %+v", p)
	}
	if st = w.do("wait"); st == nil || st.Event != "p2 was waited for" {
		t.Errorf("the wait for the child: %+v", st)
	}
	w.do("write a 1")
	if st = w.l.last(); st.After.Process("p2") != nil {
		t.Error("the child is still there")
	}
	st = w.do("kill")
	if st == nil || !strings.HasPrefix(st.Event, "p1 was killed by SIGKILL at ") && !strings.HasPrefix(st.Event, "p1 ended at ") {
		t.Fatalf("the end: %+v", st)
	}
	if p := st.After.Process("p1"); p.Alive() || p.Mappings.Len() == 0 {
		t.Errorf("the last picture: %+v", p)
	}
	n := len(w.l.History())
	for range 3 {
		if st, err := w.l.Poll(context.Background()); st != nil || err != nil {
			t.Fatalf("after the end: %+v, %v", st, err)
		}
	}
	if len(w.l.History()) != n {
		t.Error("something happened after the end")
	}
}

// Nobody is stopped or traced by being watched.
func TestWatchTouchesNothing(t *testing.T) {
	l, err := Open(context.Background(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil || !strings.Contains(string(b), "TracerPid:\t0\n") {
		t.Errorf("%v: %s", err, b)
	}
	if _, err := l.Do(context.Background(), "mmap 1p rw private anon"); err != ErrWatched {
		t.Errorf("a command: %v", err)
	}
}

func TestOpenRefused(t *testing.T) {
	kernelThread := "no address space"
	if os.Geteuid() != 0 {
		kernelThread = "permission denied"
	}
	for pid, want := range map[int]string{1 << 30: "no such process", 2: kernelThread} {
		if _, err := Open(context.Background(), pid); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, want %q", pid, err, want)
		}
	}
}

// What a process has by itself is what the kernel's own sums say.
func TestSizes(t *testing.T) {
	w := open(t)
	for _, line := range []string{"a = mmap 64p rw private anon", "fill a 1", "fork", "@p1 write a 2", "@p2 touch a+8p 4p write", "file f 9p", "@p1 b = mmap 9p rw shared file=f", "@p1 touch b"} {
		w.do(line)
	}
	for _, p := range w.l.last().After.Processes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.PID))
		if err != nil {
			t.Fatal(err)
		}
		field := func(name string) uint64 {
			n, ok := kernel.ParseField(string(text), name)
			if !ok {
				t.Fatalf("smaps_rollup has no %s", name)
			}
			return n
		}
		s := p.Sizes()
		if uss := field("Private_Clean") + field("Private_Dirty"); !s.Known || s.USS != uss {
			t.Errorf("%s: uss %d, want %d", p.Label, s.USS, uss)
		}
		// Each mapping's share is rounded down to KiB, and so is the sum.
		if pss := field("Pss"); s.PSS > pss || pss-s.PSS > uint64(p.Mappings.Len())<<10 {
			t.Errorf("%s: pss %d, want %d", p.Label, s.PSS, pss)
		}
	}
}
