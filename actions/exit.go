package actions

import (
	"errors"
	"fmt"
	"syscall"

	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
)

var exitAction = Action{
	Verb: lang.Verb{Name: "exit", Summary: "the process ends itself", Params: []lang.Param{
		{Name: "status", Kind: lang.KindNumber, Optional: true, Default: "0", Help: "its exit status"}}},
	run: func(c *call) error {
		n, _ := c.cmd.Number("status")
		c.Call = fmt.Sprintf("exit(%d)", n)
		c.everything()
		_, err := c.P.Proc.Exit(int(n))
		return c.died(err)
	},
}

var killAction = Action{
	Verb: lang.Verb{Name: "kill", Summary: "send the process a signal; SIGKILL if none is named", Params: []lang.Param{
		{Name: "signal", Kind: lang.KindSignal, Optional: true, Default: "SIGKILL", Help: "SIGKILL, SIGTERM, …"}}},
	run: func(c *call) error {
		sig := lang.Signal(9)
		if g, ok := c.cmd.Signal("signal"); ok {
			sig = g
		}
		c.Call = fmt.Sprintf("kill(%d, %s)", c.P.PID, sig)
		c.everything()
		e, err := c.P.Proc.Kill(syscall.Signal(sig))
		if err != nil {
			return c.died(err)
		}
		if c.settle(e); !c.OK() {
			return nil
		}
		c.note = fmt.Sprintf("%s did not end %s: a signal may be ignored, or only stop a process that stands still anyway.", sig, c.P.Label)
		return nil
	},
}

// died notes an end that was asked for: that is a success.
func (c *call) died(err error) error {
	var exited *subject.ExitedError
	if !errors.As(err, &exited) {
		return err
	}
	c.P.Gone = family.HowEnded(exited)
	c.Result = history.OK
	return nil
}
