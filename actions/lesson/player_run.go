package lesson

import (
	"context"
	"fmt"

	"cowscope/actions/history"
)

// The methods of a player that run commands.

// Run runs the commands of the item whose turn it is: a cow block, or an answered prediction.
func (p *Player) Run(ctx context.Context) error {
	return p.act(func() error {
		it := p.turnOf()
		switch {
		case it == nil:
			return nil
		case it.Kind == Goal:
			p.say("Now it is your turn: reach the goal with commands of your own.")
			return nil
		case it.Kind == Predict && it.Chosen < 0:
			p.say("Choose an answer first.")
			return nil
		}
		return p.perform(ctx, it, Done)
	})
}

// Answer chooses an answer of the prediction whose turn it is, counted from 0. It can be changed
// until the prediction runs.
func (p *Player) Answer(i int) error {
	return p.act(func() error {
		switch it := p.turnOf(); {
		case it == nil:
		case it.Kind != Predict:
			p.say("There is no question to answer now.")
		case i < 0 || i >= len(it.Offered):
			p.say("There are answers 1 to %d.", len(it.Offered))
		default:
			it.Chosen = i
		}
		return nil
	})
}

// perform runs an item, and then updates the item that waits next. status is what a cow block gets
// if it does not fail.
func (p *Player) perform(ctx context.Context, it *itemState, status Status) error {
	it.Status = Running
	p.publish()
	var err error
	if it.Kind == Predict {
		err = p.predict(ctx, it)
	} else if err = p.lines(ctx, it, it.Commands, false); err == nil && it.Failure == nil {
		it.Status = status
	}
	if err != nil || it.Status == Running {
		it.Status = Failed
		p.message.Restart = true
	}
	if err != nil {
		p.say("It was cut short: %v", err)
		return err
	}
	return p.settle(ctx)
}

// lines runs commands for an item, in the process that was current after the lesson's last command.
// A failure is recorded and reported.
func (p *Player) lines(ctx context.Context, it *itemState, cs []Command, free bool) error {
	r := p.performer(it)
	use := Command{Line: it.Line, Text: "use " + p.current, once: "use " + p.current, times: 1}
	var fs []*Failure
	var err error
	if last(r.Session).Current != p.current {
		fs, err = performer{r.Session, func(*history.Step) {}}.run(ctx, []Command{use}, false, false)
	}
	if err == nil && len(fs) == 0 {
		fs, err = r.run(ctx, cs, free, false)
		p.current = last(r.Session).Current
	}
	if err == nil && len(fs) > 0 {
		it.Failure = fs[0]
		p.parted(fs[0])
	}
	return err
}

// parted reports that the lesson and the kernel disagree.
func (p *Player) parted(f *Failure) {
	why := "This kernel does not do what the lesson says."
	if p.free {
		why = "Your own commands may have changed what the lesson builds on."
	}
	if f.Lost {
		p.gone(f.Got)
		return
	}
	p.message = Message{fmt.Sprintf("%s in line %d: %s. A restart of the step begins it again in a fresh process.", why[:len(why)-1], f.Line, f), true}
}

// predict runs the commands of a prediction and determines the right answer.
func (p *Player) predict(ctx context.Context, it *itemState) error {
	if err := p.lines(ctx, it, it.Commands, true); err != nil || it.Failure != nil {
		return err
	}
	right, err := p.performer(it).right(ctx, it.choices, it.happened)
	if err != nil {
		return err
	}
	if len(right) == 1 {
		it.Correct = right[0]
	} else {
		p.say("Nothing here shows which answer is right.")
	}
	if err := p.lines(ctx, it, it.Then, false); err != nil || it.Failure != nil {
		return err
	}
	switch it.Chosen {
	case -1:
		it.Status = Skipped
	case it.Correct:
		it.Status = Right
	default:
		it.Status = map[bool]Status{true: Wrong, false: Unknown}[it.Correct >= 0]
	}
	return nil
}

// Do runs a command of the learner. A *lang.SyntaxError says that nothing ran and why.
func (p *Player) Do(ctx context.Context, line string) (st *history.Step, err error) {
	err = p.act(func() error {
		was := last(p.Session())
		st, err = p.Session().Do(ctx, line)
		all := p.Session().History()
		// A line with repeat makes several steps.
		for _, made := range all[history.At(all, was.N)+1:] {
			p.free = p.free || made.Command != "" && !made.Check
			p.watch(was.After, made.After)
			was = made
		}
		if err != nil || st == nil || p.lost {
			return err
		}
		return p.settle(ctx)
	})
	return st, err
}

