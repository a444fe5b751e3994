package actions

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

// Family is the processes of a session, the files that they map, and what they may take. What it does to a process is done on the thread
// that traces.
type Family struct {
	config     subject.Config
	limits     Limits
	tracer     *subject.Tracer
	reader     *observe.Reader
	life       context.Context // of all reading; Close ends it
	leave      context.CancelFunc
	files      *scratch.Folder
	entries    []history.File // what files holds
	stackLimit uint64         // RLIMIT_STACK of the first subject, which its children inherit; in bytes
	members    []*member      // in order of birth, the last of the dead ones too
	born       int            // processes so far, for their labels
	names      history.Names
	bound      int               // names bound since there were last too many
	current    string            // the label of the process that acts where none is named
	now        *vmspace.Snapshot // as it was read last
	next       int               // the number of the step after that
	running    *doing            // under way, nil between commands
	takers     int               // commands so far that can have taken memory
	unasked    uint64            // bytes that commands can have taken since it was last asked how much there is
	shared     sharedPages       // what shared memory was seen to hold
	keyless    bool              // this processor has no rights to protection keys, as far as cowscope can read them
}

// FamilyOptions are how a family begins.
type FamilyOptions struct {
	ASLR       bool // randomise the addresses
	Limits     Limits
	AllowPaths []string  // files and folders outside the scratch folder that may be mapped
	Calls      []uintptr // the system calls that the processes may make
}

// StartError says that no subject could be started.
type StartError struct{ Err error }

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// NewFamily makes a family without any process. A *StartError says what refuses it; another error is about the options.
func NewFamily(o FamilyOptions) (*Family, error) {
	files, err := scratch.New(o.AllowPaths)
	if err != nil {
		return nil, err
	}
	f := &Family{files: files, limits: o.Limits.withDefaults()}
	f.config = subject.Config{ASLR: o.ASLR, Memory: f.limits.cgroup(), Calls: o.Calls}
	f.life, f.leave = context.WithCancel(context.Background())
	if f.reader, err = observe.NewReader(observe.Options{}); err == nil {
		f.tracer, err = subject.NewTracer()
	}
	if err != nil {
		return nil, &StartError{errors.Join(err, f.Close())}
	}
	return f, nil
}

// Close ends every process. It may be called at any time, once.
func (f *Family) Close() (err error) {
	f.leave()
	if f.tracer != nil {
		err = f.tracer.Close()
	}
	if f.reader != nil {
		f.reader.Close()
	}
	return errors.Join(err, f.files.Close())
}

// Guard has the memory of the family looked at while a command runs. It wants the first snapshot.
func (f *Family) Guard() { f.tracer.Guard(func() bool { return f.over(0) }) }

// doing is what a command is about, for whoever looks at the memory of the family while it runs.
type doing struct {
	p          *member // the process that acts
	touched    []observe.Touched
	minor      uint64 // faults of the process before the action
	major      uint64
	mapsShared uint64 // bytes of shared memory that an mmap can bring in
}

// member is a process of the family.
type member struct {
	vmspace.Member
	proc       *subject.Process
	gone       string       // how it ended, "" while it lives
	dead       bool         // it left no zombie any more
	generation int          // how many ancestors it has
	keys       vmspace.Keys // its rights to protection keys
	allocated  uint32       // the keys that it has, a bit each
	// locksFuture says that mlockall future holds: new mappings are locked. No file of /proc tells.
	locksFuture bool
}

// fresh starts a subject as p1 of a new family.
func (f *Family) fresh() error {
	proc, err := f.tracer.Start(f.config)
	if err != nil {
		return err
	}
	f.members, f.born, f.names, f.bound, f.shared = nil, 0, history.Names{}, 0, sharedPages{}
	f.files.Release(func(history.File) bool { return false })
	f.entries, f.stackLimit = f.files.Entries(), kernel.StackLimit(proc.PID())
	m := f.adopt(proc, "")
	text, size := subject.Text()
	f.names = f.names.With(m.Label, "text", history.Binding{Range: vmspace.Range{Start: text, End: text + size}})
	f.current = m.Label
	return nil
}

