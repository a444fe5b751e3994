package actions

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace/printable"
)

// Scripts: the language without a screen. The whole script is read, and found free of mistakes,
// before its first line runs.

// ScriptError is a mistake in a script: nothing ran, or nothing after the line.
type ScriptError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *ScriptError) Error() string {
	s := fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	if syn, ok := e.Err.(*lang.SyntaxError); ok {
		s = fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, syn.Col, syn.Msg)
		if syn.Hint != "" {
			s += "; " + syn.Hint
		}
		s += "\n" + syn.Caret()
	}
	return s
}

func (e *ScriptError) Unwrap() error { return e.Err }

// Script is a script without a mistake. Close lets go of its text.
type Script struct {
	file    string
	grammar *lang.Grammar
	needs   []need
	text    scriptText
	parsed  parsedLines
	count   int // commands
}

// ReadScript reads a script and finds its mistakes; file is what errors call it. What r reads from
// must stay open, and as it is, until the script has run.
func ReadScript(file string, r io.Reader) (*Script, error) {
	g, err := Grammar()
	if err != nil {
		return nil, err
	}
	file = printable.Name(file)
	s := &Script{file: file, grammar: g, text: textOf(r)}
	if err := s.lines(s.check); err != nil {
		s.Close()
		var at *ScriptError
		if !errors.As(err, &at) {
			err = fmt.Errorf("%s: %w", file, printable.Error(err))
		}
		return nil, err
	}
	return s, nil
}

// Close lets go of what the script keeps of its text.
func (sc *Script) Close() { sc.text.close() }

// lines calls yield with the commands and their lines, until it gives an error.
func (sc *Script) lines(yield func(n int, cmd *lang.Command) error) error {
	again := sc.text.read
	err := sc.text.lines(func(n int, line []byte) error {
		cmd, err := sc.parsed.parse(sc.grammar, line)
		switch {
		case err != nil && again:
			return lineError{n, fmt.Errorf("the script was changed while it ran: %w", err)}
		case err != nil:
			return lineError{n, err}
		case cmd == nil:
			return nil
		}
		return yield(n, cmd)
	})
	var at lineError
	if errors.As(err, &at) {
		return &ScriptError{sc.file, at.n, at.error}
	}
	return err
}

// check counts a command; what a script needs is said before it does anything.
func (sc *Script) check(n int, cmd *lang.Command) error {
	if cmd.Verb.Name != "needs" {
		sc.count++
		return nil
	}
	if sc.count > 0 {
		return lineError{n, cmd.ErrorAt(cmd.VerbSpan, "needs comes too late", "it stands at the head of a script, before the first command")}
	}
	sc.needs = append(sc.needs, need{n, cmd.Flags("feature")})
	return nil
}

// Report is how a run of a script ended.
type Report struct {
	Steps  int
	Failed int    // expectations that did not hold
	Ended  string // why not all of it ran, "" if it did
}

// Run runs the script in a session and hands each step to out with its line. It ends early, and
// says so, at the limit of time.
func (sc *Script) Run(ctx context.Context, s *Session, out func(st *history.Step, line int) error) (Report, error) {
	var rep Report
	if limit := s.opts.Limits.Time; limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
		defer context.AfterFunc(ctx, func() { s.f.Tracer.Close() })() // cuts short what is running
	}
	defer s.takeTurn()()
	ahead := sc.readAhead()
	defer ahead.stop()
	// All of it on the tracing thread: handing each command over to it would cost more than the
	// command.
	err := s.do(func() error {
		for batch := range ahead.batches {
			for _, l := range batch {
				if err := rep.line(ctx, s, sc, l.n, l.cmd, out); err != nil {
					return err
				}
			}
		}
		return ahead.err
	})
	if rep.Ended != "" {
		err = nil
	}
	return rep, err
}

// readAhead reads the script again while its commands run, some lines ahead of them.
func (sc *Script) readAhead() *ahead {
	a := &ahead{batches: make(chan []parsedLine, 4), quit: make(chan struct{})}
	go func() {
		defer close(a.batches)
		const size = 64
		batch := make([]parsedLine, 0, size)
		hand := func() error {
			select {
			case a.batches <- batch:
				batch = make([]parsedLine, 0, size)
				return nil
			case <-a.quit:
				return errEnded
			}
		}
		a.err = sc.lines(func(n int, cmd *lang.Command) error {
			if cmd.Verb.Name == "needs" {
				return nil
			}
			if batch = append(batch, parsedLine{n, cmd}); len(batch) < size {
				return nil
			}
			return hand()
		})
		if err := hand(); a.err == nil {
			a.err = err
		}
	}()
	return a
}

// ahead is a script that is being read. err is for when batches has come to its end.
type ahead struct {
	batches chan []parsedLine
	err     error
	quit    chan struct{}
}

type parsedLine struct {
	n   int // from 1
	cmd *lang.Command
}

// stop ends the reading, and waits for its end.
func (a *ahead) stop() {
	close(a.quit)
	for range a.batches {
	}
}

// errEnded ends a run early, with the reason in the report.
var errEnded = errors.New("ended")

// line runs one line of the script.
func (rep *Report) line(ctx context.Context, s *Session, sc *Script, n int, cmd *lang.Command, out func(*history.Step, int) error) error {
	st, err := s.put(ctx, func() (*history.Step, error) { return s.perform(cmd) })
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		rep.Ended = fmt.Sprintf("%s:%d: the limit of time, %v, was reached here; --max-time raises it", sc.file, n, s.opts.Limits.Time)
		return errEnded
	}
	if err != nil {
		return &ScriptError{sc.file, n, err}
	}
	rep.Steps++
	if st.Result == history.Failed {
		rep.Failed++
	}
	return out(st, n)
}

// Len is how many commands the script has.
func (sc *Script) Len() int { return sc.count }
