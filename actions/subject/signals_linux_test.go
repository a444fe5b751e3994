//go:build amd64 || arm64

package subject

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Deadlines, and signals that other people send.

func minorFaults(t testing.TB, p *Process) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	n, err := strconv.ParseInt(strings.Fields(rest)[7], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// block makes a call that does not come back by itself.
func block(p *Process) (Ending, error) { return p.Syscall(unix.SYS_PPOLL, 0, 0, 0, 0, 0) }

// hurry gives a call a short deadline. What prepares it keeps the long one: a busy machine may not
// run the process for that long.
func hurry(t *testing.T, p *Process, nr uintptr, args ...uint64) Ending {
	t.Helper()
	defer func(d time.Duration) { p.cfg.Deadline = d }(p.cfg.Deadline)
	p.cfg.Deadline = 20 * time.Millisecond
	return call(t, p, nr, args...)
}

func TestBlockedCallTimesOut(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := mmap(t, p, 1, readWrite)
		ok(t)(p.Store(a, []byte{100})) // a timespec of 100 seconds
		for range 3 {
			if e := hurry(t, p, unix.SYS_PPOLL, 0, 0, 0, 0, 0); !e.TimedOut {
				t.Fatal(describe(e))
			}
			// The one call that the kernel restarts through restart_syscall(2).
			if e := hurry(t, p, unix.SYS_NANOSLEEP, a, 0); !e.TimedOut {
				t.Fatal(describe(e))
			}
			// And one that returns EINTR.
			fd := call(t, p, unix.SYS_EPOLL_CREATE1, 0).Value
			for tries := 0; ; tries++ { // the deadline may come before the call has begun
				e := hurry(t, p, unix.SYS_EPOLL_PWAIT, fd, a, 1, none, 0, 0)
				if !e.TimedOut || tries == 100 {
					t.Fatal(describe(e))
				}
				if e.Errno == unix.EINTR {
					break
				}
			}
			call(t, p, unix.SYS_CLOSE, fd)
			var r ptrace.Registers
			if e := ptrace.GetRegisters(p.pid, &r); e != 0 {
				t.Fatal(e)
			}
			alive(t, p)
		}
	})
}

// After a deadline the registers are back in the process itself.
func TestRegistersAfterDeadline(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		if e := hurry(t, p, unix.SYS_PPOLL); !e.TimedOut {
			t.Fatal(describe(e))
		}
		var r ptrace.Registers
		if e := ptrace.GetRegisters(p.pid, &r); e != 0 {
			t.Fatal(e)
		}
		if r != p.idle {
			t.Errorf("registers are\n%+v, want\n%+v", r, p.idle)
		}
	})
}

// Deadlines that fall onto the end of a run in every possible way: whatever is
// reported, nothing is mistaken afterwards.
func TestDeadlineAtTheEdge(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		const n = 1 << 18
		a := mmap(t, p, n/pageSize, readWrite)
		ok(t)(p.Fill(a, n, 7))
		began := time.Now()
		ok(t)(p.Load(a, n))
		took := time.Since(began)
		late, done := 0, 0
		for i := range 1000 {
			p.cfg.Deadline = took * time.Duration(i%100) / 50
			e := must(t)(p.Load(a, n))
			switch {
			case e.TimedOut && e.Done <= n:
				late++
			case e.OK() && e.Done == n && e.Value == 7:
				done++
			default:
				t.Fatalf("load ended with %s", describe(e))
			}
			p.cfg.Deadline = time.Minute
			alive(t, p)
		}
		t.Logf("%d met the deadline, %d were done before", late, done)
	})
}

