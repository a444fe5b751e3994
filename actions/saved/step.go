package saved

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// A step as one line: the fields of exec --json, and what else is needed to show the step again.

// stepJSON is a line. The changes of a step are not in it: they are the difference of two
// snapshots. Names, files and facts are present only if they changed.
type stepJSON struct {
	history.StepJSON
	Predicted list[word]       `json:"predicted"` // replaces that of StepJSON
	Done      uint64           `json:"done,omitempty"`
	Reason    string           `json:"reason,omitempty"`
	Check     bool             `json:"check,omitempty"`
	Current   labelJSON        `json:"current"`
	Focus     *rangeJSON       `json:"focus,omitempty"`
	Forget    bool             `json:"forget_names,omitempty"` // all names before this step
	Names     list[nameJSON]   `json:"names,omitempty"`        // new, or bound again
	Files     list[fileJSON]   `json:"files,omitzero"`
	Facts     *factsJSON       `json:"facts,omitempty"`
	Keys      list[keysJSON]   `json:"keys,omitzero"`
	Limits    list[limitsJSON] `json:"limits,omitzero"`
	Touched   list[faultJSON]  `json:"page_faults,omitempty"`
	Lost      uint64           `json:"lost,omitempty"`
	Snapshot  *snapshotJSON    `json:"snapshot,omitempty"`
}

type rangeJSON struct {
	Start hex `json:"start"`
	End   hex `json:"end"`
}

func (rangeJSON) most() int { return maxItems }

func (r rangeJSON) check() error {
	if r.Start > r.End {
		return fmt.Errorf("a range from %#x to %#x", uint64(r.Start), uint64(r.End))
	}
	return nil
}

func (r rangeJSON) real() vmspace.Range {
	return vmspace.Range{Start: uint64(r.Start), End: uint64(r.End)}
}

func rangeOf(r vmspace.Range) rangeJSON { return rangeJSON{hex(r.Start), hex(r.End)} }

type nameJSON struct {
	Process labelJSON `json:"process"`
	Name    string    `json:"name"`
	Start   hex       `json:"start"`
	End     hex       `json:"end"`
	Step    int       `json:"step"` // the step that bound it
}

const (
	maxNames = 1 << 16 // of all processes together, in one step
	maxName  = 256     // bytes
	maxFiles = 1 << 12
)

func (nameJSON) most() int { return maxNames }

func (n nameJSON) check() error {
	if n.Name == "" || len(n.Name) > maxName || n.Start > n.End || n.Step < 0 {
		return fmt.Errorf("the name %.40q of the range from %#x to %#x, bound in step %d, cannot be", n.Name, uint64(n.Start), uint64(n.End), n.Step)
	}
	return n.Process.check()
}

type fileJSON struct {
	Name    string `json:"name"`
	NameHex string `json:"name_hex,omitempty"` // instead of name, if that is not UTF-8
	Removed bool   `json:"removed,omitempty"`
	Device  string `json:"device"`
	Inode   uint64 `json:"inode"`
	Size    uint64 `json:"size"` // in bytes
	Seals   uint32 `json:"seals,omitempty"`
	Huge    uint64 `json:"huge_page,omitempty"` // the size of its pages, if they are of the pool
}

func (fileJSON) most() int { return maxFiles }

func (f fileJSON) check() error {
	if len(f.Name) > maxPath || len(f.NameHex) > 2*maxPath {
		return fmt.Errorf("a file with a name of more than %d bytes", maxPath)
	}
	return nil
}

type factsJSON struct {
	StackLimit *hex `json:"stack_limit,omitempty"` // left out if no limit is known
	// ASLimit and MemlockLimit are written even if they are unlimited.
	ASLimit      *hex   `json:"as_limit,omitempty"`
	MemlockLimit *hex   `json:"memlock_limit,omitempty"`
	OnlyStack    bool   `json:"only_stack,omitempty"`
	NeverForked  bool   `json:"never_forked,omitempty"`
	Reprotected  bool   `json:"reprotected,omitempty"`
	ExecOnly     string `json:"exec_only,omitempty"`
	Userfaultfd  bool   `json:"userfaultfd,omitempty"`
	WriteTracked bool   `json:"write_tracked,omitempty"`
	Moved        bool   `json:"protected_moved,omitempty"`
	Poison       string `json:"poison,omitempty"`
}

// lineOf is st as a line; before is the step of the previous line, nil at the first one.
func lineOf(st, before *history.Step, line int) stepJSON {
	out := stepJSON{StepJSON: st.JSON(line), Predicted: wordsOf(st.Predicted), Done: st.Done, Check: st.Check, Reason: st.Reason, Current: labelJSON(st.Current),
		Touched: faultsOf(st.Faults), Lost: st.Lost}
	if before == nil {
		before = &history.Step{}
	}
	if st.Focus != (vmspace.Range{}) {
		focus := rangeOf(st.Focus)
		out.Focus = &focus
	}
	out.Keys, out.Limits = traitsOf(before.Keys, st.Keys, keysOf), traitsOf(before.Limits, st.Limits, limitsOf)
	out.Forget, out.Names = namesChanged(before.Names, st.Names)
	if !slices.Equal(before.Files, st.Files) {
		out.Files = list[fileJSON]{}
		for _, f := range st.Files {
			name, raw := pathOf(f.Name)
			out.Files = append(out.Files, fileJSON{name, raw, f.Removed, deviceText(f.Major, f.Minor), f.Inode, f.Size, uint32(f.Seals), f.HugePage})
		}
	}
	if f := st.Facts; f != before.Facts {
		out.Facts = &factsJSON{OnlyStack: f.OnlyStack, NeverForked: f.NeverForked, Reprotected: f.Reprotected, ExecOnly: string(f.ExecOnly), Userfaultfd: f.Userfaultfd,
			WriteTracked: f.WriteTracked, Moved: f.ProtectedMoved, Poison: string(f.Poison)}
		if l := f.Limits; l.Known {
			stack := hex(l.Stack)
			out.Facts.StackLimit, out.Facts.ASLimit, out.Facts.MemlockLimit = &stack, limitOf(l.Space), limitOf(l.Locked)
		}
	}
	return out
}

