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
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"
)

// frameBudget is of how many frames count and flags are read, which root alone may: those of 1 GiB.
const frameBudget = 1 << 18

// Report is what was found of some processes.
type Report struct {
	Snapshot *vmspace.Snapshot
	Names    map[string]string // what the kernel calls each process, by label
	Findings []verdict.Finding
	Cost     observe.Cost // of the reading
}

// Ask reads processes once, and judges what their memory is. An *actions.UnreadableError says that
// the first cannot be read; of another the snapshot says so.
func Ask(ctx context.Context, members []vmspace.Member) (*Report, error) {
	pid := members[0].PID
	// The counters of every mapping are wanted, however many there are.
	r, err := observe.NewReader(observe.Options{Gentle: true, SmallMappings: math.MaxInt, SmallPages: math.MaxInt, KPageBudget: frameBudget})
	if err != nil {
		return nil, &actions.UnreadableError{PID: pid, Why: err.Error()}
	}
	defer r.Close()
	snap, err := r.Observe(ctx, members, observe.Scope{})
	if err != nil {
		return nil, &actions.UnreadableError{PID: pid, Why: err.Error()}
	}
	if why := snap.Processes[0].Err; why != "" {
		return nil, &actions.UnreadableError{PID: pid, Why: why}
	}
	rep := &Report{Snapshot: snap, Names: map[string]string{}, Findings: verdict.Judge(snap, factsOf(r, snap)), Cost: r.Cost()}
	for _, m := range members {
		rep.Names[m.Label] = printable.Name(procfs.Name(m.PID))
	}
	return rep, nil
}
