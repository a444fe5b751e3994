// Package family is the processes of a session: their labels, the files that they map, their
// limits, and their last snapshot. It knows no command and no history.
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

// Family is the processes of a session, the files that they map, and their limits. Operations on a
// process run on the tracing thread.
type Family struct {
	config   subject.Config
	Limits   Limits
	Tracer   *subject.Tracer
	Reader   *observe.Reader
	Life     context.Context // of all readings; Close cancels it
	leave    context.CancelFunc
	Files    *scratch.Folder
	Entries  []history.File // what files holds
	BornWith vmspace.Limits // the limits of the first subject at its start
	Members  []*Member      // in order of birth, including the most recent dead ones
	Born     int            // processes so far, for their labels
	Names    history.Names
	Bound    int // names bound since the last HoldNames that removed some
	// Named finds memory that the processes themselves have names for; nil where nobody knows.
	Named   func(label, name string) (vmspace.Range, bool)
	Current string            // the label of the process that acts where none is named
	Now     *vmspace.Snapshot // the last snapshot
	Next    int               // the number of the step after that
	Running *Doing            // the current command, nil between commands
	takers  int               // number of commands so far that can have taken memory
	unasked uint64            // bytes that commands can have taken since memory was last checked
	Shared  SharedPages       // what shared memory was seen to hold
	// Reprotected says that mprotect or pkey_mprotect changed permissions, or that userfaultfd was
	// used, after which pages can stay write-protected.
	Reprotected bool
	Userfaultfd bool // a process has made a descriptor of userfaultfd
	// WriteTracked says that one has registered memory for write protection, and ProtectedMoved
	// that mremap was called for such memory.
	WriteTracked, ProtectedMoved bool
	Copied                       bool // a process has forked: pages were write-protected
	// keyless: rights to protection keys cannot be read on this processor.
	keyless bool
}

// Options are how a family begins.
type Options struct {
	ASLR   bool // randomise the addresses
	Limits Limits
	// AllowPaths are files and folders outside the scratch folder that may be mapped.
	AllowPaths []string
	Calls      []uintptr            // the system calls that the processes may make
	First      map[uintptr][]uint32 // of such a call, the only first arguments that it may have
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
	f.config = subject.Config{ASLR: o.ASLR, Memory: f.Limits.cgroup(), Calls: o.Calls, First: o.First}
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

// Guard makes the tracer check the memory of the family while a command runs. It needs the first
// snapshot.
func (f *Family) Guard() { f.Tracer.Guard(func() bool { return f.Over(0) }) }

// Doing is the current command, for checks of the family's memory while it runs.
type Doing struct {
	P           *Member // the process that acts
	Touched     []observe.Touched
	MinorBefore uint64 // faults of the process before the action
	MajorBefore uint64
	MapsShared  uint64 // bytes of shared memory that an mmap can bring in
}

// Fresh starts a subject as p1 of a new family.
func (f *Family) Fresh() error {
	f.Tracer.Guard(nil) // what the family before took still counts
	proc, err := f.Tracer.Start(f.config)
	if err != nil {
		return err
	}
	f.WriteTracked, f.ProtectedMoved = false, false
	f.Members, f.Born, f.Names, f.Bound, f.Shared, f.Reprotected, f.Userfaultfd, f.Copied = nil, 0, history.Names{}, 0, SharedPages{}, false, false, false
	f.Files.Release(func(history.File) bool { return false })
	f.Entries, f.BornWith = f.Files.Entries(), kernel.LimitsOf(proc.PID())
	m := f.adopt(own{proc}, nil, false, &AddressSpace{SpaceTraits: history.SpaceTraits{Allocated: 1}})
	text, size := subject.Text()
	program := history.Binding{Range: vmspace.Range{Start: text, End: text + size}}
	f.Names = f.Names.WithAll(m.Label, []history.Bound{{Name: "text", Binding: program, Given: true}})
	f.Current = m.Label
	if f.Now != nil {
		f.Guard()
	}
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
			_, err := m.Subject().Kill(syscall.SIGKILL) // the error only says that it is gone
			m.Gone = fmt.Sprint(err)
		}
	}
}

// Sharing returns the other members that live in the address space of m.
func (f *Family) Sharing(m *Member) (others []*Member) {
	if !m.shared {
		return nil
	}
	for _, o := range f.Members {
		if o != m && o.AddressSpace == m.AddressSpace && o.Gone == "" {
			others = append(others, o)
		}
	}
	return others
}

// Awaited is the child that m waits for in vfork, nil if it does not.
func (f *Family) Awaited(m *Member) *Member {
	pid := m.Proc.Awaits()
	for _, o := range f.Members {
		if pid != 0 && o.PID == pid && o.Gone == "" {
			return o
		}
	}
	return nil
}

// Ended records how a process, or a thread, ended. As a rule all threads of a process end together.
// A parent that waited for it in vfork continues, and may end too, by a signal that was sent to it
// meanwhile.
func (f *Family) Ended(m *Member, how *subject.ExitedError) {
	m.Gone = HowEnded(how)
	for _, o := range f.Sharing(m) {
		var exited *subject.ExitedError
		if o.Gone == "" && errors.As(o.Proc.Poll(), &exited) {
			f.Ended(o, exited)
		}
	}
}

// Shown lists the processes that a snapshot shows: all but those of which nothing is left.
func (f *Family) Shown() []vmspace.Member {
	var out []vmspace.Member
	for _, m := range f.Members {
		if m.dead {
			continue
		}
		member := m.Member
		if m.shared && m.Gone == "" {
			first := f.Members[slices.IndexFunc(f.Members, func(o *Member) bool { return o.AddressSpace == m.AddressSpace && o.Gone == "" })]
			if first != m {
				member.Shares = first.Label
			}
		}
		out = append(out, member)
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

// MostDead is the number of processes without a zombie whose endings are kept.
const MostDead = 256

// Forget removes processes of which nothing is left, not even a zombie, from later snapshots, and
// the oldest of them altogether.
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

// MostNames is roughly the maximum number of automatic names, of all processes together. Names that a
// person gave, and that of the program, are kept in addition until what they name is unmapped, up to
// MostGiven: one process can have 65530 mappings, unless vm.max_map_count was changed.
const (
	MostNames = 1 << 15
	MostGiven = 1 << 16
)

// HoldNames removes names when there are too many: each mmap makes a new one.
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
	each := max(f.Names.Processes(), 1)
	f.Names = f.Names.Newest(MostNames/2/each, MostGiven/each, func(label string, addr uint64) (uint64, bool) {
		p := snap.Process(label)
		if p == nil {
			return 0, false
		}
		i, last := p.Mappings.Overlap(vmspace.Range{Start: addr, End: vmspace.Everything.End})
		if i == last {
			return 0, false
		}
		return max(p.Mappings.At(i).Start, addr), true
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

// HowEnded says how a process ended.
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
