package lesson

import "cowscope/vmspace"

// What a player shows: plain values that never change once they are given.

// Status says how it stands with an item.
type Status string

// The statuses.
const (
	Pending  Status = "pending" // its turn has not come, or nobody has acted on it
	Running  Status = "running"
	Done     Status = "done"    // a cow block ran as the lesson says
	Failed   Status = "failed"  // a block ran, and the lesson and the kernel parted
	Right    Status = "right"   // a prediction
	Wrong    Status = "wrong"   // a prediction
	Unknown  Status = "unknown" // a prediction: nothing shows which answer is right
	Reached  Status = "reached" // a goal
	Solved   Status = "solved"  // a goal, by the lesson's solution
	Skipped  Status = "skipped" // run for the learner, to get on
	NotAsked Status = ""        // prose
)

// over says whether there is nothing left to do, and well whether it counts as done.
func (s Status) over() bool { return s != Pending && s != Running }
func (s Status) well() bool { return s.over() && s != Failed && s != Skipped }

// State is what there is to show.
type State struct {
	Step    int // that the reader looks at
	Front   int // the furthest one that was begun: where the lesson runs
	Next    int // the item of the front step whose turn it is, -1 where there is none left
	Steps   []StepState
	Done    int // how many of the steps are done, now or in an earlier session
	Message Message
	Lost    bool // the process that acts is gone: only a restart of the step or of the lesson goes on
	Fresh   int  // how many subjects were started; another number, another session
}

// Message is what the player has to say of the last thing that was asked of it; empty where all
// went as asked.
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
	*Item  // what the file holds; not to be changed
	Status Status
	First  int // N of the first and the last step of the history that it made; both 0 where it made none
	Last   int

	Offered []string // answers of a prediction, from when its turn comes
	Chosen  int      // of Offered, -1 before
	Correct int      // of Offered, -1 before it ran and where nothing shows it
	Failure *Failure // of a block that failed
	Unmet   []*Failure
	Shown   int // how many hints
}

// Seen are the hints of a goal that were asked for.
func (i ItemState) Seen() []string { return i.Hints[:i.Shown] }

func (p *Player) newItem(it *Item) *itemState {
	s := &itemState{ItemState: ItemState{Item: it, Status: Pending, Chosen: -1, Correct: -1}}
	if it.Kind == Prose {
		s.Status = NotAsked
	}
	return s
}

// itemState is an item as the player keeps it.
type itemState struct {
	ItemState
	choices  []choice
	happened vmspace.Happening // at the last of its steps
}

// publish gives out the state as it is now.
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

// State is what there is to show now. It may be asked at any time, also while something runs.
func (p *Player) State() State { return *p.state.Load() }
