package run

import (
	"fmt"
	"slices"

	"cowscope/actions"
	"cowscope/actions/explain"
	"cowscope/actions/history"
	"cowscope/actions/trace"
	"cowscope/vmspace"
)

// Text is a step as one line.
func Text(st *history.Step) string {
	text := fmt.Sprintf("%4d %-3s %-6s %s", st.N, st.Process, st.Event, st.Told())
	if at := st.Whence(); at != "" {
		text += "  @ " + at
	}
	return text
}

// summary says what changed in a step.
func summary(st *history.Step) string {
	switch {
	case st.Event == trace.Attached.String():
		return "It was already running, and is stopped where it is. From here on each of its system calls stops it twice; those about memory or processes are told, and so are its page faults. It goes on alone when cowscope ends."
	case st.Before == nil:
		return "The kernel has made the program's address space; the program has executed nothing."
	}
	if st.Event == trace.Fault.String() {
		return explain.Fault(st)
	}
	return explain.Summary(st.Changes)
}

// explain says why a call did what it did. What has changed elsewhere meanwhile, as when the kernel
// reads a path, is told apart.
func (r *Run) explain(st *history.Step) string {
	one, beside := *st, []vmspace.Change(nil)
	one.Changes = nil
	for _, c := range st.Changes {
		own := c.Process == st.Process && slices.ContainsFunc(r.call.Own, func(o vmspace.Range) bool { return o.Widen(0, st.After.PageSize).Overlaps(c.Range) })
		if own || c.Kind == vmspace.ChangeMerged || c.Kind == vmspace.ChangeSplit {
			one.Changes = append(one.Changes, c)
		} else {
			beside = append(beside, c)
		}
	}
	why := actions.ExplainForeign(r.grammar, r.call.Line, &one)
	st.Reason = one.Reason
	if more := explain.Summary(beside); why != "" && more != "" {
		why += " Beside the call: " + more
	}
	return why
}
