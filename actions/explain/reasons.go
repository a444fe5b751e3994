package explain

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// Why a call failed and why an instruction was stopped, as tables: a row a reason.
//
// Rules: rows of one result stand in the order in which the kernel looks. The first whose predicate
// holds speaks. A row without a predicate is the last of its result: it says that one of several
// reasons holds, and which those are. A predicate rests on the arguments, on the process as it was
// read before the call, and on the limits as they are now. What was not read makes no predicate
// true. Nothing is said of what a failed call left behind but the changes that were read after it.

// reason is why a call answered an errno, or why an instruction raised a signal.
type reason struct {
	result string // ENOMEM, SIGSEGV/MAPERR
	name   string // short, and unique for the result within its table
	source string // the man page, or the function of the kernel, whose rule it is
	when   func(*evidence) bool
	say    func(*evidence) string // ends with a full stop
}

// evidence is what an explanation may rest on.
type evidence struct {
	st *history.Step
	Arguments
	Surroundings
	kernel.Settings
	before *vmspace.Process // the process that acted, as it was
	whole  vmspace.Range    // the range argument, up to the end of its last page
}

// Surroundings is what is known beside a step and what was asked.
type Surroundings struct {
	Past         []*history.Step // the steps before this one, oldest first
	File         *File           // that a call maps or names; nil where nothing is known of it
	StoppedAt    uint64          // the instruction that foreign code was stopped at
	Trapped      bool            // by a trap of its own
	Keys         vmspace.Keys    // the rights of the process to protection keys
	Allocated    uint32          // the keys that it has, a bit each
	Program      uint64          // where its program is, which the kernel reads paths from
	LocksFuture  bool            // mlockall future holds: new mappings are locked
	Child        string          // the label of a new child
	Gone, Parent string          // how the process ended, and whose child it was
}

// hasKey says whether the process has a key: key 0 from the start, others from pkey_alloc. The
// kernel's own key for execute-only memory does not count (mm_pkey_is_allocated in
// arch/x86/include/asm/pkeys.h).
func (s *Surroundings) hasKey(key int32) bool {
	return key >= 0 && key < vmspace.KeyCount && s.Allocated>>key&1 != 0
}

// File is what is known of a file that a call maps.
type File struct {
	Name               string // for a sentence
	Dir                bool
	Readable, Writable bool   // as it was opened
	Mode               string // how a command opened it: O_RDWR
}

func newEvidence(st *history.Step, a Arguments, around Surroundings) *evidence {
	e := &evidence{st: st, Arguments: a, Surroundings: around, before: st.Before.Process(st.Process), Settings: kernel.Settings{PID: st.PID}}
	if e.before == nil {
		e.before = &vmspace.Process{}
	}
	e.whole = vmspace.Range{Start: e.Given.Start, End: e.pageEnd(e.Given.End)}
	return e
}

// pageSize is in bytes.
func (e *evidence) pageSize() uint64 { return e.st.Before.PageSize }

// reasonTable is a table with the name that its rows have before their own.
type reasonTable struct {
	name string
	rows []reason
}

// reason is what the first row says that speaks, table by table. The step keeps which row it was.
func (e *evidence) reason(tables ...reasonTable) (string, bool) {
	for _, t := range tables {
		for i := range t.rows {
			if r := &t.rows[i]; r.result == e.st.Result.String() && (r.when == nil || r.when(e)) {
				e.st.Reason = Row{Table: t.name, Result: r.result, Name: r.name}.String()
				return r.say(e), true
			}
		}
	}
	return "", false
}

// explainErrno says why the kernel refused, and what the call left behind.
func explainErrno(e *evidence, about *sentences) string {
	text := "The kernel answered " + e.st.Result.String() + "."
	if why, ok := e.reason(reasonTable{e.Verb, about.reasons}, reasonTable{"any", anyReasons}); ok {
		text = e.st.Result.String() + ": " + why
	}
	return text + " " + e.leftBehind(about.failed)
}

// anyReasons hold for every call.
var anyReasons = []reason{
	{"ENOSYS", "unknown call", "syscalls(2)", nil, func(e *evidence) string {
		name, _, _ := strings.Cut(e.st.Call, "(")
		if since := callSince[name]; since != "" {
			return fmt.Sprintf("this kernel does not know %s (it came with Linux %s), or a filter around it hides it.", name, since)
		}
		return fmt.Sprintf("this kernel does not know %s, or a filter around it hides it.", name)
	}},
	{"EFAULT", "own memory", "pkeys(7)", (*evidence).shutOut,
		func(e *evidence) string {
			return fmt.Sprintf("the kernel goes to the caller's memory with the caller's rights, and those of %s (PKRU 0x%08x) forbid "+
				"what this call needs: memory with key 0, or the program's text.", e.st.Process, e.Keys.PKRU)
		}},
	{"EINTR", "interrupted", "signal(7)", nil, func(*evidence) string { return "a signal came before it was done." }},
}

