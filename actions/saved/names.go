package saved

import (
	"fmt"

	"cowscope/actions/history"
)

// Names, as the changes of a step to them. Names are only added or bound again, except that a
// restart removes them all.

// namesChanged returns the changes from was to now.
func namesChanged(was, now history.Names) (forget bool, out list[nameJSON]) {
	changed, kept := now.Since(was)
	if !kept {
		changed, _ = now.Since(history.Names{})
	}
	for _, c := range changed {
		out = append(out, nameJSON{labelJSON(c.Process), c.Name, hex(c.Start), hex(c.End), c.Step})
	}
	return !kept, out
}

// names reads the names after the step. They share unchanged parts with those of the step before.
func (r *reader) names(st, before *history.Step, j *stepJSON) error {
	if st.Names = before.Names; j.Forget {
		st.Names = history.Names{}
	}
	var labels []string
	came := map[string][]history.Bound{}
	for _, n := range j.Names {
		label := r.intern(string(n.Process))
		if came[label] == nil {
			labels = append(labels, label)
		}
		b := history.Bound{Name: r.intern(n.Name), Binding: history.Binding{Step: n.Step}}
		b.Start, b.End = uint64(n.Start), uint64(n.End)
		came[label] = append(came[label], b)
	}
	for _, label := range labels {
		st.Names = st.Names.WithAll(label, came[label])
		if n, of := st.Names.Len(label), st.Names.Processes(); n > maxNames || of > 16*maxProcesses {
			return fmt.Errorf("%s has %d names, of %d processes", label, n, of)
		}
	}
	if labels == nil {
		return nil
	}
	return r.spend(len(j.Names)*nameCost + st.Names.Processes()*labelCost)
}
