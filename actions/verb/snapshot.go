package verb

import (
	"cowscope/actions/history"
	"cowscope/actions/lang"
)

var snapshotAction = Action{
	Verb: lang.Verb{Name: "snapshot", Summary: "read everything again; in a script, print it"},
	Dead: true,
	Run: func(c *Call) error {
		c.Touched = c.F.Everywhere()
		c.Result = history.OK
		return nil
	},
}
