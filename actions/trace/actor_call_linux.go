//go:build amd64 || arm64

package trace

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"time"

	"cowscope/actions/inject"
	"cowscope/actions/ptrace"
	"cowscope/actions/subject"

	"golang.org/x/sys/unix"
)

// patience is how long a call or an access may take. What takes longer is interrupted.
const patience = 10 * time.Second

// goOn lets the thread go on to its next stop. What happens to others meanwhile is heeded.
func (a *Actor) goOn(request int) (ptrace.Status, error) {
	if e := ptrace.Resume(request, a.t.tid, 0); e != 0 {
		return 0, a.lost(e)
	}
	var begin time.Time
	for try := 0; ; try++ {
		tid, st, err := waitAny(unix.WNOHANG)
		switch {
		case err != nil:
			_ = a.p.none(err)
			a.dead = &subject.ExitedError{PID: a.pid, Lost: true}
			return 0, a.dead
		case tid == a.t.tid && st.Stopped():
			return st, nil
		case tid == a.t.tid:
			return 0, a.ended(st)
		case tid != 0:
			a.p.heed(tid, st)
		case try < 100:
			unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		case begin.IsZero():
			begin = time.Now()
		default:
			if !a.late && time.Since(begin) > patience {
				a.late = ptrace.Call(unix.PTRACE_INTERRUPT, a.t.tid, 0, 0) == 0
			}
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// ended is the error of a thread that has ended.
func (a *Actor) ended(st ptrace.Status) error {
	a.p.heed(a.t.tid, st)
	code, sig := st.Ending()
	a.dead = &subject.ExitedError{PID: a.pid, Code: code, Signal: sig}
	return a.dead
}

// lost is the error of a request that was refused. The thread has been killed.
func (a *Actor) lost(e syscall.Errno) error {
	if e != unix.ESRCH {
		return fmt.Errorf("trace: thread %d: ptrace answers %w", a.t.tid, e)
	}
	for {
		tid, st, err := waitAny(0)
		switch {
		case err != nil:
			_ = a.p.none(err)
			a.dead = &subject.ExitedError{PID: a.pid, Lost: true}
			return a.dead
		case tid == a.t.tid && !st.Stopped():
			return a.ended(st)
		case tid != a.t.tid:
			a.p.heed(tid, st)
		}
	}
}

// Syscall makes the thread make one system call.
func (a *Actor) Syscall(nr uintptr, args ...uint64) (subject.Ending, error) {
	if err := a.ready(); err != nil {
		return subject.Ending{}, err
	}
	r := a.state.Call(a.call, uint64(nr), args...)
	if e := inject.Set(a.t.tid, r); e != 0 {
		return subject.Ending{}, a.lost(e)
	}
	a.late = false
	for entered := false; ; {
		st, err := a.goOn(unix.PTRACE_SYSCALL)
		if err != nil {
			return subject.Ending{}, err
		}
		switch event := st.Event(); {
		case event == unix.PTRACE_EVENT_FORK || event == unix.PTRACE_EVENT_VFORK || event == unix.PTRACE_EVENT_CLONE:
			if err := a.bear(); err != nil {
				return subject.Ending{}, err
			}
			continue
		case event != 0:
			continue
		case st.Signal() != ptrace.CallStop:
			if err := a.hold(st.Signal()); err != nil {
				return subject.Ending{}, err
			}
			continue
		}
		info, e := ptrace.CallAt(a.t.tid)
		if e != 0 {
			return subject.Ending{}, a.lost(e)
		}
		if info.Op == unix.PTRACE_SYSCALL_INFO_ENTRY {
			entered = true
		} else if entered {
			break
		}
	}
	if e := ptrace.GetRegisters(a.t.tid, &r); e != 0 {
		return subject.Ending{}, a.lost(e)
	}
	value, errno := inject.Result(&r)
	if a.late && (errno == unix.EINTR || restarts(errno)) {
		return subject.Ending{TimedOut: true, Errno: unix.EINTR}, nil
	}
	return subject.Ending{Value: value, Errno: errno}, nil
}

// restarts reports whether an errno is one of the kernel's own, by which it restarts a call
// (ERESTARTSYS, … in include/linux/errno.h).
func restarts(e syscall.Errno) bool { return e >= 512 && e <= 516 }

// hold keeps a signal that has come meanwhile, until the thread has its own state again. One that it
// blocks comes too, where it is before another one that an instruction has caused
// (dequeue_synchronous_signal in kernel/signal.c). It fails for one that what the thread was to execute has
// caused.
func (a *Actor) hold(sig syscall.Signal) error {
	switch info, e := ptrace.SignalInfo(a.t.tid); {
	case e != 0 || kicked(sig, &info):
	case sig == unix.SIGSTOP:
		a.stop = true
	case info.Code > 0 && info.Code != trapPerf && synchronous&bit(sig) != 0:
		return unable("the code for that does not run there: it was ended by %s (si_code %d)", unix.SignalName(sig), info.Code)
	default:
		a.waiting = append(a.waiting, info)
	}
	return nil
}

// release has the signals that were held wait in the kernel again, as they were: the thread sends them
// to itself, which nobody else may do for one that the kernel has made (rt_tgsigqueueinfo(2)).
func (a *Actor) release() error {
	if len(a.waiting) == 0 {
		return nil
	}
	if e := ptrace.SetSignalMask(a.t.tid, ^uint64(0)); e != 0 {
		return a.lost(e)
	}
	for _, info := range a.waiting {
		b, err := binary.Append(nil, binary.NativeEndian, info)
		if err != nil {
			return err
		}
		err = a.with(b, func(at uint64) error {
			_, err := a.Syscall(unix.SYS_RT_TGSIGQUEUEINFO, uint64(a.pid), uint64(a.t.tid), uint64(info.Signo), at)
			return err
		})
		if err != nil {
			return err
		}
	}
	a.waiting = nil
	return nil
}
