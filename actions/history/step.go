package history

import (
	"fmt"
	"strings"

	"cowscope/vmspace"
)

// Step is one entry of a session's history: the command, the answer of the kernel, and the family
// before and after. It is immutable once it is in the history.
type Step struct {
	N       int    // its index in the history; 0 is the fresh subject
	Process string // label of the process that acted
	PID     int
	Command string // canonical command line; "" for something that happened by itself
	Verb    string // of the command
	Event   string // what happened by itself, "" for a command

	Outcome
	Before, After *vmspace.Snapshot
	Names         Names  // after the step
	Current       string // label of the current process after the step
	Files         []File // of the scratch folder, after the step
	Changes       []vmspace.Change
	Check         bool                  // an expectation: it touched nothing
	Why           string                // what happened and why, in one or two sentences
	Facts         vmspace.Facts         // what the session knows for predictions, after the step
	Keys          []Trait[vmspace.Keys] // of each process, to protection keys, after the step
	// Limits are those of the processes that have others than the first one began with, after the step.
	Limits []Trait[vmspace.Limits]
	Claims []Claim // the claims of Why, for tests; not saved
	// TID and At are the thread that acted, and where in the program it was; for a program that is
	// run.
	TID int
	At  *Site
	// Wrote is what the program has written to its terminal since the step before that says so, in
	// lines, without what moves the cursor.
	Wrote string
	// Faults are page faults that were told as they happened, by process and address; of one page in
	// the order of time. Lost is how many more there were, of which nothing is known.
	Faults []Fault
	Lost   uint64
	// Reason is the row of the tables of reasons that Why is from, as VERB RESULT NAME; "" if it is
	// from none.
	Reason string
}

// Outcome is how a command ended.
type Outcome struct {
	Call   string // strace style, without the result: mmap(NULL, 16384, …)
	Result Result
	Value  uint64 // the return value of the call
	// Want, Got and Evidence belong to an expectation: what it asked for, what it found, and the
	// evidence for that.
	Want, Got, Evidence string
	// HasValue says that Value should be shown: an address, a count, a process id.
	HasValue bool
	Fault    uint64 // the address that a signal names
	Minor    uint64 // faults taken by the process that acted
	Major    uint64
	Done     uint64        // bytes, or pages for touch, done in total or before a fault
	Bytes    []byte        // the bytes that a read returned
	Focus    vmspace.Range // the range that the command was about, for the cursor; empty if none
	// Predicted is the possible outcomes of the access to the first page, likeliest first, and
	// Happened the actual one; empty if the command is not an access, or nothing shows the outcome.
	Predicted []vmspace.Happening
	Happened  vmspace.Happening
}

// OK reports whether the kernel did what was asked.
func (o Outcome) OK() bool { return o.Result == OK }

// Loaded are the bytes that the process itself read, from Focus on; empty for other commands. Only
// accesses are predicted, which tells them apart.
func (o Outcome) Loaded() []byte {
	if len(o.Predicted) == 0 {
		return nil
	}
	return o.Bytes
}

// Answer is the right-hand side of the call in the log: "= 0x7ffff7fb6000", "= -1 ENOMEM",
// "SIGSEGV/ACCERR at 0x…".
func (o Outcome) Answer() string {
	switch value, returned := o.Returned(); {
	case o.Result.Ending == EndedSignal:
		return fmt.Sprintf("%s at 0x%x", o.Result, o.Fault)
	case returned:
		return "= " + formatValue(value)
	case o.Result.Ending == EndedErrno:
		return "= -1 " + o.Result.Name
	}
	return o.Result.String()
}

// Returned is the return value of a successful system call; ok is false if the command was not a
// system call, or failed.
func (o Outcome) Returned() (value uint64, ok bool) {
	if o.Result != OK {
		return 0, false
	}
	if o.HasValue {
		return o.Value, true
	}
	return 0, strings.HasSuffix(o.Call, ")")
}

func formatValue(v uint64) string {
	if v < 1<<22 {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("0x%x", v)
}

// Faulted describes the faults: "1 minor fault", "" if there were none.
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

// NameMapping is the name of a mapping in the language after the step: a, a+2p, stack; "" if it has
// none.
func (st *Step) NameMapping(label string, m vmspace.Mapping) string {
	if name, b, ok := st.Names.Of(label, m.Start); ok {
		return OffsetPlace(name, m.Start-b.Start, st.After.PageSize)
	}
	return FixedName(m)
}
