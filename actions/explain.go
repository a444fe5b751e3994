package actions

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Explanations: one or two sentences of what happened and why, from the outcome and the changes together.
//
// Rules: a sentence says only what the snapshots and the outcome show; the kernel's reason is said where the evidence singles it out.

// explain gives the sentences for a step.
func explain(e *evidence) string {
	a := actionOf(e.verb)
	switch {
	case e.st.Result.Ending == history.EndedSignal:
		return explainSignal(e)
	case e.st.Result == history.Timeout:
		return "It did not come back before its deadline: cowscope stopped it and put its registers back. The process lives."
	case e.st.Result != history.OK:
		return explainErrno(e, a)
	case a.why != nil:
		return a.why(e)
	}
	return sentenceOf(e.st.Changes, e.st.After)
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

func explainMmap(e *evidence) string {
	st := e.st
	pages := st.Focus.Pages(st.After.PageSize)
	text := fmt.Sprintf("%s reserved, no memory yet: each page gets its frame when it is first touched.", amount.Of(pages, "page"))
	n := uint64(0)
	for _, g := range changesOf(st.Changes, st.Process, vmspace.ChangePage) {
		if g.Is != vmspace.None && g.Range.Overlaps(st.Focus) { // not a page that was replaced, nor the subject's own text, which came back
			n += g.Pages
		}
	}
	if n > 0 {
		text = fmt.Sprintf("%s reserved, and %d of them faulted in at once.", amount.Of(pages, "page"), n)
	}
	if lo, hi := st.Before.Process(st.Process).Mappings.Overlap(st.Focus); lo < hi {
		text += " What was mapped there before is gone."
	}
	p := st.After.Process(st.Process)
	if m, ok := p.MappingAt(st.Focus.Start); ok && m.Range != st.Focus && m.Range.Covers(st.Focus) {
		text += " It has the same letters and backing as its neighbour, so the kernel made them one mapping."
	}
	text += execOnlyText(st)
	if asked := e.number("length"); asked != st.Focus.Len() {
		kind := "pages"
		if huge := e.hugePage(); huge > 0 {
			kind = "huge pages of " + amount.Size(huge)
		}
		text += fmt.Sprintf(" %s were asked for: a mapping is whole %s, the rest of the last one can be used too.", amount.Bytes(asked), kind)
	}
	if name := e.text("file"); name != "" {
		text += fmt.Sprintf(" %s was opened (%s) and is closed again: the mapping itself keeps the file.", printable.Name(name), e.file.mode)
	}
	return text
}

func explainMunmap(e *evidence) string {
	st := e.st
	gone := append(changesOf(st.Changes, st.Process, vmspace.ChangeUnmapped), changesOf(st.Changes, st.Process, vmspace.ChangeShrunk)...)
	if len(gone) == 0 {
		return "Nothing was mapped there: unmapping a hole is no error."
	}
	n := uint64(0)
	for _, g := range gone {
		n += g.Pages
	}
	text := fmt.Sprintf("%s no longer mapped: the next touch is SIGSEGV/MAPERR.", amount.Of(n, "page"))
	for _, s := range changesOf(st.Changes, st.Process, vmspace.ChangeSplit) {
		text += fmt.Sprintf(" What is left of the mapping around the hole is %s mappings now.", s.To)
	}
	return text
}

func explainMprotect(e *evidence) string {
	st := e.st
	ch := changesOf(st.Changes, st.Process, vmspace.ChangePerms)
	switch key := keyChanges(st); {
	case len(ch) == 0 && key != "":
		return "The letters were these already. " + key + execOnlyText(st)
	case len(ch) == 0:
		return "The letters were these already."
	}
	text := fmt.Sprintf("%s: %s → %s. The frames stay where they are; only what is allowed has changed.", place(st, ch[0].Range.Start), ch[0].From, ch[0].To)
	return text + execOnlyText(st) + splitText(st)
}

// splitText says what became of the mappings around the range.
func splitText(st *history.Step) string {
	for _, s := range changesOf(st.Changes, st.Process, vmspace.ChangeSplit) {
		return fmt.Sprintf(" A mapping has one set of letters and flags, so the kernel split it into %s.", s.To)
	}
	for _, s := range changesOf(st.Changes, st.Process, vmspace.ChangeMerged) {
		return fmt.Sprintf(" %s neighbours now have the same letters: the kernel merged them into one mapping.", s.From)
	}
	return ""
}

func place(st *history.Step, addr uint64) string {
	p := st.After.Process(st.Process)
	if p == nil {
		return fmt.Sprintf("0x%x", addr)
	}
	return history.PlaceOf(st.Names, p, addr, st.After.PageSize)
}

func explainExec(e *evidence) string {
	st := e.st
	text := "The code ran and came back. "
	if e.trapped {
		text = fmt.Sprintf("The code ran to a trap at %s, such as a breakpoint instruction, and stopped there. ", place(st, e.stoppedAt))
	}
	for _, ch := range changesOf(st.Changes, st.Process, vmspace.ChangePage) {
		if !ch.Range.Overlaps(st.Focus) {
			text += fmt.Sprintf("What it touched by itself: %s: %s → %s. ", placeRange(st, ch), ch.From, ch.To)
			if st.Before.Process(st.Process).PageAt(st.Focus.Start, st.Before.PageSize).Word&vmspace.WordPresent != 0 {
				return strings.TrimSpace(text)
			}
			break
		}
	}
	return text + accessText(st)
}

func explainAccess(e *evidence) string {
	st := e.st
	text := accessText(st)
	if len(st.Bytes) > 0 {
		text = "It read " + readText(st.Bytes) + ". " + text
	}
	return text
}

// readText writes bytes that were read: hexadecimal, and as text where all are printable.
func readText(b []byte) string {
	hex := fmt.Sprintf("% x", b[:min(len(b), 16)])
	if len(b) > 16 {
		hex += " …"
	}
	for _, x := range b {
		if x < ' ' || x > '~' {
			return hex
		}
	}
	return fmt.Sprintf("%s %q", hex, b[:min(len(b), 16)])
}

// accessText says what the access did to the pages it went to.
func accessText(st *history.Step) string {
	for _, ch := range st.Changes {
		if ch.Process == st.Process && ch.Range.Overlaps(st.Focus) && (ch.Kind == vmspace.ChangePage || ch.Kind == vmspace.ChangeFrame) {
			return pageSentence(st, ch) + readIn(st)
		}
	}
	return untouchedText(st)
}

// readIn tells of major faults.
func readIn(st *history.Step) string {
	if st.Major == 0 {
		return ""
	}
	return " It was not in memory yet, so the kernel had to get it from where it is kept: that is a major fault."
}

// turn is a page's way from one state to another.
type turn struct{ was, is vmspace.State }

// pageSentence explains a page's way from one state to another.
func pageSentence(st *history.Step, ch vmspace.Change) string {
	head := placeRange(st, ch) + ": " + ch.From + " → " + ch.To + ". "
	frames := ""
	if ch.FromFrame != 0 && ch.ToFrame != 0 && ch.FromFrame != ch.ToFrame {
		frames = fmt.Sprintf(": 0x%x → 0x%x", ch.FromFrame, ch.ToFrame)
	}
	owners := sharersBefore(st, ch)
	switch (turn{ch.Was, ch.Is}) {
	case turn{vmspace.None, vmspace.Zero}:
		return head + "First touch, by a read: the kernel took a page fault and mapped its one shared page of zeros. No memory is used."
	case turn{vmspace.None, vmspace.Anon}:
		if st.Happened == vmspace.Copy {
			return head + "First touch, by a write: the kernel copied the file's page into a frame of " + st.Process + "'s own. The file never sees the write."
		}
		return head + "First touch: the kernel took a page fault, found a free frame, filled it with zeros and mapped it."
	case turn{vmspace.Zero, vmspace.Anon}:
		return head + "The zero page is everyone's, so the write got a frame of its own, filled with zeros."
	case turn{vmspace.None, vmspace.Shared}:
		return head + "First touch here: the page is the same frame for everyone who maps it."
	case turn{vmspace.None, vmspace.File}:
		return head + "The page cache's own page was mapped, and its cached neighbours with it where there are any."
	case turn{vmspace.None, vmspace.COW}:
		return head + "The page was mapped, shared copy-on-write."
	case turn{vmspace.File, vmspace.Anon}:
		return head + "The file's page was copied" + frames + ". The copy is " + st.Process + "'s own; the file never sees the write."
	case turn{vmspace.COW, vmspace.Anon}:
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
	case turn{vmspace.Anon, vmspace.Anon}:
		return placeRange(st, ch) + ": a new frame" + frames + ". The page was still write-protected since the fork, and the kernel chose to copy it."
	}
	return head
}

func keeps(owners string) string {
	if strings.Contains(owners, " ") {
		return "keep"
	}
	return "keeps"
}

// sharersBefore lists the other processes that had the changed page's frame before the step, where frame numbers show it.
func sharersBefore(st *history.Step, ch vmspace.Change) string {
	var out []string
	for _, p := range st.Before.Processes {
		if p.Label == st.Process || ch.FromFrame == 0 {
			continue
		}
		if r := p.PageAt(ch.Range.Start, st.Before.PageSize); r.Frame == ch.FromFrame {
			out = append(out, p.Label)
		}
	}
	return strings.Join(out, " and ")
}

func placeRange(st *history.Step, ch vmspace.Change) string {
	text := place(st, ch.Range.Start)
	if !strings.HasPrefix(text, "0x") && !strings.Contains(text, "+") {
		text += "+0"
	}
	if ch.Pages > 1 {
		text += fmt.Sprintf(" (%d pages)", ch.Pages)
	}
	return text
}

// untouchedText explains an access that changed no state.
func untouchedText(st *history.Step) string {
	p := st.After.Process(st.Process)
	if p == nil || st.Focus.Empty() {
		return ""
	}
	run := p.PageAt(st.Focus.Start, st.After.PageSize)
	wrote := st.Verb == "write" || st.Verb == "fill"
	switch {
	case st.Minor+st.Major > 0 && run.State == vmspace.Anon && wrote && !st.After.Frames:
		return "The frame was still write-protected since the fork, but nobody else has it: one minor fault made it writable again. Whether the " +
			"frame was kept or copied is hidden, as frame numbers are."
	case st.Minor+st.Major > 0 && run.State == vmspace.Anon && wrote:
		return "The frame was still write-protected since the fork, but nobody else has it: one minor fault made it writable again, and it was kept."
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

func explainFork(e *evidence) string {
	st := e.st
	shared := uint64(0)
	if p := st.After.Process(e.child); p != nil {
		for _, r := range p.Pages.All() {
			if r.State == vmspace.COW {
				shared += r.Pages
			}
		}
	}
	return fmt.Sprintf("%s is a copy of %s with the same addresses. No memory was copied: %s shared copy-on-write; mappings of files and shared memory start without page table entries.",
		e.child, st.Process, pagesAre(shared))
}

func pagesAre(n uint64) string {
	if n == 1 {
		return "1 anonymous page is"
	}
	return fmt.Sprintf("%d anonymous pages are", n)
}

func explainDeath(e *evidence) string {
	st := e.st
	text := fmt.Sprintf("%s %s.", st.Process, e.gone)
	if p := st.After.Process(st.Process); p != nil && p.State == vmspace.Zombie {
		text += fmt.Sprintf(" Its memory is free again; a zombie remains until %s waits for it.", e.parent)
	}
	for _, ch := range st.Changes {
		if ch.Process != st.Process && ch.Kind == vmspace.ChangePage && ch.Was == vmspace.COW && ch.Is == vmspace.Anon {
			return text + fmt.Sprintf(" What it shared with %s is %s's alone now.", ch.Process, ch.Process)
		}
	}
	return text
}

// sentenceOf describes changes that no command asked for.
func sentenceOf(cs []vmspace.Change, after *vmspace.Snapshot) string {
	for _, c := range cs {
		if c.Kind == vmspace.ChangePage {
			return fmt.Sprintf("%s: %s at 0x%x went from %s to %s.", c.Process, amount.Of(c.Pages, "page"), c.Range.Start, c.From, c.To)
		}
	}
	for _, c := range cs {
		if c.Attrs&vmspace.KSM == 0 {
			continue
		}
		if after.Process(c.Process).PageAt(c.Range.Start, after.PageSize).Attrs&vmspace.KSM != 0 {
			return fmt.Sprintf("%s: the kernel merged %s at 0x%x with equal ones (KSM).", c.Process, amount.Of(c.Pages, "page"), c.Range.Start)
		}
		return fmt.Sprintf("%s: the kernel has %s at 0x%x no longer merged with others (KSM).", c.Process, amount.Of(c.Pages, "page"), c.Range.Start)
	}
	for _, c := range cs {
		return fmt.Sprintf("%s: %s at 0x%x.", c.Process, c.Kind, c.Range.Start)
	}
	return ""
}
