package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cowscope/actions"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/scratch"
	"cowscope/actions/subject"
	"cowscope/actions/trace"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// Lab is a program that is run, as the screen drives it: the words of Do let it run on, and commands
// have it act where it is stopped. What it writes goes to a terminal of its own, and is told with the
// step.
type Lab struct {
	run     *Run
	grammar *lang.Grammar
	files   *scratch.Folder // that commands map
	info    actions.Info
	log     *history.Log
	turn    sync.Mutex // held while the program runs
	halt    atomic.Pointer[context.CancelFunc]
	term    *terminal
	made    string // a folder that was made for the program; "" for none
	ended   error
	closing sync.Once
	closed  error
}

// mostEvents is how many events Continue lets pass.
const mostEvents = 10_000

// OpenLab starts a program, and lets it run to its function main. Where that has no name, it goes to
// the first event that is the program's own, and not the loader's. A process that is attached to is
// stopped where it is.
func OpenLab(ctx context.Context, cfg trace.Config) (*Lab, error) {
	g, err := Grammar()
	if err != nil {
		return nil, err
	}
	files, err := scratch.New(nil)
	if err != nil {
		return nil, err
	}
	var t *terminal
	if cfg.PID == 0 {
		if t, err = openTerminal(); err != nil {
			return nil, errors.Join(err, files.Close())
		}
		cfg.Files, cfg.Terminal = []*os.File{t.slave, t.slave, t.slave}, true
	}
	r, err := Open(cfg)
	if err != nil {
		t.close()
		return nil, errors.Join(err, files.Close())
	}
	l := &Lab{run: r, grammar: g, files: files, log: history.NewLog(history.Ample), term: t}
	first, err := r.Next(ctx)
	if err != nil {
		l.Close()
		return nil, err
	}
	l.info = r.Info()
	l.log.Add(first)
	ready := l.load
	if cfg.PID != 0 {
		ready = r.settle
	}
	if err := ready(ctx, first); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// load lets the loader run. All that it did is one step.
func (l *Lab) load(ctx context.Context, first *history.Step) error {
	var last *history.Step
	n, toMain, before := 0, false, " of the loader"
	p := first.After.Processes[0]
	for _, s := range l.run.table.Find(p.PID, p.Mappings, "main") {
		if s.Code {
			before = " before main"
			toMain = l.run.stopAt([]trace.Breakpoint{{Addr: s.Start}}) == nil
			defer l.run.stopAt(nil)
			break
		}
	}
	for {
		st, err := l.run.Next(ctx)
		if err != nil && !errors.Is(err, trace.ErrEnded) {
			return err
		}
		own := err != nil || !toMain && l.run.Begun(st.Process) || st.Event == trace.Reached.String() || st.Event == trace.Signal.String() || st.Event == trace.Exit.String()
		if own && last != nil {
			last.Before = first.After
			last.Event, last.Call, last.Verb, last.Happened, last.At = amount.Of(uint64(n), "event")+before, "", "", "", nil
			last.Result, last.Faults, last.Focus = history.OK, nil, vmspace.Range{}
			last.Changes = vmspace.Diff(first.After, last.After)
			last.Why = summary(last)
			l.log.Add(last)
		}
		if err != nil {
			l.ended = err
			return nil
		}
		if own {
			err := l.run.settle(ctx, st)
			l.tell(st)
			return err
		}
		last = st
		n++
	}
}

// tell adds a step, and what the program has written since the last one that it was told with.
func (l *Lab) tell(st *history.Step) {
	if l.ended != nil {
		l.term.finish()
	}
	st.Wrote = l.term.take()
	st.Why = strings.TrimSpace(st.Why + " " + history.WroteText(st.Wrote))
	l.log.Add(st)
}

// Close ends the program. Closing again does nothing.
func (l *Lab) Close() error {
	l.closing.Do(func() {
		l.closed = l.run.Close()
		l.term.close()
		if l.made != "" {
			l.closed = errors.Join(l.closed, os.RemoveAll(l.made))
		}
		l.closed = errors.Join(l.closed, l.files.Close())
	})
	return l.closed
}

// Do runs a line of the language: a word lets the program run on, an expectation is held against
// where it is, and any other command the program carries out there.
func (l *Lab) Do(ctx context.Context, text string) (st *history.Step, err error) {
	cmd, err := l.grammar.Parse(text)
	if err != nil || cmd == nil {
		return nil, err
	}
	switch cmd.Verb.Name {
	case Stop:
		if halt := l.halt.Load(); halt != nil {
			(*halt)()
		}
		return nil, nil
	case Type:
		text, _ := cmd.Bytes("text")
		return nil, l.term.keys(text)
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	for range cmd.Times {
		switch w := wordOf(cmd.Verb.Name); {
		case w != nil:
			st, err = l.advance(ctx, w, cmd)
		case actions.IsCheck(cmd):
			st, err = l.judge(ctx, cmd)
		default:
			st, err = l.act(ctx, cmd)
		}
		if err != nil {
			return nil, err
		}
	}
	return st, nil
}

// advance lets the program run as far as a word says.
func (l *Lab) advance(ctx context.Context, w *word, cmd *lang.Command) (*history.Step, error) {
	g, err := w.goal(l, cmd)
	if err != nil {
		return nil, err
	}
	if len(g.breaks) > 0 {
		if err := l.run.stopAt(g.breaks); err != nil {
			_ = l.run.stopAt(nil)
			return nil, cmd.ErrorAt(cmd.VerbSpan, fmt.Sprintf("the kernel sets no breakpoint: it answers %v", err), "perf-faults in cowscope doctor says what would help")
		}
		defer l.run.stopAt(nil)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.halt.Store(&cancel)
	defer l.halt.Store(nil)
	var last *history.Step
	for n := 1; ; n++ {
		st, err := l.next(ctx)
		switch {
		case err == nil && last != nil:
			l.log.Add(last)
		case last != nil:
			if g.reached != nil {
				last.Why = strings.TrimSpace(fmt.Sprintf("%s The program ended before %q was reached.", last.Why, cmd.String()))
			}
			l.tell(last)
		}
		switch {
		case err != nil && l.ended != nil && last != nil:
			return last, nil
		case err != nil:
			return nil, err
		}
		enough := g.reached == nil && n == mostEvents
		if st.Event == trace.Signal.String() || ctx.Err() != nil || g.reached != nil && g.reached(st) || enough {
			err := l.run.settle(context.WithoutCancel(ctx), st)
			if enough {
				st.Why = strings.TrimSpace(fmt.Sprintf("%s %s have passed: the program is stopped, and %s lets it run on.", st.Why, amount.Of(uint64(n), "event"), Continue))
			}
			l.tell(st)
			return st, err
		}
		last = st
	}
}

// unlimited are cowscope's own limits, which are not for programs.
var unlimited = family.Limits{Processes: math.MaxInt32, Memory: math.MaxUint64}

// family is the program as a command finds it.
func (l *Lab) family(ctx context.Context) *family.Family {
	st := l.log.Last()
	f := &family.Family{Reader: l.run.reader, Life: ctx, Files: l.files, Entries: l.files.Entries(), Now: st.After, Next: st.N + 1, Current: st.Current,
		Names: st.Names, Born: l.run.born, Limits: unlimited,
		// What the program has done to its memory is not known.
		Copied: true, Reprotected: true, WriteTracked: true, ProtectedMoved: true}
	f.Named = func(label, name string) (vmspace.Range, bool) { return l.run.variable(st, label, name) }
	f.Members = slices.Clone(l.run.gone)
	for _, m := range l.run.members { // one that has ended stays there until its parent knows
		if f.Member(m.Label) == nil {
			f.Members = append(f.Members, family.Stranger(m))
		}
	}
	return f
}

// judge holds an expectation against the program where it is.
func (l *Lab) judge(ctx context.Context, cmd *lang.Command) (*history.Step, error) {
	judged, err := actions.Judge(ctx, l.family(ctx), cmd, l.run.steps, l.event())
	if err != nil {
		return nil, err
	}
	l.run.steps++
	l.log.Add(judged)
	return judged, nil
}

// Ask holds an expectation against the program where it is. It is no step of the history.
func (l *Lab) Ask(ctx context.Context, line string) (*history.Step, error) {
	cmd, err := l.grammar.Parse(line)
	switch {
	case err != nil || cmd == nil:
		return nil, err
	case wordOf(cmd.Verb.Name) != nil || !actions.IsCheck(cmd):
		return nil, cmd.ErrorAt(cmd.VerbSpan, cmd.Verb.Name+" does something, and only expectations are asked", "such as expect page a anon")
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	return actions.Judge(ctx, l.family(ctx), cmd, l.run.steps, l.event())
}

// Foresee predicts an access as if the program made it now, for the first page that it touches.
func (l *Lab) Foresee(ctx context.Context, line string) (vmspace.Prediction, error) {
	cmd, err := l.grammar.Parse(line)
	if err != nil || cmd == nil {
		return vmspace.Prediction{}, err
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	return actions.Foretell(l.family(ctx), l.log.Last(), cmd)
}

// Keep keeps a step in the history.
func (l *Lab) Keep(step int) { l.log.Keep(step) }

// act has the program do what a command of the lab says, where it is stopped.
func (l *Lab) act(ctx context.Context, cmd *lang.Command) (st *history.Step, err error) {
	if l.ended != nil {
		return nil, fmt.Errorf("nothing is left of the program: %s", l.log.Last().Call)
	}
	f := l.family(ctx)
	err = l.run.program.Act(func(who func(pid, tid int) *trace.Actor) (err error) {
		for _, m := range f.Members {
			m.Proc = actor{who(m.PID, l.run.event.TID)}
		}
		st, err = actions.Perform(f, l.log, cmd)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.run.acted(st, f)
	l.log.Add(st)
	return st, nil
}

// actor is who acts for a process of the program.
type actor struct{ *trace.Actor }

func (a actor) Fork() (family.Actor, subject.Ending, error) {
	child, e, err := a.Actor.Fork()
	if child == nil {
		return nil, e, err
	}
	return actor{child}, e, err
}

// event is the last step that is an event.
func (l *Lab) event() *history.Step {
	for _, st := range slices.Backward(l.log.Steps()) {
		if !st.Check {
			return st
		}
	}
	return nil
}

func (l *Lab) next(ctx context.Context) (*history.Step, error) {
	if l.ended != nil {
		return nil, fmt.Errorf("nothing is left of the program: %s", l.log.Last().Call)
	}
	st, err := l.run.Next(ctx)
	switch {
	case errors.Is(err, trace.ErrEnded):
		l.ended = err
		return l.next(ctx)
	case err != nil && ctx.Err() != nil:
		return l.run.Stopped(context.WithoutCancel(ctx))
	case err != nil:
		return nil, err
	}
	return st, nil
}

// Resize tells the terminal of the program how much of what is written there is shown.
func (l *Lab) Resize(columns, rows int) { l.term.resize(columns, rows) }

// Poll gives nothing: a program that is stopped changes nothing.
func (l *Lab) Poll(context.Context) (*history.Step, error) { return nil, nil }

// Peek reads the bytes of the page at addr if it is present, and never otherwise.
func (l *Lab) Peek(_ context.Context, label string, addr uint64) ([]byte, error) {
	p := l.log.Last().After.Process(label)
	if p == nil || !p.Alive() {
		return nil, nil
	}
	size := l.log.Last().After.PageSize
	buf := make([]byte, size)
	present, err := l.run.reader.Peek(p.PID, addr&^(size-1), buf)
	if err != nil || !present[0] {
		return nil, err
	}
	return buf, nil
}

// History returns the steps that are kept, oldest first.
func (l *Lab) History() []*history.Step { return l.log.Steps() }

// Follow calls f with every step from number from on, as it happens.
func (l *Lab) Follow(from int, f func(*history.Step)) { l.log.Follow(from, f) }

// Grammar is the language of the lab.
func (l *Lab) Grammar() *lang.Grammar { return l.grammar }

// Info says what is run, and on which machine.
func (l *Lab) Info() actions.Info { return l.info }

// Untold is why page faults are not told, and what would help; "" if they are.
func (l *Lab) Untold() string {
	if err := l.run.Untold(); err != nil {
		return fmt.Sprintf("page faults are not told: perf_event_open answers %v; cowscope doctor says what would help", err)
	}
	return ""
}
