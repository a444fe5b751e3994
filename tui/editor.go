package tui

import (
	"slices"
	"unicode"

	"cowscope/tui/cell"

	tea "charm.land/bubbletea/v2"
)

// editor is a line of text being edited, with the keys of readline(3).
type editor struct {
	runes []rune
	at    int // the index of the rune under the cursor; len(runes) after the last one
}

// maxEdited is the maximum number of characters of an editor.
const maxEdited = 4096

func newEditor(text string) editor {
	var e editor
	e.set(text)
	return e
}

// edits are the keys that do not insert text.
var edits = map[string]func(*editor){
	"right": (*editor).right, "ctrl+f": (*editor).right,
	"left": (*editor).left, "ctrl+b": (*editor).left,
	"alt+right": (*editor).wordRight, "ctrl+right": (*editor).wordRight, "alt+f": (*editor).wordRight,
	"alt+left": (*editor).wordLeft, "ctrl+left": (*editor).wordLeft, "alt+b": (*editor).wordLeft,
	"home": (*editor).begin, "ctrl+a": (*editor).begin,
	"end": (*editor).end, "ctrl+e": (*editor).end,
	"backspace": deletes((*editor).left), "ctrl+h": deletes((*editor).left),
	"delete": deletes((*editor).right), "ctrl+d": deletes((*editor).right),
	"alt+backspace": deletes((*editor).wordLeft), "ctrl+backspace": deletes((*editor).wordLeft), "ctrl+w": deletes((*editor).wordLeft),
	"alt+delete": deletes((*editor).wordRight), "ctrl+delete": deletes((*editor).wordRight), "alt+d": deletes((*editor).wordRight),
	"ctrl+u": deletes((*editor).begin), "ctrl+k": deletes((*editor).end),
}

func (e *editor) right() { e.at = min(e.at+1, len(e.runes)) }
func (e *editor) left()  { e.at = max(e.at-1, 0) }
func (e *editor) begin() { e.at = 0 }
func (e *editor) end()   { e.at = len(e.runes) }

// wordRight moves to the end of the word at the cursor, or else of the next one.
func (e *editor) wordRight() {
	for inWord := false; e.at < len(e.runes) && !(inWord && unicode.IsSpace(e.runes[e.at])); e.at++ {
		inWord = inWord || !unicode.IsSpace(e.runes[e.at])
	}
}

// wordLeft moves to the beginning of the word before the cursor.
func (e *editor) wordLeft() {
	for inWord := false; e.at > 0 && !(inWord && unicode.IsSpace(e.runes[e.at-1])); e.at-- {
		inWord = inWord || !unicode.IsSpace(e.runes[e.at-1])
	}
}

// deletes turns a cursor movement into the deletion of the text that it crosses.
func deletes(move func(*editor)) func(*editor) {
	return func(e *editor) {
		from := e.at
		move(e)
		from, e.at = max(from, e.at), min(from, e.at)
		e.runes = slices.Delete(e.runes, e.at, from)
	}
}

func (e *editor) key(k tea.KeyPressMsg) {
	if edit := edits[k.String()]; edit != nil {
		edit(e)
		return
	}
	e.insert(k.Text)
}

// insert inserts text before the cursor, as much as there is room for: tabs and line ends become
// blanks, other control characters are dropped.
func (e *editor) insert(text string) {
	var in []rune
	for _, r := range text {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if !unicode.IsControl(r) && r != unicode.ReplacementChar && len(e.runes)+len(in) < maxEdited {
			in = append(in, r)
		}
	}
	e.runes = slices.Insert(e.runes, e.at, in...)
	e.at += len(in)
}

func (e *editor) text() string { return string(e.runes) }

// set replaces the whole text; the cursor is after it.
func (e *editor) set(s string) {
	*e = editor{}
	e.insert(s)
}

// draw writes the text into w cells from x and returns the column of the cursor. Longer text
// scrolls with the cursor.
func (e *editor) draw(p cell.Pen, x, y, w int, st cell.Style) int {
	if w <= 0 {
		return x
	}
	from := 0
	for cell.Width(string(e.runes[from:e.at])) >= w {
		from++
	}
	shown := string(e.runes[from:])
	if cell.Width(shown) > w {
		shown = cell.Clip(shown, w)
	}
	p.Sub(cell.At(x, y, w, 1)).Fill(st)
	p.Put(x, y, st, shown)
	return x + cell.Width(string(e.runes[from:e.at]))
}
