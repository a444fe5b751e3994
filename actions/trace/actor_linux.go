//go:build amd64 || arm64

package trace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"cowscope/actions/inject"
	"cowscope/actions/ptrace"
	"cowscope/actions/subject"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of an actor: a stopped thread of the program acts for somebody else, and notices nothing but
// what it was made to do. It executes nothing of its own meanwhile. Its registers and its signal mask
// are put back, the events that would stop it are off, and signals wait. Calls are made with an
// instruction of the vdso, accesses with code in a page that is mapped for the moment; that code ends
// with a system call that is not made (PTRACE_SYSEMU), for a trap would be a signal.

// Actor is the thread that acts for a process of the program, while the function of Act runs.
type Actor struct {
	p       *Program
	pid     int
	first   int   // the thread that is asked first
	t       *task // that acts; nil before it does
	state   *inject.State
	call    uint64           // the address of a system call instruction
	mask    uint64           // the signals that it blocks
	ignored uint64           // the signals that the process ignores
	late    bool             // the deadline of what it does has passed
	child   *task            // that it has just made
	waiting []ptrace.SigInfo // signals that came meanwhile
	stop    bool             // SIGSTOP did
	dead    *subject.ExitedError
}

// Act runs f on the thread that traces, while the program is stopped, and then puts back every thread
// that has acted. actor gives who acts for a process: thread tid of it, if that one can.
func (p *Program) Act(f func(actor func(pid, tid int) *Actor) error) (err error) {
	p.do(func() {
		var actors []*Actor
		err = f(func(pid, tid int) *Actor {
			a := &Actor{p: p, pid: pid, first: tid}
			actors = append(actors, a)
			return a
		})
		for _, a := range actors {
			err = errors.Join(err, a.putBack())
		}
	})
	return err
}

// unable says why a process does not act.
func unable(format string, args ...any) error {
	return &subject.UnableError{Why: fmt.Sprintf(format, args...)}
}

// ready makes a thread ready to act.
func (a *Actor) ready() error {
	switch {
	case a.dead != nil:
		return a.dead
	case a.t != nil:
		return nil
	}
	t, err := a.choose()
	if err == nil {
		err = a.p.unfiltered(t.tid)
	}
	if err != nil {
		return err
	}
	a.t = t
	if a.call, err = inject.FindInstruction(a.pid); err != nil {
		err = unable("%v", err)
		if _, e := ptrace.SignalMask(t.tid); e != 0 {
			err = a.lost(e) // it was killed
		}
	} else {
		err = a.tellTraps()
	}
	if err == nil {
		err = a.leaveCall()
	}
	if err != nil {
		a.t = nil
		return err
	}
	var e syscall.Errno
	if a.mask, e = ptrace.SignalMask(t.tid); e != 0 {
		return a.lost(e)
	}
	kept := (signalMask(t, "SigPnd:") | signalMask(t, "ShdPnd:")) & a.mask // they go on waiting
	if e := ptrace.SetSignalMask(t.tid, ^synchronous|kept); e != 0 {
		return a.lost(e)
	}
	a.ignored = signalMask(t, "SigIgn:") | kept
	t.turnEvents(unix.PERF_EVENT_IOC_DISABLE)
	return nil
}

// synchronous are the signals that instructions cause. The kernel gives one that is blocked its default
// action when an instruction causes it (force_sig_info_to_task in kernel/signal.c), so none of them is.
var synchronous = bit(unix.SIGSEGV) | bit(unix.SIGBUS) | bit(unix.SIGILL) | bit(unix.SIGFPE) | bit(unix.SIGTRAP) | bit(unix.SIGSYS)

// tellTraps has the thread tell of events that have come and were not told of: one that was stopped first
// has their signals before it.
func (a *Actor) tellTraps() error {
	for signalMask(a.t, "SigPnd:")&^signalMask(a.t, "SigBlk:")&bit(unix.SIGTRAP) != 0 {
		if info, e := ptrace.CallAt(a.t.tid); e == 0 && info.Op == unix.PTRACE_SYSCALL_INFO_ENTRY {
			return nil
		}
		st, err := a.goOn(unix.PTRACE_CONT)
		if err != nil {
			return err
		}
		a.p.heed(a.t.tid, st)
	}
	return nil
}

