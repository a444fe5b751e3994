// The help card: all keys and the legend of the states, from their tables.

package tui

import (
	"cowscope/vmspace"

	tea "charm.land/bubbletea/v2"
)

// card is a scrolled text over the screen.
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

// helpLine is one line of the card: two columns, or a heading where the first is empty.
type helpLine struct {
	left  string
	style Style
	right string
}

func helpLines(keys []binding) []helpLine {
	out := []helpLine{{"", roleTitle, "States of a page"}}
	for i, st := range vmspace.States {
		out = append(out, helpLine{stateGlyph[i].glyph + "  " + st.Name, stateRole(st.State), st.Sentence})
	}
	out = append(out, helpLine{}, helpLine{"", roleTitle, "Between two processes"},
		helpLine{"║", roleGood, "one frame, seen by both"},
		helpLine{"┊", roleGood, "most likely one frame: frame numbers are hidden without root"},
		helpLine{"≠", roleBad, "two frames: a write here does not reach the other"},
		helpLine{}, helpLine{"", roleTitle, "Keys"})
	for _, b := range keys {
		if b.help != "" {
			out = append(out, helpLine{b.label(), roleKey, b.help})
		}
	}
	return out
}

func (c *card) draw(p pen, m *App) *tea.Cursor {
	lines := helpLines(m.allBindings())
	w := min(96, p.r.w-2)
	h := min(len(lines)+2, p.r.h-2)
	box := p.sub(rect{(p.r.w - w) / 2, (p.r.h - h) / 2, w, h})
	box.fill(0)
	inner := drawBox(box, "help", roleAccent)
	c.top = min(c.top, max(0, len(lines)-inner.r.h))
	for y := range inner.r.h {
		if c.top+y >= len(lines) {
			break
		}
		l := lines[c.top+y]
		if l.left == "" {
			inner.put(1, y, l.style, l.right)
			continue
		}
		inner.cut(2, y, 15, l.style, l.left)
		inner.cut(18, y, inner.r.w-19, roleText, l.right)
	}
	keys := p.sub(rect{0, p.r.h - 1, p.r.w, 1})
	keys.fill(0)
	drawKeys(keys, &scene{}, []keyHelp{{"↑ ↓", "scroll", false}, {"Esc", "close", false}})
	return nil
}
