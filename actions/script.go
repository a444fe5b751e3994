package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace/printable"
)

// Scripts: the language without a screen. The whole script is read and checked before its first
// line runs. A line with repeat is kept once, and only here it becomes many steps.

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

// Script is a script without mistakes. Close releases its text.
type Script struct {
	file    string
	grammar *lang.Grammar
	needs   []need
	text    scriptText
	parsed  parsedLines
	count   int                       // commands
	rule    func(*lang.Command) error // what else a line must satisfy
}

// ReadScript reads and checks a script; file is its name in errors. r must stay open and unchanged
// until the script has run.
func ReadScript(file string, r io.Reader) (*Script, error) {
	return readScript(Grammar, file, r, (&bindings{}).check)
}

// ReadFragment is ReadScript for a script whose names may come from elsewhere.
func ReadFragment(file string, r io.Reader) (*Script, error) {
	return ReadScriptOf(Grammar, file, r)
}

// ReadScriptOf is ReadFragment for another language, which Each then goes through.
func ReadScriptOf(grammar func() (*lang.Grammar, error), file string, r io.Reader) (*Script, error) {
	return readScript(grammar, file, r, func(*lang.Command) error { return nil })
}

func readScript(grammar func() (*lang.Grammar, error), file string, r io.Reader, rule func(*lang.Command) error) (*Script, error) {
	g, err := grammar()
	if err != nil {
		return nil, err
	}
	file = printable.Name(file)
	s := &Script{file: file, grammar: g, text: textOf(r), rule: rule}
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

// Close releases the text of the script.
func (sc *Script) Close() { sc.text.close() }

// lines calls yield with the commands and their line numbers, until it returns an error.
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

// Each calls do with every command and the number of its line. An error ends it: one about the
// command is a *ScriptError.
func (sc *Script) Each(do func(n int, cmd *lang.Command) error) error {
	return sc.lines(func(n int, cmd *lang.Command) error {
		if cmd.Verb.Name == "needs" {
			return nil
		}
		err := do(n, cmd)
		if wrong := (*lang.SyntaxError)(nil); errors.As(err, &wrong) {
			return lineError{n, wrong}
		}
		return err
	})
}

// check counts a command; needs lines must precede all commands.
func (sc *Script) check(n int, cmd *lang.Command) error {
	if cmd.Verb.Name != "needs" {
		sc.count += cmd.Times
		if err := sc.rule(cmd); err != nil {
			return lineError{n, err}
		}
		return nil
	}
	if sc.count > 0 {
		return lineError{n, cmd.ErrorAt(cmd.VerbSpan, "needs comes too late", "it stands at the head of a script, before the first command")}
	}
	sc.needs = append(sc.needs, need{n, cmd.Flags("feature")})
	return nil
}

// bindings are the names that the lines so far can have bound.
type bindings struct {
	given map[string]bool // NAME = …
	free  int             // lines that may have used the next free letter
}

// mostBindings is the number of assigned names above which names are not checked any more.
const mostBindings = 1 << 16

// check returns an error for a name of a command that cannot be bound, whatever the results of
// earlier lines are.
func (b *bindings) check(cmd *lang.Command) error {
	if len(b.given) < mostBindings {
		for name, arg := range cmd.Names() {
			if !b.given[name] && !history.MayBeFree(name, b.free+len(b.given)) && !slices.Contains(history.FixedNames, name) && name != "text" {
				return cmd.ErrorAt(arg.Span, "nothing is called "+name+" here", "a line before has to name it: "+name+" = mmap …")
			}
		}
	}
	switch {
	case cmd.Bind != "":
		if b.given == nil {
			b.given = map[string]bool{}
		}
		b.given[cmd.Bind] = true
	case cmd.Verb.Binds:
		b.free += cmd.Times
	}
	return nil
}

// Report is the result of running a script.
type Report struct {
	Steps  int
	Failed int    // expectations that did not hold
	Ended  string // why not all of it ran, "" if it did
}

// Run runs the script in a session and passes each step to out with its line. At the time limit it
// stops, and the report says so.
func (sc *Script) Run(ctx context.Context, s *Session, out func(st *history.Step, line int) error) (Report, error) {
	var rep Report
	if limit := s.opts.Limits.Time; limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
		// This interrupts a running command.
		defer context.AfterFunc(ctx, func() { s.f.Tracer.Close() })()
	}
	defer s.takeTurn()()
	ahead := sc.readAhead()
	defer ahead.stop()
	// Everything runs on the tracing thread: handing each command over to it would cost more than
	// the command.
	err := s.do(func() error {
		for batch := range ahead.batches {
			for _, l := range batch {
				for range l.cmd.Times {
					if err := rep.line(ctx, s, sc, l.n, l.cmd, out); err != nil {
						return err
					}
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

// ahead is a script being read. err is valid once batches is closed.
type ahead struct {
	batches chan []parsedLine
	err     error
	quit    chan struct{}
}

type parsedLine struct {
	n   int // from 1
	cmd *lang.Command
}

// stop ends the reading, and waits until it has ended.
func (a *ahead) stop() {
	close(a.quit)
	for range a.batches {
	}
}

// errEnded stops a run; the reason is in the report.
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

// Len is the number of commands of the script.
func (sc *Script) Len() int { return sc.count }
