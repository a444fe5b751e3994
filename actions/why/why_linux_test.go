package why

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/feature/machinetest"
	"cowscope/actions/kernel"
	"cowscope/actions/verb"
	"cowscope/actions/verdict"
	"cowscope/vmspace"
)

func TestMain(m *testing.M) {
	if role := roles[os.Getenv("COWSCOPE_ROLE")]; role != nil {
		if err := role(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// asked is what was found, with what the kernel's own sums say of the same processes.
type asked struct {
	*testing.T
	snap  *vmspace.Snapshot
	found []verdict.Finding
}

func ask(t *testing.T, members ...vmspace.Member) asked {
	t.Helper()
	r, err := Ask(context.Background(), members)
	if err != nil {
		t.Fatal(err)
	}
	return asked{t, r.Snapshot, r.Findings}
}

// of is the finding of that name on a process; nil if there is none.
func (a asked) of(label, name string) *verdict.Finding {
	for i, f := range a.found {
		if f.Process == label && f.Verdict == name {
			return &a.found[i]
		}
	}
	return nil
}

// rollup is a sum of /proc/PID/smaps_rollup, in bytes.
func (a asked) rollup(label, name string) uint64 {
	a.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", a.snap.Process(label).PID))
	if err != nil {
		a.Skip("needs smaps_rollup: ", err)
	}
	n, ok := kernel.ParseField(string(b), name)
	if !ok {
		a.Skip("needs a field of smaps_rollup: ", name)
	}
	return n
}

// require skips a test where a feature is missing that nobody lends.
func require(t *testing.T, features ...string) {
	t.Helper()
	for _, f := range features {
		lend, can := lenders[f]
		if can {
			machinetest.HoldToChange(t)
		}
		switch why, err := verb.Missing([]string{f}); {
		case err != nil:
			t.Fatal(err)
		case why == "":
			continue
		case !can || os.Getuid() != 0:
			t.Skipf("needs %s: %s", f, why)
		default:
			if err := lend(machinetest.Change(t, "lends "+f)); err != nil {
				t.Skipf("needs %s: %s, and it could not be made: %v", f, why, err)
			}
		}
	}
}

var lenders = map[string]func(*machinetest.Settings) error{
	"swap": func(s *machinetest.Settings) error { return s.Swap(64 << 20) },
	"ksm": func(s *machinetest.Settings) error {
		const dir = "/sys/kernel/mm/ksm/"
		for _, c := range []struct{ name, value string }{{"sleep_millisecs", "1"}, {"pages_to_scan", "5000"}, {"run", "1"}} {
			if err := s.Set(dir+c.name, c.value); err != nil {
				return err
			}
		}
		return nil
	},
}

var (
	ps   = uint64(os.Getpagesize())
	huge = vmspace.HugeBlock(ps)
)

// islandPages is how many pages of each of 32 blocks are touched.
const islandPages = 32

// islandLines are lines that touch them.
func islandLines() []string {
	lines := []string{fmt.Sprintf("a = mmap %d rw private anon noreserve", 33*huge), "madvise a nohugepage"}
	for i := range uint64(32) {
		lines = append(lines, fmt.Sprintf("touch a+%d %dp write", i*huge, islandPages))
	}
	return lines
}

// cases are what a subject does, step by step: after each step a verdict is there, or not. FILE is a
// file that is not the session's, and has a name, so that an ordinary user sees it; "size" sets its
// size from outside.
var cases = []struct {
	name, verdict string
	needs         []string
	steps         []step
}{
	{"shared by a fork", "counted-twice", nil, []step{
		{do: []string{"a = mmap 8m rw private anon", "fill a 1"}, not: []string{"p1"}},
		{do: []string{"fork"}, has: []string{"p1", "p2", verdict.Family}, bytes: func(a asked, label string) (least, most uint64) {
			n := a.rollup(label, "Rss") - a.rollup(label, "Pss")
			return n, n + uint64(a.snap.Process(label).Mappings.Len())<<10 // Pss of a mapping is rounded down
		}},
		{do: []string{"@p2 fill a 2"}, not: []string{"p1", "p2", verdict.Family}},
	}},
	{"a file that is read", "page-cache", []string{"disk"}, []step{
		{do: []string{"size 4194304", "a = mmap 4m r private file=FILE"}, not: []string{"p1"}},
		{do: []string{"touch a"}, has: []string{"p1"}, bytes: func(a asked, label string) (least, most uint64) {
			return 4 << 20, a.rollup(label, "Shared_Clean") + a.rollup(label, "Private_Clean")
		}},
	}},
	{"a file whose pages were copied", "page-cache", []string{"disk"}, []step{
		{do: []string{"size 4194304", "a = mmap 4m rw private file=FILE", "fill a 1"}, not: []string{"p1"}},
	}},
	{"a file that is locked", "page-cache", []string{"disk", "mlock"}, []step{
		{do: []string{"size 4194304", "setrlimit memlock 8m", "a = mmap 4m r private file=FILE", "touch a", "mlock a"}, not: []string{"p1"}},
	}},
	{"a file in memory", "page-cache", []string{"memfd"}, []step{
		{do: []string{"memfd f 4m", "a = mmap 4m r private file=f", "touch a"}, not: []string{"p1"}},
	}},
	{"freed lazily", "lazyfree", []string{"lazyfree"}, []step{
		{do: []string{"a = mmap 4m rw private anon", "madvise a nohugepage", "fill a 1"}, not: []string{"p1"}},
		{do: []string{"madvise a free"}, has: []string{"p1"}, bytes: func(a asked, label string) (least, most uint64) {
			n := a.rollup(label, "LazyFree")
			return n - min(n, 64*ps), n // what each CPU has set aside becomes lazy a little later (mm/swap.c)
		}},
		{do: []string{"fill a 2"}, not: []string{"p1"}},
	}},
	{"shared memory of a family", "outlives", nil, []step{
		{do: []string{"a = mmap 2m rw shared anon", "fill a 1"}, not: []string{"p1"}},
		{do: []string{"fork"}, has: []string{"p1"}, bytes: exactly(2 << 20)},
		{do: []string{"@p2 munmap a"}, not: []string{"p1", "p2"}},
	}},
	{"a file on a disk that is shared", "outlives", []string{"disk"}, []step{
		{do: []string{"size 2097152", "a = mmap 2m rw shared file=FILE", "fill a 1", "fork"}, not: []string{"p1", "p2"}},
	}},
	{"touched here and there", "islands", nil, []step{
		{do: islandLines(), has: []string{"p1"}, bytes: func(a asked, label string) (least, most uint64) {
			return 31 * islandPages * ps, 32 * islandPages * ps // the first block may be cut by the mapping's edge
		}},
	}},
	{"all in one place", "islands", nil, []step{
		{do: []string{fmt.Sprintf("a = mmap %d rw private anon noreserve", 33*huge), "madvise a nohugepage", fmt.Sprintf("fill a %dp 1", 32*islandPages)}, not: []string{"p1"}},
	}},
	{"everything touched", "islands", []string{"thp-2m"}, []step{
		{do: []string{fmt.Sprintf("a = mmap %d rw private anon", 33*huge), "madvise a nohugepage", "fill a 1"}, not: []string{"p1"}},
	}},
	{"huge pages written to by a child", "huge-copied", []string{"thp-2m", "collapse", "frames", "kpage"}, []step{
		{do: []string{"a = mmap 8m rw private anon", "madvise a hugepage", "fill a 1", "madvise a collapse"}, not: []string{"p1"}},
		{do: []string{"fork"}, not: []string{"p1", "p2"}},
		{do: []string{"@p2 write a+3m 2"}, has: []string{"p2"}, not: []string{"p1"}, bytes: exactly(2 << 20)},
	}},
	{"huge pages that hold little", "huge-sparse", []string{"thp-2m", "scan"}, []step{
		{do: []string{"a = mmap 8m rw private anon", "madvise a hugepage", "write a+2m 1", "write a+4m 1"}, has: []string{"p1"}, bytes: func(a asked, label string) (least, most uint64) {
			n := a.rollup(label, "AnonHugePages")
			return n - n/100, n
		}},
		{do: []string{"fill a 1"}, not: []string{"p1"}},
	}},
	{"a file that is shorter", "past-end", nil, []step{
		{do: []string{fmt.Sprint("size ", 4*int(ps)), "a = mmap 4p rw shared file=FILE"}, not: []string{"p1"}},
		{do: []string{fmt.Sprint("size ", 2*int(ps)+1)}, has: []string{"p1"}, bytes: exactly(ps)},
		{do: []string{"size 0"}, has: []string{"p1"}, bytes: exactly(4 * ps)},
		{do: []string{"mprotect a none"}, not: []string{"p1"}},
	}},
	{"shared memory that was grown", "past-end", []string{"frames"}, []step{ // for which no file has a name
		{do: []string{"a = mmap 4p rw shared anon"}, not: []string{"p1"}},
		{do: []string{"mremap a 7p maymove"}, has: []string{"p1"}, bytes: exactly(3 * ps)},
	}},
	{"locked", "locked", []string{"mlock"}, []step{
		{do: []string{"a = mmap 16p rw private anon", "fill a 1"}, not: []string{"p1"}},
		{do: []string{"mlock a"}, has: []string{"p1"}, bytes: sumOf("Locked")},
		{do: []string{"munlock a"}, not: []string{"p1"}},
	}},
	{"swapped out", "swapped", []string{"swap"}, []step{
		{do: []string{"a = mmap 4m rw private anon", "fill a 1"}, not: []string{"p1"}},
		{do: []string{"madvise a pageout"}, has: []string{"p1"}, bytes: sumOf("Swap")},
		{do: []string{"fill a 2"}, not: []string{"p1"}},
	}},
}

// step is a part of a case: lines, and the processes that have the verdict after them, or have not.
type step struct {
	do, has, not []string
	bytes        func(a asked, label string) (least, most uint64) // of one that has it
}

func exactly(n uint64) func(asked, string) (uint64, uint64) {
	return func(asked, string) (uint64, uint64) { return n, n }
}

// sumOf is a field of smaps_rollup.
func sumOf(field string) func(asked, string) (uint64, uint64) {
	return func(a asked, label string) (uint64, uint64) { n := a.rollup(label, field); return n, n }
}

// Each verdict is there when a process does what it is about, with the kernel's own number, and is
// not there before, or after that is over.
func TestVerdicts(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require(t, c.needs...)
			dir := t.TempDir()
			name := filepath.Join(dir, "f")
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			for _, step := range c.steps {
				for _, line := range step.do {
					if size, ok := strings.CutPrefix(line, "size "); ok {
						n, err := strconv.ParseInt(size, 10, 64)
						if err := errors.Join(err, os.Truncate(name, n)); err != nil {
							t.Fatal(err)
						}
						continue
					}
					line = strings.ReplaceAll(line, "FILE", name)
					if _, err := s.Do(context.Background(), line); err != nil {
						t.Fatalf("%s: %v", line, err)
					}
				}
				a := ask(t, family(s)...)
				last := step.do[len(step.do)-1]
				for _, label := range step.has {
					f := a.of(label, c.verdict)
					if f == nil || f.Unknown != "" {
						t.Fatalf("%s: %s is not %s: %+v", last, label, c.verdict, a.found)
					}
					if f.Text == "" || f.Evidence == "" {
						t.Errorf("%+v", f)
					}
					if label == verdict.Family {
						continue
					}
					if least, most := step.bytes(a, label); f.Bytes < least || f.Bytes > most {
						t.Errorf("%s: %d bytes, want %d to %d: %+v", last, f.Bytes, least, most, f)
					}
				}
				for _, p := range a.snap.Processes {
					if n, want := anonymous(p), a.rollup(p.Label, "Anonymous"); n != want {
						t.Errorf("%s: %s has %d bytes of anonymous memory, want %d", last, p.Label, n, want)
					}
				}
				for _, label := range step.not {
					if f := a.of(label, c.verdict); f != nil && f.Unknown == "" {
						t.Errorf("%s: %+v", last, f)
					}
				}
			}
		})
	}
}

