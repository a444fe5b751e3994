// Package run steps a program from one memory event to the next: each becomes a step of a history,
// with the picture of the family before and after it, and the place in the program that caused it.
package run

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"cowscope/actions"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/actions/trace"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"
	"cowscope/vmspace/symbol"
)

// Run is a program that is run.
type Run struct {
	program *trace.Program
	reader  *observe.Reader
	table   *symbol.Table
	sources sources
	members []vmspace.Member
	labels  map[int]string // by PID, of all that there have been
	born    int            // processes that got a label so far
	last    *vmspace.Snapshot
	steps   int
	status  int
	name    string            // of the program
	begun   map[string]bool   // by label: its program, and not the loader, has caused an event
	ends    map[string]uint64 // by label: what brk answered before there was a heap
	told    map[string]int    // by label: page faults that were events
	// uncounted, by label, is how many faults more the kernel has counted.
	uncounted map[string]int
	touched   []vmspace.Range // by the last event
	early     int             // events to come that had happened when the last picture was taken
	gone      []*family.Member
	names     history.Names
	unnamed   []unnamed
	profile   *Profile      // nil: none is asked for
	grammar   *lang.Grammar // of the lab
	event     trace.Event   // the last one
	call      verb.Foreign  // its call
	breaks    []trace.Breakpoint
	frames    []symbol.Frame // of its thread, and the one of them that is shown
	shown     int
}

// Open starts a program, or attaches to a process. Its first step is that it was executed, or that it
// was attached to.
func Open(cfg trace.Config) (*Run, error) {
	g, err := actions.Grammar()
	if err != nil {
		return nil, err
	}
	r, err := observe.NewReader(observe.Options{})
	if err != nil {
		return nil, err
	}
	p, err := trace.Start(cfg)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	run := &Run{program: p, reader: r, grammar: g, table: symbol.New(symbol.Options{Peek: r.Peek, Callers: true}), labels: map[int]string{}, begun: map[string]bool{}, ends: map[string]uint64{}, told: map[string]int{}, uncounted: map[string]int{}, name: printable.Name(filepath.Base(cfg.Path))}
	run.member(p.PID(), "")
	if cfg.PID != 0 {
		run.name = printable.Name(procfs.Name(cfg.PID))
		run.begun["p1"] = true // its loader's time is over
	}
	return run, nil
}

// Close ends the program. A process that was attached to goes on.
func (r *Run) Close() error {
	r.program.Close()
	return r.reader.Close()
}

// Info says what is run, and on which machine.
func (r *Run) Info() actions.Info {
	info := actions.Machine(r.last)
	info.Mode, info.Note = "run", r.name
	return info
}

// Untold is why page faults are not told; nil if they are.
func (r *Run) Untold() error { return r.program.Faultless() }

// Status is the exit status of the first process as a shell has it: 128 and its number for a signal.
func (r *Run) Status() int { return r.status }

// member gives a process a label.
func (r *Run) member(pid int, parent string) {
	r.born++
	r.labels[pid] = fmt.Sprintf("p%d", r.born)
	r.members = append(r.members, vmspace.Member{Label: r.labels[pid], PID: pid, Parent: parent})
}

// label is the newest process of that number. It may have ended: of a child that one made when it was
// killed is told after that.
func (r *Run) label(pid int) string { return r.labels[pid] }

// Next lets the program run to its next event. The answer is trace.ErrEnded when nothing is left.
func (r *Run) Next(ctx context.Context) (*history.Step, error) {
	e, err := r.program.Next(ctx)
	if err != nil {
		return nil, err
	}
	return r.tell(ctx, e)
}

// tell makes a step of an event.
func (r *Run) tell(ctx context.Context, e trace.Event) (*history.Step, error) {
	var err error
	r.event = e
	r.call = verb.Foreign{}
	st := &history.Step{N: r.steps, Process: r.label(e.PID), PID: e.PID, TID: e.TID, Event: e.Kind.String(), Before: r.last, Current: r.label(e.PID), Facts: kernel.Facts()}
	r.steps++
	touched := r.describe(st, e)
	early := r.early > 0
	r.touched = touched
	if st.After, err = r.look(ctx, st, e, touched); err != nil {
		return nil, err
	}
	var words *pages
	st.At, words = r.site(st, e)
	r.keepNames(st, e, words)
	if st.Before != nil {
		st.Changes = vmspace.Diff(st.Before, st.After)
	}
	if e.Kind == trace.Fault {
		// What an earlier picture has already, nothing is known of.
		if r.changed(st, e, st.After) || !e.Late && !early && faultsOf(st.After, st.Process) > faultsOf(st.Before, st.Process) {
			st.Happened = r.did(st, e)
		}
		f := history.Fault{Process: st.Process, TID: st.TID, Start: st.Focus.Start, Pages: 1, Count: 1, Major: st.Major, Did: st.Happened}
		if st.At != nil {
			f.At = st.At.Place
		}
		st.Faults = []history.Fault{f}
	}
	st.Why = summary(st)
	if r.call.Line != "" {
		st.Why = cmp.Or(r.explain(st), st.Why)
	}
	if e.Kind == trace.Written {
		st.Why = strings.TrimSpace(r.wrote(e) + " " + st.Why)
	}
	if r.profile != nil {
		r.profile.add(st, e, r.frames)
	}
	r.last, r.early = st.After, len(r.program.Pending())
	r.bury()
	return st, nil
}

