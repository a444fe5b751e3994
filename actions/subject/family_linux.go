//go:build amd64 || arm64

package subject

import (
	"fmt"
	"slices"
	"syscall"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Birth and death. A dead process stays a zombie until its parent has waited for it: the tracer's
// own wait does not count as the parent's, unless the tracer is the parent. So the child of a
// living subject is left to that subject; the children of a dead parent belong to cowscope, which
// is the subreaper.

// making is what a run makes.
type making uint8

const (
	free   making = iota // a process
	waited               // a process whose end it waits for, in vfork
	inside               // a thread of the same process
)

// make makes a process or a thread, nil if the kernel refused.
func (p *Process) make(what making, flags uint64) (*Process, Ending, error) {
	p.newborn, p.makes = nil, what
	clear(p.tracer.unborn) // their pids may be used again
	e, err := p.Syscall(unix.SYS_CLONE, flags)
	child := p.newborn
	p.newborn, p.makes = nil, free
	return child, e, err
}

// Fork makes the process fork. The child is traced, idle and returned; it is nil if the kernel
// refused, and the Ending says why. With an error the child may exist all the same: its parent died
// during the fork.
func (p *Process) Fork() (*Process, Ending, error) {
	child, e, err := p.make(free, uint64(unix.SIGCHLD))
	if child != nil && child.dead == nil {
		// The page tables of unmodified file pages are not copied at fork, so the child would fault
		// in the page of stubs during its first command, and the user would see a fault of
		// cowscope.
		_ = child.breathe(child.cfg.Deadline) // the next call returns what went wrong
	}
	return child, e, err
}

// Vfork makes the process vfork: the child runs in the same memory and on the same stack, and the
// process itself waits in the kernel until the child has ended. Until then it runs nothing else. The
// child is traced and idle; it is nil in the same cases as that of Fork.
func (p *Process) Vfork() (*Process, Ending, error) {
	child, e, err := p.make(waited, unix.CLONE_VM|unix.CLONE_VFORK|uint64(unix.SIGCHLD))
	if child != nil && child.dead == nil {
		_ = child.breathe(child.cfg.Deadline) // what goes wrong, its next call will say
	}
	return child, e, err
}

// release continues the parent that waited in vfork for the end of this process. The kernel has
// woken it already; it is followed to the end of its call, unless a signal ends it before.
func (p *Process) release() {
	parent := p.caller
	if p.dead == nil || parent == nil || parent.awaits != p || parent.dead != nil {
		return
	}
	parent.awaits = nil
	w := &p.tracer.watch
	w.begin(parent, parent.cfg.Deadline)
	v, _, err := parent.follow(syscallStub, runStep)
	w.end()
	if v == overdue && err == nil {
		_ = parent.settle() // what goes wrong, its next call will say
	}
	parent.release()
}

// ended reports whether a process that waits in vfork has died. Other events are left for whoever
// follows it: the kernel may have woken it by now.
func (p *Process) ended() bool {
	if p.news != nil {
		return false
	}
	var news unix.Siginfo
	err := unix.Waitid(unix.P_PID, p.pid, &news, unix.WEXITED|unix.WALL|unix.WNOHANG|unix.WNOWAIT, nil)
	const trapped = 4 // CLD_TRAPPED (include/uapi/asm-generic/siginfo.h)
	return err == unix.ECHILD || err == nil && news.Signo != 0 && news.Code < trapped
}

// event handles the stop of a process that has just made another one.
func (p *Process) event(kind int) error {
	switch kind {
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
	default:
		return nil
	}
	pid, e := ptrace.Message(p.pid)
	if e != 0 {
		// The parent was killed at this moment, so the child's pid is unknown. The process group
		// contains all of them, and still exists: the parent is in it.
		_ = unix.Kill(-p.family, unix.SIGKILL)
		return p.lost("learn its child's pid", e)
	}
	return p.adopt(pid)
}

// adopt takes control of a newborn process. The kernel attached it, with the options of its parent,
// and sent it a SIGSTOP (ptrace(2), PTRACE_O_TRACEFORK); whether that stop or the event in the
// parent comes first is not determined.
func (p *Process) adopt(pid int) error {
	t := p.tracer
	child := &Process{
		tracer: t, pid: pid, family: p.family, caller: p,
		cfg: p.cfg, randomized: p.randomized, idle: p.idle,
	}
	t.procs[pid] = child
	if leader := p.group.leader; p.makes == inside {
		child.group = p.group
		p.group.others = append(p.group.others, child)
	} else {
		child.group, child.parent = &group{leader: child}, leader
		leader.children = append(leader.children, child)
	}
	p.newborn = child
	if st, ok := t.unborn[pid]; ok {
		child.news = &st
	}
	for {
		st, err := child.wait()
		if child.dead != nil {
			// It was killed at birth: a fact about the child, not a failure of cowscope.
			return nil
		}
		if err != nil {
			return err
		}
		if st.Signal() == unix.SIGSTOP && st.Event() == 0 {
			return nil
		}
		// Another stop came first; the SIGSTOP is still to come.
		if e := ptrace.Resume(runConfined, pid, passOn(st.Signal())); e != 0 && e != syscall.ESRCH {
			return fmt.Errorf("subject: new process %d: %w", pid, e)
		}
	}
}

// died records the end of a process and reaps the children that it left.
func (p *Process) died(how *ExitedError) *ExitedError {
	p.dead, p.awaits, p.news = how, nil, nil
	how.Full = how.Signal == unix.SIGKILL && p.tracer.cgroup.killed()
	if p.group.leader != p {
		p.group.left(p)
		return how
	}
	for _, c := range p.children {
		c.parent = nil
		if c.dead != nil {
			p.tracer.bury(c)
		}
	}
	p.children = nil
	if p.parent == nil || how.Lost {
		p.forget()
	}
	return how
}

// bury reaps a process that died, and whose end was reported, while its parent was alive and did
// not wait for it. If the parent did wait after all, the pid may belong to another process by now:
// the session ID tells.
func (t *Tracer) bury(p *Process) bool {
	if t.procs[p.pid] != p {
		return false
	}
	if p.parent != nil && p.parent.dead == nil {
		return false // its parent still has to wait for it
	}
	if sid, err := unix.Getsid(p.pid); err == nil && sid == p.family {
		var ws unix.WaitStatus
		_, _ = unix.Wait4(p.pid, &ws, unix.WALL|unix.WNOHANG, nil)
	}
	p.forget()
	return true
}

// waitedFor forgets a child that its parent has waited for: nothing of it is left.
func (p *Process) waitedFor(pid int) {
	leader := p.group.leader
	leader.children = slices.DeleteFunc(leader.children, func(c *Process) bool {
		if c.pid != pid || c.dead == nil {
			return false
		}
		c.forget()
		return true
	})
}

// forget removes the process from the table, unless its pid belongs to another one by now.
func (p *Process) forget() {
	if p.tracer.procs[p.pid] == p {
		delete(p.tracer.procs, p.pid)
	}
}
