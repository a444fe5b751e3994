package actions

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"cowscope/actions/family"
	"cowscope/actions/feature"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// What a script can take, beside what the kernel calls resident, and what is refused before it is
// taken.

func limited(t *testing.T, limits family.Limits) *lab {
	t.Helper()
	s, err := Open(Options{Limits: limits, Brief: true, Glance: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &lab{t, s}
}

// memfds is how many bytes the memfds hold that this process has open: those of a session outlive its
// subjects.
func memfds(t *testing.T) (held uint64) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range files {
		var st unix.Stat_t
		if name, err := os.Readlink(fd); err == nil && strings.HasPrefix(name, "/memfd:") && unix.Stat(fd, &st) == nil {
			held += uint64(st.Blocks) * 512
		}
	}
	return held
}

// Shared memory counts as long as its file lives, also where no page table has it.
func TestSharedMemoryCounts(t *testing.T) {
	const anon = "@p1 a = mmap 20m rw shared anon"
	cases := map[string]struct{ make, drop string }{ // N is the number of the round
		"dontneed":        {anon, "madvise a dontneed"},
		"unmapped":        {anon, "munmap a+1p"},
		"elsewhere":       {anon, "b = mmap 1p r private anon\nmremap a+1p 1p 1p maymove\nmunmap a+2p"},
		"child":           {anon, "fork\n@p1 madvise a dontneed\n@p2 munmap a+1p"},
		"memfd":           {"memfd mN 20m\na = mmap 20m rw shared file=mN", "munmap a"},
		"memfd, no name":  {"memfd m 20m\na = mmap 20m rw shared file=m", "rm m\nmadvise a dontneed"},
		"memfd, new name": {"memfd m 20m\na = mmap 20m rw shared file=m", "madvise a dontneed"},
	}
	if testing.Short() {
		for _, name := range []string{"unmapped", "elsewhere", "memfd, no name", "memfd, new name"} {
			delete(cases, name)
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := limited(t, family.Limits{Memory: 64 << 20})
			var last *history.Step
			for i := range 4 {
				l.all(strings.Split(strings.ReplaceAll(c.make, "N", fmt.Sprint(i)), "\n")...)
				if last = l.do("@p1 fill a 1"); !last.OK() {
					if i != 3 {
						t.Fatalf("round %d: %s: %s", i, last.Result, last.Why)
					}
					break
				}
				for _, line := range strings.Split(c.drop, "\n") {
					l.do(line)
				}
			}
			if last.Result != history.Exited || !strings.Contains(last.Why, "--max-memory") {
				t.Errorf("%s: %s", last.Result, last.Why)
			}
			// Nobody maps them any more, and a memfd that has a name is all that is left.
			for i := 0; i < 3 && name == "memfd"; i++ {
				l.all(fmt.Sprintf("rm m%d", i))
			}
			l.all("restart", "mmap 1p rw private anon")
			if held := memfds(t); held > 20<<20 {
				t.Errorf("memfds hold %d KiB", held>>10)
			}
		})
	}
}

// What the family before took is not held against a subject that starts, however long that lasts.
func TestSubjectStartsUnguarded(t *testing.T) {
	l := open(t)
	var done atomic.Bool
	defer done.Store(true)
	for range 4 * runtime.GOMAXPROCS(0) {
		go func() {
			for !done.Load() {
			}
		}()
	}
	for range 20 {
		l.s.f.Tracer.Guard(func() bool { return true })
		l.want("ok", "restart")
	}
}

// What comes back into the page tables is no new memory, and what is given back does not count.
func TestSharedMemoryIsCountedOnce(t *testing.T) {
	l := limited(t, family.Limits{Memory: 16 << 20})
	l.all("a = mmap 12m rw shared anon", "fill a 1")
	for range 4 {
		l.all("madvise a dontneed", "touch a read", "madvise a dontneed", "touch a write", "mprotect a r", "mprotect a rw")
	}
	l.all("b = mmap 256m rw shared anon", "mprotect b r", "mprotect b rw", "touch b 448k", "fork", "@p2 touch a", "@p2 fill a 2", "@p2 exit", "wait")
	for range 3 {
		l.all("madvise a remove", "fill a 3")
	}
	l.all("madvise a 5m remove", "c = mmap 4m rw shared anon populate", "munmap a", "a = mmap 10m rw shared anon populate")
	if got := l.s.f.Shared.Count * ps; got != 14<<20+448<<10 {
		t.Errorf("%d bytes of shared memory are counted", got)
	}
	rounds := 200
	if testing.Short() {
		rounds = 50
	}
	for range rounds { // small ones come and go
		l.all("c = mmap 256k rw shared anon", "fill c 1", "munmap c")
	}
	l.all("munmap b")
	l.s.f.Shared.Sweep(l.s.last().After)
	if n := len(l.s.f.Shared.Files); n != 2 {
		t.Errorf("%d files of shared memory are known", n)
	}
}

