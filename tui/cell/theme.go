// Themes: the roles that a cell can play on the screen, and the colours they get.
//
// Rules: no colour is named outside this file; a role with a meaning also differs in something
// other than colour; the palette of the states follows Okabe and Ito, so that people with any
// common kind of colour blindness can distinguish them.

package cell

import (
	"fmt"
	"strings"

	"cowscope/vmspace"

	"github.com/charmbracelet/x/ansi"
)

// Style is a role in the low byte and flags above it. The zero Style is ordinary text.
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
	roleState // the first of the states' roles; StateRole adds the state
)

// roleHue is the first of the roles that only tell things apart; HueRole adds which.
const roleHue = roleState + Style(len(StateLook))

// The flags, which change the appearance of a role but not its colour.
const (
	Bold Style = 1 << (8 + iota)
	Reverse
	Underline
	Marked   // changed by the last command
	AtCursor // under the cursor
	InRow    // in the selected row
)

// StateRole is the role of a page in a given state.
func StateRole(s vmspace.State) Style { return roleState + Style(s) }

// HueRole is the role of the i-th of things that are told apart by colour. Their colours repeat, so they
// differ in a letter too.
func HueRole(i int) Style { return roleHue + Style(i%len(hues)) }

// hues are the colours of Okabe and Ito, for a dark and for a light background.
var hues = [...]struct{ dark, light string }{
	{"#56b4e9", "#0072b2"}, {"#e69f00", "#a85c00"}, {"#2fbf8f", "#007a55"}, {"#f0e442", "#7d6c00"}, {"#cc79a7", "#a0447c"}, {"#ff7a4a", "#c22d0a"},
}

// StateLook is the appearance of a state in the grid: a glyph of one cell that is readable without
// colour, and an ASCII letter.
var StateLook = [...]struct {
	State       vmspace.State
	Glyph       string
	Letter      string // its replacement in ASCII
	dark, light string // colour
}{
	{vmspace.None, "·", ".", "#5b6475", "#9aa1ac"},
	{vmspace.Zero, "□", "Z", "#a9b8cc", "#66758a"},
	{vmspace.Anon, "■", "A", "#5ab4f0", "#0a66b0"},
	{vmspace.COW, "◧", "C", "#f0a020", "#a85c00"},
	{vmspace.File, "▒", "F", "#d489b8", "#a0447c"},
	{vmspace.Shared, "◆", "S", "#35b58a", "#007a55"},
	{vmspace.Swapped, "↓", "W", "#efe05a", "#7d6c00"},
	{vmspace.Guard, "╳", "G", "#ff6a4a", "#c22d0a"},
	{vmspace.Special, "◇", "V", "#9a9fb0", "#6a7080"},
	{vmspace.Unknown, "?", "?", "#d0d0d0", "#404040"},
}

// ASCIIOf maps every other glyph that the screen draws to its ASCII replacement.
var ASCIIOf = map[string]string{
	"─": "-", "│": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┄": "-", "┆": ":", "┊": ":",
	"▸": ">", "▾": "v", "●": "*", "…": "~", "→": ">", "←": "<", "↑": "^", "≠": "#", "═": "=", "║": "|", "×": "x", "━": "=", "┃": "|",
	"✓": "+", "✗": "x", "▌": "|", "▐": "|", "⟳": "o", "’": "'", "≈": "~", "≤": "<", "–": "-", "◀": "<", "▶": ">", "⋮": ":", "╎": ":", "┼": "+", "↵": "<", "↪": "\\",
}

// Palette is the colours of a theme as hexadecimal RGB, by role; an empty one is the terminal's
// default.
type Palette struct {
	Name   string
	roles  [roleState]string
	light  bool       // the states have the colours for a light background
	Mark   string     // background of what the last command changed
	Row    string     // background of the selected row
	Cursor string     // background of the page under the cursor
	Ground string     // background of the screen, in pictures
	Text   string     // of ordinary text, in pictures
	ANSI   [16]string // the 16 numbered colours of a terminal, for recordings
}

var Palettes = []Palette{
	{
		Name: "dark",
		roles: [...]string{Plain: "", Dim: "#8b94a7", Faint: "#4a5263", Title: "#e6e9f0", Accent: "#7aa8ff",
			KeyCap: "#f2c14e", Good: "#4fc49a", Bad: "#ff7a5c", Warn: "#f0b429", Field: "#e6e9f0"},
		Mark: "#3a3413", Row: "#1f2636", Cursor: "#f4f6fb", Ground: "#11141b", Text: "#cfd5e1",
		ANSI: [...]string{"#1f2636", "#ff7a5c", "#4fc49a", "#f2c14e", "#7aa8ff", "#d489b8", "#5ab4f0", "#cfd5e1",
			"#4a5263", "#ff9d85", "#7bdcb8", "#efe05a", "#a3c3ff", "#e6b0d2", "#8fcdf7", "#f4f6fb"},
	},
	{
		Name: "light",
		roles: [...]string{Plain: "", Dim: "#5c6470", Faint: "#b4bac4", Title: "#1b1f27", Accent: "#1d55c4",
			KeyCap: "#8a5a00", Good: "#00704e", Bad: "#b8330f", Warn: "#8a5a00", Field: "#1b1f27"},
		light: true,
		Mark:  "#fdefb8", Row: "#e8eef9", Cursor: "#20242c", Ground: "#ffffff", Text: "#262b34",
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

// NewTheme returns the theme of a palette ("dark" or "light").
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
	var q string
	if st := t.style(s); len(st) > 0 {
		q = st.String()
	}
	t.cache[s] = q
	return q
}

func (t *Theme) style(s Style) (st ansi.Style) {
	role := s & 0xff
	bold := role == Title || role == KeyCap || s&Bold != 0
	reverse, ground := false, ""
	switch {
	case s&Reverse != 0, t.Plain && s&AtCursor != 0:
		reverse = true
	case t.Plain:
	case s&AtCursor != 0:
		bold, ground = true, t.Palette.Cursor
	case s&Marked != 0:
		bold, ground = true, t.Palette.Mark
	case s&InRow != 0:
		ground = t.Palette.Row
	}
	if bold {
		st = st.Bold()
	}
	if t.Plain && (role == Faint || role == Dim) {
		st = st.Faint()
	}
	if s&Underline != 0 || t.Plain && s&Marked != 0 {
		st = st.Underline(true)
	}
	if reverse {
		st = st.Reverse(true)
	}
	if fg := t.Colour(role); fg != "" && !t.Plain {
		st = st.ForegroundColor(ansi.HexColor(fg))
	}
	if ground != "" {
		st = st.BackgroundColor(ansi.HexColor(ground))
	}
	return st
}

// Colour is the colour of a role, "" for the terminal's default.
func (t *Theme) Colour(role Style) string {
	if role < roleState {
		return t.Palette.roles[role]
	}
	if role >= roleHue {
		if t.Palette.light {
			return hues[role-roleHue].light
		}
		return hues[role-roleHue].dark
	}
	look := &StateLook[role-roleState]
	if t.Palette.light {
		return look.light
	}
	return look.dark
}

// Glyph is the text of a cell: g itself, or its replacement if only ASCII is wanted.
func (t *Theme) Glyph(g string) string {
	if !t.ascii || g == "" || g[0] < 0x80 {
		return g
	}
	for _, s := range StateLook {
		if s.Glyph == g {
			return s.Letter
		}
	}
	if a, ok := ASCIIOf[g]; ok {
		return a
	}
	return strings.Repeat("?", ansi.StringWidth(g))
}
