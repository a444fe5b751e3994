package explain

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// What an mmap did.

// joinedText says of a mapping that is new where it lies that it became one with a neighbour.
func (e *evidence) joinedText() string {
	at := e.st.Focus
	m, ok := e.st.After.Process(e.st.Process).MappingAt(at.Start)
	if !ok || m.Range == at || !m.Covers(at) {
		return ""
	}
	e.claim(history.ClaimJoined, at, 0)
	return " It has the same letters and backing as its neighbour, so the kernel made them one mapping."
}

func explainMmap(e *evidence) string {
	st := e.st
	pages := st.Focus.Pages(st.After.PageSize)
	p := st.After.Process(st.Process)
	n := p.Resident(st.Focus)
	e.claim(history.ClaimMapped, st.Focus, 0)
	e.claim(history.ClaimPresent, st.Focus, n)
	var text string
	switch {
	case n > 0:
		text = fmt.Sprintf("%s reserved, and %d of them faulted in at once.", amount.Of(pages, "page"), n)
	case e.Prot == 0:
		e.claim(history.ClaimRefused, st.Focus, 0)
		text = fmt.Sprintf("%s reserved, and nothing may touch them: none gets a frame until mprotect allows an access.", amount.Of(pages, "page"))
	default:
		text = fmt.Sprintf("%s reserved, no memory yet: each page gets its frame when it is first touched.", amount.Of(pages, "page"))
	}
	if lo, hi := st.Before.Process(st.Process).Mappings.Overlap(st.Focus); lo < hi {
		text += " What was mapped there before is gone."
	}
	text += e.joinedText()
	if e.sharing() == droppable {
		text += " They are droppable (VmFlags dp): when memory is short the kernel may drop their contents, and the next touch finds zeros. A child finds zeros too, and a core dump leaves them out."
	}
	text += execOnlyText(st)
	if asked := e.number("length"); asked != st.Focus.Len() {
		kind := "pages"
		if huge := e.hugePage(); huge > 0 {
			kind = "huge pages of " + amount.Size(huge)
		}
		text += fmt.Sprintf(" %s were asked for: a mapping consists of whole %s, and the rest of the last one can be used too.", amount.Bytes(asked), kind)
	}
	if name := e.text("file"); name != "" {
		text += fmt.Sprintf(" %s was opened (%s) and is closed again: the mapping itself keeps the file.", printable.Name(name), e.File.Mode)
	}
	return text
}
