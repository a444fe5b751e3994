package verb

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var execAction = Action{
	Own:    true,
	Verb:   lang.Verb{Name: "exec", Summary: "the subject jumps there; ret or a trap returns control", Params: []lang.Param{ParamPlace}},
	Access: always(vmspace.Fetch),
	Run: func(c *Call) error {
		addr, _, err := c.Place("place")
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("jump → 0x%x", addr)
		c.focus(vmspace.Range{Start: addr, End: addr + 1})
		e, err := c.P.Subject().Jump(addr)
		if err != nil {
			return err
		}
		c.settle(e)
		c.F.Reread(c.P)
		c.everything() // the code may have stored anywhere
		if e.Attempt != nil {
			c.Result = history.Refused
			c.Note = fmt.Sprintf("The code tried system call %d. Code of your own may not call the kernel here: it was stopped before the call.", e.Attempt.Nr)
		}
		return nil
	},
}

// everything notes that the action may have changed any page of the process.
func (c *Call) everything() { c.touch(vmspace.Everything) }
