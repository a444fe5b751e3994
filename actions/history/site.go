package history

import "cowscope/vmspace"

// Site is where in a program a thread was when something happened.
type Site struct {
	vmspace.Place          // of the innermost frame that is of the user's own source, where there is one
	Text          string   // of its line; "" where the source cannot be read
	Callers       []string // the functions that called it, the nearest first
}

// JSON is the site as a member of a step's JSON.
func (s *Site) JSON() *SiteJSON {
	if s == nil {
		return nil
	}
	return &SiteJSON{Function: s.Function, File: s.File, Line: s.Line, Text: s.Text, Callers: s.Callers, Where: s.String()}
}

// SiteJSON is where a thread was. File, line and text are left out where they are not known.
type SiteJSON struct {
	Function string   `json:"function"`
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`
	Text     string   `json:"text,omitempty"`
	Callers  []string `json:"callers,omitempty"`
	Where    string   `json:"where"`
}
