package tui

import "cowscope/tui/pane"

import tea "charm.land/bubbletea/v2"

// click selects what is under the mouse: a row, a page, a step of the log.
func (m *App) click(c tea.MouseClickMsg) tea.Cmd {
	if c.Button != tea.MouseLeft || m.over != nil || m.busy != "" {
		return nil
	}
	h := m.hits.At(c.X, c.Y)
	if h.Kind == pane.HitNothing {
		return nil
	}
	m.message, m.fresh = "", false
	switch h.Kind {
	case pane.HitStep:
		m.show(h.N)
	case pane.HitRow:
		m.cursor = h.Addr
	case pane.HitFold:
		m.cursor = h.Addr
		m.toggleFold()
	case pane.HitPage:
		m.cursor = h.Addr
		if h.Label != m.current() && needRelative(m) == "" {
			if p := m.step().After.Process(h.Label); p != nil && p.Alive() {
				// Focus of a use step is empty, so the cursor stays on the page that was clicked.
				return tea.Batch(m.goTo(h.Label), m.peek())
			}
		}
	}
	return m.peek()
}

// wheel moves the selection of the map, or scrolls the text of a lesson under the mouse.
func (m *App) wheel(w tea.MouseWheelMsg) tea.Cmd {
	if m.over != nil {
		return nil
	}
	d := map[tea.MouseButton]int{tea.MouseWheelUp: -1, tea.MouseWheelDown: 1}[w.Button]
	if d == 0 {
		return nil
	}
	m.fresh = false
	if m.course != nil && m.layout(m.scene()).Lesson.Contains(w.X, w.Y) {
		m.course.scroll(m, m.course.top+3*d)
		return nil
	}
	moveRow(d)(m)
	return m.peek()
}
