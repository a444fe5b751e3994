//go:build amd64 || arm64

package subject

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const readWrite = unix.PROT_READ | unix.PROT_WRITE

func TestMapStoreLoadUnmap(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := mmap(t, p, 2, readWrite)
		text := []byte("a store of bytes, aligned in the middle only.")
		for shift := range uint64(8) {
			if e := ok(t)(p.Store(a+shift, text)); e.Done != uint64(len(text)) {
				t.Fatalf("stored %d bytes of %d", e.Done, len(text))
			}
			if got := peek(t, p, a+shift, len(text)); !bytes.Equal(got, text) {
				t.Fatalf("stored %q", got)
			}
		}
		if e := ok(t)(p.Load(a+7, 3)); e.Done != 3 || e.Value != 's' {
			t.Fatalf("loaded %s", describe(e))
		}
		if e := ok(t)(p.Fill(a+1, pageSize, 0x5a)); e.Done != pageSize {
			t.Fatalf("filled %d", e.Done)
		}
		if got := peek(t, p, a+1, int(pageSize)); !bytes.Equal(got, bytes.Repeat([]byte{0x5a}, int(pageSize))) {
			t.Fatal("filled with something else")
		}
		if e := call(t, p, unix.SYS_MUNMAP, a, 2*pageSize); !e.OK() {
			t.Fatal(describe(e))
		}
		wantSignal(t, must(t)(p.Load(a, 1)), unix.SIGSEGV, "MAPERR", a)
		alive(t, p)
	})
}

func TestErrno(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		if e := call(t, p, unix.SYS_MMAP, 0, 0, 3, 0x22, none, 0); e.Errno != unix.EINVAL || e.Value != ^uint64(unix.EINVAL)+1 {
			t.Errorf("mmap of nothing: %s", describe(e))
		}
		if e := call(t, p, unix.SYS_MMAP, 0, pageSize, 1, unix.MAP_SHARED, 99, 0); e.Errno != unix.EBADF {
			t.Errorf("mmap of fd 99: %s", describe(e))
		}
		if e := call(t, p, 9999); e.Errno != unix.ENOSYS {
			t.Errorf("call 9999: %s", describe(e))
		}
	})
}

// Faults in the middle say how far the instructions got.
func TestFaultInTheMiddle(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := mmap(t, p, 4, readWrite)
		wall := a + 2*pageSize
		if e := call(t, p, unix.SYS_MPROTECT, wall, pageSize, unix.PROT_NONE); !e.OK() {
			t.Fatal(describe(e))
		}
		for _, before := range []uint64{0, 1, 7, 8, 13, 64, 100, pageSize + 3} {
			from := wall - before
			check := func(what string, e Ending, done uint64) {
				t.Helper()
				wantSignal(t, e, unix.SIGSEGV, "ACCERR", wall)
				if e.Done != done {
					t.Errorf("%s from %d before the wall: %d done", what, before, e.Done)
				}
			}
			check("load", must(t)(p.Load(from, 2*pageSize)), before)
			check("fill", must(t)(p.Fill(from, 2*pageSize, 1)), before)
			check("store", must(t)(p.Store(from, make([]byte, before+9))), before)
			pages := (before + pageSize - 1) / pageSize
			for _, write := range []bool{false, true} {
				check("touch", must(t)(p.Touch(wall-pages*pageSize, 4, pageSize, write)), pages)
			}
		}
		alive(t, p)
	})
}

func TestReadOnly(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := mmap(t, p, 1, unix.PROT_READ)
		ok(t)(p.Load(a, 8))
		wantSignal(t, must(t)(p.Store(a+3, []byte{1})), unix.SIGSEGV, "ACCERR", a+3)
		wantSignal(t, must(t)(p.Touch(a, 1, pageSize, true)), unix.SIGSEGV, "ACCERR", a)
		wantSignal(t, must(t)(p.Jump(a)), unix.SIGSEGV, "ACCERR", a)
	})
}

