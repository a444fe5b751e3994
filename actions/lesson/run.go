package lesson

import (
	"context"
	"errors"
	"fmt"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/run"
	"cowscope/vmspace"
)

// Running the commands of a lesson, for the player and for the check.

// Session is the part of *actions.Session, or of a program that is run, that a lesson uses.
type Session interface {
	Do(ctx context.Context, line string) (*history.Step, error)
	Ask(ctx context.Context, line string) (*history.Step, error)
	Foresee(ctx context.Context, line string) (vmspace.Prediction, error)
	Poll(ctx context.Context) (*history.Step, error)
	History() []*history.Step
	Keep(step int)
	Close() error
}

// Opener starts a fresh session.
type Opener func() (Session, error)

// Open returns an Opener of what the lesson is about: a session, or its program.
func (l *Lesson) Open(o actions.Options) Opener {
	if l.Program.Name != "" {
		return func() (Session, error) {
			p, err := run.OpenSource(context.Background(), l.Program, o.AllowProgram)
			if err != nil {
				return nil, err
			}
			return p, nil
		}
	}
	return func() (Session, error) {
		s, err := actions.Open(o)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// Failure is a place where a lesson and the kernel disagree.
type Failure struct {
	// In the file; Col is 0 if the whole line is meant.
	Line, Col int
	Command   string
	Want, Got string
	Lost      bool // the process that was to act is gone
}

func (f *Failure) String() string {
	return fmt.Sprintf("%s: wanted %s, found %s", f.Command, f.Want, f.Got)
}

// judge returns what is wrong with the result of a command. If the command is free, any answer of
// the kernel is right, unless the process is gone; if an expectation of the result follows, that
// decides.
func judge(c Command, st *history.Step, free, claimed bool) *Failure {
	f := &Failure{Line: c.Line, Command: c.Text, Want: st.Want, Got: st.Got}
	switch {
	case c.Check && st.Result == history.Failed:
		return f
	case c.Check || st.OK() || claimed || free && st.Result != history.Exited:
		return nil
	}
	f.Want, f.Got, f.Lost = history.OK.String(), st.Result.String(), st.Result == history.Exited
	if f.Lost {
		f.Got = st.Why
	}
	return f
}

// misfit turns an error about a command into a failure: the command makes no sense now, for example
// because it uses an unknown name. Any other error is a failure of cowscope and is returned.
func misfit(c Command, err error) (*Failure, error) {
	var syn *lang.SyntaxError
	if !errors.As(err, &syn) {
		return nil, err
	}
	col := 0
	if c.Col > 0 {
		col = c.Col + syn.Col - 1
	}
	return &Failure{Line: c.Line, Col: col, Command: c.Text, Want: "a command that can run here", Got: syn.Msg}, nil
}

// claimed reports whether an expectation of the result follows command i, before the next command.
func claimed(cs []Command, i int) bool {
	for _, c := range cs[i+1:] {
		switch {
		case !c.Check:
			return false
		case c.verb == "expect result":
			return true
		}
	}
	return false
}

// performer runs commands in a session.
type performer struct {
	Session
	tell func(*history.Step) // of each step
}

// run runs commands, and stops at the first failure unless all is set, and always if the process is
// gone. Free commands may have any result: the result is the question.
func (r performer) run(ctx context.Context, cs []Command, free, all bool) (fs []*Failure, err error) {
	for i, c := range cs {
		f, err := r.one(ctx, c, free, claimed(cs, i))
		if err != nil {
			return fs, err
		}
		if f == nil {
			continue
		}
		if fs = append(fs, f); !all || f.Lost {
			break
		}
	}
	return fs, nil
}

// one runs a command as often as it says, up to the first failure.
func (r performer) one(ctx context.Context, c Command, free, claimed bool) (f *Failure, err error) {
	for range c.times {
		st, err := r.Do(ctx, c.once)
		if err != nil {
			return misfit(c, err)
		}
		r.tell(st)
		if f = judge(c, st, free, claimed); f != nil {
			break
		}
	}
	return f, nil
}

// unmet checks expectations and returns those that do not hold.
func (r performer) unmet(ctx context.Context, cs []Command) (fs []*Failure, err error) {
	for _, c := range cs {
		st, err := r.Ask(ctx, c.Text)
		var f *Failure
		if err != nil {
			if f, err = misfit(c, err); err != nil {
				return nil, err
			}
		} else {
			f = judge(c, st, false, false)
		}
		if f != nil {
			fs = append(fs, f)
		}
	}
	return fs, nil
}

// choices returns the answers that a predict block offers at the moment.
func (r performer) choices(ctx context.Context, it *Item) ([]choice, error) {
	if it.Access {
		return r.accessChoices(ctx, it)
	}
	var out []choice
	for _, a := range it.Answers {
		out = append(out, choice{text: a.Text, claims: a.Claims})
	}
	return out, nil
}

// choice is an offered answer: it is right if all its claims hold, or if it is what happened.
type choice struct {
	text   string
	claims []Command
	what   vmspace.Happening // of an access
}

// right returns which choices are right on this kernel. what is what happened at an access.
func (r performer) right(ctx context.Context, cs []choice, what vmspace.Happening) (out []int, err error) {
	for i, c := range cs {
		var fs []*Failure
		if len(c.claims) > 0 {
			if fs, err = r.unmet(ctx, c.claims); err != nil {
				return nil, err
			}
		}
		if len(fs) == 0 && (c.what == "" || c.what == what) {
			out = append(out, i)
		}
	}
	return out, nil
}
