package observe

import "time"

// Rules of this file: how often a family is read that nobody's command has changed. What a reading
// takes decides when the next may begin, so that a large family costs no more of the machine than a
// small one.

// Reading is how much is read.
type Reading uint8

const (
	Signs Reading = iota // what costs little: counters, and the ends of processes
	Everything
)

// Rhythm spaces readings out. It is for one goroutine.
type Rhythm struct {
	// Share is the time from one reading to the next of its kind, as a multiple of what the reading
	// took.
	Share int
	// Rest is how many times as long everything may wait while no sign of a change is seen; 0 is
	// once.
	Rest int

	last [Everything + 1]spent
}

// spent is a reading that was done.
type spent struct {
	start time.Time
	took  time.Duration
}

// freely is what a reading may take that can always be repeated.
const freely = time.Millisecond

// due reports whether a reading may begin now, if it waits share times as long as the last one
// took.
func (s spent) due(now time.Time, share int) bool {
	return s.took < freely || !now.Before(s.start.Add(time.Duration(share)*s.took))
}

// Due reports whether a reading may begin. Everything may wait longer than its share asks for while
// no sign of a change was seen since it was read, which changed says.
func (r *Rhythm) Due(what Reading, changed bool) bool {
	share := r.Share
	if what == Everything && !changed {
		share *= max(r.Rest, 1)
	}
	return r.last[what].due(time.Now(), share)
}

// Begin notes that a reading begins; the caller calls done when it is over. A reading takes the
// time of the clock, or that of all CPUs, whichever is more.
func (r *Rhythm) Begin(what Reading) (done func()) {
	start, cpu := time.Now(), CPUTime()
	return func() { r.last[what] = spent{start, max(time.Since(start), CPUTime()-cpu)} }
}

// Forget lets everything be read at once.
func (r *Rhythm) Forget() { r.last = [Everything + 1]spent{} }
