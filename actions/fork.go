package actions

import "cowscope/actions/lang"

var forkAction = Action{
	Verb: lang.Verb{Name: "fork", Summary: "make a child: a copy of the process, under control like its parent"},
	run: func(c *call) error {
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
		m := c.f.Adopt(child, c.P.Label)
		c.names = c.names.Inherit(c.P.Label, m.Label)
		c.Value, c.HasValue, c.child = uint64(m.PID), true, m.Label
		return nil
	},
}
