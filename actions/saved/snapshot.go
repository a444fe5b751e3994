package saved

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"cowscope/vmspace"
)

// Snapshots of the family as JSON: the changes from the previous one, or the whole.

type snapshotJSON struct {
	Full      bool              `json:"full,omitempty"` // it does not depend on a previous one
	Labels    list[labelJSON]   `json:"labels,omitzero"`
	Processes list[processJSON] `json:"processes,omitempty"`
}

// processJSON is a new or changed process. Mappings and pages are splices of the lists of the
// previous process with that label.
type processJSON struct {
	Label  labelJSON `json:"label"`
	Parent labelJSON `json:"parent,omitempty"`
	// Shares is the process whose address space it runs in, if it has none of its own.
	Shares labelJSON `json:"shares,omitempty"`
	Thread bool      `json:"thread,omitempty"` // of the process parent
	PID    int       `json:"pid"`
	State  string    `json:"state"`
	// Changed is where mappings changed while they were read.
	Changed  list[rangeJSON]           `json:"changed,omitempty"`
	Error    string                    `json:"error,omitempty"`
	Faults   faultsJSON                `json:"faults"`
	RSS      uint64                    `json:"rss"`
	Started  uint64                    `json:"started,omitempty"`
	Mappings list[splice[mappingJSON]] `json:"mappings,omitempty"`
	Pages    list[splice[runJSON]]     `json:"pages,omitempty"`
}

type faultsJSON struct {
	Minor uint64 `json:"minor"`
	Major uint64 `json:"major"`
}

// splice says that the Drop entries of the old list from index At on were replaced by Add.
type splice[T entry] struct {
	At   int     `json:"at"`
	Drop int     `json:"drop,omitempty"`
	Add  list[T] `json:"add,omitempty"`
}

func (s splice[T]) most() int { return maxItems }

func (s splice[T]) check() error {
	if s.At < 0 || s.Drop < 0 || s.Drop == 0 && len(s.Add) == 0 {
		return fmt.Errorf("a splice at %d of %d entries that adds %d", s.At, s.Drop, len(s.Add))
	}
	return nil
}

func splicesOf[T vmspace.Item, J entry](from []vmspace.Splice[T], of func(T) J) list[splice[J]] {
	var out list[splice[J]]
	for _, s := range from {
		j := splice[J]{At: s.At, Drop: s.Drop}
		for _, x := range s.Add {
			j.Add = append(j.Add, of(x))
		}
		out = append(out, j)
	}
	return out
}

// labelJSON is the label of a process: p1, p2.
type labelJSON string

func (labelJSON) most() int { return maxProcesses }

func (l labelJSON) check() error {
	digits := 0
	for i, c := range l {
		if i == 0 && c == 'p' {
			continue
		}
		if i == 0 || c < '0' || c > '9' {
			digits = math.MinInt
		}
		digits++
	}
	if digits < 1 || digits > 9 {
		return fmt.Errorf("%.40q is not the label of a process, such as p1", string(l))
	}
	return nil
}

const maxProcesses = 1 << 10

func (processJSON) most() int { return maxProcesses }

func (p processJSON) check() error {
	if err := p.Label.check(); err != nil {
		return err
	}
	if p.PID < 1 {
		return fmt.Errorf("%s has the pid %d", p.Label, p.PID)
	}
	for _, of := range []labelJSON{p.Parent, p.Shares} {
		if of != "" && of.check() != nil {
			return of.check()
		}
	}
	return nil
}

// whole and changes are the two ways to write a snapshot.
func whole(now *vmspace.Snapshot) *snapshotJSON {
	out := &snapshotJSON{Full: true, Labels: labelsOf(now)}
	for _, p := range now.Processes {
		out.Processes = append(out.Processes, processOf(&vmspace.Process{}, p))
	}
	return out
}

// changes returns nil if nothing differs.
func changes(was, now *vmspace.Snapshot) *snapshotJSON {
	if was == now {
		return nil
	}
	out := &snapshotJSON{}
	if !slices.Equal(labelsOf(was), labelsOf(now)) {
		out.Labels = labelsOf(now)
	}
	for _, q := range now.Processes {
		p := was.Process(q.Label)
		if p == q {
			continue
		}
		if p == nil {
			p = &vmspace.Process{}
		}
		out.Processes = append(out.Processes, processOf(p, q))
	}
	if len(out.Processes) == 0 && out.Labels == nil {
		return nil
	}
	return out
}

func labelsOf(s *vmspace.Snapshot) list[labelJSON] {
	out := list[labelJSON]{}
	for _, p := range s.Processes {
		out = append(out, labelJSON(p.Label))
	}
	return out
}

func processOf(was, now *vmspace.Process) processJSON {
	out := processJSON{Label: labelJSON(now.Label), Parent: labelJSON(now.Parent), Shares: labelJSON(now.Shares), Thread: now.Thread, PID: now.PID, State: now.State.String(), Error: now.Err,
		Faults: faultsJSON{now.MinorFlt, now.MajorFlt}, RSS: now.RSS, Started: now.Started,
		Mappings: splicesOf(vmspace.MappingSplices(was.Mappings, now.Mappings), mappingOf),
		Pages:    splicesOf(vmspace.RunSplices(was.Pages, now.Pages), runOf)}
	for _, r := range now.Changed {
		out.Changed = append(out.Changed, rangeOf(r))
	}
	return out
}

