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

// Rules of this file: a player leads one learner through one lesson. Items run once and in the
// order of the file; looking back runs nothing. The learner may run own commands at any time: if
// they destroy something that the lesson builds on, the player says so, and a step can always be
// restarted in a fresh subject. An error of a method is a failure of cowscope itself, or a mistake
// in the learner's line; everything else is in the State.

// Player leads through a lesson. Its methods may be called from any goroutine; they run one at a
// time.
type Player struct {
	l        *Lesson
	open     Opener
	progress *Progress

	turn    sync.Mutex // held while a method runs
	at      int        // the step that the reader sees
	front   int        // the last step that was begun
	items   [][]*itemState
	done    []bool
	message Message
	lost    bool
	why     string // why the process is lost
	fresh   int
	free    bool   // the learner has run commands in this subject
	current string // the current process after the lesson's last command

	mu      sync.Mutex // guards the fields below
	session Session
	closed  bool

	state atomic.Pointer[State]
}

// errClosed is the error of a closed player.
var errClosed = errors.New("the lesson is closed")

// NewPlayer starts a lesson at its beginning. progress may be nil; then nothing is recorded.
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
		steps, told := progress.Done(l.ID)
		for _, n := range steps {
			if n < len(p.done) {
				p.done[n] = true
			}
		}
		p.message.Text = told
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

// reset resets the items from step n on.
func (p *Player) reset(n int) {
	for i := n; i < len(p.l.Steps); i++ {
		p.items[i] = nil
		for k := range p.l.Steps[i].Items {
			p.items[i] = append(p.items[i], p.newItem(&p.l.Steps[i].Items[k]))
		}
	}
}

// act runs f as one turn and publishes the result.
func (p *Player) act(f func() error) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.message = Message{}
	err := f()
	p.publish()
	return err
}

func (p *Player) say(format string, args ...any) { p.message.Text = fmt.Sprintf(format, args...) }

// Session is the current session. RestartStep, Restart and GoTo end it and start another.
func (p *Player) Session() Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session
}

// Close ends the session. It may be called at any time, also while a method runs, and more than
// once.
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

// renew starts a fresh subject and ends the previous one.
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

// pending is the index of the item of the front step whose turn it is, -1 if all are over.
func (p *Player) pending() int {
	return slices.IndexFunc(p.items[p.front], func(it *itemState) bool { return it.Kind != Prose && !it.Status.over() })
}

// turnOf returns the item whose turn it is, if the reader sees the front step; otherwise it sets a
// message that says what to do.
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

// gone records that the lesson cannot continue in this subject.
func (p *Player) gone(why string) {
	p.lost, p.why = true, why
	p.message = Message{why + " A restart of the step begins it again in a fresh one.", true}
}

// Next goes to the next step, unless an item of this one waits for the reader.
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

// waiting is the message about an item that waits.
var waiting = map[Kind]string{
	Cow:     "The commands of this step have not run yet: run or skip them first.",
	Predict: "A question is open in this step: answer or skip it first.",
	Goal:    "The goal of this step is not reached: reach it, look at the solution, or skip it first.",
}

// Back shows the previous step. Nothing is undone, and nothing runs again.
func (p *Player) Back() error {
	return p.act(func() error {
		p.at = max(p.at-1, 0)
		return nil
	})
}

// settle updates the item that waits for the reader: it ends a goal that holds, and prepares the
// answers of a prediction. It records a step whose items are all over.
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
	// A step with only prose is done when the reader goes on.
	if p.pending() < 0 && slices.ContainsFunc(p.items[p.front], func(it *itemState) bool { return it.Kind != Prose }) {
		return p.note()
	}
	return nil
}

// offer sets the answers. If they differ from those offered before, the reader's choice is dropped.
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

// note records the front step as done, if no item in it failed.
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

// performer returns the performer for an item.
func (p *Player) performer(it *itemState) performer {
	return performer{p.Session(), func(st *history.Step) {
		if it.First == 0 {
			it.First = st.N
		}
		it.Last, it.happened = st.N, st.Happened
		p.Session().Keep(st.N)
		p.publish()
	}}
}

// Poll calls the session's Poll, and checks whether the lesson can continue.
func (p *Player) Poll(ctx context.Context) (*history.Step, error) {
	p.turn.Lock()
	defer p.turn.Unlock()
	st, err := p.Session().Poll(ctx)
	if err == nil && st != nil {
		p.watch(st.Before, st.After)
		if !p.lost {
			err = p.settle(ctx)
		}
		p.publish()
	}
	return st, err
}

// watch detects that the process of the lesson ended between two snapshots.
func (p *Player) watch(before, after *vmspace.Snapshot) {
	lives := func(s *vmspace.Snapshot) bool {
		q := s.Process(p.current)
		return q != nil && q.Alive()
	}
	if !p.lost && lives(before) && !lives(after) {
		p.gone(p.current + " is gone, and the lesson cannot go on with it.")
	}
}
