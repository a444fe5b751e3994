package lesson

import (
	"context"
	"errors"
	"fmt"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Running a lesson's commands, for the player and for the check alike.

// Session is what a lesson asks of an *actions.Session.
type Session interface {
	Do(ctx context.Context, line string) (*history.Step, error)
	Ask(ctx context.Context, line string) (*history.Step, error)
	Foresee(ctx context.Context, line string) (vmspace.Prediction, error)
	Poll(ctx context.Context) (*history.Step, error)
	History() []*history.Step
	Close() error
}

// Opener starts a fresh session.
type Opener func() (Session, error)

// Open gives an Opener of real sessions.
func Open(o actions.Options) Opener {
	return func() (Session, error) {
		s, err := actions.Open(o)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// Failure is where a lesson and the kernel part.
type Failure struct {
	Line, Col int // in the file; Col is 0 where the line as a whole is meant
	Command   string
	Want, Got string
	Lost      bool // the process that was to act is gone
}

func (f *Failure) String() string {
	return fmt.Sprintf("%s: wanted %s, found %s", f.Command, f.Want, f.Got)
}

// judge says what is wrong with how a command ended. Whatever the kernel answers is right if it is
// free, but not that the process is gone; and all is, if an expectation of the result follows.
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

// misfit makes a failure of an error: a command that makes no sense now, such as one about a name
// that nothing has. Another error is cowscope's own and comes back.
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

// claimed says whether an expectation of the result follows command i, before the next command.
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

// run runs commands, and stops at the first failure unless all is set, and where the process is
// gone. Free ones may end as they like: what they end in is the question.
func (r performer) run(ctx context.Context, cs []Command, free, all bool) (fs []*Failure, err error) {
	for i, c := range cs {
		st, err := r.Do(ctx, c.Text)
		var f *Failure
		if err != nil {
			if f, err = misfit(c, err); err != nil {
				return fs, err
			}
		} else {
			r.tell(st)
			f = judge(c, st, free, claimed(cs, i))
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

// unmet asks expectations and gives those that do not hold.
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

// choices are the answers that a predict block offers now.
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

// choice is an answer that is offered: right if all its claims hold, or if it is what happened.
type choice struct {
	text   string
	claims []Command
	what   vmspace.Happening // of an access
}

// right finds which of the choices the kernel makes true. what is what happened at an access.
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
