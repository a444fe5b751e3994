//go:build amd64 || arm64

package subject

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func thread(t testing.TB, p *Process) *Process {
	t.Helper()
	th, e, err := p.Thread()
	if err != nil || !e.OK() || th == nil || uint64(th.PID()) != e.Value {
		t.Fatalf("no thread: %s, %v", describe(e), err)
	}
	return th
}

// tasks are how many threads the kernel says that a process has.
func tasks(p *Process) int {
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.PID()))
	return len(all)
}

// gone holds that a process, or a thread, is known to be gone and left nothing.
func gone(t *testing.T, p *Process, want ExitedError) {
	t.Helper()
	want.PID = p.PID()
	wantExit(t, p.Poll(), want)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", p.PID())); err == nil {
		t.Errorf("%d is still there", p.PID())
	}
	if p.tracer.procs[p.PID()] != nil {
		t.Errorf("%d is still in the table", p.PID())
	}
}

// Threads have one memory, and faults are counted for all of them together.
func TestThread(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		th := thread(t, p)
		if tasks(p) != 2 {
			t.Errorf("%d threads", tasks(p))
		}
		at := mmap(t, th, 2, readWrite)
		for i, who := range []*Process{th, p, th, p} {
			minor, _ := p.Faults()
			ok(t)(who.Store(at+uint64(i/2)*pageSize, []byte{byte('a' + i)}))
			after, _ := who.Faults()
			if want := uint64(1 - i%2); after-minor != want {
				t.Errorf("store %d: %d faults, want %d", i, after-minor, want)
			}
		}
		if e := ok(t)(th.Load(at, 1)); e.Value != 'b' {
			t.Error(describe(e))
		}
		if e := call(t, p, unix.SYS_GETPID); e.Value != uint64(p.PID()) {
			t.Error(describe(e))
		}
		for _, who := range []*Process{th, p} {
			if e := call(t, who, unix.SYS_GETTID); e.Value != uint64(who.PID()) {
				t.Error(describe(e))
			}
		}
		call(t, p, unix.SYS_MUNMAP, at, 2*pageSize)
		wantSignal(t, must(t)(th.Load(at, 1)), unix.SIGSEGV, "MAPERR", at)
		alive(t, th)
		alive(t, p)
	})
}

// A thread ends alone, whoever made it, and is nobody's zombie.
func TestExitThread(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := thread(t, p)
		b := thread(t, a)
		_, err := a.ExitThread()
		wantExit(t, err, ExitedError{PID: a.PID()})
		gone(t, a, ExitedError{})
		alive(t, b)
		alive(t, p)
		if _, err := p.ExitThread(); !errors.Is(err, ErrFirstThread) {
			t.Error(err)
		}
		if e := call(t, p, unix.SYS_WAIT4, none, 0, unix.WNOHANG, 0); e.Errno != unix.ECHILD {
			t.Error(describe(e))
		}
		for range 200 {
			th := thread(t, b)
			alive(t, th)
			_, _ = th.ExitThread()
		}
		if tasks(p) != 2 {
			t.Errorf("%d threads", tasks(p))
		}
	})
}

// Whichever thread exits, or is killed from inside or outside: all end.
func TestThreadsEndTogether(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(p, a, b *Process) error
		want ExitedError
	}{
		"the first exits":    {func(p, a, b *Process) error { _, err := p.Exit(3); return err }, ExitedError{Code: 3}},
		"another one exits":  {func(p, a, b *Process) error { _, err := a.Exit(4); return err }, ExitedError{Code: 4}},
		"the first is shot":  {func(p, a, b *Process) error { _, err := p.Kill(unix.SIGKILL); return err }, ExitedError{Signal: unix.SIGKILL}},
		"another one is":     {func(p, a, b *Process) error { _, err := b.Kill(unix.SIGTERM); return err }, ExitedError{Signal: unix.SIGTERM}},
		"killed by a signal": {func(p, a, b *Process) error { _, err := p.Kill(unix.SIGTERM); return err }, ExitedError{Signal: unix.SIGTERM}},
		"from outside": {func(p, a, b *Process) error {
			_ = unix.Kill(p.PID(), unix.SIGKILL)
			_, err := b.Syscall(unix.SYS_GETPID)
			return err
		}, ExitedError{Signal: unix.SIGKILL}},
		"from outside, one": {func(p, a, b *Process) error {
			_ = unix.Tgkill(p.PID(), b.PID(), unix.SIGKILL)
			_, err := p.Syscall(unix.SYS_GETPID)
			return err
		}, ExitedError{Signal: unix.SIGKILL}},
		"unseen": {func(p, a, b *Process) error {
			_ = unix.Kill(p.PID(), unix.SIGKILL)
			var err error
			until(t, "is gone", func() bool { err = p.Poll(); return err != nil })
			return err
		}, ExitedError{Signal: unix.SIGKILL}},
	} {
		t.Run(name, func(t *testing.T) {
			inTracer(t, func(tr *Tracer) {
				p := start(t, tr, Config{Calls: testCalls})
				a := thread(t, p)
				b := thread(t, a)
				err := c.end(p, a, b)
				var exited *ExitedError
				if !errors.As(err, &exited) {
					t.Fatal(err)
				}
				for _, q := range []*Process{p, a, b} {
					gone(t, q, c.want)
				}
				if len(tr.procs) > 0 {
					t.Errorf("%d are left", len(tr.procs))
				}
			})
		})
	}
}

