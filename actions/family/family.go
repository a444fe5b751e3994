// Package family is the processes of a session, under control: who there is, what they are called,
// the files that they map, what they may take, and what was read of them last. It knows no command
// and no history.
package family

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/actions/scratch"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Family is the processes of a session, the files that they map, and what they may take. What it
// does to a process is done on the thread that traces.
type Family struct {
	config     subject.Config
	Limits     Limits
	Tracer     *subject.Tracer
	Reader     *observe.Reader
	Life       context.Context // of all reading; Close ends it
	leave      context.CancelFunc
	Files      *scratch.Folder
	Entries    []history.File // what files holds
	StackLimit uint64         // RLIMIT_STACK of the first subject, which its children inherit; in bytes
	Members    []*Member      // in order of birth, the last of the dead ones too
	Born       int            // processes so far, for their labels
	Names      history.Names
	Bound      int               // names bound since there were last too many
	Current    string            // the label of the process that acts where none is named
	Now        *vmspace.Snapshot // as it was read last
	Next       int               // the number of the step after that
	Running    *Doing            // under way, nil between commands
	takers     int               // commands so far that can have taken memory
	unasked    uint64            // bytes that commands can have taken since it was last asked how much there is
	Shared     SharedPages       // what shared memory was seen to hold
	// Reprotected says that letters were changed by mprotect or pkey_mprotect.
	Reprotected bool
	keyless     bool // this processor has no rights to protection keys, as far as cowscope can read them
}

// Options are how a family begins.
type Options struct {
	ASLR       bool // randomise the addresses
	Limits     Limits
	AllowPaths []string  // files and folders outside the scratch folder that may be mapped
	Calls      []uintptr // the system calls that the processes may make
}

// StartError says that no subject could be started.
type StartError struct{ Err error }

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// New makes a family without any process. A *StartError says what refuses it; another error is
// about the options.
func New(o Options) (*Family, error) {
	files, err := scratch.New(o.AllowPaths)
	if err != nil {
		return nil, err
	}
	f := &Family{Files: files, Limits: o.Limits.withDefaults()}
	f.config = subject.Config{ASLR: o.ASLR, Memory: f.Limits.cgroup(), Calls: o.Calls}
	f.Life, f.leave = context.WithCancel(context.Background())
	if f.Reader, err = observe.NewReader(observe.Options{}); err == nil {
		f.Tracer, err = subject.NewTracer()
	}
	if err != nil {
		f.Close()
		return nil, &StartError{err}
	}
	return f, nil
}

// Close ends every process. It may be called at any time, once.
func (f *Family) Close() (err error) {
	f.leave()
	if f.Tracer != nil {
		err = f.Tracer.Close()
	}
	if f.Reader != nil {
		f.Reader.Close()
	}
	return errors.Join(err, f.Files.Close())
}

// Guard has the memory of the family looked at while a command runs. It wants the first snapshot.
func (f *Family) Guard() { f.Tracer.Guard(func() bool { return f.Over(0) }) }

// Doing is what a command is about, for whoever looks at the memory of the family while it runs.
type Doing struct {
	P           *Member // the process that acts
	Touched     []observe.Touched
	MinorBefore uint64 // faults of the process before the action
	MajorBefore uint64
	MapsShared  uint64 // bytes of shared memory that an mmap can bring in
}

// Member is a process of the family.
type Member struct {
	vmspace.Member
	Proc       *subject.Process
	Gone       string       // how it ended, "" while it lives
	dead       bool         // it left no zombie any more
	generation int          // how many ancestors it has
	Keys       vmspace.Keys // its rights to protection keys
	Allocated  uint32       // the keys that it has, a bit each
	// LocksFuture says that mlockall future holds: new mappings are locked. No file of /proc tells.
	LocksFuture bool
}

// Fresh starts a subject as p1 of a new family.
func (f *Family) Fresh() error {
	proc, err := f.Tracer.Start(f.config)
	if err != nil {
		return err
	}
	f.Members, f.Born, f.Names, f.Bound, f.Shared, f.Reprotected = nil, 0, history.Names{}, 0, SharedPages{}, false
	f.Files.Release(func(history.File) bool { return false })
	f.Entries, f.StackLimit = f.Files.Entries(), kernel.StackLimit(proc.PID())
	m := f.Adopt(proc, "")
	text, size := subject.Text()
	f.Names = f.Names.With(m.Label, "text", history.Binding{Range: vmspace.Range{Start: text, End: text + size}})
	f.Current = m.Label
	return nil
}