// snapshot makes the snapshot that j describes; was is nil at the first step.
func (r *reader) snapshot(was *vmspace.Snapshot, j *snapshotJSON) (*vmspace.Snapshot, error) {
	switch {
	case j == nil && was != nil:
		return was, nil
	case j == nil || was == nil && !j.Full:
		return nil, errors.New("the first step has no whole snapshot")
	}
	labels := j.Labels
	if labels == nil && was != nil && !j.Full {
		labels = labelsOf(was)
	}
	out := &vmspace.Snapshot{PageSize: r.head.PageSize, Frames: r.head.Frames}
	// The cost of finding processes by their labels is the square of their number.
	if err := r.spend(len(labels) * (64 + len(labels))); err != nil {
		return nil, err
	}
	for _, l := range labels {
		if out.Process(string(l)) != nil {
			return nil, fmt.Errorf("%s comes twice", l)
		}
		p, err := r.process(was, j, string(l))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l, err)
		}
		out.Processes = append(out.Processes, p)
	}
	for _, p := range j.Processes {
		if !slices.Contains(labels, p.Label) {
			return nil, fmt.Errorf("%s is not among the labels", p.Label)
		}
	}
	return out, nil
}

// process returns a process of the new snapshot: unchanged, or as j describes it.
func (r *reader) process(was *vmspace.Snapshot, j *snapshotJSON, label string) (*vmspace.Process, error) {
	var old *vmspace.Process
	if was != nil {
		old = was.Process(label)
	}
	i := slices.IndexFunc(j.Processes, func(p processJSON) bool { return string(p.Label) == label })
	if i < 0 && (old == nil || j.Full) {
		return nil, errors.New("the snapshot does not contain it")
	}
	if i < 0 {
		return old, nil
	}
	base := old
	if base == nil || j.Full {
		base = &vmspace.Process{}
	}
	p, err := r.changed(base, &j.Processes[i])
	if err != nil || !j.Full || old == nil {
		return p, err
	}
	return p, r.share(old, p)
}

// share rebuilds p, which was written as a whole, from the pieces of old that are equal.
func (r *reader) share(old, p *vmspace.Process) error {
	m, n := vmspace.MappingSplices(old.Mappings, p.Mappings), vmspace.RunSplices(old.Pages, p.Pages)
	if err := errors.Join(r.spendSplices(len(m), p.Mappings.Len()), r.spendSplices(len(n), p.Pages.Len())); err != nil {
		return err
	}
	var err1, err2 error
	p.Mappings, err1 = vmspace.ApplyMappings(old.Mappings, m)
	p.Pages, err2 = vmspace.ApplyRuns(old.Pages, n)
	return errors.Join(err1, err2)
}

// changed makes the process that j describes.
func (r *reader) changed(old *vmspace.Process, j *processJSON) (*vmspace.Process, error) {
	p := &vmspace.Process{Member: vmspace.Member{Label: r.intern(string(j.Label)), Parent: r.intern(string(j.Parent)), PID: j.PID, Shares: r.intern(string(j.Shares)), Thread: j.Thread},
		MinorFlt: j.Faults.Minor, MajorFlt: j.Faults.Major, RSS: j.RSS, Started: j.Started, Shift: r.head.shift(), Err: r.intern(j.Error)}
	for _, c := range j.Changed {
		p.Changed = append(p.Changed, c.real())
	}
	var err error
	if p.State, err = vmspace.ParseProcState(j.State); err != nil {
		return nil, err
	}
	maps, err := splicesFrom(j.Mappings, r.mapping)
	if err == nil {
		err = r.spendSplices(len(maps), old.Mappings.Len())
	}
	if err == nil {
		p.Mappings, err = vmspace.ApplyMappings(old.Mappings, maps)
	}
	if err != nil {
		return nil, fmt.Errorf("mappings: %w", err)
	}
	runs, err := splicesFrom(j.Pages, r.run)
	if err == nil {
		err = r.spendSplices(len(runs), old.Pages.Len())
	}
	if err == nil {
		p.Pages, err = vmspace.ApplyRuns(old.Pages, runs)
	}
	if err == nil {
		err = inMappings(old, p, maps, runs)
	}
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	return p, nil
}

func splicesFrom[J entry, T vmspace.Item](from list[splice[J]], of func(J) (T, error)) ([]vmspace.Splice[T], error) {
	out := make([]vmspace.Splice[T], 0, len(from))
	for _, j := range from {
		s := vmspace.Splice[T]{At: j.At, Drop: j.Drop, Add: make([]T, 0, len(j.Add))}
		for _, x := range j.Add {
			t, err := of(x)
			if err != nil {
				return nil, err
			}
			s.Add = append(s.Add, t)
		}
		out = append(out, s)
	}
	return out, nil
}

// inMappings returns an error if a run of p does not lie in one mapping. It checks only what the
// splices touched.
func inMappings(old, p *vmspace.Process, maps []vmspace.Splice[vmspace.Mapping], runs []vmspace.Splice[vmspace.Run]) error {
	check := func(r vmspace.Run) error {
		if m, ok := p.MappingAt(r.Start); !ok || !m.Covers(r.Bounds()) {
			return fmt.Errorf("the run of %d pages at %#x does not lie in one mapping", r.Pages, r.Start)
		}
		return nil
	}
	for _, s := range runs {
		for _, r := range s.Add {
			if err := check(r); err != nil {
				return err
			}
		}
	}
	for _, s := range maps {
		touched := vmspace.Range{Start: math.MaxUint64}
		for _, m := range slices.Concat(old.Mappings.Slice(s.At, s.At+s.Drop), s.Add) {
			touched = vmspace.Range{Start: min(touched.Start, m.Start), End: max(touched.End, m.End)}
		}
		for _, r := range p.Pages.From(touched.Start) {
			if r.Start >= touched.End {
				break
			}
			if err := check(r); err != nil {
				return err
			}
		}
	}
	return nil
}
