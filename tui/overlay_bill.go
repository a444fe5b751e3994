// The bill of the forks: what each child of the family shares with its parent, who has copied how
// much since, and what another fork would cost.

package tui

import (
	"strings"

	"cowscope/actions/history"
	"cowscope/tui/cell"
	"cowscope/vmspace"
	"cowscope/vmspace/bill"

	tea "charm.land/bubbletea/v2"
)

// biller is a lab that keeps account of the forks of its family.
type biller interface {
	Bill(*vmspace.Snapshot) *bill.Bill
}

// billCard is the bill over the screen. It follows the step that is shown.
type billCard struct {
	top   int
	step  *history.Step // the one that lines are of
	lines []string
}

// hasBill says whether the lab keeps account.
func hasBill(m *App) bool {
	_, ok := m.lab.(biller)
	return ok
}

func openBill(m *App) tea.Cmd {
	m.over = &billCard{}
	return nil
}

func (c *billCard) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "down", "j":
		c.top++
	case "pgdown", "space":
		c.top += 10
	case "up", "k":
		c.top = max(0, c.top-1)
	case "pgup":
		c.top = max(0, c.top-10)
	case "[", "]", "{", "}":
		return m.act(k)
	default:
		m.over = nil
	}
	return nil
}

func (c *billCard) paste(*App, string) {}
func (c *billCard) fail(error) bool    { return false }

func (c *billCard) draw(p cell.Pen, m *App) *tea.Cursor {
	if c.step != m.step() {
		c.step, c.lines = m.step(), m.lab.(biller).Bill(m.step().After).Lines()
	}
	w, h := min(110, p.R.W-2), min(len(c.lines)+2, p.R.H-2)
	box := p.Sub(cell.At((p.R.W-w)/2, (p.R.H-h)/2, w, h))
	box.Fill(0)
	inner := cell.Box(box, "the bill of the forks", cell.Accent)
	c.top = min(c.top, max(0, len(c.lines)-inner.R.H))
	for y, line := range c.lines[c.top:min(len(c.lines), c.top+inner.R.H)] {
		style := cell.Plain
		if !strings.HasPrefix(line, " ") && c.top+y > 1 {
			style = cell.Title
		}
		inner.Cut(0, y, inner.R.W, style, line)
	}
	drawFooter(p, "↑ ↓", "scroll", "[ ]", "history", "Esc", "close")
	return nil
}