// step makes the step that a line describes.
func (r *reader) step(j *stepJSON, before *history.Step) (*history.Step, error) {
	st := &history.Step{N: j.Step, Process: r.intern(j.Process), PID: j.PID, Command: j.Command, Event: j.Event, Current: r.intern(string(j.Current)),
		Check: j.Check, Why: j.Explanation, Reason: r.intern(j.Reason)}
	st.Outcome = history.Outcome{Call: j.Call, Want: j.Want, Got: j.Got, Evidence: j.Evidence,
		Minor: j.Faults.Minor, Major: j.Faults.Major, Done: j.Done, Happened: vmspace.Happening(r.intern(j.Happened))}
	if cmd, err := r.grammar.Parse(j.Command); err == nil && cmd != nil {
		st.Verb = r.intern(cmd.Verb.Name)
	}
	if err := labelJSON(j.Process).check(); err != nil {
		return nil, err
	}
	if err := j.Current.check(); err != nil {
		return nil, err
	}
	if before == nil {
		before = &history.Step{N: -1, Facts: vmspace.Facts{FileSize: -1, Arch: r.head.Arch}}
	}
	if st.N != before.N+1 {
		return nil, fmt.Errorf("step %d where step %d belongs", st.N, before.N+1)
	}
	for _, err := range []error{r.outcome(st, j), r.names(st, before, j), r.files(st, before, j), r.faults(st, j), r.site(st, j)} {
		if err != nil {
			return nil, err
		}
	}
	st.Keys, st.Limits = traits(r, before.Keys, j.Keys), traits(r, before.Limits, j.Limits)
	st.Facts = before.Facts
	if f := j.Facts; f != nil {
		st.Facts.Limits, st.Facts.OnlyStack, st.Facts.NeverForked = vmspace.Limits{}, f.OnlyStack, f.NeverForked
		if f.StackLimit != nil {
			st.Facts.Limits = vmspace.Limits{Known: true, Stack: limit(f.StackLimit), Space: limit(f.ASLimit), Locked: limit(f.MemlockLimit)}
		}
		st.Facts.Reprotected, st.Facts.Userfaultfd = f.Reprotected, f.Userfaultfd
		st.Facts.WriteTracked, st.Facts.ProtectedMoved = f.WriteTracked, f.Moved
		st.Facts.Poison = vmspace.Happening(r.intern(f.Poison))
		st.Facts.ExecOnly = vmspace.Happening(r.intern(f.ExecOnly))
	}
	var err error
	st.Before = before.After
	if st.After, err = r.snapshot(before.After, j.Snapshot); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if st.Before != nil {
		st.Changes = vmspace.DiffBy(st.Before, st.After, st.Process)
	}
	return st, r.spend(len(st.Changes) * changeCost)
}

// outcome reads the result of the command.
func (r *reader) outcome(st *history.Step, j *stepJSON) (err error) {
	if st.Result, err = history.ParseResult(r.intern(j.Result)); err != nil {
		return err
	}
	if st.HasValue = j.Value != ""; st.HasValue {
		if st.Value, err = number(j.Value); err != nil {
			return err
		}
	}
	if st.Result.Ending == history.EndedSignal {
		if st.Fault, err = number(j.FaultAddress); err != nil {
			return err
		}
	}
	if j.Bytes != "" {
		if st.Bytes, err = bytesOf(j.Bytes); err != nil {
			return err
		}
	}
	if f := j.Focus; f != nil {
		st.Focus = f.real()
	}
	for _, p := range j.Predicted {
		st.Predicted = append(st.Predicted, vmspace.Happening(r.intern(string(p))))
	}
	return nil
}

func number(text string) (uint64, error) {
	var h hex
	err := h.UnmarshalText([]byte(text))
	return uint64(h), err
}

// files reads the files of the scratch folder after the step.
func (r *reader) files(st, before *history.Step, j *stepJSON) error {
	st.Files = before.Files
	if j.Files == nil {
		return nil
	}
	st.Files = nil
	for _, f := range j.Files {
		e := history.File{Removed: f.Removed, Inode: f.Inode, Size: f.Size, Seals: history.Seals(f.Seals), HugePage: f.Huge}
		var err error
		if e.Name, err = r.path(f.Name, f.NameHex); err != nil {
			return err
		}
		if e.Major, e.Minor, err = vmspace.ParseDevice(f.Device); err != nil {
			return err
		}
		st.Files = append(st.Files, e)
	}
	return nil
}

// deviceText formats a device as /proc/PID/maps does.
func deviceText(major, minor uint32) string { return fmt.Sprintf("%02x:%02x", major, minor) }
