package actions

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"cowscope/actions/explain"
	"cowscope/actions/feature/machinetest"
	"cowscope/actions/kernel"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"

	"golang.org/x/sys/unix"
)

// Every row of every table of reasons is reached on the real kernel, or it is said here why this
// machine cannot reach it.

// Sizes of this machine: a page, a huge page, and how many pages it has.
var (
	ps      = uint64(os.Getpagesize())
	huge    = vmspace.HugeBlock(ps)
	inBlock = huge / ps
)

// pages is how a sentence writes n pages.
func pages(n uint64) string { return amount.Size(n * ps) }

// blocks is how a command line writes n huge pages.
func blocks(n uint64) string { return fmt.Sprintf("%dp", n*inBlock) }

// onBlock has an mmap begin where a huge page can, of whatever size: kernels before 6.7 look for no
// such place by themselves (mm/huge_memory.c, thp_get_unmapped_area).
const onBlock = " fixed addr=0x200000000"

// reasonCase leads to one row.
type reasonCase struct {
	row     string       // VERB RESULT NAME
	prepare func(*lab)   // before the setup
	setup   string       // lines that end well, with ; between them
	limit   func(*lab)   // after it
	line    string       // ends in the row's result
	says    string       // part of its sentence
	needs   func() error // why this user cannot do it
}

func TestReasons(t *testing.T) {
	for _, c := range allReasonCases() {
		t.Run(c.row, func(t *testing.T) {
			machinetest.Hold(t)
			for _, needs := range []func() error{c.needs, c.ofLine} {
				if needs == nil {
					continue
				}
				if err := needs(); err != nil {
					t.Skip(err)
				}
			}
			l := opened(t, unix.SYS_SETRESUID, unix.SYS_MEMFD_CREATE, unix.SYS_FTRUNCATE, unix.SYS_FCNTL, unix.SYS_PRCTL)
			if c.prepare != nil {
				c.prepare(l)
			}
			for line := range strings.SplitSeq(c.setup, ";") {
				if line != "" {
					l.want("ok", strings.TrimSpace(line))
				}
			}
			if c.limit != nil {
				c.limit(l)
			}
			l.reaches(c.row, c.line, c.says)
		})
	}
}

// reaches runs a line, and checks that its sentence comes from the row and says what it should.
func (l *lab) reaches(row, line, says string) {
	l.Helper()
	st := l.do(line)
	if st.Reason != row {
		l.Errorf("%s: %s, row %q, want %q\n%s", line, st.Result, st.Reason, row, st.Why)
	}
	if !strings.Contains(st.Why, says) {
		l.Errorf("%s: %s\nwant something of %q", line, st.Why, says)
	}
	l.Log(st.Why)
}

// No row is without a case or an excuse, no two rows of a table have one name, and nothing is said
// of rows that are not there.
func TestEveryReasonIsAccountedFor(t *testing.T) {
	missing := map[string]bool{}
	for _, row := range explain.Rows() {
		name := row.String()
		if missing[name] {
			t.Errorf("two rows are called %q", name)
		}
		missing[name] = true
	}
	known := map[string]bool{}
	for name := range missing {
		known[name] = true
	}
	for _, c := range allReasonCases() {
		delete(missing, c.row)
		if !known[c.row] {
			t.Errorf("a case for %q, which is no row", c.row)
		}
	}
	for name := range crowdedCases {
		delete(missing, name)
		if !known[name] {
			t.Errorf("a case for %q, which is no row", name)
		}
	}
	for name, why := range unreachable() {
		if !known[name] {
			t.Errorf("%q cannot be reached (%s), and is no row", name, why)
		}
		delete(missing, name)
	}
	for name := range missing {
		t.Errorf("%q is never reached", name)
	}
}

// Every row has a result that the language knows, a source, and a place after the rows that the
// kernel comes to first.
func TestReasonTables(t *testing.T) {
	table, last := "", map[string]string{}
	for _, r := range explain.Rows() {
		if r.Table != table {
			table, last = r.Table, map[string]string{}
		}
		if r.Result == "" || r.Name == "" || r.Source == "" {
			t.Errorf("%s is not complete", r)
		}
		if last[r.Result] != "" {
			t.Errorf("%s stands behind %s, which always speaks", r, last[r.Result])
		}
		if r.Always {
			last[r.Result] = r.Name
		}
	}
}

