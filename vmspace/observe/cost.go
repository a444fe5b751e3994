package observe

import (
	"fmt"
	"strconv"
	"time"
)

// Rules of this file: the cost of a reading for the process that is read. A page table walk holds
// the mmap_lock of that process for reading, and meanwhile its threads cannot map or unmap.
// Measured from outside, this is the time of the calls that take the lock: pagemap, PAGEMAP_SCAN
// and smaps. Not counted are /proc/PID/maps and PROCMAP_QUERY, which look mappings up without the
// lock on the kernels measured (6.18; fs/proc/task_mmu.c, CONFIG_PER_VMA_LOCK) and hold it for a
// page of text on older ones.

// Cost is what the last Observe or Stream cost the processes that it read.
type Cost struct {
	Calls int // system calls that take the lock
	// Held is the time of these calls, including the wait for the lock: an upper bound of the time
	// for which it was held.
	Held    time.Duration
	Longest time.Duration // the longest stretch of such calls of one thread without a rest
	Rests   int
}

// String is the cost as a sentence.
func (c Cost) String() string {
	ms := func(d time.Duration) string {
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', -1, 64) + " ms"
	}
	return fmt.Sprintf("cost: its threads could not map or unmap during %d calls, %s in all and %s at a stretch", c.Calls, ms(c.Held), ms(c.Longest))
}

// Add adds the cost of work done beside or after c.
func (c *Cost) Add(o Cost) {
	c.Calls += o.Calls
	c.Held += o.Held
	c.Longest = max(c.Longest, o.Longest)
	c.Rests += o.Rests
}
