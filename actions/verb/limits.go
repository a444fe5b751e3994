package verb

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/vmspace/amount"
)

// unwaitedFor is how many processes may have ended, for each that may live, without anybody having
// waited for them: each still holds its pid, and is looked at after every command.
const UnwaitedFor = 4

// mayFork says whether another process fits; otherwise the outcome tells.
func (c *Call) mayFork() bool {
	limit := c.F.Limits.Processes
	living, zombies := c.F.Count()
	switch {
	case living >= limit:
		c.refuse("%s live, and that is cowscope's limit. --max-processes raises it.", amount.Of(uint64(living), "process"))
	case zombies >= UnwaitedFor*limit:
		c.refuse("%s ended and nobody waited for them, and that is cowscope's limit: wait takes notice of one of them, and --max-processes raises the limit.",
			amount.Of(uint64(zombies), "process"))
	default:
		return true
	}
	return false
}

// refuse makes the outcome that cowscope did not ask the kernel, and why.
func (c *Call) refuse(format string, args ...any) {
	c.Result = history.Refused
	c.Note = "Not asked of the kernel: " + fmt.Sprintf(format, args...)
}

// TookNothing says that the command cannot have taken memory: an access or a change of mappings
// without a fault. Pages that the kernel brings in by itself, as MAP_POPULATE has it, are counted
// as faults too (mm_account_fault in mm/memory.c).
func (c *Call) TookNothing() bool {
	return c.MayReach() != ReachAll && !c.faulted()
}

// faulted says whether the process has taken a fault since the command began.
func (c *Call) faulted() bool {
	minor, major := c.P.Proc.Faults()
	return minor != c.MinorBefore || major != c.MajorBefore
}
