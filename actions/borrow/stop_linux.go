//go:build amd64 || arm64

package borrow

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"cowscope/actions/inject"
	"cowscope/actions/ptrace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: the only stop. All of it runs on an operating system thread that ends with
// it: whatever fails, the kernel then lets the thread of the process go (exit_ptrace in
// kernel/ptrace.c). Between the calls the thread has its own registers, and nothing else of it is
// changed: if cowscope is killed there, it goes on. So calls are stopped at by PTRACE_SYSCALL: a
// tracer that dies at the stop of a single step leaves a SIGTRAP, which kills. A signal that comes
// before a call is delivered first, to its own registers.

// patience is how long the thread may take to stop at first. One that waits for a child of
// vfork(2), or for a device, does not. Once it has stopped it is waited for as long as it takes: it
// must get its registers back.
const patience = 2 * time.Second

// stopped is a thread that is stopped.
type stopped struct {
	tid    int
	call   uint64        // address of a system call instruction
	asleep *inject.Sleep // the call before the stop
	own    *inject.State
	begun  bool // it has stopped once
	dead   bool
}

// onThread runs f on a thread of its own, and ends the thread.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if unix.Gettid() == os.Getpid() {
			// The first thread of a program does not end; another one is started meanwhile.
			done <- onThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f()
	}()
	return <-done
}

// lend has the process make a userfaultfd, and gives a descriptor of it, and for how long the
// thread was stopped. at tells tests where it is.
func lend(pid int, call uint64, at func(string)) (fd int, d time.Duration, err error) {
	fd = -1
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fd, 0, ptrace.Refusal(pid, "pidfd_open", err)
	}
	defer unix.Close(pidfd)
	err = onThread(func() error {
		s := &stopped{tid: pid, call: call, asleep: inject.SleepOf(pid)}
		if e := s.ptrace(unix.PTRACE_SEIZE, 0, unix.PTRACE_O_TRACESYSGOOD); e != 0 {
			return ptrace.Refusal(pid, "PTRACE_SEIZE", e)
		}
		at("seized")
		begin := time.Now()
		err := s.stop()
		if err == nil {
			at("stopped")
			fd, err = s.lend(pidfd, at)
			at("lent")
			err = errors.Join(err, s.goOn())
		}
		d = time.Since(begin)
		return err
	})
	if err != nil && fd >= 0 {
		unix.Close(fd)
		fd = -1
	}
	return fd, d, err
}

// lend makes the two calls.
func (s *stopped) lend(pidfd int, at func(string)) (fd int, err error) {
	const userModeOnly = 1
	theirs, err := s.make(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK|userModeOnly)
	if err != nil {
		return -1, fmt.Errorf("userfaultfd(2), called by the process, answers %w", err)
	}
	at("between")
	fd, err = unix.PidfdGetfd(pidfd, int(theirs), 0)
	if err != nil {
		err = fmt.Errorf("pidfd_getfd(2) answers %w", err)
	}
	if _, e := s.make(unix.SYS_CLOSE, theirs); e != nil {
		err = errors.Join(err, fmt.Errorf("close(2), called by the process, answers %w", e))
	}
	return fd, err
}

func (s *stopped) ptrace(request int, addr, data uintptr) syscall.Errno {
	return ptrace.Call(request, s.tid, addr, data)
}

// failed is the error of a call of ptrace.
func (s *stopped) failed(what string, e syscall.Errno) error {
	if e == unix.ESRCH {
		return fmt.Errorf("process %d ended meanwhile", s.tid)
	}
	return fmt.Errorf("%s: %w", what, e)
}

// stop stops the thread, and saves what it goes on with.
func (s *stopped) stop() error {
	if e := s.ptrace(unix.PTRACE_INTERRUPT, 0, 0); e != 0 {
		return s.failed("PTRACE_INTERRUPT", e)
	}
	err := s.arrive()
	s.begun = true
	if err == nil {
		err = unfiltered(s.tid)
	}
	return err // the kernel lets it go when this thread ends
}

// arrive waits until the thread is at the stop that was asked for. Signals that come first are
// delivered.
func (s *stopped) arrive() error {
	for {
		ws, err := s.wait()
		if err != nil {
			return err
		}
		sig := ws.Signal()
		if ws.Event() == unix.PTRACE_EVENT_STOP {
			if sig != unix.SIGTRAP {
				return fmt.Errorf("process %d is stopped by a signal: SIGCONT lets it go on", s.tid)
			}
			break
		}
		if e := s.ptrace(unix.PTRACE_CONT, 0, uintptr(sig)); e != 0 {
			return s.failed("PTRACE_CONT", e)
		}
	}
	var err error
	s.own, err = inject.Save(s.tid, s.asleep)
	if e, ok := err.(syscall.Errno); ok {
		err = s.failed("read the registers", e)
	}
	return err
}

