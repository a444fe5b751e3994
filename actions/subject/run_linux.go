//go:build amd64 || arm64

package subject

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// One run: registers are set, the process runs, registers are read. That is four system calls, and
// nothing is allocated.
//
// The registers are not restored after a run, because the next run sets all of them: nothing runs
// in between, and death and fork do not depend on them (a child gets the idle registers of its
// parent). Only /proc/PID/syscall would show it. After a deadline they are restored at once, see
// settle.

// A verdict is how a run ended.
type verdict int

const (
	finished  verdict = iota // at the end of the stub
	raised                   // a signal of the instruction itself, in the cause
	attempted                // a system call, under runConfined
	overdue                  // the deadline passed
	waiting                  // not at all: it waits in vfork, and its child has its memory
)

// cause is the signal behind raised.
type cause = ptrace.SigInfo

// fresh returns registers to start a run from.
func (p *Process) fresh() *ptrace.Registers {
	p.tracer.regs = p.idle
	return &p.tracer.regs
}

// run executes s with the registers in tracer.regs and leaves the registers at its end there. The
// error is an *ExitedError or a failure of cowscope.
func (p *Process) run(s *stub, request int, limit time.Duration) (verdict, cause, error) {
	v, c, err := p.runAlone(s, request, limit)
	p.release()
	return v, c, err
}

// runAlone is run, but for the parent that may have waited for the end of this process.
func (p *Process) runAlone(s *stub, request int, limit time.Duration) (verdict, cause, error) {
	t := p.tracer
	if err := p.ready(); err != nil {
		return 0, cause{}, err
	}
	if request == runStep {
		if err := p.callIntact(); err != nil {
			return 0, cause{}, err
		}
	}
	setIP(&t.regs, s.start)
	if e := ptrace.SetRegisters(p.pid, &t.regs); e != 0 {
		return 0, cause{}, p.lost("set the registers", e)
	}
	t.watch.begin(p, limit)
	v, c, err := p.await(s, request)
	was := t.watch.end()
	p.fired = was.fired > 0
	// It ended by itself in the moment in which it was killed.
	if (was.over || was.killed) && p.dead == nil && err == nil {
		if err = p.reap(); err == nil {
			err = p.dead
		}
	}
	if p.dead != nil && was.killed && p.dead.Signal == unix.SIGKILL {
		if t.ending.Load() {
			return 0, cause{}, ErrClosed
		}
		p.dead.Hung = true
	}
	if p.dead != nil && was.over && p.dead.Signal == unix.SIGKILL {
		p.dead.Over = true
	}
	if v == attempted && err == nil {
		p.tried = attempt(p.pid, &t.regs)
	}
	if a := ourRefusal(c, &t.regs); v == raised && a != nil {
		v, p.tried = attempted, a
	}
	// A single step that starts inside a stopped call ends at once, at the exit of that call
	// (kernel/entry/common.c, syscall_exit_work): the next run must not start there.
	if (v == overdue || v == attempted) && err == nil {
		err = p.settle()
	}
	return v, c, err
}

// await lets the process run until it stops for a reason that ends the run.
func (p *Process) await(s *stub, request int) (verdict, cause, error) {
	if e := ptrace.Resume(request, p.pid, 0); e != 0 {
		return 0, cause{}, p.lost("resume it", e)
	}
	return p.follow(s, request)
}

// follow is await for a process that runs already.
func (p *Process) follow(s *stub, request int) (verdict, cause, error) {
	t := p.tracer
	var deliver syscall.Signal
	for first := true; ; first = false {
		if !first {
			if e := ptrace.Resume(request, p.pid, deliver); e != 0 {
				return 0, cause{}, p.lost("resume it", e)
			}
		}
		deliver = 0
		st, err := p.wait()
		if err != nil {
			return 0, cause{}, err
		}
		switch sig := st.Signal(); {
		case st.Event() != 0:
			if err := p.event(st.Event()); err != nil {
				return 0, cause{}, err
			}
			if child := p.newborn; p.makes == waited && child != nil && child.dead == nil {
				if e := ptrace.Resume(request, p.pid, 0); e != 0 {
					return 0, cause{}, p.lost("resume it", e)
				}
				p.awaits = child
				return waiting, cause{}, nil
			}
		case sig == ptrace.CallStop:
			if e := ptrace.GetRegisters(p.pid, &t.regs); e != 0 {
				return 0, cause{}, p.lost("read the registers", e)
			}
			return attempted, cause{}, nil
		case sig == unix.SIGTRAP, raisable(sig):
			v, c, err := p.judge(s, sig)
			if err != nil || v != undecided {
				return v, c, err
			}
			if c.Code <= 0 && !overtaken(c) {
				deliver = syscall.Signal(c.Signo)
			}
		case (sig == unix.SIGSTOP || sig == unix.SIGURG) && t.watch.now().fired > 0:
			if e := ptrace.GetRegisters(p.pid, &t.regs); e != 0 {
				return 0, cause{}, p.lost("read the registers", e)
			}
			return overdue, cause{}, nil
		default:
			deliver = passOn(sig)
		}
	}
}

// undecided makes await continue, delivering the signal if another process sent it.
const undecided verdict = -1