func open(t *testing.T, allowed ...string) *actions.Session {
	t.Helper()
	s, err := actions.Open(actions.Options{AllowPaths: allowed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// family is who belongs to a session.
func family(s *actions.Session) (out []vmspace.Member) {
	steps := s.History()
	for _, p := range steps[len(steps)-1].After.Processes {
		if p.Alive() {
			out = append(out, p.Member)
		}
	}
	return out
}

// A file in a tmpfs stays when its process ends.
func TestTmpfsOutlives(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "cowscope-why-")
	if err != nil {
		t.Skip("needs a tmpfs at /dev/shm: ", err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, _, ok := look(name); !ok || !f.Memory {
		t.Skip("needs a tmpfs at /dev/shm")
	}
	s := open(t, dir)
	if _, err := s.Do(context.Background(), "mmap 2m rw shared file="+name); err != nil {
		t.Fatal(err)
	}
	f := ask(t, family(s)...).of("p1", "outlives")
	if f == nil || f.Bytes != 2<<20 || !strings.Contains(f.Evidence, "until it is removed") {
		t.Errorf("%+v", f)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if f := ask(t, family(s)...).of("p1", "outlives"); f != nil {
		t.Errorf("it goes with its last user: %+v", f)
	}
}

// Without frames nobody can tell whether huge pages were split, and that is said.
func TestUnknown(t *testing.T) {
	require(t, "thp-2m")
	if why, err := verb.Missing([]string{"frames"}); err != nil || why == "" {
		t.Skip("needs a user who sees no frames")
	}
	s := open(t)
	for _, line := range []string{"a = mmap 8m rw private anon", "madvise a nohugepage", "fill a 1", "madvise a hugepage"} {
		if _, err := s.Do(context.Background(), line); err != nil {
			t.Fatal(err)
		}
	}
	f := ask(t, family(s)...).of("p1", "huge-copied")
	if f == nil || !strings.HasPrefix(f.Unknown, "needs frames") || f.Bytes != 0 || f.Text != "" {
		t.Errorf("%+v", f)
	}
}

func TestRefused(t *testing.T) {
	for pid, want := range map[int]string{1 << 30: "no such process"} {
		if _, err := Ask(context.Background(), []vmspace.Member{{Label: "p1", PID: pid}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, want %q", pid, err, want)
		}
	}
}

// Pages that KSM has merged are counted, and equal pages that it may not merge are none.
func TestMerged(t *testing.T) {
	require(t, "ksm")
	m := start(t, nil, "merged")
	var a asked
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		a = ask(t, m)
		if a.of("p1", "ksm") != nil || time.Now().After(end) {
			break
		}
	}
	f := a.of("p1", "ksm")
	if f == nil || f.Bytes > a.rollup("p1", "KSM") {
		t.Errorf("%+v", f)
	}
	s := open(t)
	for _, line := range []string{"a = mmap 8m rw private anon", "fill a 7"} {
		if _, err := s.Do(context.Background(), line); err != nil {
			t.Fatal(err)
		}
	}
	if f := ask(t, family(s)...).of("p1", "ksm"); f != nil {
		t.Errorf("%+v", f)
	}
}
