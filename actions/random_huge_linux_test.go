package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/vmspace"

	"pgregory.net/rapid"
)

// Random lives of huge pages: they are split, unmapped in part, shared after forks, freed,
// collapsed again. Few commands and few places, so that these meet.
func TestRandomHugePages(t *testing.T) {
	require(t, "thp")
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open(Options{Limits: family.Limits{Memory: 128 * huge}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		script := []string{"a = mmap " + blocks(2) + " rw private anon" + onBlock, "madvise a hugepage"}
		for _, line := range script {
			if st, err := s.Do(context.Background(), line); err != nil || st.Result != history.OK {
				t.Fatal(line, st, err)
			}
		}
		for range rapid.IntRange(5, 25).Draw(t, "commands") {
			line := drawHugeLine(t, s)
			script = append(script, line)
			before := s.last()
			st, err := s.Do(context.Background(), line)
			var mistake *lang.SyntaxError
			if errors.As(err, &mistake) {
				continue
			}
			if err != nil {
				t.Fatalf("%s\n\n%v", strings.Join(script, "\n"), err)
			}
			for _, wrong := range []string{checkPrediction(st), checkStep(before, st, false), checkChanges(st), settled(s, checkSnapshot),
				settled(s, checkRelatives)} {
				if wrong != "" {
					t.Fatalf("%s\n\n# %s: %s %s\n# %s", strings.Join(script, "\n"), st.Command, st.Call, st.Answer(), wrong)
				}
			}
		}
	})
}

func drawHugeLine(t *rapid.T, s *Session) string {
	st := s.last()
	edge := "a+" + blocks(1)
	at := pick(t, "at", "a", "a+1p", "a+5p", edge+"-1p", edge, edge+"+1p", edge+"+188p")
	n := pick(t, "n", "1p", "1p", "8p", blocks(1)+"+88p")
	verb := pick(t, "verb", "write", "write", "write", "read", "fork", "exit", "munmap", "mprotect", "madvise", "madvise", "mlock", "munlock", "mremap",
		"pkey_alloc", "pkey_set", "pkey_mprotect")
	line := verb
	switch verb {
	case "write":
		line = "write " + at + " 1"
	case "read":
		line = "read " + at
	case "fork":
		if len(st.After.Processes) >= maxFamily {
			line = "snapshot"
		}
	case "exit":
		if len(st.After.Processes) < 2 {
			line = "snapshot"
		}
	case "mprotect":
		line = fmt.Sprintf("mprotect %s %s %s", at, n, pick(t, "prot", "rw", "rw", "r", "none"))
	case "pkey_alloc":
		line = verb
	case "pkey_set":
		line = "pkey_set 1" + pick(t, "rights", "", "", " write", " access")
	case "pkey_mprotect":
		line = fmt.Sprintf("pkey_mprotect %s %s rw %s", at, n, pick(t, "key", "1", "1", "0"))
	case "madvise":
		line = fmt.Sprintf("madvise %s %s %s", at, n, pick(t, "advice", "dontneed", "free", "collapse", "hugepage", "nohugepage", "populate_read",
			"populate_write", "cold", "guard_install"))
	case "mremap":
		line = "mremap a+1p 3p 3p maymove fixed=" + edge + "+8p"
	default:
		line = verb + " " + at + " " + n
	}
	return "@" + drawProcess(t, st) + " " + line
}

// settled is what is wrong with the last snapshot and with one read after it: khugepaged collapses
// pages when it likes, also between two looks.
func settled(s *Session, check func(*vmspace.Snapshot) string) string {
	wrong := check(s.last().After)
	if wrong == "" {
		return ""
	}
	if _, err := s.Poll(context.Background()); err != nil {
		return err.Error()
	}
	return check(s.last().After)
}

// checkRelatives says where two processes contradict each other: one frame at one address, in two
// states.
func checkRelatives(s *vmspace.Snapshot) string {
	for i, p := range s.Processes {
		for _, q := range s.Processes[i+1:] {
			for r := range p.PagesIn(vmspace.Everything) {
				for at := r.Start; at < r.Bounds().End && r.Frame != 0; at += s.PageSize {
					x, y := p.PageAt(at, s.PageSize), q.PageAt(at, s.PageSize)
					if x.Frame == y.Frame && x.State != y.State {
						return fmt.Sprintf("0x%x has one frame, and is %s in %s and %s in %s", at, x.State, p.Label, y.State, q.Label)
					}
				}
			}
		}
	}
	return ""
}

// Before Linux 6.2 mprotect leaves a whole huge page write-protected, and the clean small pages of one
// that was split, though their letters let them be written. Since then it does not.
func TestReprotected(t *testing.T) {
	require(t, "thp")
	for _, split := range []string{"", "madvise a+1p 1p dontneed"} {
		l := open(t)
		l.all("a = mmap "+blocks(1)+" rw private anon"+onBlock, "madvise a hugepage", "write a 1")
		if l.attrs("p1", "a", 0)&vmspace.Huge == 0 {
			t.Skip("needs a huge page: the kernel gave none")
		}
		if split != "" {
			l.all(split)
		}
		l.all("mprotect a r", "mprotect a rw")
		st := l.do("write a+5p 1")
		want := vmspace.NoFault
		if kernel.LeavesProtected() {
			if want = vmspace.Reuse; !st.After.Frames {
				want = "" // whether the frame was kept is hidden
			}
		}
		if took := st.Minor; (took == 1) != kernel.LeavesProtected() {
			t.Errorf("%q: %d faults", split, took)
		}
		if wrong := checkPrediction(st); st.Happened != want || wrong != "" || strings.Contains(st.Why, "fork") {
			t.Errorf("%q: %s happened, want %s; %s: %s", split, st.Happened, want, wrong, st.Why)
		}
	}
}
