package tui

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

func (c *menu) draw(p pen, _ *App) *tea.Cursor {
	w, h := min(48, p.r.w-2), min(len(c.lines)+2, p.r.h-2)
	box := p.sub(rect{(p.r.w - w) / 2, max((p.r.h-h)/3, 1), w, h})
	box.fill(0)
	inner := drawBox(box, c.title, roleAccent)
	for i, l := range c.lines {
		st := roleText
		if i == c.at {
			st = roleTitle
			inner.put(1, i, roleAccent|flagBold, "▸")
		}
		inner.cut(3, i, 16, st, l)
		inner.cut(20, i, inner.r.w-21, roleDim, c.help[i])
		if i == c.at {
			inner.restyle(0, i, inner.r.w, flagRow)
		}
	}
	keys := p.sub(rect{0, p.r.h - 1, p.r.w, 1})
	keys.fill(0)
	drawKeys(keys, &scene{}, []keyHelp{{"Enter", "run", false}, {"↑ ↓", "choose", false}, {"Esc", "close", false}})
	return nil
}
