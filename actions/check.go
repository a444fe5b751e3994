package actions

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/procfs"
)

// Rules of this file: what a script expects is held against a process that cowscope did not start.
// The process is neither stopped nor traced, and is read once: every line is about the same picture,
// but for the amounts that the kernel counts itself when it is asked (pss, uss, vmlck and the rss of
// all). What asks of a command, of its files or of its end makes no sense there, and is refused
// before anything is read.

// Checklist is a script of expectations that any process can be put to.
type Checklist struct {
	*Script
	relatives bool // it names processes beside p1
}

// ReadChecklist reads a script as ReadScript does; each line of it is an expectation about memory,
// or says what it needs.
func ReadChecklist(file string, r io.Reader) (*Checklist, error) {
	l := new(Checklist)
	var err error
	l.Script, err = readScript(Grammar, file, r, l.check)
	return l, err
}

// check refuses what no foreign process can be asked.
func (l *Checklist) check(cmd *lang.Command) error {
	switch a := actionOf(cmd.Verb.Name); {
	case !a.Expects:
		return cmd.ErrorAt(cmd.VerbSpan, cmd.Verb.Name+" has no place here: a process that is checked is only looked at", "here stand needs and expect; cowscope exec runs commands in a process of its own")
	case !a.Memory:
		return cmd.ErrorAt(cmd.VerbSpan, cmd.Verb.Name+" is about commands, files or the end of a process of cowscope's own, and there are none here", "of any process can be asked: "+askable())
	}
	for name, arg := range cmd.Names() {
		if !isFixed(name) {
			return cmd.ErrorAt(arg.Span, "nothing is called "+name+" here", "names are text, "+strings.Join(history.FixedNames, ", ")+"; all else is an address, such as 0x7f0000")
		}
	}
	l.relatives = l.relatives || slices.ContainsFunc(labelsIn(cmd, firstLabel), func(label string) bool { return label != firstLabel })
	return nil
}

const firstLabel = "p1"

func isFixed(name string) bool { return name == "text" || slices.Contains(history.FixedNames, name) }

// askable lists the forms of expect that any process can be put to.
func askable() string {
	var forms []string
	for _, a := range AllVerbs {
		if a.Memory {
			forms = append(forms, strings.TrimPrefix(a.Name, "expect "))
		}
	}
	return strings.Join(forms, ", ")
}

// labelsIn are the processes that an expectation is about: where it names none, the current one.
func labelsIn(cmd *lang.Command, current string) []string {
	labels := []string{current}
	if cmd.Process != "" {
		labels[0] = cmd.Process
	}
	for _, arg := range cmd.Args {
		if arg.Param.Kind == lang.KindProcess {
			labels = append(labels, arg.Text)
		} else if pl, ok := cmd.Place(arg.Param.Name); ok && pl.Process != "" {
			labels = append(labels, pl.Process)
		}
	}
	return labels
}

// UnreadableError says that a process could not be read, and why.
type UnreadableError struct {
	PID int
	Why string
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("process %d cannot be read: %s", e.PID, e.Why)
}

// Run holds a process against every line, and hands each step to out with its line. The process is
// p1; those that it has started are p2, p3 and so on, parents first. An *UnreadableError says that
// one that a line is about could not be read.
func (l *Checklist) Run(ctx context.Context, pid int, out func(st *history.Step, line int) error) (Report, error) {
	var rep Report
	// Counters and VmFlags of every mapping are wanted, however many there are.
	r, err := observe.NewReader(observe.Options{Gentle: true, SmallMappings: math.MaxInt, SmallPages: math.MaxInt})
	if err != nil {
		return rep, &UnreadableError{pid, err.Error()}
	}
	defer r.Close()
	members := []vmspace.Member{{Label: firstLabel, PID: pid}}
	if l.relatives {
		members = FamilyOf(pid)
	}
	snap, err := r.Observe(ctx, members, observe.Scope{})
	if err != nil {
		return rep, &UnreadableError{pid, err.Error()}
	}
	if why := snap.Processes[0].Err; why != "" {
		return rep, &UnreadableError{pid, why}
	}
	f := &family.Family{Reader: r, Life: ctx, Now: snap, Current: firstLabel}
	for _, m := range members {
		f.Members = append(f.Members, family.Stranger(m))
		if text, ok := programText(snap.Process(m.Label)); ok {
			f.Names = f.Names.With(m.Label, "text", history.Binding{Range: text})
		}
	}
	err = l.Each(func(n int, cmd *lang.Command) error {
		for range cmd.Times {
			rep.Steps++
			st, err := Judge(ctx, f, cmd, rep.Steps, nil)
			if err != nil {
				return err
			}
			if !st.OK() {
				rep.Failed++
			}
			if err := out(st, n); err != nil {
				return err
			}
		}
		return nil
	})
	return rep, err
}

// Judge holds a family that was read against an expectation, as step n. last is the last step that
// is none, and nil where there was none.
func Judge(ctx context.Context, f *family.Family, cmd *lang.Command, n int, last *history.Step) (*history.Step, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a := actionOf(cmd.Verb.Name)
	labels := labelsIn(cmd, f.Current)
	for i, label := range labels {
		m := f.Member(label)
		if m == nil {
			at := cmd.ProcessSpan
			if i > 0 || cmd.Process == "" {
				at = cmd.VerbSpan
			}
			return nil, cmd.ErrorAt(at, "there is no process "+label, "there are: "+f.Labels())
		}
		if p := f.Now.Process(label); a.Memory && p != nil && p.Err != "" {
			return nil, &UnreadableError{m.PID, p.Err}
		}
	}
	c := &verb.Call{F: f, Doing: family.Doing{P: f.Member(labels[0])}, Cmd: cmd, Action: a, Last: last, Names: f.Names, Current: f.Current}
	if err := c.Action.Run(c); err != nil {
		return nil, err
	}
	return &history.Step{N: n, Process: c.P.Label, PID: c.P.PID, Command: canonical(cmd, f.Current), Verb: cmd.Verb.Name, Outcome: c.Outcome,
		Before: f.Now, After: f.Now, Names: f.Names, Current: f.Current, Facts: kernel.Facts(), Check: true, Why: c.Note}, nil
}

// FamilyOf is a process and those that it has started, parents first.
func FamilyOf(pid int) []vmspace.Member {
	members := []vmspace.Member{{Label: firstLabel, PID: pid}}
	labels := map[int]string{pid: firstLabel}
	for _, d := range procfs.Descendants(pid) {
		labels[d.PID] = fmt.Sprintf("p%d", len(members)+1)
		members = append(members, vmspace.Member{Label: labels[d.PID], Parent: labels[d.Parent], PID: d.PID})
	}
	return members
}

// programText is the first executable mapping of the program that a process runs.
func programText(p *vmspace.Process) (vmspace.Range, bool) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.PID))
	if err != nil {
		return vmspace.Range{}, false
	}
	for _, m := range p.Mappings.All() {
		if m.Perms&vmspace.Exec != 0 && m.Path == exe {
			return m.Range, true
		}
	}
	return vmspace.Range{}, false
}
