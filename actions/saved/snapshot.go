package saved

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"cowscope/vmspace"
)

// Pictures of the family as JSON: each by what differs from the one before it, or whole.

type snapshotJSON struct {
	Full      bool              `json:"full,omitempty"` // it stands by itself
	Labels    list[labelJSON]   `json:"labels,omitzero"`
	Processes list[processJSON] `json:"processes,omitempty"`
}

// processJSON is a process that came or changed. Mappings and pages are splices of the lists that
// the process of that label had.
type processJSON struct {
	Label    labelJSON                 `json:"label"`
	Parent   labelJSON                 `json:"parent,omitempty"`
	PID      int                       `json:"pid"`
	State    string                    `json:"state"`
	Changed  list[rangeJSON]           `json:"changed,omitempty"` // where mappings changed while they were read
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

// splice says that Drop entries from index At of the old list on gave way to Add.
type splice[T entry] struct {
	At   int     `json:"at"`
	Drop int     `json:"drop,omitempty"`
	Add  list[T] `json:"add,omitempty"`
}

func (s splice[T]) most() int { return mostItems }

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

func (labelJSON) most() int { return mostProcesses }

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
		return fmt.Errorf("%.40q is no label of a process: p1 is", string(l))
	}
	return nil
}

const mostProcesses = 1 << 10

func (processJSON) most() int { return mostProcesses }

func (p processJSON) check() error {
	if err := p.Label.check(); err != nil {
		return err
	}
	if p.PID < 1 {
		return fmt.Errorf("%s has the pid %d", p.Label, p.PID)
	}
	if p.Parent == "" {
		return nil
	}
	return p.Parent.check()
}

// whole and changes are the two ways to write a picture.
func whole(now *vmspace.Snapshot) *snapshotJSON {
	out := &snapshotJSON{Full: true, Labels: labelsOf(now)}
	for _, p := range now.Processes {
		out.Processes = append(out.Processes, processOf(&vmspace.Process{}, p))
	}
	return out
}

// changes is nil where nothing differs.
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
	out := processJSON{Label: labelJSON(now.Label), Parent: labelJSON(now.Parent), PID: now.PID, State: now.State.String(), Error: now.Err,
		Faults: faultsJSON{now.MinorFlt, now.MajorFlt}, RSS: now.RSS, Started: now.Started,
		Mappings: splicesOf(vmspace.MappingSplices(was.Mappings, now.Mappings), mappingOf),
		Pages:    splicesOf(vmspace.RunSplices(was.Pages, now.Pages), runOf)}
	for _, r := range now.Changed {
		out.Changed = append(out.Changed, rangeOf(r))
	}
	return out
}

// snapshot makes the picture that j tells of; was is nil at the first step.
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
	// Finding processes by their labels costs the square of their number.
	if err := r.spend(len(labels) * (64 + len(labels))); err != nil {
		return nil, err
	}
	for _, l := range labels {
		if out.Process(string(l)) != nil {
			return nil, fmt.Errorf("%s is there twice", l)
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

// process finds a process of the new picture: as it was, or as j tells.
func (r *reader) process(was *vmspace.Snapshot, j *snapshotJSON, label string) (*vmspace.Process, error) {
	var old *vmspace.Process
	if was != nil {
		old = was.Process(label)
	}
	i := slices.IndexFunc(j.Processes, func(p processJSON) bool { return string(p.Label) == label })
	if i < 0 && (old == nil || j.Full) {
		return nil, errors.New("nothing is told of it")
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

// share makes p, which was told whole, of the pieces that old is made of, as far as they are the
// same.
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

// changed makes the process that j tells of.
func (r *reader) changed(old *vmspace.Process, j *processJSON) (*vmspace.Process, error) {
	p := &vmspace.Process{Member: vmspace.Member{Label: r.intern(string(j.Label)), Parent: r.intern(string(j.Parent)), PID: j.PID},
		MinorFlt: j.Faults.Minor, MajorFlt: j.Faults.Major, RSS: j.RSS, Started: j.Started, Shift: r.head.shift(), Err: r.intern(j.Error)}
	for _, c := range j.Changed {
		p.Changed = append(p.Changed, c.real())
	}
	for p.State.String() != j.State {
		if p.State == vmspace.Gone {
			return nil, fmt.Errorf("%.40q is no state of a process", j.State)
		}
		p.State++
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

// inMappings says where a run of p does not lie in one mapping, looking only at what the splices
// touched.
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
