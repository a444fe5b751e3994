package explain

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// What the calls on files changed, in the file and in the processes that map it.

func explainMemfd(e *evidence) string {
	text := fmt.Sprintf("%s is a file in memory. No folder lists it: /proc/PID/maps calls it %s (deleted), and it lives as long as somebody has it open or mapped.",
		e.fileName(), printable.Name("/memfd:"+e.text("file")))
	if e.fileSealed(history.SealSeal) {
		text += " It takes no seals, since sealing was not asked for."
	}
	return text
}

func explainSeal(e *evidence) string {
	f := e.namedFile()
	if f.Seals == 0 {
		return fmt.Sprintf("No seal was asked for, and %s has none.", e.fileName())
	}
	text := fmt.Sprintf("%s has %s now, and nothing takes a seal away.", e.fileName(), sealsText(f.Seals))
	var before history.Seals
	if last := lastOf(e.Past); last != nil {
		f, _ := last.FileNamed(f.Name)
		before = f.Seals
	}
	if more := f.Seals &^ before &^ history.Seals(e.Flags); more != 0 && e.has("exec") {
		text += fmt.Sprintf(" exec brought %s with it, since the file may be executed: code that runs must not change.", more)
	}
	switch {
	case f.Seals&history.SealWrite != 0:
		text += " Nobody can write to it any more, neither with write(2) nor through a mapping."
	case f.Seals&history.SealFutureWrite != 0:
		text += " Shared mappings that may write to it still can; new ones cannot, nor can write(2)."
	}
	if f.Seals&(history.SealGrow|history.SealShrink) == history.SealGrow|history.SealShrink && f.HugePage == 0 {
		text += fmt.Sprintf(" It has %s for ever: no access within them is SIGBUS.", amount.Bytes(f.Size))
	}
	return text
}

func explainLink(e *evidence) string {
	return fmt.Sprintf("%s and %s are two names of one file now, with one inode: a mapping of either shows the same pages.", e.fileName(), printable.Name(e.text("to")))
}

func explainRename(e *evidence) string {
	if e.text("file") == e.text("to") {
		return "It has that name already."
	}
	if f, ok := e.st.FileNamed(e.text("file")); ok {
		return fmt.Sprintf("Nothing was done: %s and %s are names of one file (rename(2)).", printable.Name(f.Name), printable.Name(e.text("to")))
	}
	return fmt.Sprintf("The file is called %s now. What is mapped of it stays mapped.", printable.Name(e.text("to")))
}

func explainRemove(e *evidence) string {
	if last := lastOf(e.Past); last != nil {
		if f, ok := last.FileNamed(e.text("file")); ok {
			if names := last.OtherNames(f); len(names) > 0 {
				return fmt.Sprintf("The name is gone. The file lives on: it is still called %s.", printable.Name(printable.List(names)))
			}
		}
	}
	return "The name is gone. What is mapped of the file stays mapped, and the file lives until the last mapping of it goes."
}

func lastOf(past []*history.Step) *history.Step {
	if len(past) == 0 {
		return nil
	}
	return past[len(past)-1]
}

func explainCat(e *evidence) string {
	if len(e.st.Bytes) == 0 {
		return "Another program reads nothing there: the file ends before that."
	}
	return "Another program reads " + printable.Bytes(e.st.Bytes) + "."
}

func explainOutside(e *evidence) string {
	text := "Done from outside, as another program would."
	if seen := seenBy(e); seen != "" {
		text += " " + seen
	}
	if change := Noticed(e.st.Changes, e.st.After); change != "" {
		text += " " + change
	}
	return text
}

func explainTruncate(e *evidence) string {
	return fmt.Sprintf("%s has %s now.", e.fileName(), amount.Bytes(e.namedFile().Size)) + e.goneText()
}

func explainFallocate(e *evidence) string {
	size := fmt.Sprintf("%s has %s", e.fileName(), amount.Bytes(e.namedFile().Size))
	text := "The room for these bytes is allocated now, and " + size + "."
	switch {
	case e.has("punch"):
		text = "These bytes read as zeros now, and the room of whole blocks among them is free again. " + size + " as before."
	case e.has("zero"):
		text = "These bytes read as zeros now, and the room for them is allocated. " + size + "."
	case e.has("keep"):
		text = "The room for these bytes is allocated now. " + size + " as before."
	}
	return text + e.goneText() + e.keptText()
}

