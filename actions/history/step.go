package history

import (
	"fmt"
	"strings"

	"cowscope/vmspace"
)

// Step is one entry of a session's history: what was asked, what the kernel answered, and the
// family before and after. It is immutable once it is in the history.
type Step struct {
	N       int    // its place in the history; 0 is the fresh subject
	Process string // label of the process that acted
	PID     int
	Command string // canonical command line; "" for something that happened by itself
	Verb    string // of the command, as the language has it
	Event   string // what happened by itself, "" for a command

	Outcome
	Before, After *vmspace.Snapshot
	Names         Names  // after the step
	Current       string // label of the current process after the step
	Files         []File // of the scratch folder, after the step
	Changes       []vmspace.Change
	Check         bool          // an expectation: it touched nothing
	Why           string        // what happened and why, in one or two sentences
	Facts         vmspace.Facts // what the session knows for predictions, after the step
	Keys          []KeyRights   // the rights of each process to protection keys, after the step
	Reason        string        // the row of the tables of reasons that Why is from, as VERB RESULT NAME; "" where it is from none
}

// Outcome is how a command ended.
type Outcome struct {
	Call   string // strace style, without the result: mmap(NULL, 16384, …)
	Result Result
	Value  uint64 // what the call returned
	// Want, Got and Evidence are what an expectation asked for, what it found, and what that rests
	// on.
	Want, Got, Evidence string
	// HasValue says that Value is worth showing: an address, a count, a process id.
	HasValue bool
	Fault    uint64 // the address that a signal names
	Minor    uint64 // faults taken by the process that acted
	Major    uint64
	Done     uint64        // bytes, or for touch pages, done before a fault, or in all
	Bytes    []byte        // what a read saw
	Focus    vmspace.Range // what the command was about, for the cursor; empty where it was about nothing
	// Predicted is what the access to the first page could have led to, likeliest first, and
	// Happened what it did; empty where the command is no access, or where nothing shows it.
	Predicted []vmspace.Happening
	Happened  vmspace.Happening
}

// OK says whether the kernel did what was asked.
func (o Outcome) OK() bool { return o.Result == OK }

// Loaded are the bytes that the process itself read, from Focus on; none where the command was
// another. Only accesses are predicted.
func (o Outcome) Loaded() []byte {
	if len(o.Predicted) == 0 {
		return nil
	}
	return o.Bytes
}

// Answer is the right-hand side of the call in the log: "= 0x7ffff7fb6000", "= -1 ENOMEM",
// "SIGSEGV/ACCERR at 0x…".
func (o Outcome) Answer() string {
	switch {
	case o.Result.Ending == EndedSignal:
		return fmt.Sprintf("%s at 0x%x", o.Result, o.Fault)
	case o.Result == OK && o.HasValue:
		return fmt.Sprintf("= %s", formatValue(o.Value))
	case o.Result == OK && strings.HasSuffix(o.Call, ")"): // a system call
		return "= 0"
	case o.Result.Ending == EndedErrno:
		return "= -1 " + o.Result.Name
	}
	return o.Result.String()
}

func formatValue(v uint64) string {
	if v < 1<<22 {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("0x%x", v)
}

// Faulted tells the faults in words: "1 minor fault", "" where there were none.
func (o Outcome) Faulted() string {
	var parts []string
	for _, f := range []struct {
		n    uint64
		word string
	}{{o.Minor, "minor"}, {o.Major, "major"}} {
		switch {
		case f.n == 1:
			parts = append(parts, "1 "+f.word+" fault")
		case f.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s faults", f.n, f.word))
		}
	}
	return strings.Join(parts, ", ")
}

// NameMapping is what a mapping is called in the language after the step: a, a+2p, stack; "" where
// it has no name.
func (st *Step) NameMapping(label string, m vmspace.Mapping) string {
	if name, b, ok := st.Names.Of(label, m.Start); ok {
		return OffsetPlace(name, m.Start-b.Start, st.After.PageSize)
	}
	return FixedName(m)
}

// Weight is about how many bytes a step adds to a history: what it changed is in two lists, and its
// text in two lines.
func (st *Step) Weight() int {
	return 2*len(st.Command) + len(st.Bytes) + 512*(1+len(st.Changes))
}
