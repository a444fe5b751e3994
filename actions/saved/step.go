package saved

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// A step as one line: the fields of exec --json, and what is needed beside them to show the step
// again.

// stepJSON is a line. What a step changed is not in it: that is the difference of two pictures.
// Names, files and facts are there only where they changed.
type stepJSON struct {
	history.StepJSON
	Predicted list[word]     `json:"predicted"` // in the place of StepJSON's
	Done      uint64         `json:"done,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Check     bool           `json:"check,omitempty"`
	Current   labelJSON      `json:"current"`
	Focus     *rangeJSON     `json:"focus,omitempty"`
	Forget    bool           `json:"forget_names,omitempty"` // all names that were there before
	Names     list[nameJSON] `json:"names,omitempty"`        // that came, or were bound anew
	Files     list[fileJSON] `json:"files,omitzero"`
	Facts     *factsJSON     `json:"facts,omitempty"`
	Keys      list[keysJSON] `json:"keys,omitzero"`
	Snapshot  *snapshotJSON  `json:"snapshot,omitempty"`
}

type rangeJSON struct {
	Start hex `json:"start"`
	End   hex `json:"end"`
}

func (rangeJSON) most() int { return mostItems }

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
	Step    int       `json:"step"` // that bound it
}

const (
	mostNames = 1 << 16 // of all processes together, in one step
	mostName  = 256     // bytes
	mostFiles = 1 << 12
)

func (nameJSON) most() int { return mostNames }

func (n nameJSON) check() error {
	if n.Name == "" || len(n.Name) > mostName || n.Start > n.End || n.Step < 0 {
		return fmt.Errorf("%.40q is no name of a range from %#x to %#x", n.Name, uint64(n.Start), uint64(n.End))
	}
	return n.Process.check()
}

type fileJSON struct {
	Name    string `json:"name"`
	NameHex string `json:"name_hex,omitempty"` // instead of name, where that is no UTF-8
	Removed bool   `json:"removed,omitempty"`
	Device  string `json:"device"`
	Inode   uint64 `json:"inode"`
	Size    uint64 `json:"size"` // in bytes
}

func (fileJSON) most() int { return mostFiles }

func (f fileJSON) check() error {
	if len(f.Name) > mostPath || len(f.NameHex) > 2*mostPath {
		return fmt.Errorf("a file with a name of more than %d bytes", mostPath)
	}
	return nil
}

type factsJSON struct {
	StackLimit  hex    `json:"stack_limit,omitempty"`
	OnlyStack   bool   `json:"only_stack,omitempty"`
	NeverForked bool   `json:"never_forked,omitempty"`
	Reprotected bool   `json:"reprotected,omitempty"`
	ExecOnly    string `json:"exec_only,omitempty"`
}

// keysJSON are the rights of a process to protection keys.
type keysJSON struct {
	Process labelJSON `json:"process"`
	PKRU    *hex      `json:"pkru,omitempty"` // left out where it was not read
	Used    bool      `json:"used,omitempty"`
}

func (keysJSON) most() int { return mostProcesses }

func (k keysJSON) check() error {
	if k.PKRU != nil && *k.PKRU > math.MaxUint32 {
		return fmt.Errorf("the PKRU of %.40q has more than 32 bits", string(k.Process))
	}
	return k.Process.check()
}

// keysOf are the rights after st where they are not those of before, else nil.
func keysOf(before, st *history.Step) list[keysJSON] {
	if slices.Equal(before.Keys, st.Keys) {
		return nil
	}
	out := list[keysJSON]{}
	for _, k := range st.Keys {
		j := keysJSON{Process: labelJSON(k.Process), Used: k.Used}
		if k.Known {
			pkru := hex(k.PKRU)
			j.PKRU = &pkru
		}
		out = append(out, j)
	}
	return out
}

// keys are the rights to protection keys after the step.
func (r *reader) keys(st, before *history.Step, j *stepJSON) {
	st.Keys = before.Keys
	if j.Keys == nil {
		return
	}
	st.Keys = nil
	for _, k := range j.Keys {
		out := history.KeyRights{Process: r.intern(string(k.Process)), Keys: vmspace.Keys{Known: k.PKRU != nil, Used: k.Used}}
		if k.PKRU != nil {
			out.PKRU = uint32(*k.PKRU)
		}
		st.Keys = append(st.Keys, out)
	}
}

// lineOf is st as a line; before is the step that the line before it holds, nil at the first one.
func lineOf(st, before *history.Step, line int) stepJSON {
	out := stepJSON{StepJSON: st.JSON(line), Predicted: wordsOf(st.Predicted), Done: st.Done, Check: st.Check, Reason: st.Reason, Current: labelJSON(st.Current)}
	if before == nil {
		before = &history.Step{}
	}
	if st.Focus != (vmspace.Range{}) {
		focus := rangeOf(st.Focus)
		out.Focus = &focus
	}
	out.Keys = keysOf(before, st)
	out.Forget, out.Names = namesChanged(before.Names, st.Names)
	if !slices.Equal(before.Files, st.Files) {
		out.Files = list[fileJSON]{}
		for _, f := range st.Files {
			name, raw := pathOf(f.Name)
			out.Files = append(out.Files, fileJSON{name, raw, f.Removed, deviceText(f.Major, f.Minor), f.Inode, f.Size})
		}
	}
	if f := st.Facts; f != before.Facts {
		out.Facts = &factsJSON{hex(f.StackLimit), f.OnlyStack, f.NeverForked, f.Reprotected, string(f.ExecOnly)}
	}
	return out
}

// step is the step that a line tells of.
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
	for _, err := range []error{r.outcome(st, j), r.names(st, before, j), r.files(st, before, j)} {
		if err != nil {
			return nil, err
		}
	}
	r.keys(st, before, j)
	st.Facts = before.Facts
	if f := j.Facts; f != nil {
		st.Facts.StackLimit, st.Facts.OnlyStack, st.Facts.NeverForked = uint64(f.StackLimit), f.OnlyStack, f.NeverForked
		st.Facts.Reprotected = f.Reprotected
		st.Facts.ExecOnly = vmspace.Happening(r.intern(f.ExecOnly))
	}
	var err error
	st.Before = before.After
	if st.After, err = r.snapshot(before.After, j.Snapshot); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if st.Before != nil {
		st.Changes = vmspace.Diff(st.Before, st.After)
	}
	return st, r.spend(len(st.Changes) * changeCost)
}

// outcome reads how the command ended.
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

// files are those of the scratch folder after the step.
func (r *reader) files(st, before *history.Step, j *stepJSON) error {
	st.Files = before.Files
	if j.Files == nil {
		return nil
	}
	st.Files = nil
	for _, f := range j.Files {
		e := history.File{Removed: f.Removed, Inode: f.Inode, Size: f.Size}
		var err error
		if e.Name, err = r.path(f.Name, f.NameHex); err != nil {
			return err
		}
		if e.Major, e.Minor, err = deviceOf(f.Device); err != nil {
			return err
		}
		st.Files = append(st.Files, e)
	}
	return nil
}

// deviceText writes a device as /proc/PID/maps does, and deviceOf reads it.
func deviceText(major, minor uint32) string { return fmt.Sprintf("%02x:%02x", major, minor) }

func deviceOf(text string) (major, minor uint32, err error) {
	a, b, _ := strings.Cut(text, ":")
	x, err1 := strconv.ParseUint(a, 16, 32)
	y, err2 := strconv.ParseUint(b, 16, 32)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("%.40q is no device, such as 08:01", text)
	}
	return uint32(x), uint32(y), nil
}
