package verb

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/vmspace/amount"
)

// UnwaitedFor is how many zombies there may be for each process that may live: each still has its
// pid, and is read after every command.
const UnwaitedFor = 4

// mayFork reports whether another process fits the limit; otherwise the outcome says why not.
func (c *Call) mayFork() bool {
	limit := c.F.Limits.Processes
	living, zombies := c.F.Count()
	switch {
	case living >= limit:
		c.refuse("%s are alive, which is cowscope's limit. --max-processes raises it.", amount.Of(uint64(living), "process"))
	case zombies >= UnwaitedFor*limit:
		c.refuse("%s have ended, and nobody has waited for them, which is cowscope's limit: wait removes one of them, and --max-processes raises the limit.",
			amount.Of(uint64(zombies), "process"))
	default:
		return true
	}
	return false
}

// refuse sets the outcome that cowscope did not make the call, and why.
func (c *Call) refuse(format string, args ...any) {
	c.Result = history.Refused
	c.Note = "Not asked of the kernel: " + fmt.Sprintf(format, args...)
}

// TookNothing reports whether the command cannot have taken memory: an access or a change of
// mappings without a fault. Pages that the kernel brings in by itself, as for MAP_POPULATE, are
// counted as faults too (mm_account_fault in mm/memory.c).
func (c *Call) TookNothing() bool {
	return c.MayReach() != ReachAll && !c.faulted()
}

// faulted says whether the process has taken a fault since the command began.
func (c *Call) faulted() bool {
	minor, major := c.P.Proc.Faults()
	return minor != c.MinorBefore || major != c.MajorBefore
}
