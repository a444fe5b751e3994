package observe

import (
	"time"

	"golang.org/x/sys/unix"
)

// Rules of this file: the rests of a gentle reader. Without a rest the reader has the lock again
// before a waiting thread is awake.

// How a gentle reader divides its work: it rests when its calls since the last rest took sliceTime.
// A single call cannot be interrupted, so each is bounded by what it may cover.
const (
	sliceTime = 120 * time.Microsecond
	// restTime is what is asked for; the kernel adds the timer slack, 50 µs as a rule (prctl(2)).
	restTime = 20 * time.Microsecond

	gentleWords    = 2 << 10   // page words in one read
	gentlePages    = 8 << 10   // pages found by one scan
	gentleRegions  = 48        // regions found by one scan, each perhaps in a page table of its own
	gentleMappings = 128       // mappings that one scan may cross
	gentleSpan     = 256 << 20 // bytes that the first scan may cross; later ones adapt
)

// pace times the calls that take the lock and, if it is gentle, rests between them. It belongs to
// one goroutine.
type pace struct {
	gentle bool
	cost   Cost
	busy   time.Duration // since the last rest
}

// took records a call that began at start, and rests if a rest is due.
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

// rest sleeps while no lock is held.
func rest(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&t, nil) // a signal may interrupt it, which does no harm
}

// CPUTime is the time of the CPUs that this process has used, its system calls included (getrusage(2)).
func CPUTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