// goneText lists the pages of the file, and the private copies of them, that left the page tables.
func (e *evidence) goneText() string {
	var gone, past, copies []string
	f := e.namedFile()
	for _, p := range e.st.After.Processes {
		for _, ch := range changesOf(e.st.Changes, p.Label, vmspace.ChangePage) {
			m, _ := p.MappingAt(ch.Range.Start)
			if !f.ShownBy(m) || ch.Is != vmspace.None || !present(ch.Was) && ch.Was != vmspace.Swapped {
				continue
			}
			e.st.Claims = append(e.st.Claims, history.Claim{Kind: history.ClaimDropped, Process: p.Label, Range: ch.Range, Count: ch.Pages})
			at := fmt.Sprintf("%s (%s)", e.placeIn(p, ch.Range.Start), amount.Of(ch.Pages, "page"))
			switch {
			case copied(ch.Was):
				copies = append(copies, at)
			case ch.Range.Start-m.Start+m.Offset >= f.Size:
				past = append(past, at)
			default:
				gone = append(gone, at)
			}
		}
	}
	text := ""
	if len(gone) > 0 {
		text += " No longer in the page tables: " + printable.List(gone) + "; the next touch brings in what the file holds there now."
	}
	if len(past) > 0 {
		text += " No longer in the page tables: " + printable.List(past) + "; the file ends before them, so the next touch is SIGBUS/ADRERR."
	}
	if len(copies) > 0 {
		text += " Private copies went with them: " + printable.List(copies) + "."
	}
	return text
}

// keptText lists the private copies of the part of the file that is zeros now.
func (e *evidence) keptText() string {
	if !e.has("punch") && !e.has("zero") {
		return ""
	}
	var kept []string
	f := e.namedFile()
	for _, p := range e.st.After.Processes {
		for _, m := range p.Mappings.All() {
			if !f.ShownBy(m) || !m.Private() {
				continue
			}
			from := m.Start + max(e.number("offset"), m.Offset) - m.Offset
			to := m.Start + max(e.fileEnd(), m.Offset) - m.Offset
			for run := range p.PagesIn(m.Intersect(vmspace.Range{Start: from, End: max(from, e.pageEnd(to))})) {
				if copied(run.State) {
					kept = append(kept, fmt.Sprintf("%s (%s)", e.placeIn(p, run.Start), amount.Of(run.Pages, "page")))
				}
			}
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return " Private copies stay as they were: " + printable.List(kept) + "."
}

// copied says whether a page of a mapping of a file is the process's own copy, or one that it
// shares with relatives.
func copied(s vmspace.State) bool {
	return s == vmspace.Anon || s == vmspace.COW || s == vmspace.Swapped
}

// seenBy says which mappings show what was written, and which have copies of their own.
func seenBy(e *evidence) string {
	st, f, offset := e.st, e.namedFile(), e.number("offset")
	if e.Verb != "fwrite" || st.Value == 0 {
		return ""
	}
	var show, keep []string
	for _, p := range st.After.Processes {
		for _, m := range p.Mappings.All() {
			if !f.ShownBy(m) || offset < m.Offset || offset-m.Offset >= m.Len() {
				continue
			}
			at := m.Start + (offset - m.Offset)
			if copied(p.PageAt(at, st.After.PageSize).State) {
				keep = append(keep, e.placeIn(p, at))
			} else {
				show = append(show, e.placeIn(p, at))
			}
		}
	}
	text := ""
	if len(show) > 0 {
		text = "It shows through at " + printable.List(show) + "."
	}
	if len(keep) > 0 {
		text = strings.TrimSpace(text + " " + printable.List(keep) + " " + has(keep) + " a copy and does not see it.")
	}
	return text
}

func has(list []string) string {
	if len(list) == 1 {
		return "has"
	}
	return "have"
}