// callSince is the Linux that brought a call, where it is younger than the oldest kernel that still
// runs (syscalls(2)).
var callSince = map[string]string{"mlock2": "4.4", "pkey_alloc": "4.9", "pkey_free": "4.9", "pkey_mprotect": "4.9", "mseal": "6.10"}

// leftBehind says what a call that failed has changed all the same; nothing is the sentence for
// what changed nothing.
func (e *evidence) leftBehind(nothing string) string {
	var seen []vmspace.Change
	for _, ch := range e.st.Changes {
		if ch.Process == e.st.Process && slices.Contains(lasting, ch.Kind) {
			seen = append(seen, ch)
		}
	}
	switch {
	case len(seen) == 0 && nothing != "":
		return nothing
	case len(seen) == 0:
		return "Nothing has changed."
	}
	if other := slices.DeleteFunc(slices.Clone(seen), follows); len(other) > 0 {
		seen = other
	}
	text := fmt.Sprintf("Yet %s changed already: %s", placeRange(e.st, seen[0]), e.changeText(seen[0]))
	if slices.ContainsFunc(seen, func(ch vmspace.Change) bool { return !seen[0].Range.Covers(ch.Range) }) {
		text += ", and more"
	}
	return text + "."
}

// lasting are the changes that a call makes; what the kernel does by itself beside it is not among
// them.
var lasting = []vmspace.ChangeKind{vmspace.ChangePerms, vmspace.ChangeUnmapped, vmspace.ChangeMapped, vmspace.ChangeGrown,
	vmspace.ChangeShrunk, vmspace.ChangeFlags, vmspace.ChangeKey, vmspace.ChangeSplit, vmspace.ChangeMerged, vmspace.ChangePage}

// follows says whether a change only follows from another: mappings are split or merged because
// their letters or flags changed.
func follows(ch vmspace.Change) bool {
	return ch.Kind == vmspace.ChangeSplit || ch.Kind == vmspace.ChangeMerged
}

func (e *evidence) changeText(ch vmspace.Change) string {
	switch ch.Kind {
	case vmspace.ChangePerms, vmspace.ChangePage:
		return ch.From + " → " + ch.To
	case vmspace.ChangeKey:
		return "protection key " + ch.From + " → " + ch.To
	case vmspace.ChangeFlags:
		return e.flagsText(ch.Range.Start)
	case vmspace.ChangeSplit:
		return "split into " + ch.To + " mappings"
	}
	return string(ch.Kind)
}

// flagsText says which VmFlags of the mapping at addr came and went.
func (e *evidence) flagsText(addr uint64) string {
	var parts []string
	was, _ := e.before.MappingAt(addr)
	is, _ := e.st.After.Process(e.st.Process).MappingAt(addr)
	if was.Smaps == nil || is.Smaps == nil {
		return "other VmFlags"
	}
	from, to := was.Smaps.VMFlags, is.Smaps.VMFlags
	for _, f := range to {
		if !slices.Contains(from, f) {
			parts = append(parts, "gained "+f)
		}
	}
	for _, f := range from {
		if !slices.Contains(to, f) {
			parts = append(parts, "lost "+f)
		}
	}
	return "VmFlags " + strings.Join(parts, ", ")
}

// Row names a row of the tables of reasons.
type Row struct {
	Table, Result, Name, Source string
	Always                      bool // it has no condition: it is the last of its result
}

// String is the name that a step keeps of the row that explained it.
func (r Row) String() string { return r.Table + " " + r.Result + " " + r.Name }

// Rows lists the rows of all tables, each table in its order.
func Rows() (all []Row) {
	add := func(table string, rows []reason) {
		for _, r := range rows {
			all = append(all, Row{table, r.result, r.name, r.source, r.when == nil})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(verbs)) {
		add(name, verbs[name].reasons)
	}
	add("any", anyReasons)
	add("signal", signalReasons)
	return all
}

// Holding gives the rows of the verb whose conditions hold of a step, whatever its result, each
// with what it would say.
func Holding(st *history.Step, a Arguments, around Surroundings) iter.Seq2[Row, string] {
	return func(yield func(Row, string) bool) {
		about, e := verbs[a.Verb], newEvidence(st, a, around)
		if about == nil {
			return
		}
		for _, r := range about.reasons {
			if r.when != nil && r.when(e) && !yield(Row{a.Verb, r.result, r.name, r.source, false}, r.say(e)) {
				return
			}
		}
	}
}