// choose finds the thread that acts: the one that is asked first, the first of the process, or any.
func (a *Actor) choose() (best *task, err error) {
	rank := func(t *task) int {
		switch t.tid {
		case a.first:
			return -2
		case a.pid:
			return -1
		}
		return t.tid
	}
	why := "it has ended"
	for _, t := range a.p.tasks {
		switch {
		case t.pid != a.pid || t.unborn:
		case t.vfork:
			why = "it waits in vfork until its child has exited or executes another program"
		case t.state == held:
			why = "it is stopped by a signal: SIGCONT lets it go on"
		case t.state == running:
			why = "its thread could not be stopped: it waits for a device, or has ended before others"
		case best == nil || rank(t) < rank(best):
			best = t
		}
	}
	if best == nil {
		return nil, unable("%s", why)
	}
	return best, nil
}

// unfiltered fails for a thread with a filter of its own, which might kill it for a call that it never
// makes (seccomp(2)). Filters around cowscope it has too; they are as for cowscope itself.
func (p *Program) unfiltered(tid int) error {
	has, known := filters(tid)
	around, _ := filters(os.Getpid())
	if !p.attached {
		around++
	}
	if known && has > around {
		return unable("it has a filter of system calls of its own (seccomp), which might kill it for a call that it never makes")
	}
	return nil
}

// filters is the number of filters of a thread (proc_pid_status(5), since Linux 5.9).
func filters(tid int) (n int, known bool) {
	n, err := strconv.Atoi(procfs.StatusField(tid, "Seccomp_filters:"))
	return n, err == nil
}

// leaveCall takes the thread out of a system call, and saves what it goes on with. At an event in the
// middle of a call it goes on to the end of that; a call that it has not made yet it makes again later.
func (a *Actor) leaveCall() (err error) {
	t := a.t
	for t.call != nil && t.told {
		st, err := a.goOn(unix.PTRACE_SYSCALL)
		if err != nil {
			return err
		}
		a.p.heed(t.tid, st)
	}
	info, e := ptrace.CallAt(t.tid)
	for e == 0 && info.Op == unix.PTRACE_SYSCALL_INFO_EXIT && restarts(syscall.Errno(-int64(info.Nr))) {
		// How it is restarted is in the registers where signals are looked for.
		if e := ptrace.Call(unix.PTRACE_INTERRUPT, t.tid, 0, 0); e != 0 {
			return a.lost(e)
		}
		st, err := a.goOn(unix.PTRACE_CONT)
		if err != nil {
			return err
		}
		a.p.heed(t.tid, st)
		info, e = ptrace.CallAt(t.tid)
	}
	if a.state, err = inject.Save(t.tid, a.p.sleepOf(t.tid)); err != nil {
		return a.unsuited(err)
	}
	if e != 0 || info.Op != unix.PTRACE_SYSCALL_INFO_ENTRY && info.Op != unix.PTRACE_SYSCALL_INFO_SECCOMP {
		return nil
	}
	a.state.Again()
	t.giveBack()
	t.call, t.told = nil, false
	if e := unmake(t.tid); e != 0 {
		return a.lost(e)
	}
	for {
		st, err := a.goOn(unix.PTRACE_SYSCALL)
		if err != nil {
			return err
		}
		info, e := ptrace.CallAt(t.tid)
		if e != 0 {
			return a.lost(e)
		}
		if st.Signal() == ptrace.CallStop && info.Op == unix.PTRACE_SYSCALL_INFO_EXIT {
			return nil
		}
	}
}

// unsuited is the error of a thread whose state could not be saved.
func (a *Actor) unsuited(err error) error {
	if e, ok := err.(syscall.Errno); ok {
		return a.lost(e)
	}
	return unable("%v", err)
}

// turnEvents turns the events of a thread on or off.
func (t *task) turnEvents(request uint) {
	for _, fds := range [][]int{t.faults, t.breaks} {
		for _, fd := range fds {
			_ = unix.IoctlSetInt(fd, request, 0)
		}
	}
}

// PID is the process that the actor acts for.
func (a *Actor) PID() int { return a.pid }

// Faults are the page faults that the process has taken, with those of children that it waited for.
func (a *Actor) Faults() (minor, major uint64) { return procfs.Faults(a.pid) }

