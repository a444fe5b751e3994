package tui

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cowscope/actions"

	"github.com/charmbracelet/x/ansi"
)

// A file that no folder lists is called by its inode, which is another one in each run: the first
// session still has its files when the second one makes them. The inspector shows the line of maps.
// No page is touched: when the kernel sets a page's flags is chance.
func TestSteadyFiles(t *testing.T) {
	demo := readDemo(t, `file data "text"
key i
mmap 1p rw shared anon
mmap 2p r private file=data
file more "more"
mmap 1p rw shared file=more
`)
	var made [2][]string
	var shown [2]string
	for i := range made {
		s := onStage(t, demo, true, Options{})
		events, err := s.plays(t)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			made[i] = append(made[i], e.Data)
		}
		shown[i] = ansi.Strip(s.m.View().Content)
	}
	if !slices.Equal(made[0], made[1]) {
		t.Errorf("the screen is\n%s\nand then\n%s", shown[0], shown[1])
	}
	if !regexp.MustCompile(` 10000[0-9] /\S+/#10000[0-9] \(deleted\)`).MatchString(shown[0]) {
		t.Errorf("no stand-in of an inode in\n%s", shown[0])
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
	l, told := newSteady(s), false
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
