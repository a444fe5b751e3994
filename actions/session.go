package actions

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Options are how a session begins.
type Options struct {
	ASLR   bool // randomise the subject's addresses
	Limits family.Limits
	// Brief is for what nobody walks back through: only the last few hundred steps are kept.
	Brief bool
	// Glance is for steps whose counters and VmFlags nobody looks at: no more is read than each can
	// have changed.
	Glance     bool
	AllowPaths []string // files and folders outside the scratch folder that may be mapped
}

// Info is what a screen says of the machine.
type Info struct {
	Kernel string // "Linux 6.18"
	Rights string // what this user may see
	// Recorded says of a recording when it was made; "" for what is live.
	Recorded string
}

// Session is a family of subject processes, the language that drives them, and the history of what
// happened. Its methods may be called from any goroutine; commands run one after another.
type Session struct {
	f        *family.Family
	opts     Options
	info     Info
	grammar  *lang.Grammar
	fullLook time.Time // when a poll may next read everything
	glanced  bool      // the last snapshot lacks what a glance leaves out

	closing sync.Once
	turn    sync.Mutex                         // held while a command or a poll runs
	waiting atomic.Int32                       // those who want the turn
	makeWay atomic.Pointer[context.CancelFunc] // ends the reading of a poll, for them
	mu      sync.Mutex                         // guards what follows
	history []*history.Step
	weight  int           // of it
	steps   int           // made so far
	command *history.Step // the last one that was a command and no expectation, nil before the first
}

// Open starts a subject and takes the first snapshot. A *StartError says in one line what refuses
// it; another error is about the options.
func Open(opts Options) (*Session, error) { return openWith(opts, systemCalls()) }

// openWith is Open for subjects that may make these system calls.
func openWith(opts Options, calls []uintptr) (*Session, error) {
	g, err := Grammar()
	if err != nil {
		return nil, err
	}
	f, err := family.New(family.Options{ASLR: opts.ASLR, Limits: opts.Limits, AllowPaths: opts.AllowPaths, Calls: calls})
	if err != nil {
		return nil, err
	}
	s := &Session{opts: opts, grammar: g, f: f}
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
		s.info = machine(snap)
		m := s.f.Members[len(s.f.Members)-1]
		if m.Proc.Randomized() && !s.opts.ASLR {
			s.info.Rights += ", addresses vary: randomisation cannot be switched off here"
		}
		step = &history.Step{Process: m.Label, PID: m.PID, Event: "a fresh process: text, stack and what the kernel lends it",
			Outcome: history.Outcome{Result: history.OK}, After: snap, Names: s.f.Names, Current: s.f.Current,
			Why: "Nothing is mapped yet but the program itself. m maps memory, w writes to it, f forks."}
		return nil
	})
	if err == nil {
		s.append(step)
	}
	return err
}

// Do runs one command line. A *lang.SyntaxError says that nothing ran and why; other errors are
// cowscope's own failures. What the kernel answers, a dead process included, is in the step. A
// blank line gives no step and no error.
func (s *Session) Do(ctx context.Context, line string) (*history.Step, error) {
	cmd, err := s.grammar.Parse(line)
	if err != nil || cmd == nil {
		return nil, err
	}
	return s.run(ctx, cmd)
}

// run runs a command that was understood.
func (s *Session) run(ctx context.Context, cmd *lang.Command) (*history.Step, error) {
	return s.take(ctx, func() (*history.Step, error) { return s.perform(cmd) })
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
	s.f.Names, s.f.Current = c.Names, c.Current
	s.f.HoldNames()
	after, err := s.after(c, before)
	if err != nil {
		return nil, err
	}
	step := &history.Step{Check: c.Action.Check, Process: c.P.Label, PID: c.P.PID, Command: canonical(cmd, s.last().Current), Verb: cmd.Verb.Name, Outcome: c.Outcome, Facts: s.facts(),
		Before: before, After: after, Names: s.f.Names, Current: s.f.Current, Changes: vmspace.Diff(before, after)}
	s.f.Forget(after)
	if !c.Action.Check {
		s.f.See(after, &c.Doing, c.Removed && c.OK())
	}
	step.Minor, step.Major = faultsBetween(before, after, c.P.Label)
	if len(step.Predicted) > 0 {
		step.Happened = happened(step, c)
	}
	if step.Why = c.Note; step.Why == "" {
		step.Why = explain.Step(step, c.Args, s.surroundings(step, c))
	}
	return step, nil
}

