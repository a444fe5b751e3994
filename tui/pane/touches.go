package pane

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/tui/cell"
)

// touchFacts are who took page faults on the page under the cursor, as far as that was told.
func touchFacts(s *Scene) (facts []fact) {
	t := history.TouchedBy(s.Steps[:s.Pos+1], s.Current, s.Cursor)
	by := func(f *history.Fault) string { return fmt.Sprintf("thread %d at %s", f.TID, f.Where()) }
	switch {
	case t.First != nil && t.First == t.Copied: // of a page of a file that was written at once
		return []fact{{"touched", cell.Plain, "first touched, and copied, by " + by(t.First), "perf"}}
	case t.First != nil:
		facts = append(facts, fact{"touched", cell.Plain, "first touched by " + by(t.First), "perf"})
	}
	switch {
	case t.Copied != nil:
		facts = append(facts, fact{"copied", cell.Plain, "copied by " + by(t.Copied), "perf"})
	case t.Last != nil && t.First == nil:
		facts = append(facts, fact{"faulted", cell.Plain, "last fault by " + by(t.Last), "perf"})
	}
	return facts
}
