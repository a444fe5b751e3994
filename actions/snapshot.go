package actions

import (
	"cowscope/actions/history"
	"cowscope/actions/lang"
)

var snapshotAction = Action{
	Verb: lang.Verb{Name: "snapshot", Summary: "read everything again; in a script, print it"},
	Dead: true,
	run: func(c *call) error {
		c.touched = c.s.everywhere()
		c.Result = history.OK
		return nil
	},
	why: func(e *evidence) string {
		if change := sentenceOf(e.st.Changes, e.st.After); change != "" {
			return "Something changed by itself: " + change
		}
		return "Every process was read in full: nothing is different."
	},
}