// Poll is nil while the process lives.
func (a *Actor) Poll() error {
	if a.dead != nil {
		return a.dead
	}
	return nil
}

// Awaits is 0: who waits in vfork does not act.
func (a *Actor) Awaits() int { return 0 }

// Fork makes the process fork where it is stopped: the child goes on from there as its parent does. It
// is nil if the kernel refused, and the Ending says why.
func (a *Actor) Fork() (*Actor, subject.Ending, error) {
	a.child = nil
	e, err := a.Syscall(unix.SYS_CLONE, uint64(unix.SIGCHLD))
	child := a.child
	if child == nil || err != nil || a.p.tasks[child.tid] != child {
		return nil, e, err
	}
	if e := a.state.Give(child.tid); e != 0 && e != unix.ESRCH {
		return nil, subject.Ending{}, fmt.Errorf("trace: thread %d: ptrace answers %w", child.tid, e)
	}
	_ = ptrace.SetSignalMask(child.tid, a.mask) // ESRCH: it was killed, and will be reaped
	return &Actor{p: a.p, pid: child.pid, first: child.tid}, e, nil
}

// bear waits for the first stop of the child that the thread has made.
func (a *Actor) bear() error {
	tid, e := ptrace.Message(a.t.tid)
	if e != 0 {
		return a.lost(e)
	}
	child := a.p.tasks[tid]
	if child == nil {
		child = &task{tid: tid, pid: tid, fresh: true}
		a.p.tasks[tid] = child
	}
	child.unborn = false
	a.child = child
	for child.fresh && a.p.tasks[tid] == child {
		other, st, err := waitAny(0)
		if err != nil {
			return a.p.none(err)
		}
		if other == a.t.tid {
			return a.ended(st) // it was killed
		}
		a.p.heed(other, st)
	}
	return nil
}

// putBack gives a thread that has acted what it goes on with.
func (a *Actor) putBack() error {
	t := a.t
	if t == nil || a.dead != nil {
		return nil
	}
	if err := a.release(); err != nil {
		return a.gone(err)
	}
	restarts, goOn := a.state.Restarts(), a.state.Resume
	if waits := signalMask(t, "SigPnd:") | signalMask(t, "ShdPnd:"); t.signal != 0 && !t.again || waits&^a.mask != 0 {
		goOn = a.state.PutBack // the call has ended for a signal
	}
	if e := goOn(); e != 0 {
		return a.gone(a.lost(e))
	}
	t.turnEvents(unix.PERF_EVENT_IOC_ENABLE)
	if t.signal != 0 && t.again { // the instruction is executed again, and may succeed now
		t.signal = 0
	}
	if t.signal != 0 {
		if err := a.signal(); err != nil {
			return a.gone(err)
		}
	}
	if e := ptrace.SetSignalMask(t.tid, a.mask); e != 0 {
		return a.gone(a.lost(e))
	}
	if restarts && t.signal == 0 {
		if e := ptrace.Call(unix.PTRACE_INTERRUPT, t.tid, 0, 0); e != 0 {
			return a.gone(a.lost(e))
		}
		st, err := a.goOn(unix.PTRACE_CONT)
		if err != nil {
			return a.gone(err)
		}
		a.p.heed(t.tid, st)
	}
	if a.stop {
		_ = unix.Kill(a.pid, unix.SIGSTOP)
	}
	return nil
}

// gone is nil for the end of the thread, of which Next tells.
func (a *Actor) gone(err error) error {
	if a.dead != nil {
		return nil
	}
	return err
}

// signal takes the thread back to where the signal that it had got is about to be delivered.
func (a *Actor) signal() error {
	t := a.t
	info := t.info
	if e := ptrace.SetSignalMask(t.tid, ^bit(t.signal)); e != 0 {
		return a.lost(e)
	}
	_ = unix.Tgkill(a.pid, t.tid, t.signal)
	for {
		st, err := a.goOn(unix.PTRACE_CONT)
		if err != nil {
			return err
		}
		switch {
		case st.Event() != 0:
		case st.Signal() == t.signal:
			if e := ptrace.SetSignalInfo(t.tid, &info); e != 0 {
				return a.lost(e)
			}
			return nil
		default:
			if err := a.hold(st.Signal()); err != nil {
				return err
			}
		}
	}
}
