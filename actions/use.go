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
		if c.f.member(label) == nil {
			return c.cmd.ErrorIn("process", "there is no process "+label, "there are: "+c.f.labels())
		}
		c.current, c.Result = label, history.OK
		c.p = c.f.member(label)
		return nil
	},
}

var restartAction = Action{
	Dead: true,
	Verb: lang.Verb{Name: "restart", Summary: "end every process and start a fresh p1"},
	run: func(c *call) error {
		c.f.endAll()
		if err := c.f.fresh(); err != nil {
			return err
		}
		c.p, c.names, c.current = c.f.members[0], c.f.names, c.f.current
		text, size := subject.Text()
		c.Focus = vmspace.Range{Start: text, End: text + size}
		c.Result = history.OK
		return nil
	},
}
