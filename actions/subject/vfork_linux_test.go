//go:build amd64 || arm64

package subject

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Processes that lend their memory.

func vfork(t testing.TB, p *Process) *Process {
	t.Helper()
	child, e, err := p.Vfork()
	if err != nil || !e.OK() || child == nil || e.Value != uint64(child.PID()) {
		t.Fatalf("vfork: %s, %v", describe(e), err)
	}
	if p.Awaits() != child.PID() {
		t.Fatalf("it awaits %d, and its child is %d", p.Awaits(), child.PID())
	}
	return child
}

// waits checks that a process runs nothing, and is asleep in the kernel.
func waits(t testing.TB, p *Process) {
	t.Helper()
	if _, err := p.Syscall(unix.SYS_GETPID); err != ErrAwaits {
		t.Errorf("a call ends with %v", err)
	}
	if _, err := p.Load(textBase, 1); err != ErrAwaits {
		t.Errorf("a load ends with %v", err)
	}
	if _, _, err := p.Fork(); err != ErrAwaits {
		t.Errorf("fork ends with %v", err)
	}
	if err := p.Poll(); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	until(t, "it waits", func() bool { return state(p.PID()) == 'D' })
}

func TestVfork(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		at := mmap(t, p, 1, readWrite)
		ok(t)(p.Store(at, []byte("parent")))
		child := vfork(t, p)
		waits(t, p)
		ok(t)(child.Store(at, []byte("child!")))
		more := mmap(t, child, 1, readWrite)
		_, err := child.Exit(7)
		wantExit(t, err, ExitedError{PID: child.PID(), Code: 7})
		if p.Awaits() != 0 || state(p.PID()) != 't' {
			t.Errorf("afterwards it awaits %d, in state %c", p.Awaits(), state(p.PID()))
		}
		if got := string(peek(t, p, at, 6)); got != "child!" {
			t.Errorf("the parent sees %q", got)
		}
		ok(t)(p.Store(more, []byte("x")))
		if e := call(t, p, unix.SYS_WAIT4, none, 0, 0, 0); e.Value != uint64(child.PID()) {
			t.Fatal(describe(e))
		}
		for range 200 {
			child := vfork(t, p)
			alive(t, child)
			_, _ = child.Exit(0)
			if e := call(t, p, unix.SYS_WAIT4, none, 0, 0, 0); e.Value != uint64(child.PID()) {
				t.Fatal(describe(e))
			}
		}
	})
}

// A vfork that the kernel refuses leaves the process as it was.
func TestVforkAgainstProcessLimit(t *testing.T) {
	if unix.Geteuid() == 0 {
		t.Skip("root is not held to RLIMIT_NPROC")
	}
	inSubject(t, Config{}, func(p *Process) {
		if err := unix.Prlimit(p.PID(), unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 0, Max: 0}, nil); err != nil {
			t.Fatal(err)
		}
		child, e, err := p.Vfork()
		if child != nil || err != nil || e.Errno != unix.EAGAIN || p.Awaits() != 0 {
			t.Fatalf("vfork: %s, %v", describe(e), err)
		}
		alive(t, p)
	})
}

// A child that is killed behind our back: the parent is followed by whoever asks first, in a run of
// its own, too, of which the registers are set already.
func TestVforkChildKilled(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		at := mmap(t, p, 1, readWrite)
		for _, first := range []func(p, child *Process){
			func(_, child *Process) { until(t, "the child is gone", func() bool { return child.Poll() != nil }) },
			func(p, _ *Process) {
				until(t, "the parent goes on", func() bool { return p.Poll() == nil && p.Awaits() == 0 })
			},
			func(p, child *Process) {
				until(t, "the child is dead", func() bool { return state(child.PID()) == 'Z' })
				ok(t)(p.Store(at, []byte("again")))
			},
			func(_, child *Process) {
				_, err := child.Syscall(unix.SYS_GETPID)
				wantExit(t, err, ExitedError{PID: child.PID(), Signal: unix.SIGKILL})
			},
		} {
			child := vfork(t, p)
			if err := unix.Kill(child.PID(), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			first(p, child)
			alive(t, p)
		}
	})
}

// A parent that is killed while it waits leaves its memory to the child.
func TestVforkParentKilled(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		at := mmap(t, p, 1, readWrite)
		child := vfork(t, p)
		_, err := p.Kill(unix.SIGKILL)
		wantExit(t, err, ExitedError{PID: p.PID(), Signal: unix.SIGKILL})
		ok(t)(child.Store(at, []byte("alone")))
		grand := vfork(t, child)
		if err := unix.Kill(child.PID(), unix.SIGKILL); err != nil { // from outside
			t.Fatal(err)
		}
		until(t, "the child is gone", func() bool { return child.Poll() != nil })
		ok(t)(grand.Store(at, []byte("alone")))
	})
}

// Signals to a process that waits come when it goes on, and those that stop or do nothing are not
// obeyed then either.
func TestVforkSignalsWait(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		child := vfork(t, p)
		for _, sig := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT, unix.SIGCHLD, unix.SIGTSTP} {
			if e, err := p.Kill(sig); err != nil || !e.OK() {
				t.Errorf("%v: %s, %v", sig, describe(e), err)
			}
			waits(t, p)
		}
		_, _ = child.Exit(0)
		alive(t, p)

		child = vfork(t, p)
		if e, err := p.Kill(unix.SIGTERM); err != nil || !e.OK() {
			t.Errorf("%s, %v", describe(e), err)
		}
		waits(t, p)
		alive(t, child)
		_, _ = child.Exit(0)
		_, err := p.Syscall(unix.SYS_GETPID)
		wantExit(t, err, ExitedError{PID: p.PID(), Signal: unix.SIGTERM})
	})
}

// A child that hangs past its deadline is killed as any other, and its parent goes on.
func TestVforkChildHangs(t *testing.T) {
	inSubject(t, Config{Deadline: 10 * time.Millisecond, Patience: 100 * time.Millisecond}, func(p *Process) {
		child := vfork(t, p)
		err := hang(child) // nobody follows that one
		var gone *ExitedError
		if !errors.As(err, &gone) || !gone.Hung {
			t.Fatalf("ended with %v", err)
		}
		p.cfg.Deadline = 10 * time.Second
		alive(t, p)
	})
}

// Whatever order they die in, nobody is left when the tracer closes.
func TestVforkOrphans(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0}, {1}, {2}, {0, 2}, {}} {
		var family [3]*Process
		inSubject(t, Config{}, func(p *Process) {
			family[0] = p
			family[1] = vfork(t, p)
			family[2] = vfork(t, family[1])
			for _, i := range order {
				_, err := family[i].Kill(unix.SIGKILL)
				wantExit(t, err, ExitedError{PID: family[i].PID(), Signal: unix.SIGKILL})
				for _, other := range family {
					if other.dead == nil && other.Awaits() == 0 {
						alive(t, other)
					}
				}
			}
		})
		for i, who := range family {
			if s := state(who.PID()); s != 0 {
				t.Errorf("killed in order %v: process %d is still there (%c)", order, i, s)
			}
		}
		if n := len(family[0].tracer.procs); n != 0 {
			t.Errorf("killed in order %v: %d processes still on the books", order, n)
		}
	}
}
