//go:build amd64 || arm64

package subject

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The deadline. A run that takes too long is stopped from outside with a signal, which the tracer
// sees and suppresses. One timer serves all runs and keeps ticking when a run ends: when it fires
// it checks whether a run is overdue. A run therefore costs two uncontended locks and, at most once
// per deadline, a timer.
//
// Every decision is made under the lock, so that fired is right for this run: a signal that arrives
// while fired is 0 belongs to an earlier run, or to another sender, and is ignored.
//
// During a long run a guard is called repeatedly: the process that it rejects is killed in the
// middle of its call.

const (
	graceStep  = 100 * time.Millisecond // between one signal and the next
	graceTries = 10                     // then SIGKILL, unless waiting can help
	hurryTries = 1                      // if the tracer is closing; then SIGKILL, which comes anyway
	guardStep  = 5 * time.Millisecond   // between two calls of the guard
)

type watchdog struct {
	mu    sync.Mutex
	timer *time.Timer
	epoch time.Time     // for durations, which compare cheaply
	armed time.Duration // when the timer is due, 0 if it is not set
	hurry bool          // the tracer is closing: no run is waited for
	guard func() bool   // reports whether to kill; nil for no guard
	watched
}

// watched is the current run; pid 0 means none.
type watched struct {
	pid      int
	process  int // that the thread pid is of
	began    time.Duration
	due      time.Duration
	patience time.Duration // Config.Patience
	fired    int           // how many signals were sent
	killed   bool          // and then SIGKILL
	over     bool          // SIGKILL, as the guard demanded
}

func (w *watchdog) init() {
	w.epoch = time.Now()
	w.timer = time.AfterFunc(time.Hour, w.expire)
	w.timer.Stop()
}

// begin watches a process, which is about to run, until end.
func (w *watchdog) begin(p *Process, limit time.Duration) {
	now := time.Since(w.epoch)
	w.mu.Lock()
	if w.hurry {
		limit = 0
	}
	w.watched = watched{pid: p.pid, process: p.group.leader.pid, began: now, due: now + limit, patience: p.cfg.Patience}
	w.armFor(now)
	w.mu.Unlock()
}

// cut makes the current run overdue, and every later run from its start.
func (w *watchdog) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hurry = true
	if w.pid != 0 && w.fired == 0 {
		w.due = time.Since(w.epoch)
		w.arm(0)
	}
}

// end ends the watch and returns what happened in it.
func (w *watchdog) end() watched {
	w.mu.Lock()
	was := w.watched
	w.watched = watched{}
	w.mu.Unlock()
	return was
}

// now is the current state of the run.
func (w *watchdog) now() watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watched
}

// armFor sets the timer for the next event, the deadline or a call of the guard, unless it is due
// before that.
func (w *watchdog) armFor(now time.Duration) {
	next := w.due
	if w.guard != nil {
		next = min(next, now+guardStep)
	}
	if w.armed == 0 || next < w.armed {
		w.arm(next - now)
	}
}

func (w *watchdog) arm(after time.Duration) {
	w.armed = time.Since(w.epoch) + after
	w.timer.Reset(after)
}

// stuck reports whether only death can end the run. It is not stuck if it has stopped, if it waits
// for a CPU to handle the signal, as on a busy machine, or if it sleeps in the kernel
// uninterruptibly: then waiting helps, for a while.
func (w *watchdog) stuck() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pid))
	_, rest, ok := strings.Cut(string(text), ") ")
	if err != nil || !ok {
		return true
	}
	switch rest[0] {
	case 't', 'T': // the tracer only has to wait for it
		return false
	case 'R', 'D':
		return w.hurry || time.Duration(w.fired)*graceStep >= w.patience
	}
	return true
}

// expire runs on a goroutine of the timer. It tries more than once, and with two signals: SIGSTOP
// cannot be blocked, but a SIGCONT from outside cancels it (signal(7)); SIGURG can be blocked, but
// nothing cancels it, and the tracer is shown it although it is ignored (kernel/signal.c,
// sig_ignored). A process that takes neither is stuck in a call that only death interrupts.
func (w *watchdog) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = 0
	if w.pid == 0 || w.killed || w.over {
		return
	}
	now := time.Since(w.epoch)
	if w.guard != nil && now-w.began >= guardStep && w.guard() {
		w.over = true
		_ = unix.Tgkill(w.process, w.pid, unix.SIGKILL)
		return
	}
	if w.due > now {
		w.armFor(now)
		return
	}
	sig, tries := unix.SIGSTOP, graceTries
	if w.hurry {
		tries = hurryTries
	}
	if w.fired >= tries && w.stuck() {
		sig, w.killed = unix.SIGKILL, true
	} else {
		if w.fired%2 == 1 {
			sig = unix.SIGURG
		}
		w.fired++
		w.due = time.Since(w.epoch) + graceStep
		w.arm(graceStep)
	}
	// The pid cannot belong to another process, except in the instant between the wait that reaped
	// it and end.
	_ = unix.Tgkill(w.process, w.pid, sig)
}
