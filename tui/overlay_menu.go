package tui

import (
	"cowscope/tui/cell"
)

import tea "charm.land/bubbletea/v2"

// menu offers a few command lines to choose from.
type menu struct {
	title string
	lines []string
	help  []string
	at    int
}

// openKill offers the ways to end the current process.
func openKill(m *App) tea.Cmd {
	m.over = &menu{
		title: "end " + m.step().Current,
		lines: []string{"kill SIGKILL", "kill SIGTERM", "exit 0", "exit 1"},
		help:  []string{"cannot be caught", "the polite one", "it ends itself, well", "it ends itself, unwell"},
	}
	return nil
}

func (c *menu) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc", "q":
		m.over = nil
	case "up", "k", "shift+tab":
		c.at = (c.at + len(c.lines) - 1) % len(c.lines)
	case "down", "j", "tab":
		c.at = (c.at + 1) % len(c.lines)
	case "enter":
		return m.run(c.lines[c.at])
	}
	return nil
}

func (c *menu) paste(*App, string) {}
func (c *menu) fail(error) bool    { return false }

func (c *menu) draw(p cell.Pen, _ *App) *tea.Cursor {
	w, h := min(48, p.R.W-2), min(len(c.lines)+2, p.R.H-2)
	box := p.Sub(cell.At((p.R.W-w)/2, max((p.R.H-h)/3, 1), w, h))
	box.Fill(0)
	inner := cell.Box(box, c.title, cell.Accent)
	for i, l := range c.lines {
		st := cell.Plain
		if i == c.at {
			st = cell.Title
			inner.Put(1, i, cell.Accent|cell.Bold, "▸")
		}
		inner.Cut(3, i, 16, st, l)
		inner.Cut(20, i, inner.R.W-21, cell.Dim, c.help[i])
		if i == c.at {
			inner.Restyle(0, i, inner.R.W, cell.InRow)
		}
	}
	drawFooter(p, "Enter", "run", "↑ ↓", "choose", "Esc", "close")
	return nil
}
