package lesson

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Rules of this file: a player walks one learner through one lesson. What runs, runs once and in
// the order of the file; looking back runs nothing. The learner may run commands of his own at any
// time: where they took away what the lesson builds on, that is told, and a step can always be
// begun again in a fresh subject. An error of a method is cowscope's own, or a mistake in the
// learner's line; everything else is in the State.

// Player walks through a lesson. Its methods may be called from any goroutine; they act one after
// another.
type Player struct {
	l        *Lesson
	open     Opener
	progress *Progress

	turn    sync.Mutex // held while a method acts
	at      int        // the step that the reader looks at
	front   int        // the furthest that was begun
	items   [][]*itemState
	done    []bool
	message Message
	lost    bool
	why     string // it is lost
	fresh   int
	free    bool   // the learner ran commands since the subject was fresh
	current string // the process that the lesson left as the current one

	mu      sync.Mutex // guards what follows
	session Session
	closed  bool

	state atomic.Pointer[State]
}

// errClosed is what a closed player answers.
var errClosed = errors.New("the lesson is closed")

// NewPlayer starts a lesson at its beginning. progress may be nil; then nothing is remembered.
func NewPlayer(ctx context.Context, l *Lesson, open Opener, progress *Progress) (*Player, error) {
	why, err := l.Missing()
	if why != "" {
		err = fmt.Errorf("%s: the lesson cannot run here: %s", l.File, why)
	}
	if err == nil {
		l, _, err = l.here()
	}
	if err != nil {
		return nil, err
	}
	p := &Player{l: l, open: open, progress: progress, items: make([][]*itemState, len(l.Steps)), done: make([]bool, len(l.Steps))}
	if progress != nil {
		steps, told, err := progress.Done(l.ID)
		for _, n := range steps {
			if n < len(p.done) {
				p.done[n] = true
			}
		}
		p.message.Text = told
		if err != nil {
			p.message.Text = "What was done before is not known: " + err.Error()
		}
	}
	p.reset(0)
	told := p.message
	if err := p.act(func() error { return p.goTo(ctx, 0) }); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if told.Text != "" {
		p.message = told
		p.publish()
	}
	return p, nil
}

// reset makes the items from step n on as they are before anything ran.
func (p *Player) reset(n int) {
	for i := n; i < len(p.l.Steps); i++ {
		p.items[i] = nil
		for k := range p.l.Steps[i].Items {
			p.items[i] = append(p.items[i], p.newItem(&p.l.Steps[i].Items[k]))
		}
	}
}

// act runs f as one turn and shows what came of it.
func (p *Player) act(f func() error) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.message = Message{}
	err := f()
	p.publish()
	return err
}

func (p *Player) say(format string, args ...any) { p.message.Text = fmt.Sprintf(format, args...) }

// Session is the session that runs now. RestartStep, Restart and GoTo end it and start another.
func (p *Player) Session() Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session
}

// Close ends the session. It may be called at any time, also while something runs, and more than
// once.
func (p *Player) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.session == nil {
		return nil
	}
	return p.session.Close()
}

// renew starts a fresh subject in place of the one before.
func (p *Player) renew() error {
	s, err := p.open()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.Join(errClosed, s.Close())
	}
	if p.session != nil {
		err = p.session.Close()
	}
	p.session, p.lost, p.free = s, false, false
	p.fresh++
	p.current = last(s).Current
	return err
}

func last(s Session) *history.Step {
	h := s.History()
	return h[len(h)-1]
}

// pending is the item of the front step whose turn it is, -1 where there is none left.
func (p *Player) pending() int {
	return slices.IndexFunc(p.items[p.front], func(it *itemState) bool { return it.Kind != Prose && !it.Status.over() })
}

// turnOf gives the item whose turn it is, if the reader is where the lesson runs; otherwise it says
// what to do.
func (p *Player) turnOf() *itemState {
	i := p.pending()
	switch {
	case p.at < p.front:
		p.say("This step is behind you: the lesson goes on in step %d.", p.front+1)
	case p.lost:
		p.gone(p.why)
	case i < 0:
		p.say("Nothing is left to run in this step.")
	default:
		return p.items[p.front][i]
	}
	return nil
}

