package explain

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// Why a call failed and why an instruction was stopped, as tables: a row a reason.
//
// Rules: the rows of one result are in the order of the kernel's checks. The first row whose
// predicate holds is used. A row without a predicate is the last of its result: it says that one of
// several reasons applies, and which these are. A predicate uses the arguments, the process as it
// was read before the call, and the current limits. A value that was not read makes no predicate
// true. About what a failed call left behind, only changes that were read after it are reported.

// reason is why a call answered an errno, or why an instruction raised a signal.
type reason struct {
	result string // ENOMEM, SIGSEGV/MAPERR
	name   string // short, and unique for the result within its table
	source string // the man page, or the function of the kernel, whose rule it is
	when   func(*evidence) bool
	say    func(*evidence) string // ends with a full stop
}

// evidence is what an explanation is based on.
type evidence struct {
	st *history.Step
	Arguments
	Surroundings
	// owner is the label of the process whose memory is concerned: the one that acted, if no
	// argument names another.
	owner  string
	before *vmspace.Process // that process as it was
	// foundAt is the address of the mapping that a reason depends on, nowhere if there is none.
	foundAt uint64
	rounded vmspace.Range // the range argument in whole pages, as far as the call goes
}

// Surroundings is what is known beside a step and what was asked.
type Surroundings struct {
	kernel.Settings                 // what the kernel allows the process
	history.Traits                  // of the process
	Past            []*history.Step // the steps before this one, oldest first
	File            *kernel.File    // that a call maps or names; nil where nothing is known of it
	StoppedAt       uint64          // the instruction that foreign code was stopped at
	Trapped         bool            // by a trap of its own
	Program         uint64          // where its program is, which the kernel reads paths from
	Child           string          // the label of a new child
	Gone, Parent    string          // how the process ended, and whose child it was
}

// hasKey says whether the process has a key: key 0 from the start, others from pkey_alloc. The
// kernel's own key for execute-only memory does not count (mm_pkey_is_allocated in
// arch/x86/include/asm/pkeys.h).
func (s *Surroundings) hasKey(key int32) bool {
	return key >= 0 && key < vmspace.KeyCount && s.Allocated>>key&1 != 0
}

func newEvidence(st *history.Step, a Arguments, around Surroundings) *evidence {
	e := &evidence{st: st, Arguments: a, Surroundings: around, owner: st.Process}
	if a.passed("process") {
		e.owner = a.text("process")
	}
	if p, q := st.After.Process(e.owner), st.After.Process(st.Process); p != nil && q != nil && p.SharesWith(q) {
		e.owner = st.Process // of which the changes are told
	}
	if e.before = st.Before.Process(e.owner); e.before == nil {
		e.before = &vmspace.Process{}
	}
	e.rounded = vmspace.Range{Start: e.Given.Start, End: e.pageEnd(e.Given.End)}
	if m, ok := e.firstMapping(e.rounded, anything); ok && e.prot()&protGrowsDown != 0 {
		e.rounded.Start = m.Start // mprotect begins where the mapping does
	}
	return e
}

// pageSize is in bytes.
func (e *evidence) pageSize() uint64 { return e.st.Before.PageSize }

// reasonTable is a table with the name that its rows have before their own.
type reasonTable struct {
	name string
	rows []reason
}

// nowhere is the value for a reason that does not depend on a mapping.
const nowhere = math.MaxUint64

// reason returns the text of the first row that holds, table by table. Of rows that depend on a
// mapping it is the one whose mapping comes first, because the kernel processes a range from its
// start. The step records which row it was.
func (e *evidence) reason(tables ...reasonTable) (string, bool) {
	var spoke *reason
	first, table := uint64(nowhere), ""
search:
	for _, t := range tables {
		for i := range t.rows {
			r := &t.rows[i]
			e.foundAt = nowhere
			if r.result != e.st.Result.String() || r.when != nil && !r.when(e) {
				continue
			}
			if spoke == nil || e.foundAt < first {
				spoke, first, table = r, e.foundAt, t.name
			}
			if e.foundAt == nowhere {
				break search
			}
		}
	}
	if spoke == nil {
		return "", false
	}
	e.st.Reason = Row{Table: table, Result: spoke.result, Name: spoke.name}.String()
	return spoke.say(e), true
}

