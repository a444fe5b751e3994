package tui

import (
	"cowscope/actions/why"
	"cowscope/tui/cell"
	"cowscope/vmspace"

	tea "charm.land/bubbletea/v2"
)

// reasons is the card of verdicts on the processes that are shown: a reading of its own, made when
// the card is opened.
type reasons struct {
	rows []why.Row // nil until they are there
	top  int
}

// judgedMsg is what was found for a card.
type judgedMsg struct {
	card *reasons
	rows []why.Row
}

// needHere refuses where the processes are not those that live now.
func needHere(m *App) string {
	switch {
	case m.still():
		return m.lab.Info().Refuses
	case !m.live():
		return "this is a step in the past: } goes back to live"
	case len(m.living()) == 0:
		return "no process is left"
	}
	return ""
}

func openWhy(m *App) tea.Cmd {
	card := &reasons{}
	m.over = card
	var members []vmspace.Member
	for _, p := range m.step().After.Processes {
		if p.Alive() {
			members = append(members, p.Member)
		}
	}
	return func() tea.Msg {
		report, err := why.Ask(m.ctx, members)
		if err != nil {
			return judgedMsg{card, []why.Row{{Head: err.Error()}}}
		}
		return judgedMsg{card, report.Rows()}
	}
}

// judged shows what was found, unless the card is closed by now.
func (m *App) judged(msg judgedMsg) {
	if m.over == msg.card {
		msg.card.rows, m.fresh = msg.rows, false
	}
}

func (c *reasons) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "down", "j":
		c.top++
	case "up", "k":
		c.top--
	case "pgdown", "space":
		c.top += 10
	case "pgup":
		c.top -= 10
	default:
		m.over = nil
	}
	return nil
}

func (c *reasons) paste(*App, string) {}
func (c *reasons) fail(error) bool    { return false }

// whyLine is one line of the card.
type whyLine struct {
	why.Row     // with the text of this line; verdict and amount in the first alone
	x       int // where the text begins
	style   cell.Style
}

// lines breaks rows into lines of w cells.
func (c *reasons) lines(w int) (out []whyLine) {
	for i, r := range c.rows {
		x, style, text := why.TextColumn-2, cell.Plain, r.Text
		switch {
		case r.Head != "":
			if i > 0 {
				out = append(out, whyLine{})
			}
			x, style, text = 0, cell.Title, r.Head
		case r.Evidence:
			x, style = x+2, cell.Dim
		case r.Verdict == "":
			x = 0
		}
		for _, line := range cell.Wrap(text, max(w-x, 1)) {
			r.Text = line
			out = append(out, whyLine{r, x, style})
			r.Verdict, r.Amount = "", ""
		}
	}
	return out
}

func (c *reasons) draw(p cell.Pen, _ *App) *tea.Cursor {
	w := min(84, p.R.W-2)
	lines := c.lines(w - 4)
	if c.rows == nil {
		lines = []whyLine{{why.Row{Text: "reading…"}, 0, cell.Dim}}
	}
	h := min(len(lines)+2, p.R.H-2)
	box := p.Sub(cell.At((p.R.W-w)/2, (p.R.H-h)/2, w, h))
	box.Fill(0)
	inner := cell.Box(box, "why: what this memory is", cell.Accent)
	c.top = max(0, min(c.top, len(lines)-inner.R.H))
	for y := range inner.R.H {
		if c.top+y >= len(lines) {
			break
		}
		l := lines[c.top+y]
		inner.Cut(1, y, why.AmountColumn-3, cell.KeyCap, l.Verdict)
		inner.Right(why.TextColumn-3, y, cell.Plain, l.Amount)
		inner.Cut(1+l.x, y, inner.R.W-2-l.x, l.style, l.Text)
	}
	drawFooter(p, "↑ ↓", "scroll", "Esc", "close")
	return nil
}
