package actions

import (
	"context"

	"cowscope/actions/history"
)

// Rules of this file: steps are made one at a time, on the one thread that may use ptrace on the
// subjects. A goroutine takes the turn first and then the thread: in the other order, two
// goroutines could wait for each other for ever.

// do runs f on the tracing thread.
func (s *Session) do(f func() error) error {
	var err error
	if e := s.f.Tracer.Do(func() { err = f() }); e != nil {
		return e
	}
	return err
}

// take makes a step on the tracing thread, one at a time, and appends it to the history. make may
// return none.
func (s *Session) take(ctx context.Context, make func() (*history.Step, error)) (step *history.Step, err error) {
	defer s.takeTurn()()
	e := s.do(func() error {
		step, err = s.put(ctx, make)
		return nil
	})
	if e != nil {
		return nil, e
	}
	return step, err
}

// takeTurn waits for the turn, and returns the function that releases it.
func (s *Session) takeTurn() (done func()) {
	s.waiting.Add(1)
	if cancel := s.makeWay.Load(); cancel != nil {
		(*cancel)()
	}
	s.turn.Lock()
	s.waiting.Add(-1)
	return s.turn.Unlock
}

// put is take for a caller that has the turn and is on the tracing thread.
func (s *Session) put(ctx context.Context, make func() (*history.Step, error)) (*history.Step, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	step, err := make()
	if err != nil || step == nil {
		return nil, err
	}
	s.append(step)
	return step, nil
}
