// The command line: one line of the language, with history, completion, and what is wrong with it
// under it.

package tui

import (
	"errors"
	"slices"
	"strings"

	"cowscope/actions/lang"
	"cowscope/actions/run"
	"cowscope/tui/cell"

	tea "charm.land/bubbletea/v2"
)

// prompt is the command line.
type prompt struct {
	editor
	past  int // position in what was typed before; len is the new line
	draft string
	err   error
	list  []lang.Candidate // completions being gone through
	base  []rune           // the line before the first of them
	pick  int
}

func openCommand(m *App) tea.Cmd {
	m.over = &prompt{editor: newEditor(""), past: len(m.typed)}
	return nil
}

// openType opens it for what is typed at a program that is run.
func openType(m *App) tea.Cmd {
	m.over = &prompt{editor: newEditor(run.Type + ` "`), past: len(m.typed)}
	return nil
}

func (c *prompt) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if name != "tab" && name != "shift+tab" {
		c.list = nil
	}
	switch name {
	case "esc":
		m.over = nil
	case "enter":
		return c.enter(m)
	case "tab":
		c.complete(m, 1)
	case "shift+tab":
		c.complete(m, -1)
	case "up":
		c.recall(m, -1)
	case "down":
		c.recall(m, 1)
	case "backspace":
		if c.text() == "" {
			m.over = nil
			return nil
		}
		c.edit(k)
	default:
		c.edit(k)
	}
	return nil
}

func (c *prompt) edit(k tea.KeyPressMsg) {
	c.err = nil
	c.editor.key(k)
}

func (c *prompt) paste(_ *App, text string) {
	c.err, c.list = nil, nil
	c.insert(strings.Join(strings.Fields(text), " "))
}

func (c *prompt) enter(m *App) tea.Cmd {
	line := strings.TrimSpace(c.text())
	if line == "" {
		m.over = nil
		return nil
	}
	if n := len(m.typed); n == 0 || m.typed[n-1] != line {
		m.typed = append(m.typed, line)
	}
	c.past = len(m.typed)
	cmd, err := m.lab.Grammar().Parse(line)
	if err != nil {
		c.err = err
		return nil
	}
	if cmd == nil { // a comment
		m.over = nil
		return nil
	}
	return m.run(line)
}

func (c *prompt) recall(m *App, d int) {
	if c.past == len(m.typed) {
		c.draft = c.text()
	}
	c.past = min(max(c.past+d, 0), len(m.typed))
	c.err = nil
	if c.past == len(m.typed) {
		c.set(c.draft)
		return
	}
	c.set(m.typed[c.past])
}

// complete puts the next candidate in place of the word at the cursor.
func (c *prompt) complete(m *App, d int) {
	c.err = nil
	if c.list == nil {
		c.list, c.base, c.pick = c.candidates(m), []rune(c.text()), -1
		if d < 0 {
			c.pick = 0
		}
	}
	if len(c.list) == 0 {
		return
	}
	c.pick = (c.pick + d + len(c.list)) % len(c.list)
	cand := c.list[c.pick]
	c.set(string(c.base[:cand.Start]) + cand.Text + string(c.base[cand.End:]))
	c.at = cand.Start + len([]rune(cand.Text))
	if len(c.list) == 1 { // nothing to go through: on to the next word
		if !strings.HasSuffix(cand.Text, "=") {
			c.insert(" ")
		}
		c.list = nil
	}
}

func (c *prompt) candidates(m *App) []lang.Candidate {
	return m.lab.Grammar().Complete(c.text(), c.at, m.env())
}

// env is what may be named just now.
func (m *App) env() lang.Env {
	st := m.step()
	e := lang.Env{Names: st.KnownNames(st.Current)}
	for _, p := range st.After.Processes {
		e.Processes = append(e.Processes, p.Label)
	}
	for _, f := range st.Files {
		if !f.Removed {
			e.Files = append(e.Files, f.Name)
		}
	}
	return e
}

func (c *prompt) fail(err error) bool {
	c.err = err
	return true
}

func (c *prompt) draw(p cell.Pen, m *App) *tea.Cursor {
	h := min(5, p.R.H)
	box := p.Sub(cell.At(0, p.R.H-1-h, p.R.W, h))
	box.Fill(0)
	inner := cell.Box(box, "command", cell.Accent)
	inner.Put(1, 0, cell.Accent|cell.Bold, ":")
	x := c.editor.draw(inner, 3, 0, inner.R.W-4, cell.Field)
	c.drawHelp(inner, m)
	drawFooter(p, "Enter", "run", "Tab", "complete", "↑ ↓", "earlier lines", "Esc", "close")
	return tea.NewCursor(inner.R.X+min(x, inner.R.W-1), inner.R.Y)
}

// drawHelp draws what is wrong, or what may follow, under the line.
func (c *prompt) drawHelp(p cell.Pen, m *App) {
	var syn *lang.SyntaxError
	switch {
	case errors.As(c.err, &syn):
		if syn.Line == strings.TrimSpace(c.text()) && 3+syn.Col+max(syn.Len, 1) < p.R.W {
			lead := len(c.text()) - len(strings.TrimLeft(c.text(), " \t"))
			p.Put(3+lead+syn.Col-1, 1, cell.Bad|cell.Bold, strings.Repeat("^", max(syn.Len, 1)))
		}
		text := syn.Msg
		if syn.Hint != "" {
			text += "; " + syn.Hint
		}
		p.Cut(3, 2, p.R.W-4, cell.Bad, text)
		return
	case c.err != nil:
		p.Cut(3, 2, p.R.W-4, cell.Bad, c.err.Error())
		return
	}
	list := c.list
	if list == nil {
		list = c.candidates(m)
	}
	p.Cut(3, 1, p.R.W-4, cell.Dim, m.lab.Grammar().Hint(c.text()))
	x := 3
	from := 0
	if c.list != nil && c.pick > 0 {
		from = max(0, c.pick-3)
	}
	for i, cand := range slices.All(list) {
		if i < from {
			continue
		}
		if x+cell.Width(cand.Text) > p.R.W-2 {
			p.Put(x, 2, cell.Faint, "…")
			return
		}
		st := cell.Plain
		if c.list != nil && i == c.pick {
			st = cell.Plain | cell.Reverse
		}
		x = p.Put(x, 2, st, cand.Text) + 2
	}
}
