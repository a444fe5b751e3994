package cast

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cowscope/vmspace/printable"
)

// Versions are the versions of the format that can be written.
var Versions = []int{2, 3}

// Header describes a recording.
type Header struct {
	Version       int // 2 or 3
	Width, Height int // of the terminal, in cells
	Timestamp     int64
	Title         string
	Term, Shell   string // of the environment; "" leaves them out
	Theme         *Theme // nil if the player chooses the colours
}

// Theme is the colours of a terminal, each as #rrggbb.
type Theme struct {
	Foreground, Background string
	Palette                [16]string
}

// The header as JSON, in both versions.
type (
	jsonHeader struct {
		Version   int               `json:"version"`
		Width     int               `json:"width,omitempty"`
		Height    int               `json:"height,omitempty"`
		Terminal  *jsonTerm         `json:"term,omitempty"`
		Timestamp int64             `json:"timestamp,omitempty"`
		Title     string            `json:"title,omitempty"`
		Env       map[string]string `json:"env,omitempty"`
		Theme     *jsonTheme        `json:"theme,omitempty"`
	}
	jsonTerm struct {
		Cols  int        `json:"cols"`
		Rows  int        `json:"rows"`
		Type  string     `json:"type,omitempty"`
		Theme *jsonTheme `json:"theme,omitempty"`
	}
	jsonTheme struct {
		Foreground string `json:"fg"`
		Background string `json:"bg"`
		Palette    string `json:"palette"`
	}
)

// line is the header as the first line of a file.
func (h Header) line() ([]byte, error) {
	j := jsonHeader{Version: h.Version, Timestamp: h.Timestamp, Title: printable.Line(h.Title), Env: map[string]string{}}
	var theme *jsonTheme
	if t := h.Theme; t != nil {
		theme = &jsonTheme{t.Foreground, t.Background, strings.Join(t.Palette[:], ":")}
	}
	if h.Shell != "" {
		j.Env["SHELL"] = printable.Line(h.Shell)
	}
	switch h.Version {
	case 2:
		j.Width, j.Height, j.Theme = h.Width, h.Height, theme
		if h.Term != "" {
			j.Env["TERM"] = printable.Line(h.Term)
		}
	case 3:
		j.Terminal = &jsonTerm{h.Width, h.Height, printable.Line(h.Term), theme}
	default:
		return nil, fmt.Errorf("version %d of a cast cannot be written: 2 and 3 can", h.Version)
	}
	return encode(j)
}

var errForeign = errors.New("it does not begin like a cast")

// parseHeader parses the first line of a file; errForeign says that it is not a cast.
func parseHeader(line []byte) (Header, error) {
	var j jsonHeader
	if err := json.Unmarshal(line, &j); err != nil {
		return Header{}, errForeign
	}
	h := Header{Version: j.Version, Width: j.Width, Height: j.Height, Timestamp: j.Timestamp, Title: j.Title, Term: j.Env["TERM"], Shell: j.Env["SHELL"]}
	theme := j.Theme
	if j.Version == 3 && j.Terminal != nil {
		h.Width, h.Height, h.Term, theme = j.Terminal.Cols, j.Terminal.Rows, j.Terminal.Type, j.Terminal.Theme
	}
	if h.Version != 2 && h.Version != 3 || h.Width <= 0 || h.Height <= 0 {
		return Header{}, errForeign
	}
	if theme != nil {
		h.Theme = &Theme{Foreground: theme.Foreground, Background: theme.Background}
		copy(h.Theme.Palette[:], strings.Split(theme.Palette, ":"))
	}
	return h, nil
}

// encode is v as one line of JSON that does not escape <, > and &, and contains only printable
// characters.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	line, _ := printable.Append(nil, b.Bytes())
	return line, err
}
