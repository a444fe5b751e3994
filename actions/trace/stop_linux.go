//go:build amd64 || arm64

package trace

import (
	"strings"
	"time"

	"cowscope/actions/ptrace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// stopAll stops every thread that can be stopped.
func (p *Program) stopAll() {
	for _, t := range p.tasks {
		if t.state == running && !t.asked {
			t.asked = ptrace.Call(unix.PTRACE_INTERRUPT, t.tid, 0, 0) == 0
		}
	}
	quiet := time.Time{}
	for try := 0; p.moving(); try++ {
		tid, st, err := waitAny(unix.WNOHANG)
		if err != nil {
			_ = p.none(err)
			return
		}
		if tid != 0 {
			p.heed(tid, st)
			if t := p.tasks[tid]; t != nil && t.state == stopped && st.Event() == unix.PTRACE_EVENT_STOP && t.hasFaulted() {
				p.goOn(t)
				t.asked = t.state == running
			}
			quiet = time.Time{}
			continue
		}
		if try < 50 {
			unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
			continue
		}
		switch {
		case quiet.IsZero():
			quiet = time.Now()
		case time.Since(quiet) > grace && !p.runnable(quiet):
			return // what is left waits for a device, or has ended and its threads have not
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// grace is how long a thread is waited for that may not stop: it waits for a device, say.
const grace = 100 * time.Millisecond

// runnable reports whether a thread only waits for a processor, and has not for very long.
func (t *task) runnable(since time.Time) bool {
	const most = 10 * time.Second
	return time.Since(since) < most && strings.HasPrefix(procfs.StatusField(t.tid, "State:"), "R")
}

// runnable reports it of a thread that is still to be waited for.
func (p *Program) runnable(since time.Time) bool {
	for _, t := range p.tasks {
		if t.awaited() && t.runnable(since) {
			return true
		}
	}
	return false
}

// moving reports whether a thread is still to be waited for.
func (p *Program) moving() bool {
	for _, t := range p.tasks {
		if t.awaited() {
			return true
		}
	}
	return false
}

// awaited reports whether a thread has been asked to stop, or was born, and has not stopped since.
func (t *task) awaited() bool {
	return t.state == running && !t.vfork && (t.asked || t.fresh)
}
