package saved

import (
	"fmt"
	"unsafe"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Page faults as JSON, with the field names of history.FaultJSON.

// mostFaults is how many entries a step may have; what is watched has a few thousand at most.
const mostFaults = 1 << 16

type faultJSON history.FaultJSON

func (faultJSON) most() int { return mostFaults }

func (f faultJSON) check() error {
	if f.Pages > 1<<48 || f.At.Line < 0 {
		return fmt.Errorf("faults on %d pages, by line %d", f.Pages, f.At.Line)
	}
	for _, text := range []string{f.At.Function, f.At.File, f.At.Object} {
		if len(text) > maxPath {
			return fmt.Errorf("a place with a name of more than %d bytes", maxPath)
		}
	}
	if f.Process == "" { // of one that is in no snapshot
		return nil
	}
	return labelJSON(f.Process).check()
}

func faultsOf(faults []history.Fault) list[faultJSON] {
	var out list[faultJSON]
	for _, f := range history.FaultList(faults) {
		out = append(out, faultJSON(f))
	}
	return out
}

// faults reads the page faults of a step.
func (r *reader) faults(st *history.Step, j *stepJSON) error {
	st.Lost = j.Lost
	cost := 0
	for _, f := range j.Touched {
		g := history.Fault{Process: r.intern(f.Process), TID: f.Thread, Pages: f.Pages, Count: f.Count, Major: f.Major, Kernel: f.Kernel, Did: vmspace.Happening(r.intern(f.Happened)),
			At: vmspace.Place{Function: r.intern(f.At.Function), File: r.intern(f.At.File), Line: f.At.Line, Object: r.intern(f.At.Object)}}
		for _, n := range []struct {
			text string
			to   *uint64
		}{{f.Address, &g.Start}, {f.At.Offset, &g.At.Offset}, {f.At.Address, &g.At.At}} {
			if n.text == "" {
				continue
			}
			var err error
			if *n.to, err = number(n.text); err != nil {
				return err
			}
		}
		st.Faults = append(st.Faults, g)
		cost += int(unsafe.Sizeof(g)) + len(f.Happened) + len(f.At.Function) + len(f.At.File) + len(f.At.Object)
	}
	return r.spend(cost)
}
