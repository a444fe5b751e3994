package saved_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/saved"
	"cowscope/vmspace"
)

func open(t *testing.T) *actions.Session {
	t.Helper()
	s, err := actions.Open(actions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func run(t *testing.T, s *actions.Session, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if _, err := s.Do(context.Background(), l); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
	}
}

// save writes a whole history and gives it as bytes.
func save(t testing.TB, s *actions.Session) []byte {
	t.Helper()
	var b bytes.Buffer
	h := s.History()
	w, err := saved.NewWriter(&b, saved.NewHeader(s.Info(), h[0], false, "test"))
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range h {
		if err := w.Write(st, i); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func load(t testing.TB, b []byte) *saved.Recording {
	t.Helper()
	rec, err := saved.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// everything is a session with one of each: forks, splits, files, huge spaces, failures, deaths, a
// restart, what names and bytes are hostile.
var everything = []string{
	"mmap 4p rw private anon", "write a 1", "read a+1p 3", "fork", "@p2 write a 2", "use p2", "mprotect a+1p 1p none",
	"write a+1p 1", "mincore a", "mmap 0 rw private anon", "expect result EINVAL", "expect result ok", "use p1",
	`file data "a file"`, "f = mmap 3p rw shared file=data", "g = mmap 2p rw private file=data", "write f \"A\"", "read g 3", "write g 7",
	"write f+1p 1", "rm data", `file "b\x1b[31m" 2p`, `file "\xff\xfe" 1p`, `h = mmap 1p rw private file="b\x1b[31m"`, `i = mmap 1p rw shared file="\xff\xfe"`,
	"big = mmap 4g rw private anon noreserve", "write big+2g 1", "touch big+1g 40p write", "madvise big+1g 20p dontneed",
	"mlock a 1p", "madvise a+2p 1p free", "munmap a+3p", "write a+3p 1", "mremap f 5p maymove", "brk +3p", "write heap 1", "snapshot",
	"u = mmap 2p rw private anon", "uffd_register u missing wp", "uffd_wp u", "read u", "v = mmap 1p rw private anon", "write v 1", "mremap u 2p maymove fixed=0x30000000", "uffd_move v u",
	"vfork", "write a 2", "@p3 write a 2", "@p3 exit", "wait", "fork", "@p4 exit 3", "wait", "cat b\x1b 1", "@p2 kill SIGKILL", "write a 9", "expect exited p4 3",
	"setrlimit as 1m", "setrlimit stack 0 0", "fork", "@p5 setrlimit memlock 0", "prctl ksm on", "prctl thp off", "prctl mdwe", "mmap 1p rwx private anon", "thread", "@p6 read a",
	"restart", "mmap 2p rw private anon", "write a 5", "kill SIGKILL", "write a 1",
}

// A real session comes back as it was, whatever happened in it.
func TestRoundTrip(t *testing.T) {
	s := open(t)
	for _, l := range everything {
		s.Do(context.Background(), l) // a line that is a mistake leaves no step
	}
	want := s.History()
	rec := load(t, save(t, s))
	if rec.Kernel != s.Info().Kernel || rec.Rights != s.Info().Rights || rec.Arch != runtime.GOARCH || rec.Frames != want[0].After.Frames {
		t.Errorf("%+v", rec.Header)
	}
	if len(rec.Steps) != len(want) || len(want) < len(everything)-5 {
		t.Fatalf("%d steps of %d", len(rec.Steps), len(want))
	}
	for i, st := range want {
		sameStep(t, rec.Steps[i], st)
		if rec.Lines[i] != i {
			t.Errorf("step %d is of line %d", i, rec.Lines[i])
		}
	}
}

// Every story comes back as it was, and what predicts, too.
func TestRoundTripOfStories(t *testing.T) {
	names, err := filepath.Glob("../testdata/stories/*.cow")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d stories: %v", len(names), err)
	}
	for i, name := range names {
		if testing.Short() && i%3 != 0 {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s := open(t)
		for line := range strings.Lines(string(b)) {
			s.Do(context.Background(), line) // what this machine cannot do leaves no step
		}
		want := s.History()
		rec := load(t, save(t, s))
		if len(want) < 2 || len(rec.Steps) != len(want) {
			t.Errorf("%s: %d steps of %d", name, len(rec.Steps), len(want))
			continue
		}
		for i, st := range want {
			sameStep(t, rec.Steps[i], st)
			for _, p := range st.After.Processes {
				for _, a := range []vmspace.Access{vmspace.Load, vmspace.Store, vmspace.Fetch} {
					x, y := rec.Steps[i].Predict(p.Label, st.Focus.Start, a), st.Predict(p.Label, st.Focus.Start, a)
					if !reflect.DeepEqual(x, y) {
						t.Errorf("%s, step %d: %v, want %v", name, i, x, y)
					}
				}
			}
		}
		s.Close()
	}
}

// Many steps of a large space: whole snapshots come in between, and what did not change is one
// piece of memory.
func TestRoundTripOfManySteps(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	s := open(t)
	run(t, s, "big = mmap 900p rw private anon", "touch big write")
	for i := range 200 {
		run(t, s, fmt.Sprintf("mprotect big+%dp 1p r", i*4+1))
	}
	want := s.History()
	b := save(t, s)
	wholes := bytes.Count(b, []byte(`"snapshot":{"full":true`))
	if wholes < 2 || len(b) > 1<<20 {
		t.Errorf("%d whole snapshots, %d bytes", wholes, len(b))
	}
	rec := load(t, b)
	for i, st := range want {
		sameStep(t, rec.Steps[i], st)
	}
	last := rec.Steps[len(rec.Steps)-1]
	for i, st := range rec.Steps[150:] {
		if p := st.After.Process("p1"); st != last && p.Mappings.Len() > 300 && vmspaceShares(p, last.After.Process("p1")) == 0 {
			t.Fatalf("step %d shares nothing with the last one", 150+i)
		}
	}
}

// vmspaceShares counts the VmFlags and counters that two processes have in common as one piece of
// memory.
func vmspaceShares(a, b *vmspace.Process) int {
	seen := map[*vmspace.Counters]bool{}
	for _, m := range a.Mappings.All() {
		seen[m.Smaps] = true
	}
	n := 0
	for _, m := range b.Mappings.All() {
		if m.Smaps == nil {
			n++ // none to share
		} else if seen[m.Smaps] {
			n++
		}
	}
	return n
}

// sameStep holds what was read against what was saved.
func sameStep(t *testing.T, got, want *history.Step) {
	t.Helper()
	for _, s := range [][2]*vmspace.Snapshot{{got.Before, want.Before}, {got.After, want.After}} {
		if (s[0] == nil) != (s[1] == nil) {
			t.Fatalf("step %d: %v, want %v", want.N, s[0], s[1])
		}
		if s[0] != nil {
			sameSnapshot(t, want.N, s[0], s[1])
		}
	}
	g, w := *got, *want
	g.Before, g.After, w.Before, w.After = nil, nil, nil, nil
	if !w.HasValue {
		w.Value = 0 // not worth showing, and so not worth saving
	}
	if w.Result.Ending != history.EndedSignal {
		w.Fault = 0
	}
	more, kept := g.Names.Since(w.Names)
	if less, _ := w.Names.Since(g.Names); !kept || len(more)+len(less) > 0 {
		t.Errorf("step %d, %s: names\n got %+v\nwant %+v", want.N, want.Command, more, less)
	}
	g.Names, w.Names = history.Names{}, history.Names{}
	w.Claims = nil // a test holds them against the kernel at once
	for _, x := range []*history.Step{&g, &w} {
		if len(x.Changes) == 0 {
			x.Changes = nil
		}
		if len(x.Files) == 0 {
			x.Files = nil
		}
	}
	for _, text := range []*string{&w.Call, &w.Why, &w.Event, &w.Got} {
		*text = string([]rune(*text)) // JSON has no other bytes than those of Unicode
	}
	a, b := reflect.ValueOf(g), reflect.ValueOf(w)
	for i := range a.NumField() {
		if !a.Type().Field(i).IsExported() {
			continue // of no use to a reader
		}
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			t.Errorf("step %d, %s: %s\n got %+v\nwant %+v", want.N, want.Command, a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	}
}

func sameSnapshot(t *testing.T, n int, got, want *vmspace.Snapshot) {
	t.Helper()
	if d := vmspace.Diff(want, got); len(d) > 0 {
		t.Fatalf("step %d: %+v\n got %+v\nwant %+v", n, d, got.Processes[0].Member, want.Processes)
	}
	if got.PageSize != want.PageSize || got.Frames != want.Frames || len(got.Processes) != len(want.Processes) {
		t.Fatalf("step %d: %+v, want %+v", n, got, want)
	}
	for i, p := range want.Processes {
		q := got.Processes[i]
		if a, b := q.Mappings.Slice(0, q.Mappings.Len()), p.Mappings.Slice(0, p.Mappings.Len()); !reflect.DeepEqual(a, b) {
			t.Fatalf("step %d, %s: mappings\n got %+v\nwant %+v", n, p.Label, a, b)
		}
		if a, b := q.Pages.Slice(0, q.Pages.Len()), p.Pages.Slice(0, p.Pages.Len()); !reflect.DeepEqual(a, b) {
			t.Fatalf("step %d, %s: pages\n got %+v\nwant %+v", n, p.Label, a, b)
		}
		x, y := *p, *q
		x.Mappings, y.Mappings, x.Pages, y.Pages = vmspace.List[vmspace.Mapping]{}, vmspace.List[vmspace.Mapping]{}, vmspace.List[vmspace.Run]{}, vmspace.List[vmspace.Run]{}
		if !reflect.DeepEqual(x, y) {
			t.Fatalf("step %d: %+v, want %+v", n, y, x)
		}
	}
}