// What no signal can stop is refused before it begins. A page has 8 bytes in a page table, whatever
// its size.
func TestRefusedBeforehand(t *testing.T) {
	forks := strings.Repeat("fork\n", 8)
	texts := ""
	for i := range 300 {
		texts += fmt.Sprintf("fwrite f %dk \"%s\"\n", 64*i, strings.Repeat("x", 30000))
	}
	for name, c := range map[string]struct{ before, refused, allowed string }{
		"guard pages":           {"a = mmap 1048576p rw private anon noreserve\nmadvise a nohugepage", "madvise a guard_install", "madvise a 65536p guard_install"},
		"guard pages by number": {"a = mmap 1048576p rw private anon noreserve\nmadvise a nohugepage", "madvise a 102", "madvise a 65536p 102"},
		"guard pages, step by step": {"a = mmap 1048576p rw private anon noreserve\nmadvise a 131072p guard_install\nmadvise a+131072p 131072p guard_install\n" +
			"madvise a+262144p 131072p guard_install", "madvise a+393216p 655360p guard_install", "madvise a 131072p guard_install"},
		"page tables of a copy": {"a = mmap 524288p rw private anon noreserve\nmadvise a nohugepage\nwrite a 1\nmadvise a 262144p populate_read", forks, "fork"},
		"page tables of a move": {"a = mmap 1048576p rw private anon noreserve\nmadvise a nohugepage\nmadvise a 786432p populate_read",
			"mremap a 1048576p maymove fixed=0x100000010000", ""},
		"text":                     {"file f \"x\"", texts, ""},
		"room in a file":           {"file f 0\nfallocate f 0 2m", "fallocate f 2m 1g", "fallocate f 0 2m punch"},
		"room behind a file":       {"memfd f 0", "fallocate f 1g 8m keep", "fallocate f 1g 2m keep"},
		"room in a memfd":          {"memfd f 1p\nfallocate f 0 3m", "fallocate f 3m 3m\nfallocate f 6m 3m", "fallocate f 0 1m punch"},
		"room in what lost a name": {"memfd f 4m\na = mmap 4m rw shared file=f\nfill a 1\nrm f\nmemfd f 1p", "fallocate f 0 6m", "write a 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "text" && !strings.HasPrefix(name, "room") {
				t.Skip("needs more time than -short gives")
			}
			provideGuard(t, name+c.refused)
			l := limited(t, family.Limits{Memory: 8 << 20})
			for line := range strings.Lines(c.before + "\n" + c.allowed) {
				if line = strings.TrimSpace(line); line != "" {
					l.all(line)
				}
			}
			var last *history.Step
			for line := range strings.Lines(c.refused) {
				if last = l.do(strings.TrimSpace(line)); !last.OK() {
					break
				}
			}
			if last.Result != history.Refused || !strings.Contains(last.Why, "--max-memory") || !strings.Contains(last.Why, "8 MiB") {
				t.Errorf("%s: %s: %s", last.Command[:min(len(last.Command), 40)], last.Result, last.Why)
			}
			if tables := procfs.PageTables(l.s.f.Members[0].PID); tables > 8<<20 {
				t.Errorf("%d KiB of page tables", tables>>10)
			}
			if strings.HasPrefix(name, "room") {
				if used := l.s.f.Files.Used(); used > 9<<20 {
					t.Errorf("%d KiB of files", used>>10)
				}
			}
			if name == "text" {
				l.want("refused", last.Command)
				l.all("rm f")
			}
			l.all("restart", "mmap 4p rw private anon", "write a 1")
		})
	}
}

// What the pool of huge pages has is taken by a mapping, and not first by its pages.
func TestPoolIsRefused(t *testing.T) {
	require(t, "hugetlb")
	page, _ := (&kernel.Settings{}).Meminfo("Hugepagesize")
	l := limited(t, family.Limits{Memory: page * 3 / 2})
	two := fmt.Sprint(2 * page)
	if st := l.want("refused", "mmap "+two+" rw private anon hugetlb"); !strings.Contains(st.Why, "--max-memory") {
		t.Error(st.Why)
	}
	l.want("ENOMEM", "mmap 1t rw private anon hugetlb")
	l.all("a = mmap 1p rw private anon hugetlb", "munmap a", "a = mmap "+two+" rw private anon noreserve hugetlb")
	if st := l.do("touch a write"); st.OK() && !l.s.f.Over(0) { // it may be too quick to be killed
		t.Error("two huge pages are not counted")
	}
}

