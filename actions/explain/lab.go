package explain

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/printable"
)

var waitSentences = sentences{
	reasons: []reason{{"ECHILD", "no child", "wait(2)", nil, func(e *evidence) string { return e.st.Process + " has no child to wait for." }}},
}

var snapshotSentences = sentences{
	why: func(e *evidence) string {
		if change := Noticed(e.st.Changes, e.st.After); change != "" {
			return "Something changed by itself: " + change
		}
		return "Every process was read in full: nothing is different."
	},
}

var useSentences = sentences{
	why: func(e *evidence) string { return "Commands act on " + e.st.Current + " now." },
}

var restartSentences = sentences{
	why: func(*evidence) string {
		return "Every process is gone; p1 is a fresh one, and all names are free."
	},
}

func explainFile(e *evidence) string {
	st := e.st
	switch e.Verb {
	case "cat":
		if len(st.Bytes) == 0 {
			return "Another program reads nothing there: the file ends before."
		}
		return "Another program reads " + printable.Bytes(st.Bytes) + "."
	case "rm":
		return "The name is gone. What is mapped of the file stays mapped, and the file lives until the last mapping of it goes."
	}
	text := "Done from outside, as another program would."
	if seen := seenBy(e); seen != "" {
		text += " " + seen
	}
	if change := Noticed(st.Changes, st.After); change != "" {
		text += " " + change
	}
	return text
}

// seenBy says which mappings show what was written, and which have copies of their own.
func seenBy(e *evidence) string {
	st, name, offset := e.st, e.text("file"), e.number("offset")
	if e.Verb != "fwrite" || st.Value == 0 {
		return ""
	}
	var show, keep []string
	for _, p := range st.After.Processes {
		for _, m := range p.Mappings.All() {
			if e, ok := st.FileOf(m); !ok || e.Name != name || offset < m.Offset || offset-m.Offset >= m.Len() {
				continue
			}
			at := m.Start + (offset - m.Offset)
			where := p.Label + " " + history.PlaceOf(st.Names, p, at, st.After.PageSize)
			if s := p.PageAt(at, st.After.PageSize).State; s == vmspace.Anon || s == vmspace.COW || s == vmspace.Swapped {
				keep = append(keep, where)
			} else {
				show = append(show, where)
			}
		}
	}
	text := ""
	if len(show) > 0 {
		text = "It shows through at " + strings.Join(show, " and ") + "."
	}
	if len(keep) > 0 {
		text = strings.TrimSpace(text + " " + strings.Join(keep, " and ") + " " + has(keep) + " a copy and does not see it.")
	}
	return text
}

func has(list []string) string {
	if len(list) == 1 {
		return "has"
	}
	return "have"
}

func explainDeath(e *evidence) string {
	st := e.st
	text := fmt.Sprintf("%s %s.", st.Process, e.Gone)
	if p := st.After.Process(st.Process); p != nil && p.State == vmspace.Zombie {
		text += fmt.Sprintf(" Its memory is free again; a zombie remains until %s waits for it.", e.Parent)
	}
	for _, ch := range st.Changes {
		if ch.Process != st.Process && ch.Kind == vmspace.ChangePage && ch.Was == vmspace.COW && ch.Is == vmspace.Anon {
			return text + fmt.Sprintf(" What it shared with %s is %s's alone now.", ch.Process, ch.Process)
		}
	}
	return text
}
