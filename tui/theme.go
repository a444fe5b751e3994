// Themes: the roles that a cell can play on the screen, and the colours they get.
//
// Rules: no colour is named outside this file; a role is told by more than its colour wherever it carries meaning; the palette of
// the states follows Okabe and Ito, so that it can be told apart with every common kind of colour blindness.

package tui

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
	roleText Style = iota
	roleDim
	roleFaint
	roleTitle
	roleAccent
	roleKey
	roleGood
	roleBad
	roleWarn
	roleField
	roleState // the first of the states' roles; stateRole adds the state
)

// The flags, which change the looks of a role without changing its colour.
const (
	flagBold Style = 1 << (8 + iota)
	flagReverse
	flagUnderline
	flagMark   // changed by the last command
	flagCursor // under the cursor
	flagRow    // in the selected row
)

func stateRole(s vmspace.State) Style { return roleState + Style(s) }

// stateGlyph is how a state looks in the grid: one cell that reads without colour, and one ASCII letter.
var stateGlyph = [...]struct {
	state  vmspace.State
	glyph  string
	letter string
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
var asciiOf = map[string]string{
	"─": "-", "│": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┄": "-", "┆": ":", "┊": ":",
	"▸": ">", "▾": "v", "●": "*", "…": "~", "→": ">", "←": "<", "↑": "^", "≠": "#", "═": "=", "║": "|", "×": "x", "━": "=", "┃": "|",
	"✓": "+", "✗": "x", "▌": "|", "▐": "|", "⟳": "o", "’": "'", "≈": "~", "◀": "<", "▶": ">", "⋮": ":", "╎": ":", "┼": "+", "↵": "<", "↪": "\\",
}

// palette is one theme's colours as hexadecimal RGB, by role; an empty one is the terminal's own.
type palette struct {
	name   string
	roles  [roleState]string
	states [10]string
	mark   string     // background of what the last command changed
	row    string     // background of the selected row
	cursor string     // background of the page under the cursor
	ground string     // behind everything, in pictures
	text   string     // of plain text, in pictures
	ansi   [16]string // the colours that a terminal has by number, for recordings
}

var palettes = []palette{
	{
		name: "dark",
		roles: [...]string{roleText: "", roleDim: "#8b94a7", roleFaint: "#4a5263", roleTitle: "#e6e9f0", roleAccent: "#7aa8ff",
			roleKey: "#f2c14e", roleGood: "#4fc49a", roleBad: "#ff7a5c", roleWarn: "#f0b429", roleField: "#e6e9f0"},
		states: [...]string{"#5b6475", "#a9b8cc", "#5ab4f0", "#f0a020", "#d489b8", "#35b58a", "#efe05a", "#ff6a4a", "#9a9fb0", "#d0d0d0"},
		mark:   "#3a3413", row: "#1f2636", cursor: "#f4f6fb", ground: "#11141b", text: "#cfd5e1",
		ansi: [...]string{"#1f2636", "#ff7a5c", "#4fc49a", "#f2c14e", "#7aa8ff", "#d489b8", "#5ab4f0", "#cfd5e1",
			"#4a5263", "#ff9d85", "#7bdcb8", "#efe05a", "#a3c3ff", "#e6b0d2", "#8fcdf7", "#f4f6fb"},
	},
	{
		name: "light",
		roles: [...]string{roleText: "", roleDim: "#5c6470", roleFaint: "#b4bac4", roleTitle: "#1b1f27", roleAccent: "#1d55c4",
			roleKey: "#8a5a00", roleGood: "#00704e", roleBad: "#b8330f", roleWarn: "#8a5a00", roleField: "#1b1f27"},
		states: [...]string{"#9aa1ac", "#66758a", "#0a66b0", "#a85c00", "#a0447c", "#007a55", "#7d6c00", "#c22d0a", "#6a7080", "#404040"},
		mark:   "#fdefb8", row: "#e8eef9", cursor: "#20242c", ground: "#ffffff", text: "#262b34",
		ansi: [...]string{"#1b1f27", "#b8330f", "#00704e", "#8a5a00", "#1d55c4", "#a0447c", "#0a66b0", "#9aa1ac",
			"#5c6470", "#c22d0a", "#007a55", "#a85c00", "#0a66b0", "#c0609c", "#2a86d0", "#e8eef9"},
	},
}

// theme turns styles into terminal text.
type theme struct {
	palette palette
	ascii   bool
	plain   bool // no colour: attributes only
	cache   map[Style]string
}

// newTheme finds a palette by name ("dark" or "light").
func newTheme(name string, ascii, plain bool) (*theme, error) {
	for _, p := range palettes {
		if p.name == name {
			return &theme{palette: p, ascii: ascii, plain: plain, cache: map[Style]string{}}, nil
		}
	}
	return nil, fmt.Errorf("no theme is called %q; there are: %s", name, strings.Join(themeNames(), ", "))
}

func themeNames() []string {
	var out []string
	for _, p := range palettes {
		out = append(out, p.name)
	}
	return out
}

// sgr is the escape sequence that begins a run of cells in style s.
func (t *theme) sgr(s Style) string {
	if q, ok := t.cache[s]; ok {
		return q
	}
	q, _, _ := strings.Cut(t.style(s).Render("x"), "x")
	t.cache[s] = q
	return q
}

func (t *theme) style(s Style) lipgloss.Style {
	st := lipgloss.NewStyle()
	role := s & 0xff
	if fg := t.colour(role); fg != "" && !t.plain {
		st = st.Foreground(lipgloss.Color(fg))
	}
	if role == roleTitle || role == roleKey || s&flagBold != 0 {
		st = st.Bold(true)
	}
	if t.plain && (role == roleFaint || role == roleDim) {
		st = st.Faint(true)
	}
	if s&flagUnderline != 0 || t.plain && s&flagMark != 0 {
		st = st.Underline(true)
	}
	switch {
	case s&flagReverse != 0, t.plain && s&flagCursor != 0:
		st = st.Reverse(true)
	case t.plain:
	case s&flagCursor != 0:
		st = st.Background(lipgloss.Color(t.palette.cursor)).Bold(true)
	case s&flagMark != 0:
		st = st.Background(lipgloss.Color(t.palette.mark)).Bold(true)
	case s&flagRow != 0:
		st = st.Background(lipgloss.Color(t.palette.row))
	}
	return st
}

func (t *theme) colour(role Style) string {
	if role < roleState {
		return t.palette.roles[role]
	}
	return t.palette.states[role-roleState]
}

// glyph is what stands in a cell: itself, or its stand-in where only ASCII is wanted.
func (t *theme) glyph(g string) string {
	if !t.ascii || g == "" || g[0] < 0x80 {
		return g
	}
	for _, s := range stateGlyph {
		if s.glyph == g {
			return s.letter
		}
	}
	if a, ok := asciiOf[g]; ok {
		return a
	}
	return strings.Repeat("?", ansi.StringWidth(g))
}
