// The presenter's bar: for an audience that sees the screen but not the keyboard, it shows the last
// key and the command that it made.

package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"cowscope/tui/cell"
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
)

// pressed is the last key.
type pressed struct {
	key string // its name for people

	became string // the command line that it ran, "" for none
}

// keyNames are the names of keys that print nothing.
var keyNames = map[string]string{"enter": "Enter", "tab": "Tab", "shift+tab": "Shift+Tab", "esc": "Esc", "space": "Space", "up": "↑", "down": "↓",
	"left": "←", "right": "→", "shift+left": "Shift+←", "shift+right": "Shift+→", "pgup": "PgUp", "pgdown": "PgDn", "home": "Home", "end": "End",
	"backspace": "Backspace", "delete": "Delete"}

// keyCodes are the keys that print nothing, by the names that Bubble Tea gives them.
var keyCodes = map[string]rune{"enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "space": tea.KeySpace, "up": tea.KeyUp, "down": tea.KeyDown,
	"left": tea.KeyLeft, "right": tea.KeyRight, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd,
	"backspace": tea.KeyBackspace, "delete": tea.KeyDelete}

// keyPress is the press of a key by its name: a character, or one of keyCodes, possibly with shift+
// before it. For an unknown name ok is false.
func keyPress(name string) (k tea.KeyPressMsg, ok bool) {
	if utf8.RuneCountInString(name) == 1 {
		r, _ := utf8.DecodeRuneInString(name)
		return tea.KeyPressMsg{Code: r, Text: name}, unicode.IsPrint(r)
	}
	name, shift := strings.CutPrefix(strings.ToLower(name), "shift+")
	if k.Code, ok = keyCodes[name]; shift {
		k.Mod = tea.ModShift
	}
	if name == "space" && !shift {
		k.Text = " "
	}
	return k, ok
}

func keyName(k tea.KeyPressMsg) string {
	if n, ok := keyNames[k.String()]; ok {
		return n
	}
	return k.String()
}

// presents reports whether the bar has a line of the screen.
func (m *App) presents() bool { return m.presenting && m.h > pane.MinHeight }

func (m *App) togglePresenter() tea.Cmd {
	m.presenting = !m.presenting
	return nil
}

func drawPressed(p cell.Pen, k pressed) {
	if p.R.Empty() || k.key == "" {
		return
	}
	x := p.Put(1, 0, cell.KeyCap|cell.Bold|cell.Reverse, " "+k.key+" ")
	if k.became != "" {
		x = p.Put(x, 0, cell.Dim, " → ")
		p.Cut(x, 0, p.R.W-x-1, cell.Title|cell.Bold, k.became)
	}
}
