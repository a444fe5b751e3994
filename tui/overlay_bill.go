// The bill of the forks: what each child of the family shares with its parent, who has copied how
// much since, and what another fork would cost.

package tui

import (
	"time"

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
	asked *history.Step // the step of which the bill was asked for last
	at    time.Time     // when it was
	lines []string      // nil until the first bill is there
}

// billMsg is a bill that was asked for.
type billMsg []string

// billAgain is how long a bill is shown while no step comes: then nothing is copied any more, and the
// rate is another one.
const billAgain = 2 * time.Second

// hasBill says whether the lab keeps account.
func hasBill(m *App) bool {
	_, ok := m.lab.(biller)
	return ok
}

func openBill(m *App) tea.Cmd {
	m.over = &billCard{}
	return m.askBill()
}

// askBill asks for the bill of the step that is shown, where the card is open and does not have it.
func (m *App) askBill() tea.Cmd {
	c, open := m.over.(*billCard)
	if !open || c.asked == m.step() && (!m.live() || time.Since(c.at) < billAgain) {
		return nil
	}
	c.asked, c.at = m.step(), time.Now()
	lab, snap := m.lab.(biller), m.step().After
	return func() tea.Msg { return billMsg(lab.Bill(snap).Lines()) }
}

// billed shows a bill.
func (m *App) billed(lines billMsg) {
	if c, open := m.over.(*billCard); open {
		c.lines, m.fresh = lines, false
	}
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
		return tea.Batch(m.act(k), m.askBill())
	default:
		m.over = nil
	}
	return nil
}

func (c *billCard) paste(*App, string) {}
func (c *billCard) fail(error) bool    { return false }

func (c *billCard) draw(p cell.Pen, _ *App) *tea.Cursor {
	lines := c.lines
	if lines == nil {
		lines = []string{"reading page tables..."}
	}
	w, h := min(110, p.R.W-2), min(len(lines)+2, p.R.H-2)
	box := p.Sub(cell.At((p.R.W-w)/2, (p.R.H-h)/2, w, h))
	box.Fill(0)
	inner := cell.Box(box, "the bill of the forks", cell.Accent)
	c.top = min(c.top, max(0, len(lines)-inner.R.H))
	for y, line := range lines[c.top:min(len(lines), c.top+inner.R.H)] {
		style := cell.Plain
		if at := c.top + y; at == 0 || lines[at-1] == "" { // the head of a part
			style = cell.Title
		}
		inner.Cut(0, y, inner.R.W, style, line)
	}
	drawFooter(p, "↑ ↓", "scroll", "[ ]", "history", "Esc", "close")
	return nil
}