// Stopped is a step that says where the program is, after Next was told to return: nothing but that
// has happened.
func (r *Run) Stopped(ctx context.Context) (*history.Step, error) {
	e, ok := r.program.Where()
	if !ok {
		return nil, errors.New("no thread of the program could be stopped: all wait for a child or for a device")
	}
	st := &history.Step{Process: r.label(e.PID), PID: e.PID, TID: e.TID, Event: "stopped", Before: r.last, Current: r.label(e.PID), Facts: kernel.Facts(),
		Outcome: history.Outcome{Result: history.OK, Call: "stopped where it is"}}
	after, err := r.reader.Observe(ctx, r.members, observe.Scope{})
	if err != nil {
		return nil, err
	}
	st.N, st.After, r.last = r.steps, after, after
	r.steps++
	e.Kind = trace.Signal // its instruction is the next one, not one that was executed
	r.event = e
	st.At, _ = r.site(st, e)
	st.Names, st.Changes = r.names, vmspace.Diff(st.Before, after)
	st.Why = strings.TrimSpace(summary(st) + " No event has come: the program is stopped, and Space lets it run on.")
	return st, nil
}

// describe says what the event was, and where it may have changed something.
func (r *Run) describe(st *history.Step, e trace.Event) (touched []vmspace.Range) {
	st.Result = history.OK
	everything := []vmspace.Range{vmspace.Everything}
	switch e.Kind {
	case trace.Call:
		c := verb.ForeignCall(e.Nr, e.Args, e.Value)
		if e.Compat {
			c = verb.CompatCall(e.Nr, e.Args)
		}
		st.Verb, st.Call, st.Value, st.HasValue = c.Name, c.Text, e.Value, c.Gives
		r.call = c
		if e.Errno != 0 {
			st.Result = history.Errno(verb.SameErrno(subject.ErrnoName(e.Errno)))
		}
		if c.Name == "brk" {
			c.Touches = r.heap(st.Process, e.Value)
		}
		if n := len(c.Own); n > 0 {
			st.Focus = c.Own[n-1].Widen(0, r.last.PageSize)
		}
		return c.Touches
	case trace.Fault:
		size := r.last.PageSize
		st.Call = fmt.Sprintf("page fault at 0x%x", e.Addr)
		st.Fault = e.Addr
		st.Focus = vmspace.Range{Start: e.Addr &^ (size - 1), End: e.Addr&^(size-1) + size}
		if e.Major {
			st.Major = 1
		} else {
			st.Minor = 1
		}
		// A huge page comes whole. Pages around, of a file, belong to every scope.
		block := vmspace.HugeBlock(size)
		whole := vmspace.Range{Start: e.Addr &^ (block - 1), End: e.Addr&^(block-1) + block}
		if p := r.last.Process(st.Process); p != nil {
			if m, ok := p.MappingAt(e.Addr); ok && !m.Covers(whole) {
				return []vmspace.Range{st.Focus}
			}
		}
		return []vmspace.Range{whole}
	case trace.Signal:
		sig := subject.Signal{Signo: e.Signal, Code: e.Code}
		st.Result, st.Fault = history.Signal(sig.Name(), sig.CodeName()), e.Addr
		st.Call = sig.Name()
		return nil
	case trace.Attached:
		st.Call = "attached"
		return nil
	case trace.Reached:
		st.Call = fmt.Sprintf("at 0x%x", e.Addr)
		return nil
	case trace.Written:
		st.Call = fmt.Sprintf("a write to 0x%x", e.Addr)
		size := r.last.PageSize
		st.Focus = vmspace.Range{Start: e.Addr &^ (size - 1), End: e.Addr&^(size-1) + size}
		return []vmspace.Range{st.Focus}
	case trace.Fork:
		c := verb.ForeignCall(e.Nr, e.Args, e.Value)
		st.Verb, st.Call, st.Value, st.HasValue = c.Name, c.Text, uint64(e.Child), true
		if e.Thread {
			return nil
		}
		r.member(e.Child, st.Process)
		r.begun[r.label(e.Child)] = r.begun[st.Process]
		if e.Shared {
			r.members[len(r.members)-1].Shares = r.space(st.Process)
		}
	case trace.Exec:
		st.Verb, st.Call = "execve", "execve()"
		r.reader.Forget(e.PID)
		delete(r.begun, st.Process)
		for i := range r.members {
			if r.members[i].Label == st.Process {
				r.members[i].Shares = ""
			}
		}
	case trace.Exit:
		st.Call = fmt.Sprintf("exited %d", e.Status)
		ended := fmt.Sprintf("exited with %d", e.Status)
		if e.Signal != 0 {
			sig := subject.Signal{Signo: e.Signal}
			st.Call = "killed by " + sig.Name()
			ended = "was " + st.Call
		}
		if i := slices.IndexFunc(r.members, func(m vmspace.Member) bool { return m.Label == st.Process }); i >= 0 {
			m := family.Stranger(r.members[i])
			m.Gone = ended
			r.gone = append(r.gone, m)
			r.gone = r.gone[max(0, len(r.gone)-mostGone):]
		}
		if st.Process == "p1" {
			r.status = 128 + int(e.Signal)
			if e.Signal == 0 {
				r.status = e.Status
			}
		}
	}
	return everything
}

