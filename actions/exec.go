package actions

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var execAction = Action{
	Verb:   lang.Verb{Name: "exec", Summary: "the subject jumps there; ret or a trap comes back", Params: []lang.Param{paramPlace}},
	access: always(vmspace.Fetch),
	run: func(c *call) error {
		addr, _, err := c.place("place")
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("jump → 0x%x", addr)
		c.focus(vmspace.Range{Start: addr, End: addr + 1})
		e, err := c.P.Proc.Jump(addr)
		if err != nil {
			return err
		}
		c.settle(e)
		c.f.Reread(c.P)
		c.everything() // the code may have stored anywhere
		if e.Attempt != nil {
			c.Result = history.Refused
			c.note = fmt.Sprintf("The code asked for system call %d. Code of your own may not call the kernel here: it was stopped before it happened.", e.Attempt.Nr)
		}
		return nil
	},
}

// everything notes that the action may have changed any page of the process.
func (c *call) everything() { c.touch(vmspace.Everything) }
