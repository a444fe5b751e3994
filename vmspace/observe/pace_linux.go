package observe

import (
	"time"

	"golang.org/x/sys/unix"
)

// Rules of this file: the rests of a gentle reader. A waiting thread needs them: without, the
// reader has the lock again before that thread is awake.

// How a gentle reader parts its work: it rests when its calls since the last rest took sliceTime. A
// single call cannot be cut short, so each is kept small by what it may cover.
const (
	sliceTime = 120 * time.Microsecond
	restTime  = 20 * time.Microsecond // and what the kernel adds: 50 µs of timer slack as a rule (prctl(2))

	gentleWords    = 2 << 10   // page words in one read
	gentlePages    = 8 << 10   // pages found by one scan
	gentleRegions  = 48        // regions found by one scan, each perhaps in a page table of its own
	gentleMappings = 128       // mappings that one scan may cross
	gentleSpan     = 256 << 20 // bytes that one scan may cross at first; it learns how far it gets in its time
)

// pace times the calls that take the lock and, where it is gentle, rests between them. It belongs
// to one goroutine.
type pace struct {
	gentle bool
	cost   Cost
	busy   time.Duration // since the last rest
}

// took notes a call that began at start, and rests where that is due.
func (p *pace) took(start time.Time) time.Duration {
	d := time.Since(start)
	p.cost.Calls++
	p.cost.Held += d
	p.busy += d
	p.cost.Longest = max(p.cost.Longest, p.busy)
	if p.gentle && p.busy >= sliceTime {
		rest(restTime)
		p.cost.Rests++
		p.busy = 0
	}
	return d
}

// rest sleeps, without the lock of anybody.
func rest(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&t, nil) // a signal may cut it short: it is short anyway
}
