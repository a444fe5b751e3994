package actions

import (
	"fmt"

	"cowscope/actions/lang"
)

// wnohang is WNOHANG of wait(2): in the lab every process stands still between commands, so a wait for a living child would never end.
const wnohang = 1

var waitAction = Action{
	Verb:  lang.Verb{Name: "wait", Summary: "take notice of a child that has ended: its zombie goes"},
	calls: []uintptr{sysWait4},
	run: func(c *call) error {
		c.Call = "wait4(-1, NULL, WNOHANG)"
		pid, ok, err := c.syscall(sysWait4, ^uint64(0), 0, wnohang, 0)
		if err != nil || !ok {
			return err
		}
		c.Value, c.HasValue = pid, true
		c.note = "No child has ended yet."
		for _, m := range c.f.Members {
			if pid != 0 && uint64(m.PID) == pid {
				c.note = fmt.Sprintf("%s %s. Its parent knows now, and its zombie is gone.", m.Label, m.Gone)
			}
		}
		return nil
	},
}
