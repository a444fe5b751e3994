package lesson

import "cowscope/vmspace"

// What a player shows: plain values that never change after they are returned.

// Status is the status of an item.
type Status string

// The statuses.
const (
	Pending  Status = "pending" // its turn has not come, or it waits for the learner
	Running  Status = "running"
	Done     Status = "done"    // a cow block ran, and its claims hold
	Failed   Status = "failed"  // a block ran, and the lesson and the kernel disagree
	Right    Status = "right"   // a prediction
	Wrong    Status = "wrong"   // a prediction
	Unknown  Status = "unknown" // a prediction: the right answer cannot be determined
	Reached  Status = "reached" // a goal that holds
	Solved   Status = "solved"  // a goal that holds by the lesson's solution
	Skipped  Status = "skipped" // run for the learner by Skip
	NotAsked Status = ""        // prose
)

// over reports whether the item needs nothing more, and well whether it counts as done.
func (s Status) over() bool { return s != Pending && s != Running }
func (s Status) well() bool { return s.over() && s != Failed && s != Skipped }

// State is everything that a screen shows.
type State struct {
	Step    int // the step that the reader sees
	Front   int // the last step that was begun: where the lesson runs
	Next    int // the item of the front step whose turn it is, -1 if there is none
	Steps   []StepState
	Done    int // how many steps are done, in this or an earlier session
	Message Message
	// Lost: the process of the lesson is gone; only restarting the step or the lesson helps.
	Lost  bool
	Fresh int // how many subjects were started; it changes with the session
}

// Message is the player's answer to the last method call; empty if it did what was asked.
type Message struct {
	Text    string
	Restart bool // RestartStep would help
}

// StepState is a step.
type StepState struct {
	Heading string
	Done    bool
	Items   []ItemState
}

// ItemState is an item of a step.
type ItemState struct {
	*Item  // as parsed; immutable
	Status Status
	// First and Last are the indexes of the first and the last step of the history that it made;
	// both 0 if it made none.
	First int
	Last  int

	Offered []string // answers of a prediction, once its turn has come
	Chosen  int      // index in Offered, -1 before a choice
	Correct int      // index in Offered, -1 before it ran and if it cannot be determined
	Failure *Failure // of a block that failed
	Unmet   []*Failure
	Shown   int // number of hints shown
}

// Seen are the hints of a goal that were shown.
func (i ItemState) Seen() []string { return i.Hints[:i.Shown] }

func (p *Player) newItem(it *Item) *itemState {
	s := &itemState{ItemState: ItemState{Item: it, Status: Pending, Chosen: -1, Correct: -1}}
	if it.Kind == Prose {
		s.Status = NotAsked
	}
	return s
}

// itemState is the player's internal state of an item.
type itemState struct {
	ItemState
	choices  []choice
	happened vmspace.Happening // at the last of its steps
}

// publish makes the current state visible to State.
func (p *Player) publish() {
	s := &State{Step: p.at, Front: p.front, Next: p.pending(), Message: p.message, Lost: p.lost, Fresh: p.fresh}
	for i, st := range p.l.Steps {
		out := StepState{Heading: st.Heading, Done: p.done[i]}
		for _, it := range p.items[i] {
			out.Items = append(out.Items, it.ItemState)
		}
		if out.Done {
			s.Done++
		}
		s.Steps = append(s.Steps, out)
	}
	p.state.Store(s)
}

// State is the current state. It may be called at any time, also while a method runs.
func (p *Player) State() State { return *p.state.Load() }