// gone notes that the lesson cannot go on in this subject.
func (p *Player) gone(why string) {
	p.lost, p.why = true, why
	p.message = Message{why + " A restart of the step begins it again in a fresh one.", true}
}

// Next goes to the next step, if nothing in this one waits for the reader.
func (p *Player) Next(ctx context.Context) error {
	return p.act(func() error {
		switch i := p.pending(); {
		case p.at < p.front:
			p.at++
			return nil
		case i >= 0:
			p.say("%s", waiting[p.items[p.front][i].Kind])
			return nil
		case p.front == len(p.l.Steps)-1:
			p.say("This was the last step.")
			return p.note()
		}
		if err := p.note(); err != nil {
			return err
		}
		p.front++
		p.at = p.front
		return p.settle(ctx)
	})
}

// waiting says what an item waits for.
var waiting = map[Kind]string{
	Cow:     "The commands of this step have not run yet: run or skip them first.",
	Predict: "A question is open in this step: answer or skip it first.",
	Goal:    "The goal of this step is not reached: reach it, look at the solution, or skip it first.",
}

// Back looks at the step before. Nothing is undone, and nothing runs again.
func (p *Player) Back() error {
	return p.act(func() error {
		p.at = max(p.at-1, 0)
		return nil
	})
}

// settle finds what waits for the reader now: a goal that is reached is over, and the answers of a
// prediction are drawn up. It marks a step of which everything is done.
func (p *Player) settle(ctx context.Context) error {
	for !p.lost {
		i := p.pending()
		if i < 0 {
			break
		}
		it := p.items[p.front][i]
		r := p.performer(it)
		if it.Kind == Predict {
			cs, err := r.choices(ctx, it.Item)
			it.offer(cs)
			return err
		}
		if it.Kind != Goal {
			return nil
		}
		fs, err := r.unmet(ctx, it.Commands)
		if it.Unmet = fs; err != nil || len(fs) > 0 {
			return err
		}
		it.Status = Reached
	}
	// A step of prose alone is done when the reader goes on.
	if p.pending() < 0 && slices.ContainsFunc(p.items[p.front], func(it *itemState) bool { return it.Kind != Prose }) {
		return p.note()
	}
	return nil
}

// offer sets the answers. If others are offered than before, what was chosen is chosen no more.
func (it *itemState) offer(cs []choice) {
	var texts []string
	for _, c := range cs {
		texts = append(texts, c.text)
	}
	if !slices.Equal(texts, it.Offered) {
		it.Chosen = -1
	}
	it.choices, it.Offered = cs, texts
}

// note remembers the front step as done, if everything in it went well.
func (p *Player) note() error {
	for _, it := range p.items[p.front] {
		if it.Kind != Prose && !it.Status.well() {
			return nil
		}
	}
	if p.done[p.front] {
		return nil
	}
	p.done[p.front] = true
	if p.progress == nil {
		return nil
	}
	told, err := p.progress.Mark(p.l.ID, p.front)
	if told != "" {
		p.say("%s", told)
	}
	if err != nil {
		p.say("It cannot be remembered that this step is done: %v", err)
	}
	return nil
}

// performer runs what belongs to an item.
func (p *Player) performer(it *itemState) performer {
	return performer{p.Session(), func(st *history.Step) {
		if it.First == 0 {
			it.First = st.N
		}
		it.Last, it.happened = st.N, st.Happened
		p.publish()
	}}
}

// Poll looks whether something happened without a command, as the session's Poll does, and whether
// the lesson can go on.
func (p *Player) Poll(ctx context.Context) (*history.Step, error) {
	p.turn.Lock()
	defer p.turn.Unlock()
	st, err := p.Session().Poll(ctx)
	if err == nil && st != nil {
		p.watch(st)
		if !p.lost {
			err = p.settle(ctx)
		}
		p.publish()
	}
	return st, err
}

// watch tells if the process that the lesson acts in ended in a step.
func (p *Player) watch(st *history.Step) {
	lives := func(s *vmspace.Snapshot) bool {
		q := s.Process(p.current)
		return q != nil && q.State < vmspace.Zombie
	}
	if !p.lost && lives(st.Before) && !lives(st.After) {
		p.gone(p.current + " is gone, and the lesson cannot go on with it.")
	}
}
