// The command line: one line of the language, with history, completion, and what is wrong with it under it.

package tui

import (
	"errors"
	"slices"
	"strings"

	"cowscope/actions/lang"

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
	c.in.SetValue(string(c.base[:cand.Start]) + cand.Text + string(c.base[cand.End:]))
	c.in.SetCursor(cand.Start + len([]rune(cand.Text)))
	if len(c.list) == 1 { // nothing to go through: on to the next word
		if !strings.HasSuffix(cand.Text, "=") {
			c.insert(" ")
		}
		c.list = nil
	}
}

func (c *prompt) candidates(m *App) []lang.Candidate {
	return m.lab.Grammar().Complete(c.text(), c.in.Position(), m.env())
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

func (c *prompt) draw(p pen, m *App) *tea.Cursor {
	h := min(5, p.r.h)
	box := p.sub(rect{0, p.r.h - 1 - h, p.r.w, h})
	box.fill(0)
	inner := drawBox(box, "command", roleAccent)
	inner.put(1, 0, roleAccent|flagBold, ":")
	x := c.editor.draw(inner, 3, 0, inner.r.w-4, roleField)
	c.drawHelp(inner, m)
	keys := p.sub(rect{0, p.r.h - 1, p.r.w, 1})
	keys.fill(0)
	drawKeys(keys, &scene{}, []keyHelp{{"Enter", "run", false}, {"Tab", "complete", false}, {"↑ ↓", "earlier lines", false}, {"Esc", "close", false}})
	return tea.NewCursor(inner.r.x+min(x, inner.r.w-1), inner.r.y)
}

// drawHelp draws what is wrong, or what may follow, under the line.
func (c *prompt) drawHelp(p pen, m *App) {
	var syn *lang.SyntaxError
	switch {
	case errors.As(c.err, &syn):
		if syn.Line == strings.TrimSpace(c.text()) && 3+syn.Col+max(syn.Len, 1) < p.r.w {
			lead := len(c.text()) - len(strings.TrimLeft(c.text(), " \t"))
			p.put(3+lead+syn.Col-1, 1, roleBad|flagBold, strings.Repeat("^", max(syn.Len, 1)))
		}
		text := syn.Msg
		if syn.Hint != "" {
			text += "; " + syn.Hint
		}
		p.cut(3, 2, p.r.w-4, roleBad, text)
		return
	case c.err != nil:
		p.cut(3, 2, p.r.w-4, roleBad, c.err.Error())
		return
	}
	list := c.list
	if list == nil {
		list = c.candidates(m)
	}
	p.cut(3, 1, p.r.w-4, roleDim, m.lab.Grammar().Hint(c.text()))
	x := 3
	from := 0
	if c.list != nil && c.pick > 0 {
		from = max(0, c.pick-3)
	}
	for i, cand := range slices.All(list) {
		if i < from {
			continue
		}
		if x+textWidth(cand.Text) > p.r.w-2 {
			p.put(x, 2, roleFaint, "…")
			return
		}
		st := roleText
		if c.list != nil && i == c.pick {
			st = roleText | flagReverse
		}
		x = p.put(x, 2, st, cand.Text) + 2
	}
}
