package actions

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/vmspace/amount"
)

// unwaitedFor is how many processes may have ended, for each that may live, without anybody having waited for them: each still holds its
// pid, and is looked at after every command.
const unwaitedFor = 4

// mayFork says whether another process fits; otherwise the outcome tells.
func (c *call) mayFork() bool {
	limit := c.f.Limits.Processes
	living, zombies := c.f.Count()
	switch {
	case living >= limit:
		c.refuse("%s live, and that is cowscope's limit. --max-processes raises it.", amount.Of(uint64(living), "process"))
	case zombies >= unwaitedFor*limit:
		c.refuse("%s ended and nobody waited for them, and that is cowscope's limit: wait takes notice of one of them, and --max-processes raises the limit.",
			amount.Of(uint64(zombies), "process"))
	default:
		return true
	}
	return false
}

// refuse makes the outcome that cowscope did not ask the kernel, and why.
func (c *call) refuse(format string, args ...any) {
	c.Result = history.Refused
	c.note = "Not asked of the kernel: " + fmt.Sprintf(format, args...)
}

// holdMemory kills the process that acted if the family takes more than it may now.
func (s *Session) holdMemory(c *call, took time.Duration) error {
	if c.action.Check || !s.f.Overdrawn(took, c.tookNothing) {
		return nil
	}
	c.note = s.f.OverText(c.P.Label)
	if c.P.Gone != "" {
		return nil
	}
	_, err := c.P.Proc.Kill(syscall.SIGKILL)
	var exited *subject.ExitedError
	if !errors.As(err, &exited) {
		return err
	}
	c.P.Gone = family.HowEnded(exited)
	c.Result = history.Exited
	return nil
}

// tookNothing says that the command cannot have taken memory: an access or a change of mappings without a fault. Pages that the kernel
// brings in by itself, as MAP_POPULATE has it, are counted as faults too (mm_account_fault in mm/memory.c).
func (c *call) tookNothing() bool {
	return c.mayReach() != reachAll && !c.faulted()
}

// faulted says whether the process has taken a fault since the command began.
func (c *call) faulted() bool {
	minor, major := c.P.Proc.Faults()
	return minor != c.MinorBefore || major != c.MajorBefore
}
