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

// The deadline. A run that takes too long is stopped from outside with a signal,
// which the tracer sees and swallows. One timer serves all runs and
// is left ticking when a run ends: it looks when it fires whether anything is
// overdue. A run therefore costs two uncontended locks and, at most once per
// deadline, a timer.
//
// Every decision is made under the lock, so that fired is the truth about this
// run: a signal that comes while fired is false belongs to an earlier run, or
// to a stranger, and is ignored.
//
// A run that lasts also has a guard look at it, again and again: what the guard
// finds too much is killed in the middle of the call that takes it.

const (
	graceStep  = 100 * time.Millisecond // between one signal and the next
	graceTries = 10                     // then SIGKILL, unless waiting will do
	busyTries  = 10 * graceTries        // where it is waiting for a CPU, or has one
	guardStep  = 5 * time.Millisecond   // between one look of the guard and the next
)

type watchdog struct {
	mu    sync.Mutex
	timer *time.Timer
	epoch time.Time     // for durations, which compare cheaply
	armed time.Duration // when the timer is due, 0 when it is not set
	hurry bool          // nobody waits for any run any more
	guard func() bool   // says whether to kill; nil for no guard
	watched
}

// watched is the run under way; pid 0 means none.
type watched struct {
	pid    int
	began  time.Duration
	due    time.Duration
	fired  int  // how many signals were sent
	killed bool // and then SIGKILL
	over   bool // SIGKILL, at the guard's word
}

func (w *watchdog) init() {
	w.epoch = time.Now()
	w.timer = time.AfterFunc(time.Hour, w.expire)
	w.timer.Stop()
}

// begin watches pid, which is about to run, until end.
func (w *watchdog) begin(pid int, limit time.Duration) {
	now := time.Since(w.epoch)
	w.mu.Lock()
	if w.hurry {
		limit = 0
	}
	w.watched = watched{pid: pid, began: now, due: now + limit}
	w.armFor(now)
	w.mu.Unlock()
}

// cut makes the run under way overdue, and every run after it from its start.
func (w *watchdog) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hurry = true
	if w.pid != 0 && w.fired == 0 {
		w.due = time.Since(w.epoch)
		w.arm(0)
	}
}

// end says what became of the run.
func (w *watchdog) end() watched {
	w.mu.Lock()
	was := w.watched
	w.watched = watched{}
	w.mu.Unlock()
	return was
}

// now is the run as it stands.
func (w *watchdog) now() watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watched
}

// armFor sets the timer for what comes first, the deadline or a look of the guard, unless it is due
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

// stuck says whether only death will end the run. One that has stopped, or waits for a CPU to take
// the signal on, as on a busy machine, is not: there waiting will do, for a while.
func (w *watchdog) stuck() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pid))
	_, rest, ok := strings.Cut(string(text), ") ")
	if err != nil || !ok {
		return true
	}
	switch rest[0] {
	case 't', 'T': // the tracer has only to look
		return false
	case 'R':
		return w.fired >= busyTries
	}
	return true
}

// expire runs on a goroutine of the timer. It tries more than once, and with two
// signals: SIGSTOP cannot be blocked, but a SIGCONT from outside takes it away
// again (signal(7)); SIGURG can be blocked, but nothing takes it away, and the
// tracer is shown it although it is ignored (kernel/signal.c, sig_ignored).
// A process that takes neither is stuck in a call that only death interrupts.
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
		_ = unix.Tgkill(w.pid, w.pid, unix.SIGKILL)
		return
	}
	if w.due > now {
		w.armFor(now)
		return
	}
	sig := unix.SIGSTOP
	if w.fired >= graceTries && w.stuck() {
		sig, w.killed = unix.SIGKILL, true
	} else {
		if w.fired%2 == 1 {
			sig = unix.SIGURG
		}
		w.fired++
		w.due = time.Since(w.epoch) + graceStep
		w.arm(graceStep)
	}
	// The pid cannot have been given to a stranger but for the instant between
	// the wait that reaped it and end.
	_ = unix.Tgkill(w.pid, w.pid, sig)
}
