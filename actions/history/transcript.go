package history

import (
	"bytes"
	"io"
	"strconv"
	"sync"
)

// The transcript of a script for people: one fact per line, the facts of a command indented under
// it.

// prints reports whether the step shows the whole state.
func (st *Step) prints() bool { return st.Verb == "snapshot" }

// transcript collects the lines of a step.
type transcript struct{ bytes.Buffer }

// line adds a line.
func (t *transcript) line(parts ...string) {
	for _, p := range parts {
		t.WriteString(p)
	}
	t.WriteByte('\n')
}

// fact adds a line that belongs to a command.
func (t *transcript) fact(parts ...string) {
	t.WriteString(indent)
	t.line(parts...)
}

const indent = "    "

var transcripts = sync.Pool{New: func() any { return new(transcript) }}

// WriteText writes the step as lines of a transcript; line is its line in the script.
func (st *Step) WriteText(w io.Writer, line int) error {
	t := transcripts.Get().(*transcript)
	defer transcripts.Put(t)
	t.Reset()
	switch {
	case st.Check && st.OK():
		t.line(st.Process, ": ok: ", st.Command)
	case st.Check:
		t.line(st.Process, ": FAILED, line ", strconv.Itoa(line), ": ", st.Command)
		t.fact("wanted: ", st.Want)
		t.fact("found: ", st.Got)
		if st.Evidence != "" {
			t.fact("evidence: ", st.Evidence)
		}
	default:
		t.line(st.Process, ": ", st.Command)
		st.list(t)
	}
	if st.prints() {
		var all bytes.Buffer
		if err := st.After.WriteText(&all); err != nil {
			return err
		}
		for l := range bytes.Lines(all.Bytes()) {
			t.WriteString(indent)
			t.Write(l)
		}
	}
	_, err := w.Write(t.Bytes())
	return err
}

func (st *Step) list(t *transcript) {
	if answer := st.Answer(); st.Call != "" && answer != "" {
		t.fact(st.Call, " ", answer)
	} else if st.Call != "" {
		t.fact(st.Call)
	} else if !st.OK() {
		t.fact(st.Result.String())
	}
	if f := st.Faulted(); f != "" {
		t.fact(f)
	}
	if f := st.Foretold(); f != "" {
		t.fact(f)
	}
	if st.Why != "" {
		t.fact(st.Why)
	}
}
