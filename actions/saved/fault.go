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
	if f.Pages > 1<<48 {
		return fmt.Errorf("faults on %d pages", f.Pages)
	}
	if err := checkPlace(f.At); err != nil {
		return err
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
		g := history.Fault{Process: r.intern(f.Process), TID: f.Thread, Pages: f.Pages, Count: f.Count, Major: f.Major, Kernel: f.Kernel, Did: vmspace.Happening(r.intern(f.Happened))}
		var err error
		if f.Address != "" {
			if g.Start, err = number(f.Address); err != nil {
				return err
			}
		}
		if g.At, err = r.place(f.At); err != nil {
			return err
		}
		st.Faults = append(st.Faults, g)
		cost += int(unsafe.Sizeof(g)) + len(f.Happened) + placeCost(f.At)
	}
	return r.spend(cost)
}

func checkPlace(p history.PlaceJSON) error {
	if p.Line < 0 {
		return fmt.Errorf("a place in line %d", p.Line)
	}
	for _, text := range []string{p.Function, p.File, p.Object} {
		if len(text) > maxPath {
			return fmt.Errorf("a place with a name of more than %d bytes", maxPath)
		}
	}
	return nil
}

func placeCost(p history.PlaceJSON) int { return len(p.Function) + len(p.File) + len(p.Object) }

// place reads a place.
func (r *reader) place(p history.PlaceJSON) (out vmspace.Place, err error) {
	out = vmspace.Place{Function: r.intern(p.Function), File: r.intern(p.File), Line: p.Line, Object: r.intern(p.Object)}
	for _, n := range []struct {
		text string
		to   *uint64
	}{{p.Offset, &out.Offset}, {p.Address, &out.At}} {
		if n.text == "" {
			continue
		}
		if *n.to, err = number(n.text); err != nil {
			return out, err
		}
	}
	return out, nil
}

// Of a step.
const (
	mostCallers = 256
	mostLines   = 256
	mostWrote   = 1 << 20 // bytes
)

// site reads where the thread of a step was.
func (r *reader) site(st *history.Step, j *stepJSON) error {
	st.TID = j.TID
	if st.Wrote = j.Wrote; len(j.Wrote) > mostWrote {
		return fmt.Errorf("%d bytes that a program wrote", len(j.Wrote))
	}
	if err := r.spend(len(j.Wrote)); err != nil {
		return err
	}
	if j.At == nil {
		return nil
	}
	if err := checkPlace(j.At.PlaceJSON); err != nil {
		return err
	}
	if len(j.At.Callers) > mostCallers || len(j.At.Text) > maxPath {
		return fmt.Errorf("a place with %d callers and %d bytes of source", len(j.At.Callers), len(j.At.Text))
	}
	p, err := r.place(j.At.PlaceJSON)
	if err != nil {
		return err
	}
	if len(j.At.Source) > mostLines || j.At.From < 0 || j.At.From > 1<<40 {
		return fmt.Errorf("%d lines of source, from line %d on", len(j.At.Source), j.At.From)
	}
	st.At = &history.Site{Place: p, Text: j.At.Text, From: j.At.From}
	cost := int(unsafe.Sizeof(*st.At)) + placeCost(j.At.PlaceJSON) + len(j.At.Text)
	for _, line := range j.At.Source {
		if len(line) > maxPath {
			return fmt.Errorf("a line of source of more than %d bytes", maxPath)
		}
		st.At.Source = append(st.At.Source, r.intern(line))
		cost += len(line) + int(unsafe.Sizeof(line))
	}
	for _, name := range j.At.Callers {
		if len(name) > maxPath {
			return fmt.Errorf("a caller with a name of more than %d bytes", maxPath)
		}
		st.At.Callers = append(st.At.Callers, r.intern(name))
		cost += len(name) + int(unsafe.Sizeof(name))
	}
	return r.spend(cost)
}