// The child of a thread's fork has one thread, and is a child of the process.
func TestForkOfThread(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		th := thread(t, p)
		at := mmap(t, p, 1, readWrite)
		ok(t)(th.Store(at, []byte("x")))
		child := fork(t, th)
		if tasks(child) != 1 {
			t.Errorf("the child has %d threads", tasks(child))
		}
		ok(t)(child.Store(at, []byte("y")))
		if e := ok(t)(p.Load(at, 1)); e.Value != 'x' {
			t.Error(describe(e))
		}
		grandchild := thread(t, child) // while its process is a child of one with threads
		_, err := grandchild.Exit(5)
		wantExit(t, err, ExitedError{PID: grandchild.PID(), Code: 5})
		wantExit(t, child.Poll(), ExitedError{PID: child.PID(), Code: 5})
		_, _ = th.ExitThread()
		if e := call(t, p, unix.SYS_WAIT4, none, 0, unix.WNOHANG, 0); e.Value != uint64(child.PID()) {
			t.Error(describe(e))
		}
		if len(p.children) > 0 {
			t.Errorf("%d children", len(p.children))
		}
		// With both alive, the first thread forks: the birth may be reported before it is told of.
		th = thread(t, p)
		for range 100 {
			child := fork(t, p)
			alive(t, child)
			alive(t, th)
			_, _ = child.Kill(unix.SIGKILL)
			if e := call(t, th, unix.SYS_WAIT4, none, 0, unix.WNOHANG, 0); e.Value != uint64(child.PID()) {
				t.Fatal(describe(e))
			}
		}
	})
}

// A thread that waits in vfork does not keep the others.
func TestVforkOfThread(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		th := thread(t, p)
		child := vfork(t, th)
		if th.Awaits() != child.PID() || p.Awaits() != 0 {
			t.Errorf("they await %d and %d", th.Awaits(), p.Awaits())
		}
		if _, err := th.Syscall(unix.SYS_GETPID); !errors.Is(err, ErrAwaits) {
			t.Error(err)
		}
		at := mmap(t, p, 1, readWrite)
		ok(t)(child.Store(at, []byte("c")))
		if e := ok(t)(p.Load(at, 1)); e.Value != 'c' {
			t.Error(describe(e))
		}
		_, err := child.Exit(0)
		wantExit(t, err, ExitedError{PID: child.PID()})
		alive(t, th)
		// The process goes while one of its threads waits, and the child lives on.
		child = vfork(t, p)
		_, err = th.Exit(6)
		wantExit(t, err, ExitedError{PID: th.PID(), Code: 6})
		gone(t, p, ExitedError{Code: 6})
		alive(t, child)
		ok(t)(child.Store(at, []byte("d")))
	})
}

// Signals that are not for the process come to one thread, and a deadline ends a call of one.
func TestThreadIsInterrupted(t *testing.T) {
	inSubject(t, Config{Deadline: 50 * time.Millisecond}, func(p *Process) {
		th := thread(t, p)
		if e, err := block(th); err != nil || !e.TimedOut {
			t.Fatal(describe(e), err)
		}
		if e, err := th.Kill(unix.SIGWINCH); err != nil || !e.OK() {
			t.Error(describe(e), err)
		}
		code := machine(t, p, loopCode...)
		p.cfg.JumpDeadline, th.cfg.JumpDeadline = 20*time.Millisecond, 20*time.Millisecond
		for _, who := range []*Process{th, p, th} {
			if e, err := who.Jump(code); err != nil || !e.TimedOut {
				t.Error(describe(e), err)
			}
		}
		alive(t, th)
		alive(t, p)
	})
}

// Whatever is alive when the tracer closes, nothing of it is left.
func TestCloseWithThreads(t *testing.T) {
	for range 20 {
		tr, err := NewTracer()
		if err != nil {
			t.Fatal(err)
		}
		var pids []int
		err = tr.Do(func() {
			p, err := tr.Start(Config{Calls: testCalls})
			if err != nil {
				t.Error(err)
				return
			}
			a, _, _ := p.Thread()
			b, _, _ := a.Thread()
			c, _, _ := b.Fork()
			d, _, _ := c.Thread()
			e, _, _ := d.Vfork()
			for _, q := range []*Process{p, a, b, c, d, e} {
				pids = append(pids, q.PID())
			}
		})
		if err := errors.Join(err, tr.Close()); err != nil {
			t.Error(err)
		}
		for _, pid := range pids {
			if state(pid) != 0 {
				t.Errorf("%d of %v is in state %c", pid, pids, state(pid))
			}
		}
	}
}
