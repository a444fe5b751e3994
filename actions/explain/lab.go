package explain

import (
	"fmt"

	"cowscope/vmspace"
)

var waitSentences = sentences{
	reasons: []reason{{"ECHILD", "no child", "wait(2)", nil, func(e *evidence) string { return e.st.Process + " has no child to wait for." }}},
}

var snapshotSentences = sentences{
	why: func(e *evidence) string {
		if change := Noticed(e.st.Changes, e.st.After); change != "" {
			return "Something changed without a command: " + change
		}
		return "Every process was read in full: nothing has changed."
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

func explainDeath(e *evidence) string {
	st := e.st
	text := fmt.Sprintf("%s %s.", st.Process, e.Gone) + e.togetherText()
	stays := e.survivorsText()
	text += stays
	if p := st.After.Process(st.Process); p != nil && p.State == vmspace.Zombie {
		if stays == "" {
			text += " Its memory is free again."
		}
		text += fmt.Sprintf(" A zombie remains until %s waits for it.", e.Parent)
	}
	for _, ch := range st.Changes {
		if ch.Process != st.Process && ch.Kind == vmspace.ChangePage && ch.Was == vmspace.COW && ch.Is == vmspace.Anon {
			return text + fmt.Sprintf(" What it shared with %s is %s's alone now.", ch.Process, ch.Process)
		}
	}
	return text
}
