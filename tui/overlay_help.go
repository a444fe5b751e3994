// The help card: all keys and the legend of the states, from their tables.

package tui

import (
	"cowscope/tui/cell"
	"cowscope/vmspace"

	tea "charm.land/bubbletea/v2"
)

// card is a text over the screen that can be scrolled.
type card struct{ top int }

func openHelp(m *App) tea.Cmd {
	m.over = &card{}
	return nil
}

func (c *card) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "down", "j", "pgdown", "space":
		c.top += 5
	case "up", "k", "pgup":
		c.top = max(0, c.top-5)
	default:
		m.over = nil
	}
	return nil
}

func (c *card) paste(*App, string) {}
func (c *card) fail(error) bool    { return false }

// helpLine is one line of the card: two columns, or a heading if the first is empty.
type helpLine struct {
	left  string
	style cell.Style
	right string
}

func helpLines(keys []binding) []helpLine {
	out := []helpLine{{"", cell.Title, "States of a page"}}
	for i, st := range vmspace.States {
		out = append(out, helpLine{cell.StateLook[i].Glyph + "  " + st.Name, cell.StateRole(st.State), st.Sentence})
	}
	out = append(out, helpLine{}, helpLine{"", cell.Title, "Between two processes"},
		helpLine{"║", cell.Good, "one frame, seen by both"},
		helpLine{"┊", cell.Good, "most likely one frame: frame numbers are hidden without root"},
		helpLine{"≠", cell.Bad, "two frames: a write here does not reach the other"},
		helpLine{}, helpLine{"", cell.Title, "Keys"})
	for _, b := range keys {
		if b.help != "" {
			out = append(out, helpLine{b.label(), cell.KeyCap, b.help})
		}
	}
	return out
}

func (c *card) draw(p cell.Pen, m *App) *tea.Cursor {
	lines := helpLines(m.allBindings())
	w := min(96, p.R.W-2)
	h := min(len(lines)+2, p.R.H-2)
	box := p.Sub(cell.At((p.R.W-w)/2, (p.R.H-h)/2, w, h))
	box.Fill(0)
	inner := cell.Box(box, "help", cell.Accent)
	c.top = min(c.top, max(0, len(lines)-inner.R.H))
	for y := range inner.R.H {
		if c.top+y >= len(lines) {
			break
		}
		l := lines[c.top+y]
		if l.left == "" {
			inner.Put(1, y, l.style, l.right)
			continue
		}
		inner.Cut(2, y, 15, l.style, l.left)
		inner.Cut(18, y, inner.R.W-19, cell.Plain, l.right)
	}
	drawFooter(p, "↑ ↓", "scroll", "Esc", "close")
	return nil
}
