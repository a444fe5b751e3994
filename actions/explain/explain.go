// Package explain says in a sentence or two what happened in a step, and why, from the step, its
// arguments as numbers, and what else is known. It makes no difference whether a command of the lab
// or a program made the call.
//
// Rules: a sentence says only what the snapshots and the outcome show; the kernel's reason is said
// where the evidence singles it out.
package explain

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Step returns the explanation of a step: what happened, and why. The step records which row of
// reasons was used.
func Step(st *history.Step, a Arguments, around Surroundings) string {
	e := newEvidence(st, a, around)
	about := verbs[e.Verb]
	if about == nil {
		about = &sentences{}
	}
	unread := e.unreadText()
	switch {
	case unread != "":
		return unread
	case e.st.Result.Ending == history.EndedSignal:
		return explainSignal(e)
	case e.st.Result == history.Timeout:
		return "It did not return before its deadline: cowscope stopped it and restored its registers. The process lives on."
	case e.st.Result != history.OK:
		return explainErrno(e, about)
	case about.span && e.rounded.Empty():
		e.claim(history.ClaimUntouched, vmspace.Everything, 0)
		return "The range is empty, so there was nothing to do."
	case about.why != nil:
		return about.why(e) + e.stackText()
	}
	return Noticed(e.st.Changes, e.st.After)
}

// Fault returns the explanation of a page fault of a program that is run: what became of the page,
// and why.
func Fault(st *history.Step) string {
	e := newEvidence(st, Arguments{}, Surroundings{})
	changed := func(ch vmspace.Change) bool {
		return ch.Process == st.Process && ch.Range.Overlaps(st.Focus) && (ch.Kind == vmspace.ChangePage || ch.Kind == vmspace.ChangeFrame)
	}
	switch {
	case e.unreadText() != "":
		return e.unreadText()
	case slices.ContainsFunc(st.Changes, changed):
		return e.accessText()
	case st.Happened == vmspace.Reuse && e.inShared(st.Fault):
		return "The page was there, and only the right to write was missing: the file system is told of the first write to it. The frame is the same."
	case st.Happened == vmspace.Reuse:
		return "The page was there, and only the right to write was missing: the frame has no other owner, so the kernel gave it, and copied nothing."
	}
	return "The page is as it was in the picture before."
}

// inShared reports whether an address is in a shared mapping of the process that acted.
func (e *evidence) inShared(addr uint64) bool {
	p := e.st.After.Process(e.st.Process)
	if p == nil {
		return false
	}
	m, ok := p.MappingAt(addr)
	return ok && !m.Private()
}

// unreadText says that a process that acted, or was created, is alive but could not be read. Then
// its snapshot proves nothing.
func (e *evidence) unreadText() string {
	for _, snap := range []*vmspace.Snapshot{e.st.Before, e.st.After} {
		for _, label := range []string{e.st.Process, e.Child} {
			if p := snap.Process(label); p != nil && p.Err != "" && p.State < vmspace.Zombie {
				return fmt.Sprintf("%s could not be read (%s), so what this did there is unknown.", label, p.Err)
			}
		}
	}
	return ""
}

// changesOf picks the changes of one process and kind.
func changesOf(cs []vmspace.Change, label string, kind vmspace.ChangeKind) []vmspace.Change {
	var out []vmspace.Change
	for _, c := range cs {
		if c.Process == label && c.Kind == kind {
			out = append(out, c)
		}
	}
	return out
}

// splitText explains mappings that were split or merged around the range, and a split huge zero
// page.
func (e *evidence) splitText() string {
	return e.dividedText("set of letters and flags", "letters") + e.splitZeroText(e.rounded, e.rounded.Start)
}

// dividedText says that mappings were split or merged, because a mapping has only one such thing;
// alike is what merged mappings have in common.
func (e *evidence) dividedText(thing, alike string) string {
	for _, s := range changesOf(e.st.Changes, e.owner, vmspace.ChangeSplit) {
		return fmt.Sprintf(" A mapping has one %s, so the kernel split it into %s.", thing, s.To)
	}
	for _, s := range changesOf(e.st.Changes, e.owner, vmspace.ChangeMerged) {
		return fmt.Sprintf(" %s neighbours now have the same %s: the kernel merged them into one mapping.", s.From, alike)
	}
	return ""
}

// stackText says which part of a stack that was cut keeps the name: the one that contains the stack
// pointer with which the program started (vma_is_initial_stack in include/linux/mm.h).
func (e *evidence) stackText() string {
	after := e.st.After.Process(e.owner)
	if after == nil {
		return ""
	}
	was, _ := history.Fixed(e.before, "stack")
	is, named := history.Fixed(after, "stack")
	rest := vmspace.Range{Start: was.Start, End: is.Start}
	if lo, hi := after.Mappings.Overlap(rest); !named || rest.Start >= rest.End || lo == hi {
		return ""
	}
	return fmt.Sprintf(" The name stack now stands for the part where the program's stack began: %s from 0x%x on.",
		amount.Of(is.Pages(e.pageSize()), "page"), is.Start)
}

