package actions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Options are how a session starts.
type Options struct {
	ASLR   bool // randomise the subject's addresses
	Limits family.Limits
	// Brief is for sessions without going back in time: only the last few hundred steps are kept.
	Brief bool
	// Glance is for sessions whose counters and VmFlags are not shown: after each step only what it
	// can have changed is read.
	Glance     bool
	AllowPaths []string // files and folders outside the scratch folder that may be mapped
	// AllowProgram lets the program run that a lesson or a demo in a file brings along.
	AllowProgram bool
}

// Info describes a lab for a screen.
type Info struct {
	Mode   string   // "replay", "watch"; "" for a session
	Kernel string   // "Linux 6.18"
	Rights string   // what this user may see
	Note   string   // what else there is to say, such as when a recording was made
	Cost   []string // what watching costs, so far as it is known, for the head of the screen
	// Refuses says why no command runs here; "" where they do.
	Refuses string
	// Still says that nothing happens here any more.
	Still bool
}

// Session is a family of subject processes, the language that drives them, and the history of what
// happened. Its methods may be called from any goroutine; commands run one after another.
type Session struct {
	f       *family.Family
	opts    Options
	info    Info
	grammar *lang.Grammar
	rhythm  observe.Rhythm // of polls
	glanced bool           // the last snapshot lacks what a glance leaves out
	log     *history.Log

	closing sync.Once
	turn    sync.Mutex                         // held while a command or a poll runs
	waiting atomic.Int32                       // number of goroutines that wait for the turn
	makeWay atomic.Pointer[context.CancelFunc] // cancels the reading of a poll, for those that wait
	mu      sync.Mutex                         // guards the field below
	// The last step that was a command and not an expectation, nil before the first.
	command *history.Step
}

// Open starts a subject and takes the first snapshot. A *StartError says in one line what prevents
// the start; any other error is about the options.
func Open(opts Options) (*Session, error) { return openWith(opts, systemCalls(), firstArguments()) }

// openWith is Open for subjects that may make the given system calls.
func openWith(opts Options, calls []uintptr, first map[uintptr][]uint32) (*Session, error) {
	g, err := Grammar()
	if err != nil {
		return nil, err
	}
	f, err := family.New(family.Options{ASLR: opts.ASLR, Limits: opts.Limits, AllowPaths: opts.AllowPaths, Calls: calls, First: first})
	if err != nil {
		return nil, err
	}
	room := history.Ample
	if opts.Brief {
		room = history.Brief
	}
	s := &Session{opts: opts, grammar: g, f: f, rhythm: observe.Rhythm{Share: lookShare}, log: history.NewLog(room)}
	if err := s.begin(); err != nil {
		s.Close()
		return nil, &family.StartError{Err: err}
	}
	f.Guard()
	return s, nil
}

// begin starts the first subject and writes step 0.
func (s *Session) begin() error {
	var step *history.Step
	err := s.do(func() error {
		err := s.f.Fresh()
		if err != nil {
			return err
		}
		snap, err := s.f.Observe(observe.Scope{})
		if err != nil {
			return err
		}
		s.info = Machine(snap)
		m := s.f.Members[len(s.f.Members)-1]
		if m.Subject().Randomized() && !s.opts.ASLR {
			s.info.Rights += ", addresses vary: randomisation cannot be switched off here"
		}
		step = s.newStep(m.Label, nil, snap)
		step.Event = "a fresh process: text, stack and what the kernel lends it"
		step.Why = "Nothing is mapped yet but the program itself. m maps memory, w writes to it, f forks."
		return nil
	})
	if err == nil {
		s.append(step)
	}
	return err
}

// Do runs one command line. A *lang.SyntaxError says that nothing ran and why; other errors are
// failures of cowscope itself. The kernel's answer, including the death of a process, is in the
// step. A blank line gives neither a step nor an error. A line with repeat makes a step each time,
// and Do returns the last one; an error ends the repetition.
func (s *Session) Do(ctx context.Context, line string) (*history.Step, error) {
	cmd, err := s.grammar.Parse(line)
	if err != nil || cmd == nil {
		return nil, err
	}
	return s.run(ctx, cmd)
}