// raw makes the current process do a system call that is no command.
func (l *lab) raw(nr uintptr, args ...uint64) uint64 {
	l.Helper()
	var e subject.Ending
	err := l.s.do(func() (err error) {
		e, err = l.s.f.Member(l.s.f.Current).Proc.Syscall(nr, args...)
		return err
	})
	if err != nil || e.Errno != 0 {
		l.Fatalf("system call %d: %v, %v", nr, e.Errno, err)
	}
	return e.Value
}

// store writes bytes into a page of the current process, lent for it, and runs f.
func (l *lab) lend(b []byte, f func(at uint64)) {
	l.Helper()
	at := l.raw(unix.SYS_MMAP, 0, ps, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uint64(0), 0)
	err := l.s.do(func() error {
		_, err := l.s.f.Member(l.s.f.Current).Proc.Store(at, b)
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	f(at)
	l.raw(unix.SYS_MUNMAP, at, ps)
}

// opens makes the current process open a file: as descriptor 0, if it is the first.
func (l *lab) opens(path string, flags int) {
	l.Helper()
	cwd := unix.AT_FDCWD
	l.lend(append([]byte(path), 0), func(at uint64) { l.raw(unix.SYS_OPENAT, uint64(cwd), at, uint64(flags), 0) })
}

// file makes a file of n bytes and opens it in the current process.
func (l *lab) file(n int64, flags int) string {
	l.Helper()
	f, err := os.CreateTemp(l.TempDir(), "file")
	if err == nil {
		err = f.Truncate(n)
	}
	if err != nil {
		l.Fatal(err)
	}
	f.Close()
	l.opens(f.Name(), flags)
	return f.Name()
}

// limits sets a soft limit of the current process.
func (l *lab) limits(resource int, n uint64) {
	l.Helper()
	var was unix.Rlimit
	pid := l.s.f.Member(l.s.f.Current).PID
	if err := unix.Prlimit(pid, resource, nil, &was); err != nil {
		l.Fatal(err)
	}
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: n, Max: was.Max}, nil); err != nil {
		l.Fatal(err)
	}
}

// ordinary takes root's capabilities from the current process, so that limits bind it.
func (l *lab) ordinary() {
	l.Helper()
	if os.Getuid() == 0 {
		l.raw(unix.SYS_SETRESUID, 65534, 65534, 65534)
	}
}

// look makes a step of what happened without a command.
func (l *lab) look() {
	l.Helper()
	l.s.rhythm.Forget()
	if _, err := l.s.Poll(l.Context()); err != nil {
		l.Fatal(err)
	}
}

func asRoot() error {
	if os.Getuid() != 0 {
		return fmt.Errorf("needs root")
	}
	return nil
}

func asUser() error {
	if os.Getuid() == 0 {
		return fmt.Errorf("needs an ordinary user: root may see the size of every file")
	}
	return nil
}

// readable to everyone, mapped by its driver, and never executable.
const btf = "/sys/kernel/btf/vmlinux"

func hasBTF() error {
	f, err := os.Open(btf)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := syscall.Mmap(int(f.Fd()), 0, 1, syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("needs a kernel that maps %s (6.16): %w", btf, err)
	}
	return syscall.Munmap(b)
}

// emptyPool wants no huge page in the pool: with one, what is refused there may go well.
func emptyPool() error {
	if n, known := (&kernel.Settings{}).Meminfo("HugePages_Free"); known && n > 0 {
		return fmt.Errorf("needs an empty pool of huge pages: HugePages_Free is %d", n)
	}
	return nil
}

func noSharedHugePages() error {
	b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
	if err == nil && !strings.Contains(string(b), "[never]") {
		err = fmt.Errorf("needs a kernel that makes no huge pages of shared memory: shmem_enabled is %s", b)
	}
	return err
}