func place(st *history.Step, addr uint64) string { return placeOf(st, st.Process, addr) }

// placeOf is place in another process.
func placeOf(st *history.Step, label string, addr uint64) string {
	p := st.After.Process(label)
	if p == nil {
		return fmt.Sprintf("0x%x", addr)
	}
	return history.PlaceOf(st.Names, p, addr, st.After.PageSize)
}

func explainExec(e *evidence) string {
	st := e.st
	text := "The code ran and returned. "
	if e.Trapped {
		text = fmt.Sprintf("The code ran to a trap at %s, such as a breakpoint instruction, and stopped there. ", place(st, e.StoppedAt))
	}
	for _, ch := range changesOf(st.Changes, st.Process, vmspace.ChangePage) {
		if !ch.Range.Overlaps(st.Focus) {
			text += fmt.Sprintf("It also touched %s: %s → %s. ", placeRange(st, ch), ch.From, ch.To)
			if st.Before.Process(st.Process).PageAt(st.Focus.Start, st.Before.PageSize).Word&vmspace.WordPresent != 0 {
				return strings.TrimSpace(text)
			}
			break
		}
	}
	return text + e.accessText()
}

func explainAccess(e *evidence) string {
	st := e.st
	text := e.accessText()
	if len(st.Bytes) > 0 {
		text = "It read " + printable.Bytes(st.Bytes) + ". " + text
	}
	return text
}

// accessText explains what the access did to its pages.
func (e *evidence) accessText() string {
	st, text := e.st, ""
	var first vmspace.Change
	var alike uint64 // pages beside the first ones that became the same
	var others []string
	for _, ch := range st.Changes {
		switch {
		case ch.Process != st.Process || !ch.Range.Overlaps(st.Focus) || ch.Kind != vmspace.ChangePage && ch.Kind != vmspace.ChangeFrame:
		case text == "":
			first, text = ch, pageSentence(st, ch)+majorFaultText(st)
		case ch.Kind == first.Kind && ch.From == first.From && ch.To == first.To:
			alike += ch.Pages
		default:
			others = append(others, fmt.Sprintf("%s: %s → %s", placeRange(st, ch), ch.From, ch.To))
		}
	}
	if text == "" {
		return e.untouchedText()
	}
	for _, ch := range changesOf(st.Changes, st.Process, vmspace.ChangeGrown) {
		if m, ok := st.After.Process(st.Process).MappingAt(st.Focus.Start); ok && m.Covers(ch.Range) {
			text += fmt.Sprintf(" It lies below what was mapped: %s grew down to it, by %s.", e.grower(m), amount.Of(ch.Pages, "page"))
		}
	}
	if alike > 0 {
		text += fmt.Sprintf(" The same happened to %s more.", amount.Of(alike, "page"))
	}
	if e.LoadsFirst && st.Minor > st.Focus.Pages(e.pageSize()) {
		text += " The instruction loads a byte before it stores it: a page that was not there took two faults, one for the load and one for the store."
	}
	if n := len(others); n > 0 {
		text += " " + strings.Join(others[:min(n, mostOthers)], "; ") + map[bool]string{true: "; and so on.", false: "."}[n > mostOthers]
	}
	return text
}

// mostOthers is the maximum number of changes of an access that are listed beside the first.
const mostOthers = 2

// majorFaultText explains major faults.
func majorFaultText(st *history.Step) string {
	if st.Major == 0 {
		return ""
	}
	return " It was not in memory, so the kernel had to read it from its file or from swap: that is a major fault."
}

// transition is a change of a page from one state to another.
type transition struct{ was, is vmspace.State }