// explainErrno says why the kernel refused, and what the call left behind.
func explainErrno(e *evidence, about *sentences) string {
	text := "The kernel answered " + e.st.Result.String() + "."
	if why, ok := e.reason(reasonTable{e.Verb, about.reasons}, reasonTable{"any", anyReasons}); ok {
		text = e.st.Result.String() + ": " + why
	}
	return text + " " + e.partialText(about.failed)
}

// anyReasons hold for every call.
var anyReasons = []reason{
	{"ENOSYS", "unknown call", "syscalls(2)", nil, func(e *evidence) string {
		name, _, _ := strings.Cut(e.st.Call, "(")
		if since := callSince[name]; since != "" {
			return fmt.Sprintf("this kernel does not know %s (added in Linux %s), or a seccomp filter hides it.", name, since)
		}
		return fmt.Sprintf("this kernel does not know %s, or a seccomp filter hides it.", name)
	}},
	callerMemory,
	{"EINTR", "interrupted", "signal(7)", nil, func(*evidence) string { return "a signal interrupted it." }},
}

// callerMemory precedes the other reasons of a call for which the kernel reads or writes memory of
// the caller.
var callerMemory = reason{"EFAULT", "own memory", "pkeys(7)", (*evidence).kernelAccessForbidden,
	func(e *evidence) string {
		return fmt.Sprintf("the kernel accesses the caller's memory with the caller's rights to protection keys, and those of %s (PKRU 0x%08x) forbid "+
			"what this call needs: memory with key 0, or the program's text.", e.st.Process, e.Keys.PKRU)
	}}

// callSince is the Linux version that added a call, for calls that not every supported kernel has
// (syscalls(2)).
var callSince = map[string]string{"mlock2": "4.4", "pkey_alloc": "4.9", "pkey_free": "4.9", "pkey_mprotect": "4.9", "mseal": "6.10",
	"pidfd_open": "5.3", "process_madvise": "5.10"}

// partialText says what a failed call changed before it failed; nothing is the sentence if it
// changed nothing.
func (e *evidence) partialText(nothing string) string {
	var seen []vmspace.Change
	for _, ch := range e.st.Changes {
		if ch.Process == e.owner && slices.Contains(callChanges, ch.Kind) && !e.provided(ch) {
			seen = append(seen, ch)
		}
	}
	switch {
	case len(seen) == 0 && nothing != "":
		return nothing
	case len(seen) == 0:
		return "Nothing has changed."
	}
	if other := slices.DeleteFunc(slices.Clone(seen), isConsequence); len(other) > 0 {
		seen = other
	}
	text := fmt.Sprintf("Yet %s changed already: %s", placeRange(e.st, seen[0]), e.changeText(seen[0]))
	if slices.ContainsFunc(seen, func(ch vmspace.Change) bool { return !seen[0].Range.Covers(ch.Range) }) {
		text += ", and more"
	}
	return text + "."
}

// provided reports whether a change is that of a page that the kernel provides, such as those of the
// vdso: the instruction that made the call may be there.
func (e *evidence) provided(ch vmspace.Change) bool {
	p := e.st.After.Process(ch.Process)
	if p == nil || ch.Kind != vmspace.ChangePage || ch.Is != vmspace.Special {
		return false
	}
	m, ok := p.MappingAt(ch.Range.Start)
	return ok && strings.HasPrefix(m.Path, "[")
}

// callChanges are the kinds of changes that a call makes, and not the kernel by itself.
var callChanges = []vmspace.ChangeKind{vmspace.ChangePerms, vmspace.ChangeUnmapped, vmspace.ChangeMapped, vmspace.ChangeGrown,
	vmspace.ChangeShrunk, vmspace.ChangeFlags, vmspace.ChangeKey, vmspace.ChangeSplit, vmspace.ChangeMerged, vmspace.ChangePage}

// isConsequence says whether a change follows from another: mappings are split or merged because
// their letters or flags changed.
func isConsequence(ch vmspace.Change) bool {
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

// flagsText says which VmFlags the mapping at addr gained and lost.
func (e *evidence) flagsText(addr uint64) string {
	var parts []string
	was, _ := e.before.MappingAt(addr)
	is, _ := e.st.After.Process(e.owner).MappingAt(addr)
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

// Holding yields the rows of the verb whose conditions hold for a step, whatever its result, each
// with its text.
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
