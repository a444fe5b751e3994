package cli

import (
	"context"
	"fmt"
	"math"

	"cowscope/vmspace"
	"cowscope/vmspace/bill"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"
)

// writeBill writes what the forks of a process cost, and what another one would.
func writeBill(pid int, o snapshotOptions) error {
	r, err := observe.NewReader(observe.Options{Gentle: true, SmallMappings: math.MaxInt, SmallPages: math.MaxInt}) // with VmFlags
	if err != nil {
		return err
	}
	defer r.Close()
	snap, err := r.Observe(context.Background(), membersOf(pid, o.children), observe.Scope{})
	if err != nil {
		return statusError{exitFailed, err}
	}
	for i, p := range snap.Processes {
		if p.Err == "" && p.Alive() {
			continue
		}
		err := fmt.Errorf("process %d cannot be read: %s", p.PID, printable.Line(unreadable(p)))
		if i == 0 {
			return statusError{exitFailed, err}
		}
		fmt.Fprintln(stderr, "cowscope:", err)
	}
	b := bill.NewBill(snap, bill.Counters{Tables: procfs.PageTables, Faults: procfs.Faults})
	if o.json {
		return b.WriteJSON(stdout)
	}
	return b.WriteText(stdout)
}

// unreadable is why a process has no pages here.
func unreadable(p *vmspace.Process) string {
	if p.Err != "" {
		return p.Err
	}
	return "it is a " + p.State.String() + " process"
}
