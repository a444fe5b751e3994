//go:build amd64 || arm64

package trace

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"cowscope/actions/ptrace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: a process that is attached to gets no filter, so that it stops at all of its
// system calls. It is no child, it does not die with cowscope, and it is let go as it was found:
// nothing that was made for it may reach it once nobody is there to take it away, least of all a
// SIGTRAP.

const attachOptions = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEEXEC |
	unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEVFORKDONE

// attach seizes all threads of a process, and stops them. The first event says so.
func (p *Program) attach(pid int) error {
	fail := func(call string, e error) error {
		return &AttachError{pid, ptrace.Refusal(pid, call, e)}
	}
	switch tgid, ok := threadGroup(pid); {
	case !ok:
		return fail("ptrace", unix.ESRCH)
	case tgid != pid:
		return &AttachError{pid, fmt.Errorf("%d is a thread of process %d", pid, tgid)}
	case pid == os.Getpid():
		return &AttachError{pid, fmt.Errorf("process %d is cowscope itself", pid)}
	}
	p.pid, p.attached = pid, true
	for again := true; again; { // until there is none that was born meanwhile
		again = false
		dirs, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, dir := range dirs {
			tid, _ := strconv.Atoi(filepath.Base(dir))
			if p.tasks[tid] != nil {
				continue
			}
			switch e := ptrace.Call(unix.PTRACE_SEIZE, tid, 0, attachOptions); {
			case e == 0:
			case tid == pid:
				return fail("PTRACE_SEIZE", e)
			default: // it has ended, or it is traced since its parent was
				continue
			}
			t := &task{tid: tid, pid: pid, fresh: true}
			p.keepSleep(tid)
			t.asked = ptrace.Call(unix.PTRACE_INTERRUPT, tid, 0, 0) == 0
			p.tasks[tid] = t
			again = true
		}
	}
	p.stopAll()
	e := Event{Kind: Attached, PID: pid, TID: pid}
	if t := p.tasks[pid]; t != nil && t.state != running {
		e.Regs, _ = t.registers()
	}
	p.queue = append([]Event{e}, p.queue...)
	return nil
}

// detach lets go what was attached to.
func (p *Program) detach() {
	p.stopAll()
	for _, t := range p.tasks {
		t.unwatch()
	}
	for range 10 {
		if !p.drain() {
			break
		}
	}
	for tid, t := range p.tasks {
		if t.state != running {
			t.giveBack()
			_ = ptrace.Resume(unix.PTRACE_DETACH, tid, t.signal)
			delete(p.tasks, tid)
		}
	}
	clear(p.tasks) // the kernel lets those go when this thread ends
	p.queue = nil
}

// drain takes away signals that were made for a thread and have not reached it: those of its events,
// and the one that woke this thread. It reports whether there were any.
func (p *Program) drain() (any bool) {
	for _, t := range p.tasks {
		pending, blocked := signalMask(t, "SigPnd:"), signalMask(t, "SigBlk:")
		if t.state == running || pending&(bit(unix.SIGTRAP)|bit(unix.SIGSTOP)) == 0 {
			continue
		}
		any = true
		hidden := pending&bit(unix.SIGTRAP) != 0 && blocked&bit(unix.SIGTRAP) != 0
		if hidden {
			ptrace.SetSignalMask(t.tid, blocked&^bit(unix.SIGTRAP))
		}
		p.goOn(t)
		for begin := time.Now(); t.state == running && time.Since(begin) < 100*time.Millisecond; {
			if tid, st, err := waitAny(unix.WNOHANG); err == nil && tid != 0 {
				p.heed(tid, st)
			} else if p.tasks[t.tid] == nil || err != nil {
				break
			}
		}
		if t.state == running {
			p.stopAll()
		}
		if hidden {
			ptrace.SetSignalMask(t.tid, blocked)
		}
	}
	return any
}

func bit(sig syscall.Signal) uint64 { return 1 << (sig - 1) }

// signalMask is a set of signals of a thread, as /proc/PID/task/TID/status tells it.
func signalMask(t *task, field string) uint64 {
	mask, _ := strconv.ParseUint(procfs.StatusField(t.tid, field), 16, 64)
	return mask
}
