package saved

import (
	"fmt"
	"io"

	"cowscope/actions"
	"cowscope/actions/history"
)

// Begin writes the header and the first step, and returns the Writer for the others. It does
// nothing for a nil File. Another Begin overwrites the file: it holds one session.
func (f *File) Begin(info actions.Info, first *history.Step, aslr bool, program string) (*Writer, error) {
	if f == nil {
		return nil, nil
	}
	f.Again()
	w, err := NewWriter(f, NewHeader(info, first, aslr, program))
	if err != nil {
		return nil, err
	}
	return w, w.Write(first, 0)
}

// Writer writes steps as they happen, each by a single Write of one whole line, which survives the
// end of the program. A nil Writer writes nothing.
type Writer struct {
	w      io.Writer
	last   *history.Step
	since  int // steps since the last whole snapshot
	weight int // bytes of them
	whole  int // bytes of the line with that snapshot
}

// wholeEvery is the number of steps after which a whole snapshot is written, so that a program can
// start in the middle of a file; but whole snapshots never take more bytes than the steps between
// them.
const wholeEvery = 64

// NewWriter writes the header.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	b, err := history.EncodeJSON(h)
	if err == nil {
		_, err = w.Write(b)
	}
	return &Writer{w: w}, err
}

// Write writes a step; line is its line in a script, or 0. Steps must be written in order, from the
// first one.
func (w *Writer) Write(st *history.Step, line int) error {
	if w == nil {
		return nil
	}
	b, full, err := w.line(st, line)
	if err != nil {
		return err
	}
	if len(b) > fileLimits.line {
		return fmt.Errorf("step %d changed too much to be saved: its line would be longer than %d MiB", st.N, fileLimits.line>>20)
	}
	if _, err := w.w.Write(b); err != nil {
		return err
	}
	w.last = st
	if full {
		w.since, w.weight, w.whole = 0, 0, len(b)
		return nil
	}
	w.since++
	w.weight += len(b)
	return nil
}

// line makes the line of a step: its changes, or a whole snapshot if one is due or shorter.
func (w *Writer) line(st *history.Step, line int) (b []byte, full bool, err error) {
	j := lineOf(st, w.last, line)
	full = w.last == nil || w.since >= wholeEvery && w.weight >= w.whole
	if !full {
		j.Snapshot = changes(w.last.After, st.After)
		if b, err = history.EncodeJSON(j); err != nil || len(b) < w.whole {
			return b, false, err
		}
	}
	j.Snapshot = whole(st.After)
	all, err := history.EncodeJSON(j)
	if !full && len(all) >= len(b) {
		return b, false, err
	}
	return all, true, err
}
