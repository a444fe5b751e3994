package actions

import (
	"context"
	"errors"
	"slices"
	"time"

	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Looking without a command: between two steps the subjects stand still, but the kernel does not,
// and others may kill.

// Poll looks whether anything changed without a command: a page swapped out or merged, a process
// killed from outside. It gives the step that says so, or nil.
func (s *Session) Poll(ctx context.Context) (*history.Step, error) { return s.take(ctx, s.notice) }

// notice reads the family again and makes a step of what differs.
func (s *Session) notice() (*history.Step, error) {
	before := s.last().After
	event, label := s.deaths()
	after, err := s.look(before, event != "")
	if err != nil {
		return nil, err
	}
	changes := vmspace.Diff(before, after)
	if event == "" && !slices.ContainsFunc(changes, worthTelling) {
		return nil, nil
	}
	step := &history.Step{Process: label, Event: event, Outcome: history.Outcome{Result: history.OK}, Before: before, After: after,
		Names: s.f.Names, Current: s.f.Current, Changes: changes}
	s.f.Forget(after)
	if event == "" {
		step.Process = changes[0].Process
		step.Event = "the kernel changed something by itself"
		step.Why = explain.Noticed(changes, after)
	} else {
		step.Why = "Not by a command: it came from outside. n starts a fresh subject."
	}
	if m := s.f.Member(step.Process); m != nil {
		step.PID = m.PID
	}
	return step, nil
}

// look reads the family with no command to say where something may have changed. A small family is
// always read in full; a large one so rarely that looking stays below a hundredth of the time.
func (s *Session) look(before *vmspace.Snapshot, died bool) (*vmspace.Snapshot, error) {
	if died {
		return s.f.Observe(observe.Scope{})
	}
	start := time.Now()
	if start.Before(s.fullLook) {
		return s.f.Observe(observe.Within())
	}
	ctx, cancel := context.WithCancel(s.f.Life)
	defer cancel()
	s.makeWay.Store(&cancel)
	if s.waiting.Load() > 0 {
		cancel()
	}
	after, err := s.f.Reader.Observe(ctx, s.f.Shown(), observe.Scope{})
	s.fullLook = time.Now().Add(99 * time.Since(start))
	if err != nil && s.f.Life.Err() == nil && ctx.Err() != nil {
		return before, nil // whoever waits reads what it can have changed
	}
	return after, err
}

// worthTelling leaves out what changes all the time without meaning: a page referenced again,
// mapped once more elsewhere. A page that is found merged may have been seen with its new frame
// before it was known why.
func worthTelling(c vmspace.Change) bool {
	switch c.Kind {
	case vmspace.ChangeAttrs:
		return c.Attrs&vmspace.KSM != 0
	case vmspace.ChangeCount, vmspace.ChangeWord, vmspace.ChangeFlags:
		return false
	}
	return true
}

// deaths notices processes that ended since the last look.
func (s *Session) deaths() (event, label string) {
	for _, m := range s.f.Members {
		if m.Gone != "" {
			continue
		}
		var exited *subject.ExitedError
		if err := m.Proc.Poll(); errors.As(err, &exited) {
			m.Gone = family.HowEnded(exited)
			event, label = m.Label+" "+m.Gone, m.Label
		}
	}
	return event, label
}

// Peek reads the bytes of the page at addr in the process, if it is present. It never faults a page
// in.
func (s *Session) Peek(ctx context.Context, label string, addr uint64) ([]byte, error) {
	defer s.takeTurn()()
	m := s.f.Member(label)
	if m == nil || m.Gone != "" || ctx.Err() != nil {
		return nil, nil
	}
	return s.f.Present(m, addr, s.last().After.PageSize)
}
