package lesson

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/feature"
	"cowscope/actions/history"
	"cowscope/vmspace"
)

// The check of a lesson on this kernel, without a learner: every block runs, every claim is
// checked, every goal must not hold before its solution and must hold after it, and exactly one of
// the answers to a question must be right.

// Problem is a claim of a lesson that is wrong on this kernel, or a place where no learner could go
// on.
type Problem struct {
	File      string
	Line, Col int // Col is 0 if the whole line is meant
	Msg       string
}

func (p Problem) String() string { return place(p.File, p.Line, p.Col) + ": " + p.Msg }

// Verdict is the result of a check.
type Verdict struct {
	Skipped  string   // why it cannot be held against this kernel and this user, "" where it was
	Without  []string // missing features because of which passages were left out
	Problems []Problem
	Commands int // number of commands run
	Claims   int // number of claims checked
}

// Missing returns which needed feature is missing here and why, "" if none is.
func (l *Lesson) Missing() (string, error) {
	for _, n := range l.Needs {
		ok, reason, err := feature.Available(n)
		if err != nil {
			return "", err
		}
		if !ok {
			return fmt.Sprintf("%s is missing: %s", n, reason), nil
		}
	}
	return "", nil
}

// Check checks a lesson in a session of its own. An error is a failure of cowscope itself.
func Check(ctx context.Context, l *Lesson, open Opener) (Verdict, error) {
	c := &checker{l: l}
	var err error
	if c.v.Skipped, err = l.Missing(); err != nil || c.v.Skipped != "" {
		return c.v, err
	}
	if l, c.v.Without, err = l.here(); err != nil {
		return c.v, err
	}
	s, err := open()
	if err != nil {
		return c.v, err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Close() })() // interrupts a running command
	c.performer = performer{s, func(st *history.Step) {
		if st.Check {
			c.v.Claims++
		} else {
			c.v.Commands++
		}
	}}
	for _, st := range l.Steps {
		for i := range st.Items {
			if err := c.item(ctx, &st.Items[i]); err != nil || c.lost {
				return c.v, cmp.Or(ctx.Err(), err)
			}
		}
	}
	return c.v, nil
}

type checker struct {
	performer
	l    *Lesson
	v    Verdict
	lost bool // a process is gone: nothing more can be checked
}

func (c *checker) problem(line, col int, format string, args ...any) {
	c.v.Problems = append(c.v.Problems, Problem{c.l.File, line, col, fmt.Sprintf(format, args...)})
}

func (c *checker) failures(fs []*Failure) {
	for _, f := range fs {
		c.problem(f.Line, f.Col, "%s", f)
		c.lost = c.lost || f.Lost
	}
}

// item checks one item, depending on its kind.
func (c *checker) item(ctx context.Context, it *Item) error {
	check := map[Kind]func(context.Context, *Item) error{Cow: c.cow, Predict: c.predict, Goal: c.goal}[it.Kind]
	if check == nil {
		return nil
	}
	return check(ctx, it)
}

func (c *checker) cow(ctx context.Context, it *Item) error {
	fs, err := c.run(ctx, it.Commands, false, true)
	c.failures(fs)
	return err
}

func (c *checker) predict(ctx context.Context, it *Item) error {
	cs, err := c.choices(ctx, it)
	if err != nil {
		return err
	}
	var what vmspace.Happening
	r := performer{c.Session, func(st *history.Step) { what = st.Happened; c.tell(st) }}
	fs, err := r.run(ctx, it.Commands, true, true)
	c.failures(fs)
	if err != nil || len(fs) > 0 {
		return err
	}
	if fs, err = c.run(ctx, it.Then, false, true); err != nil {
		return err
	}
	c.failures(fs)
	if it.Access {
		c.access(it, cs, what)
		return nil
	}
	right, err := c.right(ctx, cs, "")
	for _, a := range it.Answers {
		c.v.Claims += len(a.Claims)
	}
	if len(right) != 1 {
		c.problem(it.Line, 0, "wanted exactly one right answer, found %s", c.named(it, right))
	}
	return err
}

func (c *checker) named(it *Item, right []int) string {
	if len(right) == 0 {
		return "none"
	}
	var out []string
	for _, i := range right {
		out = append(out, fmt.Sprintf("%q in line %d", it.Answers[i].Text, it.Answers[i].Line))
	}
	return fmt.Sprintf("%d: %s", len(right), strings.Join(out, ", "))
}

// access compares what happened with what the lesson says.
func (c *checker) access(it *Item, cs []choice, what vmspace.Happening) {
	c.v.Claims++
	at := it.Commands[0]
	switch {
	case what == "":
		c.problem(at.Line, 0, "%s: wanted one of the answers, found nothing that shows to this user what happened", at.Text)
	case !slices.ContainsFunc(cs, func(x choice) bool { return x.what == what }):
		c.problem(at.Line, 0, "%s: wanted one of the answers that were offered, found %s", at.Text, what)
	case len(it.Happens) > 0 && !slices.Contains(it.Happens, what):
		c.problem(at.Line, 0, "%s: wanted %s, found %s", at.Text, strings.Join(words(it.Happens), " or "), what)
	}
}

func (c *checker) goal(ctx context.Context, it *Item) error {
	fs, err := c.unmet(ctx, it.Commands)
	if err != nil {
		return err
	}
	c.v.Claims += len(it.Commands)
	if len(fs) == 0 {
		c.problem(it.Line, 0, "wanted a goal that the learner has to reach, found that it holds before anything was done")
	}
	if it.SolutionLine == 0 {
		c.problem(it.Line, 0, "wanted a solution block behind the goal, found none")
		return nil
	}
	if fs, err = c.run(ctx, it.Solution, false, true); err != nil {
		return err
	}
	c.failures(fs)
	if fs, err = c.unmet(ctx, it.Commands); err != nil {
		return err
	}
	c.v.Claims += len(it.Commands)
	for _, f := range fs {
		c.problem(f.Line, f.Col, "after the solution in line %d: %s", it.SolutionLine, f)
	}
	return nil
}