// judge decides about a stop for a signal that an instruction can cause. The end of the stub needs
// no siginfo: a SIGTRAP sent before the run is taken at its start, and one sent during the run does
// not overtake the stub's own (get_signal takes synchronous signals first).
func (p *Process) judge(s *stub, sig syscall.Signal) (verdict, cause, error) {
	r := &p.tracer.regs
	if e := ptrace.GetRegisters(p.pid, r); e != 0 {
		return 0, cause{}, p.lost("read the registers", e)
	}
	again := sig == unix.SIGTRAP && interrupted(r, s)
	arrived := sig == unix.SIGTRAP && getIP(r) == s.end && !again
	if arrived && s.start != s.end {
		return finished, cause{}, nil
	}
	info, e := ptrace.SignalInfo(p.pid)
	switch {
	case e == unix.EINVAL: // a group-stop: let it continue
		return undecided, cause{Code: 1}, nil
	case e != 0:
		return 0, cause{}, p.lost("read the signal", e)
	case info.Code <= 0 || again:
		return undecided, info, nil
	case arrived:
		return finished, cause{}, nil
	}
	return raised, info, nil
}

// overtaken reports whether a signal is the report of a single step that another signal preceded.
// For a step over a system call arm64 sends it as a SIGTRAP without a sender
// (user_single_step_report in include/linux/ptrace.h), and the signal of the filter is taken first.
func overtaken(c cause) bool {
	const siUser = 0
	// The sender's pid and uid are 0.
	return c.Signo == int32(unix.SIGTRAP) && c.Code == siUser && c.Addr == 0
}

// raisable reports whether an instruction can cause the signal, SIGTRAP aside.
func raisable(sig syscall.Signal) bool {
	switch sig {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGSYS:
		return true
	}
	return false
}

// passOn decides about a signal that another process sent: 0 drops it. A stop signal would leave
// the process in a group-stop that only SIGCONT ends, and a signal without effect would only cost
// another round. All others are delivered.
func passOn(sig syscall.Signal) syscall.Signal {
	switch sig {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU,
		unix.SIGCONT, unix.SIGCHLD, unix.SIGWINCH, unix.SIGURG:
		return 0
	}
	return sig
}

// settle restores the registers and brings the process back to the idle trap, after a run that was
// broken off. On arm64 this also moves pc away from a call that the kernel would otherwise restart.
// If the stubs are gone, the next run reports it.
func (p *Process) settle() error {
	t := p.tracer
	after := t.regs
	defer func() { t.regs = after }()
	t.regs = p.idle
	setIP(&t.regs, idleStub.start)
	if e := ptrace.SetRegisters(p.pid, &t.regs); e != 0 {
		return p.lost("put the registers back", e)
	}
	t.watch.begin(p, time.Second)
	_, _, err := p.await(idleStub, runConfined)
	t.watch.end()
	return err
}

// wait waits for this process alone; wait4(-1) would also take processes of other parts of this
// program. But the end of a process with several threads is reported only when that of all others
// has been: then the whole family is waited for.
func (p *Process) wait() (ptrace.Status, error) {
	t, g := p.tracer, p.group
	if g.leader == p {
		g.followed = true
		defer func() { g.followed = false }()
	}
	for p.dead == nil {
		if st := p.news; st != nil {
			p.news = nil
			if st.Stopped() {
				return *st, nil
			}
			return 0, p.died(exitedBy(*st, p.pid))
		}
		who := p.pid
		if g.leader == p && len(g.others) > 0 {
			who = -p.family
		}
		var ws unix.WaitStatus
		pid, err := unix.Wait4(who, &ws, unix.WALL, &t.usage)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECHILD:
			return 0, p.died(&ExitedError{PID: p.pid, Lost: true})
		case err != nil:
			return 0, answers("wait4", err)
		}
		st, q := ptrace.Status(ws), t.procs[pid]
		switch {
		case q == nil: // its birth has not been reported yet
			t.unborn[pid] = st
			continue
		case q.dead != nil: // a zombie that became cowscope's, because its parent is gone
			q.forget()
			continue
		}
		if st.Stopped() {
			q.group.minor, q.group.major = uint64(t.usage.Minflt), uint64(t.usage.Majflt)
		}
		q.news = &st
		if q != p && !st.Stopped() {
			_, _ = q.wait()
		}
	}
	return 0, p.dead
}

// lost explains why ptrace refused a process that was believed to be stopped. Nearly always it has
// just been killed, and the wait reports by what.
func (p *Process) lost(what string, e syscall.Errno) error {
	if e == unix.ESRCH {
		if err := p.tracer.onThread(); err != nil {
			return err
		}
		// Otherwise the current run is watched, and its caller must learn what became of it.
		if w := &p.tracer.watch; w.now().pid == 0 {
			w.begin(p, time.Second) // in case it does run after all
			defer w.end()
		}
		if _, err := p.wait(); err != nil {
			return err
		}
	}
	return fmt.Errorf("subject: process %d: cannot %s: %w", p.pid, what, e)
}

// end kills the process and waits until it is gone. If the kill is refused, the kernel kills the
// process when cowscope ends: waiting for it would never return.
func (p *Process) end() error {
	err := unix.Kill(p.group.leader.pid, unix.SIGKILL)
	if err == nil || err == unix.ESRCH {
		err = p.reap()
	}
	if err != nil {
		p.forget()
	}
	return err
}

// reap waits until the process, which has been killed, is gone.
func (p *Process) reap() error {
	for p.dead == nil {
		_, err := p.wait()
		var gone *ExitedError
		if err != nil && !errors.As(err, &gone) {
			return err
		}
	}
	return nil
}
