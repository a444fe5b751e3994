package actions

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// Why a call failed and why an instruction was stopped, as tables: a row a reason.
//
// Rules: rows of one result stand in the order in which the kernel looks. The first whose predicate holds speaks. A row without a
// predicate is the last of its result: it says that one of several reasons holds, and which those are. A predicate rests on the
// arguments, on the process as it was read before the call, and on the limits as they are now. What was not read makes no
// predicate true. Nothing is said of what a failed call left behind but the changes that were read after it.

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
	arguments
	surroundings
	before *vmspace.Process // the process that acted, as it was
	whole  vmspace.Range    // the range argument, up to the end of its last page
	kernel.Settings
}

// surroundings is what is known beside a step and what was asked.
type surroundings struct {
	past         []*history.Step // the steps before this one, oldest first
	file         *fileFacts      // that a call maps or names; nil where nothing is known of it
	stoppedAt    uint64          // the instruction that foreign code was stopped at
	trapped      bool            // by a trap of its own
	keys         vmspace.Keys    // the rights of the process to protection keys
	allocated    uint32          // the keys that it has, a bit each
	locksFuture  bool            // mlockall future holds: new mappings are locked
	child        string          // the label of a new child
	gone, parent string          // how the process ended, and whose child it was
}

// hasKey says whether the process has a key: key 0 from the start, others from pkey_alloc. The kernel's own key for execute-only memory
// does not count (mm_pkey_is_allocated in arch/x86/include/asm/pkeys.h).
func (s *surroundings) hasKey(key int32) bool {
	return key >= 0 && key < vmspace.KeyCount && s.allocated>>key&1 != 0
}

// fileFacts are what is known of the file that a call maps.
type fileFacts struct {
	name               string // for a sentence
	dir                bool
	readable, writable bool   // as it was opened
	mode               string // how a command opened it: O_RDWR
}

func newEvidence(st *history.Step, a arguments, around surroundings) *evidence {
	e := &evidence{st: st, arguments: a, surroundings: around, before: st.Before.Process(st.Process), Settings: kernel.Settings{PID: st.PID}}
	if e.before == nil {
		e.before = &vmspace.Process{}
	}
	e.whole = vmspace.Range{Start: e.given.Start, End: e.pageEnd(e.given.End)}
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
				e.st.Reason = r.called(t.name)
				return r.say(e), true
			}
		}
	}
	return "", false
}

// called is the name of a row of a table.
func (r *reason) called(table string) string { return table + " " + r.result + " " + r.name }

// explainErrno says why the kernel refused, and what the call left behind.
func explainErrno(e *evidence, a *Action) string {
	text := "The kernel answered " + e.st.Result.String() + "."
	if why, ok := e.reason(reasonTable{a.Name, a.reasons}, reasonTable{"any", anyReasons}); ok {
		text = e.st.Result.String() + ": " + why
	}
	return text + " " + e.leftBehind(a.failed)
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
				"what this call needs: memory with key 0, or the program's text.", e.st.Process, e.keys.PKRU)
		}},
	{"EINTR", "interrupted", "signal(7)", nil, func(*evidence) string { return "a signal came before it was done." }},
}

// callSince is the Linux that brought a call, where it is younger than the oldest kernel that still runs (syscalls(2)).
var callSince = map[string]string{"mlock2": "4.4", "pkey_alloc": "4.9", "pkey_free": "4.9", "pkey_mprotect": "4.9", "mseal": "6.10"}

// leftBehind says what a call that failed has changed all the same; nothing is the sentence for what changed nothing.
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

// lasting are the changes that a call makes; what the kernel does by itself beside it is not among them.
var lasting = []vmspace.ChangeKind{vmspace.ChangePerms, vmspace.ChangeUnmapped, vmspace.ChangeMapped, vmspace.ChangeGrown,
	vmspace.ChangeShrunk, vmspace.ChangeFlags, vmspace.ChangeKey, vmspace.ChangeSplit, vmspace.ChangeMerged, vmspace.ChangePage}

// follows says whether a change only follows from another: mappings are split or merged because their letters or flags changed.
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
