package saved

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace/printable"
)

// Recordings without a screen.

// WriteList writes a line for each step: its number, the process, the command or the event, and its
// result.
func (rec *Recording) WriteList(w io.Writer) error {
	out := bufio.NewWriter(w)
	width := len(strconv.Itoa(rec.Steps[len(rec.Steps)-1].N))
	for _, st := range rec.Steps {
		fmt.Fprintf(out, "%*d  %s  %s\n", width, st.N, printable.Line(st.Process), printable.Line(listed(st)))
	}
	return out.Flush()
}

func listed(st *history.Step) string {
	switch {
	case st.Command == "" && st.Call != "":
		return strings.TrimSpace(st.Told() + "  " + st.Whence())
	case st.Command == "":
		return "(" + st.Event + ")"
	}
	ended := st.Answer()
	if f := st.Faulted(); f != "" {
		ended += ", " + f
	}
	return st.Command + "  " + ended
}

// WriteJSON writes a line for each step, as exec --json does.
func (rec *Recording) WriteJSON(w io.Writer) error {
	var b bytes.Buffer
	for i, st := range rec.Steps {
		b.Reset()
		if err := st.WriteJSON(&b, rec.Lines[i]); err != nil {
			return err
		}
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
