//go:build amd64 || arm64

package subject

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Threads. To ptrace every thread is a tracee of its own, and so it is a Process here: it runs
// stubs, stops and dies by itself. The threads of a process are a group. Its first thread stands
// for the process: its ID is that of the process, it has the children of all of them, and its end
// is the end of all.

// group is the threads of a process (a thread group in clone(2)).
type group struct {
	leader       *Process
	others       []*Process // that live, in order of birth
	minor, major uint64     // see Faults
	followed     bool       // somebody waits for the leader
}

// Thread makes a thread in the process: it has the same memory, files, signal actions and limits,
// and its own registers, with them its own rights to protection keys. The thread is traced and
// idle; it is nil in the same cases as the child of Fork. It has no stack of its own: no two threads
// run at the same time, and the stubs use none.
func (p *Process) Thread() (*Process, Ending, error) {
	thread, e, err := p.make(inside, unix.CLONE_VM|unix.CLONE_FS|unix.CLONE_FILES|unix.CLONE_SIGHAND|unix.CLONE_THREAD|unix.CLONE_SYSVSEM)
	if thread != nil && thread.dead == nil {
		_ = thread.breathe(thread.cfg.Deadline) // what goes wrong, its next call will say
	}
	return thread, e, err
}

// ExitThread makes this thread exit, and no other; the *ExitedError says so.
func (p *Process) ExitThread() (Ending, error) {
	if p.group.leader == p {
		return Ending{}, ErrFirstThread
	}
	if err := p.ready(); err != nil {
		return Ending{}, err
	}
	p.leaves = true
	e, err := p.Syscall(unix.SYS_EXIT, 0)
	p.leaves = false
	return e, err
}

// left records the end of a thread that is not the first one. The wait for it has reaped it. As a
// rule all others end with it, by exit_group(2) or a signal (signal(7)), and are waited for.
func (g *group) left(p *Process) {
	g.others = slices.DeleteFunc(g.others, func(o *Process) bool { return o == p })
	p.forget()
	// A seccomp filter around cowscope may kill one thread alone (SECCOMP_RET_KILL_THREAD).
	if !p.leaves && p.dead.Signal != unix.SIGSYS && !g.followed && g.leader.dead == nil {
		_ = g.leader.reap() // what goes wrong, its next call will say
	}
}

// send sends a signal: to the process, or to one thread that is not the first one.
func (p *Process) send(sig syscall.Signal) error {
	if leader := p.group.leader; leader != p {
		return unix.Tgkill(leader.pid, p.pid, sig)
	}
	return unix.Kill(p.pid, sig)
}