// observe reads what can have changed.
func (f *Family) observe(may observe.Scope) (*vmspace.Snapshot, error) {
	return f.reader.Observe(f.life, f.shown(), may)
}

// endAll kills every process that still lives, the youngest first, so that no child is left without its parent.
func (f *Family) endAll() {
	for _, m := range slices.Backward(f.members) {
		if m.gone == "" {
			_, err := m.proc.Kill(syscall.SIGKILL) // the error says that it is gone, as it should be
			m.gone = fmt.Sprint(err)
		}
	}
}

// adopt gives a new process its label.
func (f *Family) adopt(proc *subject.Process, parent string) *member {
	f.born++
	m := &member{Member: vmspace.Member{Label: fmt.Sprintf("p%d", f.born), Parent: parent, PID: proc.PID()}, proc: proc, allocated: 1}
	if p := f.member(parent); p != nil {
		m.generation, m.keys, m.allocated = p.generation+1, p.keys, p.allocated
	}
	f.readKeys(m)
	f.members = append(f.members, m)
	return m
}

// shown lists the processes that a snapshot shows: all but those that left nothing behind.
func (f *Family) shown() []vmspace.Member {
	var out []vmspace.Member
	for _, m := range f.members {
		if !m.dead {
			out = append(out, m.Member)
		}
	}
	return out
}

func (f *Family) member(label string) *member {
	for _, m := range f.members {
		if m.Label == label {
			return m
		}
	}
	return nil
}

// everywhere is every address of every process: where it cannot be said what may have changed.
func (f *Family) everywhere() []observe.Touched {
	var all []observe.Touched
	for _, m := range f.shown() {
		all = append(all, observe.Touched{Label: m.Label, Range: vmspace.Everything})
	}
	return all
}

func (f *Family) labels() string {
	out := ""
	for i, m := range f.members {
		if i > 0 {
			out += ", "
		}
		out += m.Label
	}
	return out
}

// mostDead is of how many processes that left nothing behind it is kept how they ended.
const mostDead = 256

// forget leaves processes out of later snapshots that left nothing behind, not even a zombie, and in the end forgets them.
func (f *Family) forget(after *vmspace.Snapshot) {
	dead := 0
	for _, m := range f.members {
		if p := after.Process(m.Label); m.gone != "" && p != nil && p.State == vmspace.Gone {
			m.dead = true
		}
		if m.dead {
			dead++
		}
	}
	if dead <= mostDead {
		return
	}
	f.members = slices.DeleteFunc(slices.Clone(f.members), func(m *member) bool {
		if !m.dead || m.Label == f.current || dead <= mostDead {
			return false
		}
		dead--
		f.names = f.names.Without(m.Label)
		return true
	})
}

// mostNames is how many names are kept, of all processes together about.
const mostNames = 1 << 15

// holdNames forgets names when there are too many: mmap makes a new one each time.
func (f *Family) holdNames() {
	if f.bound <= mostNames/2 {
		return
	}
	f.bound = 0
	for _, m := range f.members {
		if m.dead {
			f.names = f.names.Without(m.Label)
		}
	}
	snap := f.now
	f.names = f.names.Newest(mostNames/2/max(f.names.Processes(), 1), func(label string, addr uint64) bool {
		p := snap.Process(label)
		if p == nil {
			return false
		}
		_, ok := p.MappingAt(addr)
		return ok
	})
}

// present reads n bytes from addr, up to the first page that is not present.
func (f *Family) present(m *member, addr, n uint64) ([]byte, error) {
	b := make([]byte, n)
	pages, err := f.reader.Peek(m.PID, addr, b)
	ps := f.now.PageSize
	for i, ok := range pages {
		if !ok {
			return b[:min(n, max(addr&^(ps-1)+uint64(i)*ps, addr)-addr)], err
		}
	}
	return b, err
}

// describeExit says how a process ended.
func describeExit(e *subject.ExitedError) string {
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