// pageSentence explains a change of a page from one state to another.
func pageSentence(st *history.Step, ch vmspace.Change) string {
	head := placeRange(st, ch) + ": " + ch.From + " → " + ch.To + ". "
	frames := ""
	if ch.FromFrame != 0 && ch.ToFrame != 0 && ch.FromFrame != ch.ToFrame {
		frames = fmt.Sprintf(": 0x%x → 0x%x", ch.FromFrame, ch.ToFrame)
	}
	owners := sharersBefore(st, ch)
	switch (transition{ch.Was, ch.Is}) {
	case transition{vmspace.None, vmspace.Zero}:
		return head + "First touch, by a read: on the page fault the kernel mapped its one shared page of zeros. No memory is used."
	case transition{vmspace.None, vmspace.Anon}:
		if st.Happened == vmspace.Copy {
			return head + "First touch, by a write: the kernel copied the file's page into a frame of " + st.Process + "'s own. The file never sees the write."
		}
		return head + "First touch: on the page fault the kernel found a free frame, filled it with zeros and mapped it."
	case transition{vmspace.Zero, vmspace.Anon}:
		return head + "Everyone shares the zero page, so the write got a new frame, filled with zeros."
	case transition{vmspace.None, vmspace.Shared}:
		return head + "First touch here: the page is the same frame for everyone who maps it."
	case transition{vmspace.None, vmspace.File}:
		return head + "The page of the page cache was mapped, and with it those of its neighbours that are cached."
	case transition{vmspace.None, vmspace.COW}:
		return head + "The page was mapped, shared copy-on-write."
	case transition{vmspace.File, vmspace.Anon}:
		return head + "The file's page was copied" + frames + ". The copy is " + st.Process + "'s own; the file never sees the write."
	case transition{vmspace.COW, vmspace.Anon}:
		if ch.FromFrame != 0 && ch.FromFrame == ch.ToFrame {
			return head + "No one else has the frame any more, so the kernel let " + st.Process + " keep it."
		}
		if owners != "" {
			return head + "The frame was shared with " + owners + "; the kernel copied it" + frames + ". " + owners + " " + keeps(owners) + " the old one."
		}
		if frames == "" {
			return head + "The page was shared copy-on-write, so the write made it " + st.Process + "'s own: copied, unless nobody else had it (frame numbers are hidden)."
		}
		return head + "The kernel copied the frame" + frames + "."
	case transition{vmspace.Anon, vmspace.Anon}:
		return placeRange(st, ch) + ": a new frame" + frames + ". The page was still write-protected since " + protectedBy(st) + ", and the kernel chose to copy it."
	}
	return head
}

func keeps(owners string) string {
	if strings.Contains(owners, " ") {
		return "keep"
	}
	return "keeps"
}

// sharersBefore lists the other processes that had the changed page's frame before the step, where
// frame numbers show it.
func sharersBefore(st *history.Step, ch vmspace.Change) string {
	var out []string
	for _, p := range st.Before.Processes {
		if p.Label == st.Process || ch.FromFrame == 0 || p.SharesWith(st.Before.Process(st.Process)) {
			continue
		}
		if r := p.PageAt(ch.Range.Start, st.Before.PageSize); r.Frame == ch.FromFrame {
			out = append(out, p.Label)
		}
	}
	return printable.List(out)
}

func placeRange(st *history.Step, ch vmspace.Change) string {
	text := placeOf(st, ch.Process, ch.Range.Start)
	if !strings.HasPrefix(text, "0x") && !strings.Contains(text, "+") {
		text += "+0"
	}
	if ch.Pages > 1 {
		text += fmt.Sprintf(" (%d pages)", ch.Pages)
	}
	return text
}

// protectedBy is what write-protected a page that the mapping allows to be written.
func protectedBy(st *history.Step) string {
	switch {
	case st.Facts.NeverForked && st.Facts.Reprotected:
		return "its protection was last changed (kernels before Linux 6.2 leave it so)"
	case st.Facts.NeverForked && st.Facts.Userfaultfd:
		return "userfaultfd protected it"
	case st.Facts.Userfaultfd:
		return "the fork, or since userfaultfd protected it"
	}
	return "the fork"
}

// untouchedText explains an access that changed no state.
func (e *evidence) untouchedText() string {
	st := e.st
	p := st.After.Process(st.Process)
	if p == nil || st.Focus.Empty() {
		return ""
	}
	run := p.PageAt(st.Focus.Start, st.After.PageSize)
	wrote := e.Accesses && e.Access == vmspace.Store
	m, _ := p.MappingAt(st.Focus.Start)
	switch {
	case m.Path == vsyscall:
		return st.Process + " has no page there: the kernel emulates what is called."
	case st.Minor+st.Major > 0 && run.State == vmspace.Anon && wrote && !st.After.Frames:
		return "The frame was still write-protected since " + protectedBy(st) + ", but nobody else has it: one minor fault made it writable again. Whether the " +
			"frame was kept or copied cannot be seen, because frame numbers are hidden."
	case st.Minor+st.Major > 0 && run.State == vmspace.Anon && wrote:
		return "The frame was still write-protected since " + protectedBy(st) + ", but nobody else has it: one minor fault made it writable again, and it was kept."
	case run.State == vmspace.Shared && wrote && st.Minor > 0 && m.Kind() == vmspace.KindShmem:
		return "The page is mapped already and shared: everyone who maps it sees the write. The minor fault gave the right to write to it, which userfaultfd had taken."
	case run.State == vmspace.Shared && wrote && st.Minor > 0:
		return "The page is mapped already and shared: everyone who maps it sees the write. The minor fault tells the file system that a clean page is about to change."
	case run.State == vmspace.Shared && wrote:
		return "The page is mapped already and shared: everyone who maps it sees the write."
	case run.State == vmspace.Zero:
		return "The zero page is mapped already: no fault."
	case st.Minor+st.Major == 0:
		return "The page is there already: no fault, the CPU went straight to memory."
	case run.State == vmspace.Special:
		return "The page is lent by the kernel, which brought it in; pagemap does not show that."
	case wrote:
		return "The pages were there already, and only the right to write to them was missing."
	}
	return "The faults changed no page's state."
}
