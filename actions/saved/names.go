package saved

import (
	"fmt"

	"cowscope/actions/history"
)

// Names, by what a step changed of them. They are only ever added or bound anew, but for a restart,
// which forgets them all.

// namesChanged tells how was became now.
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

// names are those after the step. They share with those of the step before what did not change.
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
		if n, of := st.Names.Len(label), st.Names.Processes(); n > mostNames || of > 16*mostProcesses {
			return fmt.Errorf("%s has %d names, of %d processes", label, n, of)
		}
	}
	if labels == nil {
		return nil
	}
	return r.spend(len(j.Names)*nameCost + st.Names.Processes()*labelCost)
}
