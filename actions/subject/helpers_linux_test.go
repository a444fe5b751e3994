//go:build amd64 || arm64

package subject

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the tests share. All of them run on the real kernel. A test that fails
// inside Do leaves it by Goexit, which the tracer is built to survive.

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleEnv)]; role != nil {
		role()
		return
	}
	code := m.Run()
	// Nothing outlives the tests: no child, no zombie, no orphan sent to us.
	if pid, err := unix.Wait4(-1, nil, unix.WALL|unix.WNOHANG, nil); err != unix.ECHILD {
		fmt.Fprintf(os.Stderr, "a child is left over: wait4 says %d, %v\n", pid, err)
		code = 1
	}
	os.Exit(code)
}

// roles are what the test program does when a test starts it anew, by the value of roleEnv.
var roles = map[string]func(){"victim": victim, "infant": infant, "starter": starter}

const roleEnv = "COWSCOPE_TEST_ROLE"

// as is the test program in a role.
func as(t *testing.T, role string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), roleEnv+"="+role), env...)
	return cmd
}

// inTracer runs f on the thread of a new tracer and closes it.
func inTracer(t testing.TB, f func(tr *Tracer)) {
	t.Helper()
	tr, err := NewTracer()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := tr.Do(func() { f(tr) }); err != nil {
		t.Fatal(err)
	}
}

// inSubject does the same with a subject started.
func inSubject(t testing.TB, cfg Config, f func(p *Process)) {
	t.Helper()
	inTracer(t, func(tr *Tracer) { f(start(t, tr, cfg)) })
}

func start(t testing.TB, tr *Tracer, cfg Config) *Process {
	t.Helper()
	cfg.Calls = testCalls
	p, err := tr.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testCalls are the system calls that the tests ask for, beside those of the package itself.
var testCalls = []uintptr{
	unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_MADVISE, unix.SYS_MPROTECT, unix.SYS_MLOCK2, unix.SYS_MSEAL, unix.SYS_NANOSLEEP,
	unix.SYS_PPOLL, unix.SYS_PIPE2, unix.SYS_READ, unix.SYS_WAIT4, unix.SYS_MEMFD_CREATE, unix.SYS_FTRUNCATE, unix.SYS_EPOLL_CREATE1,
	unix.SYS_EPOLL_PWAIT, unix.SYS_IOCTL, unix.SYS_USERFAULTFD,
	unix.SYS_PKEY_ALLOC, unix.SYS_PKEY_MPROTECT, 9999, // no call
}

// must returns the ending of something that did not fail.
func must(t testing.TB) func(e Ending, err error) Ending {
	return func(e Ending, err error) Ending {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
}

// ok is for what has to go well.
func ok(t testing.TB) func(e Ending, err error) Ending {
	return func(e Ending, err error) Ending {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !e.OK() {
			t.Fatalf("ended with %s", describe(e))
		}
		return e
	}
}

func call(t testing.TB, p *Process, nr uintptr, args ...uint64) Ending {
	t.Helper()
	return must(t)(p.Syscall(nr, args...))
}

const none = ^uint64(0) // -1 as an argument

var pageSize = uint64(os.Getpagesize())

// mmap maps private anonymous pages.
func mmap(t testing.TB, p *Process, pages, prot uint64) uint64 {
	t.Helper()
	e := call(t, p, unix.SYS_MMAP, 0, pages*pageSize, prot, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, none, 0)
	if e.Errno != 0 {
		t.Fatal(e.Errno)
	}
	return e.Value
}

// machine maps a page of code at an address of the kernel's choice. It becomes executable when it
// has been written: then the kernel makes the caches of instructions true, where the processor
// does not.
func machine(t testing.TB, p *Process, code ...byte) uint64 {
	t.Helper()
	addr := mmap(t, p, 1, readWrite)
	ok(t)(p.Store(addr, code))
	call(t, p, unix.SYS_MPROTECT, addr, pageSize, readWrite|unix.PROT_EXEC)
	return addr
}

// peek reads the memory of a process from outside.
func peek(t testing.TB, p *Process, addr uint64, n int) []byte {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, int64(addr)); err != nil {
		t.Fatal(err)
	}
	return b
}

// poke writes from outside, whatever the protection.
func poke(t *testing.T, p *Process, addr uint64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", p.PID()), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, int64(addr)); err != nil {
		t.Fatal(err)
	}
}

func maps(t testing.TB, p *Process) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// state is the letter of /proc/PID/stat, 0 when the process is gone.
func state(pid int) byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest[0]
}

// until waits for something that is about to be true. It may be called on any
// goroutine.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Errorf("waited in vain until %s", what)
			return
		}
	}
}

func wantSignal(t testing.TB, e Ending, signo syscall.Signal, code string, addr uint64) {
	t.Helper()
	s := e.Signal
	if s == nil || s.Signo != signo || s.CodeName() != code || s.Addr != addr {
		t.Fatalf("ended with %s, want %s/%s at %#x", describe(e), signalName(signo), code, addr)
	}
}

func wantExit(t testing.TB, err error, want ExitedError) {
	t.Helper()
	var gone *ExitedError
	if !errors.As(err, &gone) {
		t.Fatalf("error is %v, want %v", err, &want)
	}
	if *gone != want {
		t.Fatalf("process ended with %+v, want %+v", *gone, want)
	}
}

// alive proves that the process still does as it is told.
func alive(t testing.TB, p *Process) {
	t.Helper()
	if e := ok(t)(p.Syscall(unix.SYS_GETPID)); e.Value != uint64(p.group.leader.pid) {
		t.Fatalf("getpid in process %d says %d", p.PID(), e.Value)
	}
}

func describe(e Ending) string {
	s := fmt.Sprintf("value %#x, errno %d, done %d, ip %#x", e.Value, e.Errno, e.Done, e.IP)
	if e.Signal != nil {
		s += fmt.Sprintf(", %s/%s at %#x from %#x", e.Signal.Name(), e.Signal.CodeName(), e.Signal.Addr, e.Signal.IP)
	}
	if e.Attempt != nil {
		s += fmt.Sprintf(", tried %+v", *e.Attempt)
	}
	if e.TimedOut {
		s += ", timed out"
	}
	if e.Trap {
		s += ", trapped"
	}
	return s
}
