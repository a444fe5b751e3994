package actions

import (
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var snapshotAction = Action{
	Verb: lang.Verb{Name: "snapshot", Summary: "read everything again; in a script, print it"},
	Dead: true,
	run: func(c *call) error {
		c.touched = c.s.everywhere()
		c.Result = history.OK
		return nil
	},
	why: func(st *Step, _ *call) string {
		if change := sentenceOf(st.Changes, st.After); change != "" {
			return "Something changed by itself: " + change
		}
		return "Every process was read in full: nothing is different."
	},
}

// NameMapping is what a mapping is called in the language after the step: a, a+2p, stack; "" where it has no name.
func (st *Step) NameMapping(label string, m vmspace.Mapping) string {
	if name, b, ok := st.Names.Of(label, m.Start); ok {
		return offsetPlace(name, m.Start-b.Start, st.After.PageSize)
	}
	return fixedName(m)
}