// run runs a parsed command.
func (s *Session) run(ctx context.Context, cmd *lang.Command) (st *history.Step, err error) {
	for range cmd.Times {
		if st, err = s.take(ctx, func() (*history.Step, error) { return s.perform(cmd) }); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// perform runs a command on the tracing thread and makes its step.
func (s *Session) perform(cmd *lang.Command) (*history.Step, error) {
	c := &verb.Call{F: s.f, Last: s.lastCommand(), Cmd: cmd, Names: s.f.Names, Current: s.f.Current}
	label := s.f.Current
	if cmd.Process != "" {
		label = cmd.Process
	}
	if c.P = s.f.Member(label); c.P == nil {
		return nil, cmd.ErrorAt(cmd.ProcessSpan, "there is no process "+label, "there are: "+s.f.Labels())
	}
	c.Action = actionOf(cmd.Verb.Name)
	c.Args = c.Arguments()
	before, err := s.before(c)
	if err != nil {
		return nil, err
	}
	c.MinorBefore, c.MajorBefore = c.P.Proc.Faults()
	if c.P.Gone != "" && !c.Action.Dead {
		c.Result, c.Note = history.Exited, c.P.Label+" "+c.P.Gone+"; nothing can run in it any more."
	} else if err := s.attempt(c); err != nil {
		return nil, err
	}
	if c.Action.Access != nil && !c.Focus.Empty() {
		c.Predicted = s.foretell(c)
	}
	for _, m := range s.f.Sharing(c.P) { // what has a name in an address space has it for all
		c.Names = c.Names.Inherit(c.P.Label, m.Label)
	}
	s.f.Names, s.f.Current = c.Names, c.Current
	s.f.HoldNames()
	after, err := s.after(c, before)
	if err != nil {
		return nil, err
	}
	s.f.Forget(after)
	if !c.Action.Check {
		s.f.See(after, &c.Doing, c.Removed && c.OK())
	}
	step := s.newStep(c.P.Label, before, after)
	step.Check, step.Command, step.Verb, step.Outcome = c.Action.Check, canonical(cmd, s.last().Current), cmd.Verb.Name, c.Outcome
	step.Changes = vmspace.DiffBy(before, after, step.Process)
	step.Minor, step.Major = faultsBetween(before, after, c.P.Label)
	if len(step.Predicted) > 0 {
		step.Happened = happened(step, c)
	}
	if step.Why = c.Note; step.Why == "" {
		step.Why = explain.Step(step, c.Args, s.surroundings(step, c))
	}
	return step, nil
}

// newStep makes a step of the process label, with the current state of the family.
func (s *Session) newStep(label string, before, after *vmspace.Snapshot) *history.Step {
	st := &history.Step{Process: label, Outcome: history.Outcome{Result: history.OK}, Before: before, After: after, Names: s.f.Names, Current: s.f.Current, Files: s.f.Entries, Facts: s.facts()}
	if before != nil {
		st.Keys, st.Limits = s.last().Keys, s.last().Limits
	}
	st.Keys, st.Limits = s.f.Rights(st.Keys), s.f.Changed(st.Limits)
	if m := s.f.Member(label); m != nil {
		st.PID = m.PID
	}
	return st
}

// attempt runs the action and sorts its results: the kernel's answer stays in c, a process that is
// gone becomes the result "exited", everything else is an error of cowscope.
func (s *Session) attempt(c *verb.Call) error {
	began := time.Now()
	s.f.Running = &c.Doing
	defer func() { s.f.Running = nil }()
	err := c.Action.Run(c)
	if err == nil {
		err = s.holdMemory(c, time.Since(began))
	}
	if err == nil {
		return nil
	}
	var exited *subject.ExitedError
	if errors.As(err, &exited) {
		with := s.f.Sharing(c.P)
		s.f.Ended(c.P, exited)
		c.Result, c.Note = history.Exited, c.P.Label+" "+c.P.Gone+"."
		switch {
		case exited.Over:
			c.Note = s.f.OverText(c.P.Label) + s.f.EndSharing(with)
		case exited.Full:
			c.Note += " It holds a little more than cowscope's limit. --max-memory raises both."
		}
		return nil
	}
	if child := s.f.Awaited(c.P); child != nil && errors.Is(err, subject.ErrAwaits) {
		c.Outcome = history.Outcome{Result: history.Refused}
		c.Note = c.P.Label + " waits in vfork until " + child.Label + " exits."
		return nil
	}
	if unable := (*subject.UnableError)(nil); errors.As(err, &unable) {
		c.Outcome = history.Outcome{Result: history.Refused, Call: c.Call}
		c.Note = fmt.Sprintf("Not asked of the kernel: %s cannot act now, because %s.", c.P.Label, unable.Why)
		return nil
	}
	if errors.Is(err, subject.ErrStubs) {
		c.Result = history.Exited
		c.Note = "The instructions that cowscope runs in " + c.P.Label + " are no longer in its memory, so it cannot act any more. K kills it, n starts a fresh one."
		return nil
	}
	return err
}

// canonical is the line as the log shows it, without repeat, since each repetition is a step, and
// without the current process, since the log names it anyway.
func canonical(cmd *lang.Command, current string) string {
	c := *cmd
	c.Times = 1
	if c.Process == current {
		c.Process = ""
	}
	return c.String()
}

func faultsBetween(a, b *vmspace.Snapshot, label string) (minor, major uint64) {
	x, y := a.Process(label), b.Process(label)
	if x == nil || y == nil || x.PID != y.PID || y.MinorFlt < x.MinorFlt || y.MajorFlt < x.MajorFlt {
		return 0, 0
	}
	return y.MinorFlt - x.MinorFlt, y.MajorFlt - x.MajorFlt
}

// History returns the steps that are kept, oldest first: see history.Log. The caller may change the
// slice.
func (s *Session) History() []*history.Step { return s.log.Steps() }

// Follow tells f of every step from number from on, as it happens.
func (s *Session) Follow(from int, f func(*history.Step)) { s.log.Follow(from, f) }

// Keep keeps a step in the history.
func (s *Session) Keep(n int) { s.log.Keep(n) }

func (s *Session) last() *history.Step { return s.log.Last() }

func (s *Session) append(st *history.Step) {
	if st.Command != "" && !st.Check {
		s.mu.Lock()
		s.command = st
		s.mu.Unlock()
	}
	s.log.Add(st)
	s.f.Now, s.f.Next = st.After, st.N+1
}

// Grammar is the language that Do understands.
func (s *Session) Grammar() *lang.Grammar { return s.grammar }

// Info describes the machine.
func (s *Session) Info() Info { return s.info }

// Close ends every process of the family. It may be called at any time, also while a command runs,
// and more than once: a later call waits until everything is closed.
func (s *Session) Close() (err error) {
	s.closing.Do(func() { err = s.f.Close() })
	return err
}

// holdMemory kills the process that acted if the family exceeds its memory limit.
func (s *Session) holdMemory(c *verb.Call, took time.Duration) error {
	if c.Action.Check || !s.f.Overdrawn(took, c.TookNothing) {
		return nil
	}
	c.Note = s.f.OverText(c.P.Label)
	if c.P.Gone != "" {
		return nil
	}
	with := s.f.Sharing(c.P)
	_, err := c.P.Subject().Kill(syscall.SIGKILL)
	var exited *subject.ExitedError
	if !errors.As(err, &exited) {
		return err
	}
	s.f.Ended(c.P, exited)
	c.Result = history.Exited
	c.Note += s.f.EndSharing(with)
	return nil
}

// surroundings is what the session knows about a step that it has made.
func (s *Session) surroundings(st *history.Step, c *verb.Call) explain.Surroundings {
	program, _ := subject.Text()
	around := explain.Surroundings{Settings: kernel.Settings{PID: c.P.PID}, Past: s.log.Recent(), File: c.Opened, StoppedAt: c.Ending.IP, Trapped: c.Ending.Trap, Program: program,
		Traits: c.P.Traits(), Child: c.Child, Gone: c.P.Gone, Parent: c.P.Parent}
	if fd, given := c.Cmd.Number("fd"); given && !st.OK() {
		around.File = kernel.Descriptor(c.P.PID, fd)
	}
	return around
}

// lastCommand is the last step that was a command and not an expectation, nil before the first.
func (s *Session) lastCommand() *history.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.command
}
