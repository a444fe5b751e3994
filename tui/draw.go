package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// View gives the frame, drawn anew only where something changed: Bubble Tea asks after every message.
func (m *App) View() tea.View {
	if m.fresh {
		return m.frame
	}
	m.fresh = true
	if m.canvas == nil || m.canvas.w != max(m.w, 0) || m.canvas.h != max(m.h, 0) {
		m.canvas = newCanvas(m.w, m.h)
	} else {
		m.canvas.clear()
	}
	m.hits = hitList{}
	cursor := m.draw()
	v := tea.NewView(m.canvas.render(m.theme))
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.WindowTitle = "cowscope"
	if m.opts.Theme != "" && !m.opts.Plain { // a theme that was asked for brings its own ground
		v.BackgroundColor, v.ForegroundColor = lipgloss.Color(m.theme.palette.ground), lipgloss.Color(m.theme.palette.text)
	}
	v.Cursor = cursor
	m.frame = v
	return v
}

// draw paints the panes and what lies over them.
func (m *App) draw() *tea.Cursor {
	all := m.canvas.pen(rect{0, 0, m.w, m.h})
	if m.w < minWidth || m.h < minHeight {
		for y, l := range wrap(fmt.Sprintf("cowscope needs %dx%d cells; this is %dx%d", minWidth, minHeight, m.w, m.h), m.w) {
			all.put(0, y, roleText, l)
		}
		return nil
	}
	s := m.scene()
	lay := m.layout(s)
	for _, p := range panes {
		p.draw(m.canvas.pen(p.place(lay)), s, m)
	}
	if m.over != nil {
		return m.over.draw(all, m)
	}
	return nil
}

// layout divides the screen. A lesson's text stands left of the lab, or in its place where both do not fit; the presenter's bar stands
// above the keys.
func (m *App) layout(s *scene) screen {
	w, h := m.w, m.bodyHeight()
	text, side := 0, true
	if m.course != nil {
		text, side = courseColumns(m.w)
	}
	lay := screen{}
	switch {
	case side:
		w -= text
		lay = layout(w, h, measure(s, w, h))
		for _, r := range []*rect{&lay.maps, &lay.pages, &lay.inspector, &lay.log} {
			r.x += text
		}
	case m.course.swap:
		lay, text = layout(w, h, measure(s, w, h)), 0
	}
	lay.header, lay.keys = rect{0, 0, m.w, 1}, rect{0, m.h - 1, m.w, 1}
	if text > 0 {
		lay.lesson = m.courseRect()
	}
	if m.presents() {
		lay.bar = rect{0, m.h - 2, m.w, 1}
	}
	if n := m.captionHeight(); n > 0 {
		lay.caption = rect{0, m.bodyHeight() - 1, m.w, n}
	}
	return lay
}

// bodyHeight is the screen's height without the presenter's bar and a demo's caption.
func (m *App) bodyHeight() int {
	h := m.h - m.captionHeight()
	if m.presents() {
		h--
	}
	return h
}

// pane is one part of the screen: where it stands and how it is drawn.
type pane struct {
	name  string
	place func(screen) rect
	draw  func(pen, *scene, *App)
}

var panes = []pane{
	{"header", func(l screen) rect { return l.header }, func(p pen, s *scene, _ *App) { drawHeader(p, s) }},
	{"map", func(l screen) rect { return l.maps }, func(p pen, s *scene, m *App) { drawMap(p, s, &m.hits) }},
	{"pages", func(l screen) rect { return l.pages }, func(p pen, s *scene, m *App) { drawPages(p, s, &m.hits) }},
	{"inspector", func(l screen) rect { return l.inspector }, func(p pen, s *scene, _ *App) { drawInspector(p, s) }},
	{"log", func(l screen) rect { return l.log }, func(p pen, s *scene, m *App) { drawLog(p, s, &m.hits) }},
	{"lesson", func(l screen) rect { return l.lesson }, func(p pen, _ *scene, m *App) {
		if m.course != nil {
			drawCourse(p, m)
		}
	}},
	{"caption", func(l screen) rect { return l.caption }, func(p pen, _ *scene, m *App) { drawCaption(p, m.play) }},
	{"bar", func(l screen) rect { return l.bar }, func(p pen, _ *scene, m *App) { drawPressed(p, m.pressed) }},
	{"keys", func(l screen) rect { return l.keys }, func(p pen, s *scene, m *App) { drawKeys(p, s, m.keyBar()) }},
}

// measure asks the content how much room it wants.
func measure(s *scene, w, h int) demand {
	d := demand{mapRows: max(countRows(s.snap, h), 1), inspector: 10}
	g := newPageGrid(s, w/2, h)
	d.pageCols = gridLabel + g.perLine*cellCols
	d.pageRows = 1 + g.group*g.groups
	return d
}
