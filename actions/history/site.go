package history

import (
	"fmt"
	"strings"

	"cowscope/vmspace"
)

// Site is where in a program a thread was when something happened.
type Site struct {
	vmspace.Place          // of the innermost frame that is of the user's own source, where there is one
	Text          string   // of its line; "" where the source cannot be read
	Source        []string // the lines around it, the first of them line From
	From          int
	Callers       []string // the functions that called it, the nearest first
}

// SiteJSON is where a thread was, as JSON.
type SiteJSON struct {
	PlaceJSON
	Text    string   `json:"text,omitempty"`
	Source  []string `json:"source,omitempty"` // the lines around it
	From    int      `json:"from,omitempty"`   // the number of the first of them
	Callers []string `json:"callers,omitempty"`
}

// JSON converts the site to its JSON form; nil stays nil.
func (s *Site) JSON() *SiteJSON {
	if s == nil {
		return nil
	}
	return &SiteJSON{placeJSON(s.Place), s.Text, s.Source, s.From, s.Callers}
}

// Told is what a program did, in one line: a call with its answer, a page fault with what it did, a
// signal.
func (st *Step) Told() string {
	text := st.Call
	switch {
	case st.Result.Ending == EndedSignal:
		return fmt.Sprintf("%s at 0x%x", st.Result, st.Fault)
	case strings.HasSuffix(st.Call, ")"):
		text += " " + st.Answer()
	}
	if st.Happened != "" {
		text += ": " + string(st.Happened)
	}
	return text
}

// Whence is the place that it was done at, with its line of source; "" if that is not known.
func (st *Step) Whence() string {
	if st.At == nil {
		return ""
	}
	return strings.TrimSpace(st.At.String() + "  " + st.At.Text)
}