// goal returns the goal whose turn it is; otherwise it sets a message that there is none.
func (p *Player) goal() *itemState {
	it := p.turnOf()
	if it != nil && it.Kind != Goal {
		p.say("There is no goal to reach at the moment.")
		return nil
	}
	return it
}

// Hint shows the next hint of the goal.
func (p *Player) Hint() error {
	return p.act(func() error {
		switch it := p.goal(); {
		case it == nil:
		case len(it.Hints) == 0:
			p.say("There is no hint for this goal.")
		case it.Shown == len(it.Hints):
			p.say("There are no more hints.")
		default:
			it.Shown++
		}
		return nil
	})
}

// Solution runs the lesson's own solution of the goal.
func (p *Player) Solution(ctx context.Context) error {
	return p.act(func() error {
		if it := p.goal(); it != nil {
			return p.solve(ctx, it, Solved)
		}
		return nil
	})
}

// solve runs the solution of a goal and checks whether the goal holds.
func (p *Player) solve(ctx context.Context, it *itemState, status Status) error {
	if it.SolutionLine == 0 {
		p.say("There is no solution for this goal.")
		return nil
	}
	it.Status, it.Failure = Running, nil
	p.publish()
	err := p.lines(ctx, it, it.Solution, false)
	it.Status = Pending
	if err != nil || it.Failure != nil {
		return err
	}
	if it.Unmet, err = p.performer(it).unmet(ctx, it.Commands); err != nil {
		return err
	}
	if len(it.Unmet) > 0 {
		p.parted(it.Unmet[0])
		return nil
	}
	it.Status = status
	return p.settle(ctx)
}

// Skip runs the rest of the step for the learner: blocks, questions without an answer, solutions.
func (p *Player) Skip(ctx context.Context) error {
	return p.act(func() error {
		for it := p.turnOf(); it != nil; it = p.turnOf() {
			if err := p.pass(ctx, it); err != nil || !it.Status.over() || it.Status == Failed {
				return err
			}
			if p.pending() < 0 {
				return nil
			}
		}
		return nil
	})
}

// pass runs an item for the learner.
func (p *Player) pass(ctx context.Context, it *itemState) error {
	if it.Kind == Goal {
		if it.SolutionLine == 0 {
			it.Status = Skipped
			return p.settle(ctx)
		}
		return p.solve(ctx, it, Skipped)
	}
	it.Chosen = -1
	return p.perform(ctx, it, Skipped)
}

// RestartStep restarts the step that the reader sees: a fresh subject runs the blocks and solutions
// of all earlier steps.
func (p *Player) RestartStep(ctx context.Context) error {
	return p.act(func() error { return p.goTo(ctx, p.at) })
}

// Restart restarts the lesson in a fresh subject.
func (p *Player) Restart(ctx context.Context) error {
	return p.act(func() error { return p.goTo(ctx, 0) })
}

// GoTo restarts at step n in a fresh subject, like RestartStep; earlier items that had not run
// count as skipped.
func (p *Player) GoTo(ctx context.Context, n int) error {
	return p.act(func() error {
		if n < 0 || n >= len(p.l.Steps) {
			p.say("There are steps 1 to %d.", len(p.l.Steps))
			return nil
		}
		return p.goTo(ctx, n)
	})
}

func (p *Player) goTo(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.renew(); err != nil {
		return err
	}
	p.reset(n)
	p.at, p.front = n, n
	for i := range n {
		for _, it := range p.items[i] {
			if err := p.replay(ctx, it); err != nil || p.message.Text != "" {
				return err
			}
		}
	}
	return p.settle(ctx)
}

// replay runs an item of an earlier step again. Its status does not change.
func (p *Player) replay(ctx context.Context, it *itemState) error {
	before := it.ItemState
	it.First, it.Last, it.Failure = 0, 0, nil
	cs := it.Commands
	if it.Kind == Goal {
		cs = it.Solution
	}
	err := p.lines(ctx, it, cs, it.Kind == Predict)
	before.First, before.Last = it.First, it.Last
	it.ItemState = before
	if it.Kind != Prose && !it.Status.well() {
		it.Status, it.Failure = Skipped, nil
	}
	return err
}
