package actions

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// The transcript of a script, to be read, or read aloud: one fact a line, what belongs to a command indented under it.

// prints says whether the step is one that shows the whole state.
func (st *Step) prints() bool {
	return st.Command == snapshotAction.Name || strings.HasSuffix(st.Command, " "+snapshotAction.Name)
}

// WriteText writes the step as some lines of a transcript; line is its place in the script.
func (st *Step) WriteText(w io.Writer, line int) error {
	var b bytes.Buffer
	fact := func(format string, args ...any) { fmt.Fprintf(&b, "    "+format+"\n", args...) }
	switch {
	case st.Check && st.OK():
		fmt.Fprintf(&b, "%s: ok: %s\n", st.Process, st.Command)
	case st.Check:
		fmt.Fprintf(&b, "%s: FAILED, line %d: %s\n", st.Process, line, st.Command)
		fact("wanted: %s", st.Want)
		fact("found: %s", st.Got)
		if st.Evidence != "" {
			fact("evidence: %s", st.Evidence)
		}
	default:
		fmt.Fprintf(&b, "%s: %s\n", st.Process, st.Command)
		st.list(fact)
	}
	if st.prints() {
		var all bytes.Buffer
		if err := st.After.WriteText(&all); err != nil {
			return err
		}
		for l := range strings.Lines(all.String()) {
			b.WriteString("    " + l)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (st *Step) list(fact func(string, ...any)) {
	if st.Call != "" {
		fact("%s", strings.TrimSpace(st.Call+" "+st.Answer()))
	} else if !st.OK() {
		fact("%s", st.Result)
	}
	if f := st.Faulted(); f != "" {
		fact("%s", f)
	}
	if f := st.Foretold(); f != "" {
		fact("%s", f)
	}
	if st.Why != "" {
		fact("%s", st.Why)
	}
}