func provideGuard(t *testing.T, lines string) {
	t.Helper()
	if strings.Contains(lines, "guard") {
		require(t, "guard")
	}
}

// The records of mappings are memory too, in each process anew.
func TestMappingsCount(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	l := limited(t, family.Limits{Memory: 32 << 20})
	var text strings.Builder
	text.WriteString("mmap 4000p rw private anon\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "mprotect a+%dp 1p r\n", 2*i)
	}
	l.script(text.String())
	n := 0
	for ; n < 8; n++ {
		st := l.do("fork")
		if st.Result == history.Refused {
			if !strings.Contains(st.Why, "mappings") || !strings.Contains(st.Why, "--max-memory") {
				t.Error(st.Why)
			}
			break
		}
	}
	if n < 1 || n > 4 {
		t.Errorf("%d copies of %d mappings fit", n, 4000)
	}
	l = limited(t, family.Limits{Memory: 2 << 20})
	for n = 0; n < 2000; n++ {
		if st := l.do("mmap 1p " + []string{"r", "rw"}[n%2] + " private anon"); st.Result == history.Refused {
			if !strings.Contains(st.Why, "the records of all mappings") || !strings.Contains(st.Why, "--max-memory") {
				t.Error(st.Why)
			}
			break
		}
	}
	if n < 500 || n == 2000 {
		t.Errorf("%d mappings fit", n)
	}
}

// A collapse makes a huge page of each that is touched.
func TestCollapseIsRefused(t *testing.T) {
	require(t, "thp")
	l := limited(t, family.Limits{Memory: 16 * huge})
	l.all("a = mmap "+blocks(32)+" rw private anon", "madvise a nohugepage")
	var text strings.Builder
	for i := range 32 {
		fmt.Fprintf(&text, "write a+%s 1\n", blocks(uint64(i)))
	}
	l.script(text.String())
	l.all("madvise a hugepage")
	if st := l.want("refused", "madvise a collapse"); !strings.Contains(st.Why, "--max-memory") {
		t.Error(st.Why)
	}
	l.do("madvise a " + blocks(2) + " collapse") // the kernel may have no huge page
	l.all("write a 2")
}

// Growth of page tables is stopped while a call runs.
func TestPageTablesWhileACallRuns(t *testing.T) {
	for name, lines := range map[string]string{
		"populate": "a = mmap 2097152p r private anon noreserve\nmadvise a nohugepage\nmadvise a populate_read",
		"touch":    "a = mmap 2097152p r private anon noreserve\nmadvise a nohugepage\ntouch a read",
	} {
		t.Run(name, func(t *testing.T) {
			l := limited(t, family.Limits{Memory: 4 << 20})
			var last *history.Step
			for _, line := range strings.Split(lines, "\n") {
				last = l.do(line)
			}
			if last = l.further(last); last.Result != history.Exited || !strings.Contains(last.Why, "--max-memory") {
				t.Errorf("%s: %s", last.Result, last.Why)
			}
		})
	}
}

// further runs a line again that met its deadline, as it may on a machine with much to do before it
// has met the limit of 4 MiB. What was touched stays, so that it goes on from there.
func (l *lab) further(st *history.Step) *history.Step {
	l.Helper()
	for st.Result == history.Timeout && procfs.PageTables(st.PID) < 8<<20 {
		st = l.do(st.Command)
	}
	return st
}

// Where a memory cgroup can be made the kernel holds the limit, also if nobody counts.
func TestKernelHoldsTheLimit(t *testing.T) {
	if ok, reason, _ := feature.Available("memory-cgroup"); !ok {
		t.Skip("needs memory-cgroup:", reason)
	}
	l := limited(t, family.Limits{Memory: 64 << 20})
	l.s.f.Tracer.Guard(nil)
	l.all("fork", "@p2 a = mmap 1g rw private anon")
	st := l.do("@p2 fill a 1")
	if st.Result != history.Exited || !strings.Contains(st.Why, "its memory cgroup was full") || !strings.Contains(st.Why, "--max-memory") {
		t.Errorf("%s: %s", st.Result, st.Why)
	}
	l.all("@p1 b = mmap 1m rw private anon", "fill b 1")
}
