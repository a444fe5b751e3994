package verb

import "cowscope/actions/lang"

var vforkAction = Action{
	Own:  true,
	Verb: lang.Verb{Name: "vfork", Summary: "make a child that runs in the memory of the process, which waits until the child has exited"},
	Run: func(c *Call) error {
		c.Call = "vfork()"
		if !c.mayFork() {
			return nil
		}
		c.everything()
		child, e, err := c.P.Subject().Vfork()
		if err != nil {
			return err
		}
		c.settle(e)
		if child != nil {
			c.born(c.F.AdoptInside(child, c.P))
		}
		return nil
	},
}
