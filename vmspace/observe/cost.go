package observe

import (
	"fmt"
	"strconv"
	"time"
)

// Rules of this file: what looking costs the process that is looked at. Whoever walks page tables
// holds the mmap_lock of that process for reading, and its threads cannot map or unmap meanwhile.
// Seen from outside, that is the time of the calls that take the lock: pagemap, PAGEMAP_SCAN and
// smaps. No more than that is claimed. /proc/PID/maps and PROCMAP_QUERY look mappings up without it
// on the kernels this was measured on (6.18; fs/proc/task_mmu.c, CONFIG_PER_VMA_LOCK) and hold it
// for a page of text before; they are not counted.

// Cost is what the last Observe or Stream cost the processes that it looked at.
type Cost struct {
	Calls   int           // system calls that take the lock
	Held    time.Duration // their time, waiting for the lock included: it was held no longer than that
	Longest time.Duration // the longest stretch of such calls of one thread without a rest
	Rests   int
}

// String tells the cost in a sentence.
func (c Cost) String() string {
	ms := func(d time.Duration) string {
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', -1, 64) + " ms"
	}
	return fmt.Sprintf("cost: its threads could not map or unmap during %d calls, %s in all and %s at a stretch", c.Calls, ms(c.Held), ms(c.Longest))
}

// add takes in what was done beside or after c.
func (c *Cost) add(o Cost) {
	c.Calls += o.Calls
	c.Held += o.Held
	c.Longest = max(c.Longest, o.Longest)
	c.Rests += o.Rests
}
