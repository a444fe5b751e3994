package verb

import (
	"errors"
	"fmt"
	"syscall"

	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

var sysWait4 = number(61, 260)

var forkAction = Action{
	Verb: lang.Verb{Name: "fork", Summary: "make a child: a copy of the process, under control like its parent"},
	Run: func(c *Call) error {
		c.Call = "fork()"
		if !c.mayFork() || !c.mayCopy() {
			return nil
		}
		c.everything() // the parent's pages become copy-on-write too
		child, e, err := c.P.Proc.Fork()
		if err != nil {
			return err
		}
		c.settle(e)
		if child == nil {
			return nil
		}
		c.born(c.F.Adopt(child, c.P))
		return nil
	},
}

// born notes a child, which has the names of its parent.
func (c *Call) born(m *family.Member) {
	c.Names = c.Names.Inherit(c.P.Label, m.Label)
	c.Value, c.HasValue, c.Child = uint64(m.PID), true, m.Label
}

var exitAction = Action{
	Own: true,
	Verb: lang.Verb{Name: "exit", Summary: "the process ends itself, with all its threads", Params: []lang.Param{
		{Name: "status", Kind: lang.KindNumber, Optional: true, Default: "0", Help: "its exit status"}}},
	Run: func(c *Call) error {
		n, _ := c.Cmd.Number("status")
		c.Call = fmt.Sprintf("exit(%d)", n)
		c.everything()
		_, err := c.P.Subject().Exit(int(n))
		return c.died(err)
	},
}

var killAction = Action{
	Own: true,
	Verb: lang.Verb{Name: "kill", Summary: "send the process a signal; SIGKILL if none is named", Params: []lang.Param{
		{Name: "signal", Kind: lang.KindSignal, Optional: true, Default: "SIGKILL", Help: "SIGKILL, SIGTERM, …"}}},
	Run: func(c *Call) error {
		sig := lang.Signal(9)
		if g, ok := c.Cmd.Signal("signal"); ok {
			sig = g
		}
		c.Call = fmt.Sprintf("kill(%d, %s)", c.P.PID, sig)
		if c.P.Thread {
			c.Call = fmt.Sprintf("tgkill(%d, %d, %s)", c.F.Member(c.P.Parent).PID, c.P.PID, sig)
		}
		c.everything()
		e, err := c.P.Subject().Kill(syscall.Signal(sig))
		if err != nil {
			return c.died(err)
		}
		if c.settle(e); !c.OK() {
			return nil
		}
		if child := c.F.Awaited(c.P); child != nil {
			c.Note = fmt.Sprintf("%s waits in vfork, where only SIGKILL reaches it: %s comes when %s has exited.", c.P.Label, sig, child.Label)
			return nil
		}
		c.Note = fmt.Sprintf("%s did not end %s: a signal may be ignored, or only stop a process that is stopped anyway.", sig, c.P.Label)
		return nil
	},
}

// died records an end that was requested, which is a success.
func (c *Call) died(err error) error {
	var exited *subject.ExitedError
	if !errors.As(err, &exited) {
		return err
	}
	c.F.Ended(c.P, exited)
	c.Result = history.OK
	return nil
}

// wnohang is WNOHANG of wait(2): in the lab every process is stopped between commands, so waiting
// for a living child would never end.
const wnohang = 1

var waitAction = Action{
	Own:   true,
	Verb:  lang.Verb{Name: "wait", Summary: "wait for a child that has ended: its zombie goes away"},
	Calls: []uintptr{sysWait4},
	Run: func(c *Call) error {
		c.Call = "wait4(-1, NULL, WNOHANG)"
		pid, ok, err := c.syscall(sysWait4, ^uint64(0), 0, wnohang, 0)
		if err != nil || !ok {
			return err
		}
		c.Value, c.HasValue = pid, true
		c.Note = "No child has ended yet."
		for _, m := range c.F.Members {
			if pid != 0 && uint64(m.PID) == pid {
				c.Note = fmt.Sprintf("%s %s. Its parent has waited for it, and its zombie is gone.", m.Label, m.Gone)
			}
		}
		return nil
	},
}

var useAction = Action{
	Dead: true,
	Verb: lang.Verb{Name: "use", Summary: "make another process the current one", Params: []lang.Param{
		{Name: "process", Kind: lang.KindProcess, Help: "p1 for the first, p2, p3… for its children"}}},
	Run: func(c *Call) error {
		m, err := c.member("process")
		if err != nil {
			return err
		}
		c.Current, c.Result = m.Label, history.OK
		c.P = m
		return nil
	},
}

// member is the process that an argument names.
func (c *Call) member(param string) (*family.Member, error) {
	label, _ := c.Cmd.Word(param)
	m := c.F.Member(label)
	if m == nil {
		return nil, c.Cmd.ErrorIn(param, "there is no process "+label, "there are: "+c.F.Labels())
	}
	return m, nil
}

var restartAction = Action{
	Own:  true,
	Dead: true,
	Verb: lang.Verb{Name: "restart", Summary: "end every process and start a fresh p1"},
	Run: func(c *Call) error {
		c.F.EndAll()
		if err := c.F.Fresh(); err != nil {
			return err
		}
		c.P, c.Names, c.Current = c.F.Members[0], c.F.Names, c.F.Current
		text, size := subject.Text()
		c.Focus = vmspace.Range{Start: text, End: text + size}
		c.Result = history.OK
		return nil
	},
}
