package actions

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Changes without a command: between two steps the subjects are stopped, but the kernel is not, and
// other processes may kill them.

// Poll checks whether anything changed without a command: a page swapped out or merged, a process
// killed from outside. It returns the step that says so, or nil.
func (s *Session) Poll(ctx context.Context) (*history.Step, error) { return s.take(ctx, s.notice) }

// notice reads the family again and makes a step of the differences.
func (s *Session) notice() (*history.Step, error) {
	before := s.last().After
	event, label := s.deaths()
	after, err := s.look(before, event != "")
	if err != nil {
		return nil, err
	}
	changes := vmspace.Diff(before, after)
	if event == "" && !slices.ContainsFunc(changes, explain.WorthTelling) {
		return nil, nil
	}
	why := "Not by a command: it came from outside. n starts a fresh subject."
	if event == "" {
		label, event, why = changes[0].Process, "something changed without a command", explain.Noticed(changes, after)
	}
	s.f.Forget(after)
	step := s.newStep(label, before, after)
	step.Event, step.Why, step.Changes = event, why, changes
	return step, nil
}

// lookShare is the time from one look to the next of its kind, as a multiple of what it took: an
// idle lab uses little of the machine.
const lookShare = 800

// look reads the family when no command tells where something may have changed. A small family is
// always read in full. Of a large one only what costs little is read between two full looks, and
// with many processes not even that each time.
func (s *Session) look(before *vmspace.Snapshot, died bool) (*vmspace.Snapshot, error) {
	if died {
		return s.f.Observe(observe.Scope{})
	}
	if !s.rhythm.Due(observe.Everything, true) {
		if !s.rhythm.Due(observe.Signs, true) {
			return before, nil
		}
		defer s.rhythm.Begin(observe.Signs)()
		return s.f.Observe(observe.Within())
	}
	defer s.rhythm.Begin(observe.Everything)()
	ctx, cancel := context.WithCancel(s.f.Life)
	defer cancel()
	s.makeWay.Store(&cancel)
	if s.waiting.Load() > 0 {
		cancel()
	}
	after, err := s.f.Reader.Observe(ctx, s.f.Shown(), observe.Scope{})
	if err != nil && s.f.Life.Err() == nil && ctx.Err() != nil {
		return before, nil // the goroutine that waits reads what it can have changed
	}
	return after, err
}

// deaths finds processes that ended since the last look; label is the first of them.
func (s *Session) deaths() (event, label string) {
	var living []*family.Member
	for _, m := range s.f.Members {
		if m.Gone == "" {
			living = append(living, m)
		}
	}
	for _, m := range living {
		var exited *subject.ExitedError
		if m.Gone == "" && errors.As(m.Proc.Poll(), &exited) {
			s.f.Ended(m, exited)
		}
	}
	var ends []string
	for _, m := range living {
		if m.Gone != "" {
			ends = append(ends, m.Label+" "+m.Gone)
			label = cmp.Or(label, m.Label)
		}
	}
	return strings.Join(ends, ", "), label
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