func TestPastTheEndOfAFile(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		fd := call(t, p, unix.SYS_MEMFD_CREATE, textBase+nameAt, 0).Value
		call(t, p, unix.SYS_FTRUNCATE, fd, 100)
		e := call(t, p, unix.SYS_MMAP, 0, 2*pageSize, readWrite, unix.MAP_SHARED, fd, 0)
		if !e.OK() {
			t.Fatal(describe(e))
		}
		ok(t)(p.Store(e.Value+200, []byte("lost")))
		wantSignal(t, must(t)(p.Load(e.Value, 2*pageSize)), sigBUS, "ADRERR", e.Value+pageSize)
		alive(t, p)
	})
}

// A touch changes no byte, and a writing one counts as one fault where the CPU
// lets it.
func TestTouch(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := mmap(t, p, 3, readWrite)
		want := []byte{0xff, 0x80, 0x01}
		for i, b := range want {
			ok(t)(p.Store(a+uint64(i)*pageSize, []byte{b}))
		}
		for _, write := range []bool{false, true} {
			if e := ok(t)(p.Touch(a, 3, pageSize, write)); e.Done != 3 {
				t.Errorf("touched %d pages", e.Done)
			}
		}
		for i, b := range want {
			if got := peek(t, p, a+uint64(i)*pageSize, 1)[0]; got != b {
				t.Errorf("page %d holds %#x after a touch", i, got)
			}
		}
		ok(t)(p.Touch(0, 0, pageSize, true))
		ok(t)(p.Load(0, 0))
		ok(t)(p.Fill(0, 0, 0))
		ok(t)(p.Store(0, nil))
	})
}

// Every injection takes exactly the faults of its own access: running it takes
// none, neither in the subject nor in a child on its first command.
func TestFaultsAreTheUsersOwn(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := mmap(t, p, 2, readWrite)
		count := func(who *Process, what string, want int64, f func()) {
			t.Helper()
			before := minorFaults(t, who)
			f()
			if got := minorFaults(t, who) - before; got != want {
				t.Errorf("%s took %d minor faults, want %d", what, got, want)
			}
		}
		count(p, "getpid", 0, func() { alive(t, p) })
		count(p, "a first store", 1, func() { ok(t)(p.Store(a, []byte{1})) })
		count(p, "a second store", 0, func() { ok(t)(p.Store(a, []byte{2})) })
		child, _, err := p.Fork()
		if err != nil {
			t.Fatal(err)
		}
		count(child, "the child's first call", 0, func() { alive(t, child) })
		count(child, "a return in the child", 0, func() { ok(t)(child.Jump(textBase)) })
		count(child, "a copy on write", 1, func() { ok(t)(child.Store(a, []byte{3})) })
	})
}

func TestNoncanonicalAddress(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		const addr = 0x8000_0000_0000_0000
		for _, e := range []Ending{
			must(t)(p.Load(addr, 1)), must(t)(p.Store(addr, []byte{1})), must(t)(p.Jump(addr)),
			must(t)(p.Touch(addr, 1, 0, true)),
		} {
			if e.Signal == nil || e.Signal.Signo != syscall.SIGSEGV {
				t.Errorf("ended with %s", describe(e))
			}
		}
		alive(t, p)
	})
}

// What wait4 tells of faults grows as the fields of /proc/PID/stat do.
func TestFaultsAreThoseOfStat(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		inStat := func() (minor, major uint64) {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
			if err != nil {
				t.Fatal(err)
			}
			f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+2:]) // from field 3 on
			minor, err1 := strconv.ParseUint(string(f[10-3]), 10, 64)
			major, err2 := strconv.ParseUint(string(f[12-3]), 10, 64)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			return minor, major
		}
		a := mmap(t, p, 8, readWrite)
		for pages := range uint64(9) {
			minor, major := p.Faults()
			minorStat, majorStat := inStat()
			must(t)(p.Touch(a, pages, pageSize, true))
			minorNow, majorNow := p.Faults()
			minorStatNow, majorStatNow := inStat()
			if minorNow-minor != minorStatNow-minorStat || majorNow-major != majorStatNow-majorStat {
				t.Errorf("%d pages: %d and %d faults, in stat %d and %d", pages, minorNow-minor, majorNow-major, minorStatNow-minorStat, majorStatNow-majorStat)
			}
		}
		if minor, _ := p.Faults(); minor < 8 {
			t.Errorf("%d faults of 8 pages and more", minor)
		}
	})
}