// Somebody sends signals all the time, stop signals too.
func TestWorkUnderSignals(t *testing.T) {
	inSubject(t, Config{Deadline: time.Minute, JumpDeadline: time.Minute}, func(p *Process) {
		a := mmap(t, p, 4, readWrite)
		stop, stopped := make(chan struct{}), make(chan struct{})
		pid := p.PID()
		go func() {
			defer close(stopped)
			sigs := []syscall.Signal{unix.SIGSTOP, unix.SIGWINCH, unix.SIGCHLD, unix.SIGTSTP, unix.SIGCONT, unix.SIGURG}
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Microsecond):
					_ = unix.Kill(pid, sigs[i%len(sigs)])
				}
			}
		}()
		defer func() { close(stop); <-stopped }()
		for range 300 {
			alive(t, p)
			ok(t)(p.Store(a, []byte("through the noise")))
			ok(t)(p.Touch(a, 4, pageSize, true))
			ok(t)(p.Jump(textBase))
			child := fork(t, p)
			_, err := child.Exit(0)
			wantExit(t, err, ExitedError{PID: child.PID()})
			if e := call(t, p, unix.SYS_WAIT4, none, 0, 0, 0); e.Value != uint64(child.PID()) {
				t.Fatal(describe(e))
			}
		}
	})
}

// SIGCONT takes pending stop signals away, also ours.
func TestDeadlineAgainstSIGCONT(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					_ = unix.Kill(p.PID(), unix.SIGCONT)
				}
			}
		}()
		e := hurry(t, p, unix.SYS_PPOLL, 0, 0, 0, 0, 0)
		close(stop)
		<-stopped
		if !e.TimedOut {
			t.Error(describe(e))
		}
		alive(t, p)
	})
}

// Signals that change nothing, or that would stop the process, are not in the way.
func TestHarmlessSignals(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		for _, sig := range []syscall.Signal{
			unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT, unix.SIGCHLD, unix.SIGWINCH, unix.SIGURG,
		} {
			ok(t)(p.Kill(sig))
			alive(t, p)
			for range 3 { // pending while idle
				if err := unix.Kill(p.PID(), sig); err != nil {
					t.Fatal(err)
				}
				alive(t, p)
			}
		}
		ok(t)(p.Kill(0))
		if e := must(t)(p.Kill(99)); e.Errno != unix.EINVAL {
			t.Error(describe(e))
		}
	})
}

// A signal in the middle of a call that waits: the call goes on waiting.
func TestSignalDuringCall(t *testing.T) {
	inSubject(t, Config{Deadline: 10 * time.Second}, func(p *Process) {
		a := mmap(t, p, 1, readWrite)
		fds := call(t, p, unix.SYS_PIPE2, a, 0)
		if !fds.OK() {
			t.Fatal(describe(fds))
		}
		pid, done := p.PID(), make(chan error)
		go func() {
			var last error
			for range 5 {
				until(t, "it waits", func() bool { return state(pid) == 'S' })
				last = unix.Kill(pid, unix.SIGWINCH)
			}
			until(t, "it waits", func() bool { return state(pid) == 'S' })
			w, err := os.OpenFile("/proc/"+strconv.Itoa(pid)+"/fd/4", os.O_WRONLY, 0)
			if err != nil {
				_ = unix.Kill(pid, unix.SIGKILL)
				done <- err
				return
			}
			_, _ = w.Write([]byte("x"))
			w.Close()
			done <- last
		}()
		e, err := p.Syscall(unix.SYS_READ, 3, a, 100)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err != nil || e.Value != 1 || e.TimedOut {
			t.Fatalf("read ended with %s, %v", describe(e), err)
		}
	})
}

// The signals of faults, sent by somebody, are not faults.
func TestSentFaultSignalsKill(t *testing.T) {
	for _, sig := range []syscall.Signal{
		unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP, unix.SIGSYS,
		unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGABRT, unix.SIGKILL, syscall.Signal(40),
	} {
		inSubject(t, Config{}, func(p *Process) {
			if err := unix.Kill(p.PID(), sig); err != nil {
				t.Fatal(err)
			}
			_, err := p.Syscall(unix.SYS_GETPID)
			wantExit(t, err, ExitedError{PID: p.PID(), Signal: sig})
			// It stays so, for every method.
			_, err = p.Load(textBase, 1)
			wantExit(t, err, ExitedError{PID: p.PID(), Signal: sig})
			wantExit(t, p.Poll(), ExitedError{PID: p.PID(), Signal: sig})
		})
		inSubject(t, Config{}, func(p *Process) {
			_, err := p.Kill(sig)
			wantExit(t, err, ExitedError{PID: p.PID(), Signal: sig})
		})
	}
}