// attempt runs the action and sorts its endings: what the kernel answered stays in c, a process
// that is gone becomes the result "exited", everything else is an error of cowscope.
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
		c.P.Gone = family.HowEnded(exited)
		c.Result, c.Note = history.Exited, c.P.Label+" "+c.P.Gone+"."
		switch {
		case exited.Over:
			c.Note = s.f.OverText(c.P.Label)
		case exited.Full:
			c.Note += " It holds a little more than cowscope's limit. --max-memory raises both."
		}
		return nil
	}
	if errors.Is(err, subject.ErrStubs) {
		c.Result = history.Exited
		c.Note = "The instructions that cowscope runs in " + c.P.Label + " are no longer in its memory, so it cannot act any more. K kills it, n starts a fresh one."
		return nil
	}
	return err
}

// canonical is the line as the log shows it: the process is left out where it is the current one,
// since the log names it anyway.
func canonical(cmd *lang.Command, current string) string {
	c := *cmd
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

// History is every step so far, oldest first. The slice is the caller's own.
func (s *Session) History() []*history.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history[:len(s.history):len(s.history)]
}

func (s *Session) last() *history.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history[len(s.history)-1]
}

// briefSteps is how far back explanations look for what a step may have to do with, where not all
// of the history is kept.
const (
	briefSteps  = 256
	briefWeight = 8 << 20 // bytes of them
)

func (s *Session) append(st *history.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.history); n > 0 {
		st.Keys = s.history[n-1].Keys
	}
	st.N, st.Files, st.Facts, st.Keys = s.steps, s.f.Entries, s.facts(), s.f.Rights(st.Keys)
	s.steps++
	if st.Command != "" && !st.Check {
		s.command = st
	}
	s.history = append(s.history, st)
	s.f.Now, s.f.Next = st.After, s.steps
	s.weight += st.Weight()
	if n := len(s.history); s.opts.Brief && (n >= 2*briefSteps || s.weight > briefWeight) {
		s.history = slices.Clone(s.history[max(n-briefSteps, n/2):])
		s.weight = 0
		for _, st := range s.history {
			s.weight += st.Weight()
		}
	}
}

// Grammar is the language that Do understands.
func (s *Session) Grammar() *lang.Grammar { return s.grammar }

// Info says what there is to say of the machine.
func (s *Session) Info() Info { return s.info }

// Close ends every process of the family. It may be called at any time, also while a command runs,
// and more than once: who comes later waits until all is closed.
func (s *Session) Close() (err error) {
	s.closing.Do(func() { err = s.f.Close() })
	return err
}

// holdMemory kills the process that acted if the family takes more than it may now.
func (s *Session) holdMemory(c *verb.Call, took time.Duration) error {
	if c.Action.Check || !s.f.Overdrawn(took, c.TookNothing) {
		return nil
	}
	c.Note = s.f.OverText(c.P.Label)
	if c.P.Gone != "" {
		return nil
	}
	_, err := c.P.Proc.Kill(syscall.SIGKILL)
	var exited *subject.ExitedError
	if !errors.As(err, &exited) {
		return err
	}
	c.P.Gone = family.HowEnded(exited)
	c.Result = history.Exited
	return nil
}

// surroundings is what the session knows of a step that it has made.
func (s *Session) surroundings(st *history.Step, c *verb.Call) explain.Surroundings {
	program, _ := subject.Text()
	around := explain.Surroundings{Past: s.History(), File: c.Opened, StoppedAt: c.Ending.IP, Trapped: c.Ending.Trap, Keys: c.P.Keys, Program: program,
		Allocated: c.P.Allocated, LocksFuture: c.P.LocksFuture, Child: c.Child, Gone: c.P.Gone, Parent: c.P.Parent}
	if fd, given := c.Cmd.Number("fd"); given && !st.OK() {
		around.File = explain.Descriptor(c.P.PID, fd)
	}
	return around
}

// lastCommand is the last step that was a command and no expectation, nil before the first.
func (s *Session) lastCommand() *history.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.command
}
