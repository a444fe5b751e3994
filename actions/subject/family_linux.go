//go:build amd64 || arm64

package subject

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Birth and death. A dead process stays a zombie until its parent has waited
// for it: the tracer's own wait does not count as the parent's, unless the
// parent is us. So a child of a living subject is left to that subject; what an
// ending parent leaves behind is ours, since we are the subreaper.

// Fork makes the process fork. The child is traced, idle and returned; it is nil
// when the kernel refused, and the Ending says why. With an error the child may
// still be there: its parent died giving birth.
func (p *Process) Fork() (*Process, Ending, error) {
	p.newborn = nil
	e, err := p.Syscall(unix.SYS_CLONE, uint64(unix.SIGCHLD))
	child := p.newborn
	p.newborn = nil
	if child != nil && child.dead == nil {
		// The page tables of unmodified file pages are not copied at fork, so the
		// child would fault in the page of stubs during its first command, and the
		// user would be shown a fault that is not his.
		_ = child.breathe(child.cfg.Deadline) // what goes wrong, its next call will say
	}
	return child, e, err
}

// event handles the stop of a process that has just made another one.
func (p *Process) event(kind int) error {
	switch kind {
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
	default:
		return nil
	}
	pid, e := eventPID(p.pid)
	if e != 0 {
		// The parent was killed at this very moment, and the child's name with
		// it. The group holds them all, and still exists: the parent is in it.
		_ = unix.Kill(-p.family, unix.SIGKILL)
		return p.lost("learn its child's pid", e)
	}
	return p.adopt(pid)
}

// adopt takes a newborn under control. The kernel attached it, with the options
// of its parent, and sent it a SIGSTOP (ptrace(2), PTRACE_O_TRACEFORK);
// whether that stop or the event in the parent comes first is open.
func (p *Process) adopt(pid int) error {
	t := p.tracer
	child := &Process{
		tracer: t, pid: pid, family: p.family, parent: p,
		cfg: p.cfg, randomized: p.randomized, idle: p.idle,
	}
	t.procs[pid] = child
	p.children = append(p.children, child)
	p.newborn = child
	for {
		st, err := child.wait()
		if child.dead != nil {
			return nil // born and killed: a fact about the child, not about us
		}
		if err != nil {
			return err
		}
		if st.signal() == unix.SIGSTOP && st.event() == 0 {
			return nil
		}
		// Something else came first; the SIGSTOP is still to come.
		if e := resume(runConfined, pid, passOn(st.signal())); e != 0 && e != syscall.ESRCH {
			return fmt.Errorf("subject: new process %d: %w", pid, e)
		}
	}
}

// died records the end of a process and reaps what it left behind.
func (p *Process) died(how *ExitedError) *ExitedError {
	p.dead = how
	how.Full = how.Signal == unix.SIGKILL && p.tracer.cgroup.killed()
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

// bury reaps a process that died, and was reported to us, while it still had a
// parent that did not wait for it. If the parent did wait after all, the pid
// may belong to somebody else by now: the session tells.
func (t *Tracer) bury(p *Process) bool {
	if t.procs[p.pid] != p {
		return false
	}
	if p.parent != nil && p.parent.dead == nil {
		return false // still the parent's business
	}
	if sid, err := unix.Getsid(p.pid); err == nil && sid == p.family {
		var ws unix.WaitStatus
		_, _ = unix.Wait4(p.pid, &ws, unix.WALL|unix.WNOHANG, nil)
	}
	p.forget()
	return true
}

// waitedFor takes a child off the books that its parent has taken notice of: nothing of it is left.
func (p *Process) waitedFor(pid int) {
	p.children = slices.DeleteFunc(p.children, func(c *Process) bool {
		if c.pid != pid || c.dead == nil {
			return false
		}
		c.forget()
		return true
	})
}

// forget takes the process off the books, unless its pid already names another.
func (p *Process) forget() {
	if p.tracer.procs[p.pid] == p {
		delete(p.tracer.procs, p.pid)
	}
}
