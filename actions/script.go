package actions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"cowscope/actions/lang"
	"cowscope/vmspace/printable"
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
	needs []need
	lines []scriptLine
}

type scriptLine struct {
	n   int // from 1
	cmd *lang.Command
}

// maxLine bounds a line of a script, in bytes.
const maxLine = 1 << 20

// ReadScript reads and parses a script; file is what errors call it.
func ReadScript(file string, r io.Reader) (*Script, error) {
	g, err := Grammar()
	if err != nil {
		return nil, err
	}
	file = printable.Name(file)
	s := &Script{file: file}
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	n := 0
	for in.Scan() {
		n++
		cmd, err := g.Parse(in.Text())
		if err == nil && cmd != nil {
			err = s.add(n, cmd)
		}
		if err != nil {
			return nil, &ScriptError{file, n, err}
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return nil, &ScriptError{file, n + 1, fmt.Errorf("the line is longer than %d bytes", maxLine)}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, printable.Error(err))
	}
	return s, nil
}

// add appends a command; what a script needs is said before it does anything.
func (s *Script) add(n int, cmd *lang.Command) error {
	if cmd.Verb.Name != needsAction.Name {
		s.lines = append(s.lines, scriptLine{n, cmd})
		return nil
	}
	if len(s.lines) > 0 {
		return cmd.ErrorAt(cmd.VerbSpan, "needs comes too late", "it stands at the head of a script, before the first command")
	}
	s.needs = append(s.needs, need{n, cmd.Flags("feature")})
	return nil
}

// Report is how a run of a script ended.
type Report struct {
	Steps  int
	Failed int    // expectations that did not hold
	Ended  string // why not all of it ran, "" if it did
}

// Run runs the script in a session and hands each step to out with its line. It ends early, and says so, at the limit of time.
func (sc *Script) Run(ctx context.Context, s *Session, out func(st *Step, line int) error) (Report, error) {
	var rep Report
	if limit := s.opts.Limits.Time; limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
		defer context.AfterFunc(ctx, func() { s.tracer.Close() })() // cuts short what is running
	}
	defer s.takeTurn()()
	// All of it on the tracing thread: handing each command over to it would cost more than the command.
	err := s.do(func() error {
		for _, l := range sc.lines {
			if err := rep.line(ctx, s, sc, l, out); err != nil || rep.Ended != "" {
				return err
			}
		}
		return nil
	})
	return rep, err
}

// line runs one line of the script.
func (rep *Report) line(ctx context.Context, s *Session, sc *Script, l scriptLine, out func(*Step, int) error) error {
	st, err := s.put(ctx, func() (*Step, error) { return s.perform(l.cmd) })
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		rep.Ended = fmt.Sprintf("%s:%d: the limit of time, %v, was reached here; --max-time raises it", sc.file, l.n, s.opts.Limits.Time)
		return nil
	}
	if err != nil {
		return &ScriptError{sc.file, l.n, err}
	}
	rep.Steps++
	if st.Result == ResultFailed {
		rep.Failed++
	}
	return out(st, l.n)
}

// Len is how many commands the script has.
func (sc *Script) Len() int { return len(sc.lines) }
