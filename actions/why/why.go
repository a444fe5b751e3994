// Package why reads what verdicts rest on, and has the memory of living processes judged. The
// processes are neither stopped nor traced, and nothing is written to them.
package why

import (
	"context"
	"math"

	"cowscope/actions"
	"cowscope/actions/verdict"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// frameBudget is of how many frames count and flags are read, which root alone may: those of 1 GiB.
const frameBudget = 1 << 18

// Ask reads processes once, and judges what their memory is. An *actions.UnreadableError says that
// the first cannot be read; of another the snapshot says so.
func Ask(ctx context.Context, members []vmspace.Member) (*vmspace.Snapshot, []verdict.Finding, error) {
	pid := members[0].PID
	// The counters of every mapping are wanted, however many there are.
	r, err := observe.NewReader(observe.Options{Gentle: true, SmallMappings: math.MaxInt, SmallPages: math.MaxInt, KPageBudget: frameBudget})
	if err != nil {
		return nil, nil, &actions.UnreadableError{PID: pid, Why: err.Error()}
	}
	defer r.Close()
	snap, err := r.Observe(ctx, members, observe.Scope{})
	if err != nil {
		return nil, nil, &actions.UnreadableError{PID: pid, Why: err.Error()}
	}
	if why := snap.Processes[0].Err; why != "" {
		return nil, nil, &actions.UnreadableError{PID: pid, Why: why}
	}
	return snap, verdict.Judge(snap, factsOf(r, snap)), nil
}
