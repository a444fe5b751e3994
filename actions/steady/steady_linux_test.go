package steady

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Stand-ins: whatever the kernel gives, the family's processes and frames are numbered by their
// order, what is equal stays equal, and nothing of the real numbers is left.
func TestSteady(t *testing.T) {
	s, err := actions.Open(actions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := New(s)
	for _, line := range []string{"mmap 4p rw private anon", "fill a 1", "fork", "@p2 write a 2", "@p2 exit", "wait", "munmap a", "fork", "kill SIGKILL", "restart", "mmap 4p rw private anon", "fill a 1"} {
		st, err := l.Do(context.Background(), line)
		if err != nil {
			t.Fatal(line, err)
		}
		real := s.History()[st.N]
		checkStandIns(t, st, real)
	}
	all := l.History()
	if got := all[3].Answer(); got != "= 1001" {
		t.Errorf("fork %s", got)
	}
	if got := all[6].Answer(); got != "= 1001" {
		t.Errorf("wait %s", got)
	}
	if got := all[9].Call; got != "kill(1000, SIGKILL)" {
		t.Error(got)
	}
	if got := all[10].After.Processes[0].PID; got != 1003 {
		t.Errorf("the fresh process is %d", got)
	}
	if s.History()[0].After.Frames {
		if why := all[4].Why; !regexp.MustCompile(`0x1000[0-9a-f] → 0x1000[0-9a-f]`).MatchString(why) {
			t.Error(why)
		}
	}
}

// checkStandIns holds a step against the real one: runs cover the same pages, in the same states,
// and two pages have one stand-in exactly where they have one frame.
func checkStandIns(t *testing.T, st, real *history.Step) {
	t.Helper()
	back, forth := map[uint64]uint64{}, map[uint64]uint64{}
	for i, p := range real.After.Processes {
		q := st.After.Processes[i]
		if q.PID < firstPID || q.PID > firstPID+10 {
			t.Errorf("%s: process %d became %d", st.Command, p.PID, q.PID)
		}
		for _, r := range p.Pages.All() {
			for n := range r.Pages {
				addr := r.Start + n*r.PageSize()
				x := q.PageAt(addr, real.After.PageSize)
				f, g := r.FrameOf(n), x.FrameOf((addr-x.Start)/x.PageSize())
				if x.State != r.State || (f == 0) != (g == 0) || f != 0 && (back[g] != 0 && back[g] != f || forth[f] != 0 && forth[f] != g) {
					t.Fatalf("%s: at %x %v became %v", st.Command, addr, r, x)
				}
				back[g], forth[f] = f, g
			}
		}
		for _, r := range q.Pages.All() {
			lo, hi := q.Mappings.Overlap(r.Bounds())
			if hi != lo+1 {
				t.Errorf("%s: a run over %d mappings: %v", st.Command, hi-lo, r)
			}
		}
	}
	if (vmspace.Diff(real.Before, real.After) == nil) != (len(st.Changes) == 0) {
		t.Errorf("%s: %d changes", st.Command, len(st.Changes))
	}
}

// Two mappings have one stand-in exactly where they have one file, the files are known by theirs,
// and no text has a real path.
func TestSteadyInodes(t *testing.T) {
	s, err := actions.Open(actions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, told := New(s), false
	for _, line := range []string{"file data 2p", "a = mmap 2p rw shared file=data", "b = mmap 1p r private file=data", "file more 1p", "c = mmap 1p r shared file=more",
		"d = mmap 1p rw shared anon", "fork", "munmap c", "e = mmap 1p r shared file=more", "expect perms a ---p"} {
		st, err := l.Do(context.Background(), line)
		if err != nil {
			t.Fatal(line, err)
		}
		real := s.History()[st.N]
		back, forth := map[uint64]uint64{}, map[uint64]uint64{}
		for i, p := range real.After.Processes {
			for k, m := range p.Mappings.All() {
				n := st.After.Processes[i].Mappings.At(k)
				f, g := m.Inode, n.Inode
				if n.Range != m.Range || (f == 0) != (g == 0) || g != 0 && g < firstInode || back[g] != 0 && back[g] != f || forth[f] != 0 && forth[f] != g {
					t.Fatalf("%s: %+v became %+v", line, m, n)
				}
				back[g], forth[f] = f, g
				if n.Path != m.Path {
					told = told || strings.Contains(st.Evidence, n.Path)
					if strings.Contains(fmt.Sprint(st.Evidence, st.Got, st.Why, st.Changes), m.Path) {
						t.Errorf("%s: %s is told of", line, m.Path)
					}
				}
				e, ok := real.FileOf(m)
				if x, found := st.FileOf(n); found != ok || x.Name != e.Name {
					t.Errorf("%s: %s is %q, and was %q", line, n.Path, x.Name, e.Name)
				}
			}
		}
	}
	if !told {
		t.Error("no evidence has a file's path")
	}
}