// mostSignals is how many may come before a call.
const mostSignals = 100

// make has the thread make one call, and puts its registers back.
func (s *stopped) make(nr uint64, args ...uint64) (result uint64, err error) {
	for range mostSignals {
		r := s.own.Call(s.call, nr, args...)
		sig, err := s.through(&r)
		if e := s.own.PutBack(); e != 0 && err == nil {
			err = s.failed("put the registers back", e)
		}
		result, errno := inject.Result(&r)
		switch {
		case err != nil:
			return 0, err
		case sig == 0 && errno != 0:
			return 0, errno
		case sig == 0:
			return result, nil
		}
		// The signal meets what it would have met.
		s.asleep = nil
		if err := s.interrupt(sig); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("process %d gets one signal after the other", s.tid)
}

// through lets the thread go on with r to the end of a call, and reads its registers there. A
// signal may come first, and then the call is not made.
func (s *stopped) through(r *ptrace.Registers) (sig syscall.Signal, err error) {
	if e := ptrace.SetRegisters(s.tid, r); e != 0 {
		return 0, s.failed("set the registers", e)
	}
	for range []string{"entry", "exit"} {
		if e := s.ptrace(unix.PTRACE_SYSCALL, 0, 0); e != 0 {
			return 0, s.failed("PTRACE_SYSCALL", e)
		}
		ws, err := s.wait()
		if err != nil {
			return 0, err
		}
		switch sig := ws.Signal(); {
		case ws.Event() != 0:
			return 0, fmt.Errorf("process %d is stopped by a signal: SIGCONT lets it go on", s.tid)
		case sig != ptrace.CallStop:
			return sig, nil
		}
	}
	if e := ptrace.GetRegisters(s.tid, r); e != 0 {
		return 0, s.failed("read the registers", e)
	}
	return 0, nil
}

// interrupt lets the thread go on with a signal, or with none, and stops it again before it
// executes anything.
func (s *stopped) interrupt(sig syscall.Signal) error {
	if e := s.ptrace(unix.PTRACE_INTERRUPT, 0, 0); e != 0 {
		return s.failed("PTRACE_INTERRUPT", e)
	}
	if e := s.ptrace(unix.PTRACE_CONT, 0, uintptr(sig)); e != 0 {
		return s.failed("PTRACE_CONT", e)
	}
	return s.arrive()
}

// goOn lets the thread go on as it was. A call is restarted only from where signals are looked for,
// and so the last stop is there.
func (s *stopped) goOn() error {
	if s.dead {
		return nil
	}
	var err error
	if e := s.own.Resume(); e != 0 {
		err = s.failed("put the registers back", e)
	}
	if e := s.interrupt(0); e != nil {
		err = errors.Join(err, e)
	}
	if s.dead {
		return err
	}
	return errors.Join(err, s.detach())
}

func (s *stopped) detach() error {
	if e := s.ptrace(unix.PTRACE_DETACH, 0, 0); e != 0 {
		return s.failed("PTRACE_DETACH", e)
	}
	return nil
}

// wait waits until the thread stops.
func (s *stopped) wait() (status ptrace.Status, err error) {
	var deadline time.Time
	for try := 0; ; try++ {
		var ws unix.WaitStatus
		got, err := unix.Wait4(s.tid, &ws, unix.WALL|unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil || got != 0 && !ws.Stopped():
			s.dead = true
			return 0, fmt.Errorf("process %d ended meanwhile", s.tid)
		case got != 0:
			return ptrace.Status(ws), nil
		case s.begun:
		case deadline.IsZero():
			deadline = time.Now().Add(patience)
		case time.Now().After(deadline):
			return 0, fmt.Errorf("process %d does not stop: it waits for a child of vfork or for a device", s.tid)
		}
		if try < 100 {
			unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		} else {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// unfiltered fails for a thread with a filter of system calls, which might kill it for one that it
// never makes (seccomp(2)).
func unfiltered(tid int) error {
	if n := procfs.StatusField(tid, "Seccomp:"); n != "0" && n != "" {
		return fmt.Errorf("process %d has a filter of system calls (seccomp), which might kill it for userfaultfd(2)", tid)
	}
	return nil
}
