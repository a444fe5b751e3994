package tui

import (
	"cowscope/tui/cell"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
)

// editor is a line of text being edited: the editing is the text input's, the drawing our own, so
// that it takes the cells it is given.
type editor struct{ in textinput.Model }

func newEditor(text string) editor {
	in := textinput.New()
	in.CharLimit = 4096
	in.Focus()
	in.SetValue(text)
	in.CursorEnd()
	return editor{in}
}

func (e *editor) key(k tea.KeyPressMsg) { e.in, _ = e.in.Update(k) }
func (e *editor) insert(s string)       { e.in, _ = e.in.Update(tea.PasteMsg{Content: s}) }
func (e *editor) text() string          { return e.in.Value() }
func (e *editor) set(s string)          { e.in.SetValue(s); e.in.CursorEnd() }

// draw writes the text into w cells from x and gives the column of the cursor. Text that is longer
// scrolls with the cursor.
func (e *editor) draw(p cell.Pen, x, y, w int, st cell.Style) int {
	if w <= 0 {
		return x
	}
	runes := []rune(e.in.Value())
	pos := min(e.in.Position(), len(runes))
	from := 0
	for cell.Width(string(runes[from:pos])) >= w {
		from++
	}
	shown := string(runes[from:])
	if cell.Width(shown) > w {
		shown = cell.Clip(shown, w)
	}
	p.Sub(cell.At(x, y, w, 1)).Fill(st)
	p.Put(x, y, st, shown)
	return x + cell.Width(string(runes[from:pos]))
}
