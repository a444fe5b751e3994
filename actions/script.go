package actions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"cowscope/actions/lang"
)

// Scripts: the language without a screen. The whole script is read and parsed before its first line runs.

// ScriptError is a mistake in a script: nothing ran, or nothing after the line.
type ScriptError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *ScriptError) Error() string {
	s := fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	var syn *lang.SyntaxError
	if errors.As(e.Err, &syn) {
		s = fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, syn.Col, syn.Msg)
		if syn.Hint != "" {
			s += "; " + syn.Hint
		}
		s += "\n" + syn.Caret()
	}
	return s
}

func (e *ScriptError) Unwrap() error { return e.Err }

// Script is a parsed script.
type Script struct {
	file  string
	lines []scriptLine
}

type scriptLine struct {
	n    int
	text string
}

// ReadScript reads and parses a script; file is what errors call it.
func ReadScript(file string, r io.Reader) (*Script, error) {
	g, err := Grammar()
	if err != nil {
		return nil, err
	}
	s := &Script{file: file}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		cmd, err := g.Parse(sc.Text())
		if err != nil {
			return nil, &ScriptError{file, n, err}
		}
		if cmd != nil {
			s.lines = append(s.lines, scriptLine{n, sc.Text()})
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// Run runs the script in a session and writes a transcript: for each step the command, the call with its answer, and why. It counts
// the expectations that failed.
func (sc *Script) Run(ctx context.Context, s *Session, w io.Writer) (failed int, err error) {
	out := bufio.NewWriter(w)
	defer out.Flush()
	for _, l := range sc.lines {
		st, err := s.Do(ctx, l.text)
		if err != nil {
			return failed, &ScriptError{sc.file, l.n, err}
		}
		if st.Result == ResultFailed {
			failed++
		}
		st.write(out, l.n)
	}
	return failed, nil
}

// write writes a step as some lines of a transcript, one fact a line.
func (st *Step) write(w io.Writer, line int) {
	switch {
	case st.Check && st.OK():
		fmt.Fprintf(w, "%s: ok: %s\n", st.Process, st.Command)
		return
	case st.Check:
		fmt.Fprintf(w, "%s: FAILED, line %d: %s\n    found: %s\n", st.Process, line, st.Command, st.Got)
		return
	}
	fmt.Fprintf(w, "%s: %s\n", st.Process, st.Command)
	if st.Call != "" {
		fmt.Fprintf(w, "    %s\n", strings.TrimSpace(st.Call+" "+st.Answer()))
	} else if !st.OK() {
		fmt.Fprintf(w, "    %s\n", st.Result)
	}
	if f := st.Faulted(); f != "" {
		fmt.Fprintf(w, "    %s\n", f)
	}
	if st.Why != "" {
		fmt.Fprintf(w, "    %s\n", st.Why)
	}
}