// Observe reads what can have changed.
func (f *Family) Observe(may observe.Scope) (*vmspace.Snapshot, error) {
	return f.Reader.Observe(f.Life, f.Shown(), may)
}

// EndAll kills every process that still lives, the youngest first, so that no child is left without
// its parent.
func (f *Family) EndAll() {
	for _, m := range slices.Backward(f.Members) {
		if m.Gone == "" {
			_, err := m.Proc.Kill(syscall.SIGKILL) // the error says that it is gone, as it should be
			m.Gone = fmt.Sprint(err)
		}
	}
}

// Adopt gives a new process its label.
func (f *Family) Adopt(proc *subject.Process, parent string) *Member {
	f.Born++
	m := &Member{Member: vmspace.Member{Label: fmt.Sprintf("p%d", f.Born), Parent: parent, PID: proc.PID()}, Proc: proc, Allocated: 1}
	if p := f.Member(parent); p != nil {
		m.generation, m.Keys, m.Allocated = p.generation+1, p.Keys, p.Allocated
	}
	f.ReadKeys(m)
	f.Members = append(f.Members, m)
	return m
}

// Shown lists the processes that a snapshot shows: all but those that left nothing behind.
func (f *Family) Shown() []vmspace.Member {
	var out []vmspace.Member
	for _, m := range f.Members {
		if !m.dead {
			out = append(out, m.Member)
		}
	}
	return out
}

// Member finds a process by its label; nil where there is none.
func (f *Family) Member(label string) *Member {
	for _, m := range f.Members {
		if m.Label == label {
			return m
		}
	}
	return nil
}

// Everywhere is every address of every process: where it cannot be said what may have changed.
func (f *Family) Everywhere() []observe.Touched {
	var all []observe.Touched
	for _, m := range f.Shown() {
		all = append(all, observe.Touched{Label: m.Label, Range: vmspace.Everything})
	}
	return all
}

// Labels lists the labels of all processes.
func (f *Family) Labels() string {
	out := ""
	for i, m := range f.Members {
		if i > 0 {
			out += ", "
		}
		out += m.Label
	}
	return out
}

// mostDead is of how many processes that left nothing behind it is kept how they ended.
const MostDead = 256

// Forget leaves processes out of later snapshots that left nothing behind, not even a zombie, and
// in the end forgets them.
func (f *Family) Forget(after *vmspace.Snapshot) {
	dead := 0
	for _, m := range f.Members {
		if p := after.Process(m.Label); m.Gone != "" && p != nil && p.State == vmspace.Gone {
			m.dead = true
		}
		if m.dead {
			dead++
		}
	}
	if dead <= MostDead {
		return
	}
	f.Members = slices.DeleteFunc(slices.Clone(f.Members), func(m *Member) bool {
		if !m.dead || m.Label == f.Current || dead <= MostDead {
			return false
		}
		dead--
		f.Names = f.Names.Without(m.Label)
		return true
	})
}

// mostNames is how many names are kept, of all processes together about.
const MostNames = 1 << 15

// HoldNames forgets names when there are too many: mmap makes a new one each time.
func (f *Family) HoldNames() {
	if f.Bound <= MostNames/2 {
		return
	}
	f.Bound = 0
	for _, m := range f.Members {
		if m.dead {
			f.Names = f.Names.Without(m.Label)
		}
	}
	snap := f.Now
	f.Names = f.Names.Newest(MostNames/2/max(f.Names.Processes(), 1), func(label string, addr uint64) bool {
		p := snap.Process(label)
		if p == nil {
			return false
		}
		_, ok := p.MappingAt(addr)
		return ok
	})
}

// Present reads n bytes from addr, up to the first page that is not present.
func (f *Family) Present(m *Member, addr, n uint64) ([]byte, error) {
	b := make([]byte, n)
	pages, err := f.Reader.Peek(m.PID, addr, b)
	ps := f.Now.PageSize
	for i, ok := range pages {
		if !ok {
			return b[:min(n, max(addr&^(ps-1)+uint64(i)*ps, addr)-addr)], err
		}
	}
	return b, err
}

// describeExit says how a process ended.
func HowEnded(e *subject.ExitedError) string {
	switch {
	case e.Lost:
		return "is gone"
	case e.Hung:
		return "hung in the kernel past its deadline and had to be killed"
	case e.Full:
		return "was killed by the kernel, because its memory cgroup was full"
	case e.Signal != 0:
		return "was killed by " + lang.Signal(e.Signal).String()
	}
	return fmt.Sprintf("exited with %d", e.Code)
}