// mostGone is of how many processes that ended it is known how.
const mostGone = 100

// space is the label of the address space that a process runs in.
func (r *Run) space(label string) string {
	for _, m := range r.members {
		if m.Label == label {
			return m.Space()
		}
	}
	return label
}

// did is what a page fault did, by the page before and after it.
func (r *Run) did(st *history.Step, e trace.Event) vmspace.Happening {
	was, is := st.Before.Process(st.Process), st.After.Process(st.Process)
	if was == nil || is == nil {
		return ""
	}
	m, ok := is.MappingAt(e.Addr)
	if !ok {
		return ""
	}
	size := st.After.PageSize
	before, after := was.PageAt(e.Addr, size), is.PageAt(e.Addr, size)
	did := vmspace.FaultDid(m, before, after, e.Addr, size, st.After.Frames)
	if did != "" || before.Frame == 0 || after.Frame == 0 || m.Private() != (after.State == vmspace.Anon) || before.State != after.State {
		return did
	}
	// It was there, and between the two pictures it had no other fault: the right to write was missing.
	if before.FrameOf((e.Addr-before.Start)/size) == after.FrameOf((e.Addr-after.Start)/size) {
		return vmspace.Reuse
	}
	if !m.Private() {
		return did // it may have been dropped and brought in anew
	}
	return vmspace.Copy
}

// wrote says what a thread has written where it was waited for.
func (r *Run) wrote(e trace.Event) string {
	i := slices.IndexFunc(r.breaks, func(b trace.Breakpoint) bool { return b.Addr == e.Addr && b.Written > 0 })
	if i < 0 {
		return ""
	}
	buf := make([]byte, r.breaks[i].Written)
	present, err := r.reader.Peek(e.PID, e.Addr, buf)
	if err != nil || slices.Contains(present, false) {
		return ""
	}
	var word [8]byte
	copy(word[:], buf)
	now := "is now"
	if !trace.WrittenBehind {
		now = "has been"
	}
	return fmt.Sprintf("The value there %s %d (%s).", now, binary.LittleEndian.Uint64(word[:]), amount.Of(uint64(len(buf)), "byte"))
}

// stopAt gives the program these breakpoints, and no others.
func (r *Run) stopAt(at []trace.Breakpoint) error {
	r.breaks = at
	return r.program.Break(at)
}

// acted takes notice of what a command of the lab has made the program do.
func (r *Run) acted(st *history.Step, f *family.Family) {
	for _, m := range f.Members {
		if m.Gone == "" && r.labels[m.PID] != m.Label { // a child
			r.member(m.PID, m.Parent)
			r.begun[m.Label] = r.begun[m.Parent]
		}
	}
	r.steps++
	r.last, r.names = st.After, st.Names
	r.untold(st.After) // its faults are no events
	r.bury()
}

// Begun reports whether the program of a process has caused an event: until then the loader did.
func (r *Run) Begun(label string) bool { return r.begun[label] }

// bury forgets who is gone, once its end was told: a picture may know of that first.
func (r *Run) bury() {
	r.members = slices.DeleteFunc(r.members, func(m vmspace.Member) bool {
		p := r.last.Process(m.Label)
		told := slices.ContainsFunc(r.gone, func(g *family.Member) bool { return g.Label == m.Label })
		return told && p != nil && p.State == vmspace.Gone
	})
}
