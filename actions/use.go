package actions

import (
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

var useAction = Action{
	Dead: true,
	Verb: lang.Verb{Name: "use", Summary: "make another process the current one", Params: []lang.Param{
		{Name: "process", Kind: lang.KindProcess, Help: "p1 for the first, p2, p3… for its children"}}},
	run: func(c *call) error {
		label, _ := c.cmd.Word("process")
		if c.f.Member(label) == nil {
			return c.cmd.ErrorIn("process", "there is no process "+label, "there are: "+c.f.Labels())
		}
		c.current, c.Result = label, history.OK
		c.P = c.f.Member(label)
		return nil
	},
}

var restartAction = Action{
	Dead: true,
	Verb: lang.Verb{Name: "restart", Summary: "end every process and start a fresh p1"},
	run: func(c *call) error {
		c.f.EndAll()
		if err := c.f.Fresh(); err != nil {
			return err
		}
		c.P, c.names, c.current = c.f.Members[0], c.f.Names, c.f.Current
		text, size := subject.Text()
		c.Focus = vmspace.Range{Start: text, End: text + size}
		c.Result = history.OK
		return nil
	},
}