// What cowscope itself ignores, as under nohup, its subjects do not.
func TestIgnoredSignalsAreHeeded(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGHUP, unix.SIGUSR1, syscall.Signal(64)} {
		signal.Ignore(sig)
		inSubject(t, Config{}, func(p *Process) {
			if err := unix.Kill(p.PID(), sig); err != nil {
				t.Fatal(err)
			}
			_, err := p.Syscall(unix.SYS_GETPID)
			wantExit(t, err, ExitedError{PID: p.PID(), Signal: sig})
		})
		signal.Reset(sig)
	}
}

func TestKilledWhileIdle(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		if err := p.Poll(); err != nil {
			t.Fatal(err)
		}
		_ = unix.Kill(p.PID(), unix.SIGKILL)
		until(t, "Poll notices", func() bool { return p.Poll() != nil })
		wantExit(t, p.Poll(), ExitedError{PID: p.PID(), Signal: unix.SIGKILL})
	})
}

func TestKilledWhileBusy(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		pid := p.PID()
		go func() {
			until(t, "it waits", func() bool { return state(pid) == 'S' })
			_ = unix.Kill(pid, unix.SIGKILL)
		}()
		_, err := block(p)
		wantExit(t, err, ExitedError{PID: pid, Signal: unix.SIGKILL})
	})
}

func TestExit(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		_, err := p.Exit(300)
		wantExit(t, err, ExitedError{PID: p.PID(), Code: 300 & 0xff})
		if want := "exited with status 44"; !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	})
}

// A call that only death interrupts: vfork waits for a child that we hold.
func TestHungCallIsKilled(t *testing.T) {
	inSubject(t, Config{Deadline: 10 * time.Millisecond, Patience: 100 * time.Millisecond}, func(p *Process) {
		err := hang(p)
		var gone *ExitedError
		if !errors.As(err, &gone) || !gone.Hung || gone.Signal != unix.SIGKILL {
			t.Fatalf("ended with %v", err)
		}
	})
}

// hang makes a call that only a child's death ends. On a busy machine the deadline may come before
// the call has begun: then it is made again.
func hang(p *Process) error {
	for {
		e, err := p.Syscall(unix.SYS_CLONE, unix.CLONE_VFORK|uint64(unix.SIGCHLD))
		if err != nil || !e.TimedOut {
			return err
		}
	}
}

// A call that no signal interrupts, and that comes to its end after the second deadline, is not
// killed: there the child dies only when the parent has been asked often enough.
func TestLateCallIsNotKilled(t *testing.T) {
	inSubject(t, Config{Deadline: time.Millisecond}, func(p *Process) {
		var asked atomic.Bool // often enough
		killed := make(chan error, 1)
		go func() {
			for p.tracer.watch.now().fired <= graceTries {
				time.Sleep(time.Millisecond)
			}
			asked.Store(true)
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.PID()))
			child, wrong := strconv.Atoi(strings.TrimSpace(string(text)))
			if err = cmp.Or(err, wrong); err == nil {
				err = unix.Kill(child, unix.SIGKILL)
			}
			killed <- err
		}()
		_, err := p.Syscall(unix.SYS_CLONE, unix.CLONE_VFORK|uint64(unix.SIGCHLD))
		for err == nil && !asked.Load() { // the deadline came before the call had begun
			_, err = p.Syscall(unix.SYS_CLONE, unix.CLONE_VFORK|uint64(unix.SIGCHLD))
		}
		if wrong := <-killed; wrong != nil {
			t.Fatal(wrong)
		}
		if err != nil {
			t.Errorf("ended with %v", err)
		}
		p.cfg.Deadline = 10 * time.Second
		if e := must(t)(p.Syscall(unix.SYS_GETPID)); e.Value != uint64(p.PID()) {
			t.Errorf("afterwards: %+v", e)
		}
	})
}
