// Themes: the roles that a cell can play on the screen, and the colours they get.
//
// Rules: no colour is named outside this file; a role is told by more than its colour wherever it
// carries meaning; the palette of the states follows Okabe and Ito, so that it can be told apart
// with every common kind of colour blindness.

package cell

import (
	"fmt"
	"strings"

	"cowscope/vmspace"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Style is a role in the low byte and flags above it. The zero Style is plain text.
type Style uint16

// The roles.
const (
	Plain Style = iota
	Dim
	Faint
	Title
	Accent
	KeyCap
	Good
	Bad
	Warn
	Field
	roleState // the first of the states' roles; stateRole adds the state
)

// The flags, which change the looks of a role without changing its colour.
const (
	Bold Style = 1 << (8 + iota)
	Reverse
	Underline
	Marked   // changed by the last command
	AtCursor // under the cursor
	InRow    // in the selected row
)

// StateRole is the role of a page in a state.
func StateRole(s vmspace.State) Style { return roleState + Style(s) }

// stateGlyph is how a state looks in the grid: one cell that reads without colour, and one ASCII
// letter.
var StateGlyph = [...]struct {
	State  vmspace.State
	Glyph  string
	Letter string
}{
	{vmspace.None, "·", "."},
	{vmspace.Zero, "□", "Z"},
	{vmspace.Anon, "■", "A"},
	{vmspace.COW, "◧", "C"},
	{vmspace.File, "▒", "F"},
	{vmspace.Shared, "◆", "S"},
	{vmspace.Swapped, "↓", "W"},
	{vmspace.Guard, "╳", "G"},
	{vmspace.Special, "◇", "V"},
	{vmspace.Unknown, "?", "?"},
}

// asciiOf gives the ASCII stand-in of every other glyph that the screen draws.
var ASCIIOf = map[string]string{
	"─": "-", "│": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┄": "-", "┆": ":", "┊": ":",
	"▸": ">", "▾": "v", "●": "*", "…": "~", "→": ">", "←": "<", "↑": "^", "≠": "#", "═": "=", "║": "|", "×": "x", "━": "=", "┃": "|",
	"✓": "+", "✗": "x", "▌": "|", "▐": "|", "⟳": "o", "’": "'", "≈": "~", "◀": "<", "▶": ">", "⋮": ":", "╎": ":", "┼": "+", "↵": "<", "↪": "\\",
}

// Palette is one theme's colours as hexadecimal RGB, by role; an empty one is the terminal's own.
type Palette struct {
	Name   string
	roles  [roleState]string
	states [10]string
	Mark   string     // background of what the last command changed
	Row    string     // background of the selected row
	Cursor string     // background of the page under the cursor
	Ground string     // behind everything, in pictures
	Text   string     // of plain text, in pictures
	ANSI   [16]string // the colours that a terminal has by number, for recordings
}

var Palettes = []Palette{
	{
		Name: "dark",
		roles: [...]string{Plain: "", Dim: "#8b94a7", Faint: "#4a5263", Title: "#e6e9f0", Accent: "#7aa8ff",
			KeyCap: "#f2c14e", Good: "#4fc49a", Bad: "#ff7a5c", Warn: "#f0b429", Field: "#e6e9f0"},
		states: [...]string{"#5b6475", "#a9b8cc", "#5ab4f0", "#f0a020", "#d489b8", "#35b58a", "#efe05a", "#ff6a4a", "#9a9fb0", "#d0d0d0"},
		Mark:   "#3a3413", Row: "#1f2636", Cursor: "#f4f6fb", Ground: "#11141b", Text: "#cfd5e1",
		ANSI: [...]string{"#1f2636", "#ff7a5c", "#4fc49a", "#f2c14e", "#7aa8ff", "#d489b8", "#5ab4f0", "#cfd5e1",
			"#4a5263", "#ff9d85", "#7bdcb8", "#efe05a", "#a3c3ff", "#e6b0d2", "#8fcdf7", "#f4f6fb"},
	},
	{
		Name: "light",
		roles: [...]string{Plain: "", Dim: "#5c6470", Faint: "#b4bac4", Title: "#1b1f27", Accent: "#1d55c4",
			KeyCap: "#8a5a00", Good: "#00704e", Bad: "#b8330f", Warn: "#8a5a00", Field: "#1b1f27"},
		states: [...]string{"#9aa1ac", "#66758a", "#0a66b0", "#a85c00", "#a0447c", "#007a55", "#7d6c00", "#c22d0a", "#6a7080", "#404040"},
		Mark:   "#fdefb8", Row: "#e8eef9", Cursor: "#20242c", Ground: "#ffffff", Text: "#262b34",
		ANSI: [...]string{"#1b1f27", "#b8330f", "#00704e", "#8a5a00", "#1d55c4", "#a0447c", "#0a66b0", "#9aa1ac",
			"#5c6470", "#c22d0a", "#007a55", "#a85c00", "#0a66b0", "#c0609c", "#2a86d0", "#e8eef9"},
	},
}

// Theme turns styles into terminal text.
type Theme struct {
	Palette Palette
	ascii   bool
	Plain   bool // no colour: attributes only
	cache   map[Style]string
}

// NewTheme finds a palette by name ("dark" or "light").
func NewTheme(name string, ascii, plain bool) (*Theme, error) {
	for _, p := range Palettes {
		if p.Name == name {
			return &Theme{Palette: p, ascii: ascii, Plain: plain, cache: map[Style]string{}}, nil
		}
	}
	return nil, fmt.Errorf("no theme is called %q; there are: %s", name, strings.Join(themeNames(), ", "))
}

func themeNames() []string {
	var out []string
	for _, p := range Palettes {
		out = append(out, p.Name)
	}
	return out
}

// sgr is the escape sequence that begins a run of cells in style s.
func (t *Theme) sgr(s Style) string {
	if q, ok := t.cache[s]; ok {
		return q
	}
	q, _, _ := strings.Cut(t.style(s).Render("x"), "x")
	t.cache[s] = q
	return q
}

func (t *Theme) style(s Style) lipgloss.Style {
	st := lipgloss.NewStyle()
	role := s & 0xff
	if fg := t.Colour(role); fg != "" && !t.Plain {
		st = st.Foreground(lipgloss.Color(fg))
	}
	if role == Title || role == KeyCap || s&Bold != 0 {
		st = st.Bold(true)
	}
	if t.Plain && (role == Faint || role == Dim) {
		st = st.Faint(true)
	}
	if s&Underline != 0 || t.Plain && s&Marked != 0 {
		st = st.Underline(true)
	}
	switch {
	case s&Reverse != 0, t.Plain && s&AtCursor != 0:
		st = st.Reverse(true)
	case t.Plain:
	case s&AtCursor != 0:
		st = st.Background(lipgloss.Color(t.Palette.Cursor)).Bold(true)
	case s&Marked != 0:
		st = st.Background(lipgloss.Color(t.Palette.Mark)).Bold(true)
	case s&InRow != 0:
		st = st.Background(lipgloss.Color(t.Palette.Row))
	}
	return st
}

// Colour is the colour of a role, "" for the terminal's own.
func (t *Theme) Colour(role Style) string {
	if role < roleState {
		return t.Palette.roles[role]
	}
	return t.Palette.states[role-roleState]
}

// Glyph is what stands in a cell: itself, or its stand-in where only ASCII is wanted.
func (t *Theme) Glyph(g string) string {
	if !t.ascii || g == "" || g[0] < 0x80 {
		return g
	}
	for _, s := range StateGlyph {
		if s.Glyph == g {
			return s.Letter
		}
	}
	if a, ok := ASCIIOf[g]; ok {
		return a
	}
	return strings.Repeat("?", ansi.StringWidth(g))
}
