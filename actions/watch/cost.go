package watch

import (
	"fmt"
	"strings"
	"time"

	"cowscope/vmspace"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/procfs"
)

// What watching costs: whoever is watched must not feel it, and whoever watches is told.

// rhythm is how often a family is read: in a hundredth of the time, and while it shows no sign of a
// change in a thousandth.
var rhythm = observe.Rhythm{Share: 100, Rest: 10}

// measureFor is over how long the share of a CPU is taken: short enough to be now, long enough that
// the figure stands still.
const measureFor = 5 * time.Second

// spending is what watching has cost so far.
type spending struct {
	longest time.Duration // for which the mmap_lock of a process was held, at most
	since   time.Time     // when the share of a CPU began to be taken
	cpu     time.Duration // that had been used then
	share   int           // of a CPU in per cent, rounded up; 0 where it is not known yet
}

// add adds a reading.
func (s *spending) add(c observe.Cost) { s.longest = max(s.longest, c.Longest) }

// measure takes the share of a CPU that this program uses, all its threads together.
func (s *spending) measure(now time.Time, cpu time.Duration) {
	switch lasted := now.Sub(s.since); {
	case s.since.IsZero():
		s.since, s.cpu = now, cpu
	case lasted >= measureFor:
		s.share = int(100*(cpu-s.cpu)/lasted) + 1
		s.since, s.cpu = now, cpu
	}
}

// texts are the figures for the head of the screen.
func (s *spending) texts() (out []string) {
	switch {
	case s.share == 1:
		out = append(out, "cpu <1%")
	case s.share > 1:
		out = append(out, fmt.Sprintf("cpu %d%%", s.share-1))
	}
	if s.longest > 0 {
		tenths := (s.longest + 100*time.Microsecond - 1) / (100 * time.Microsecond)
		out = append(out, fmt.Sprintf("lock ≤%d.%d ms", tenths/10, tenths%10))
	}
	return out
}

// signs are those of all members.
func signs(members []vmspace.Member) string {
	var b strings.Builder
	for _, m := range members {
		fmt.Fprintln(&b, m.Label, procfs.Signs(m.PID))
	}
	return b.String()
}
