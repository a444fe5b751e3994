package tui

import (
	"fmt"

	"cowscope/tui/cell"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// View gives the frame, drawn anew only where something changed: Bubble Tea asks after every
// message.
func (m *App) View() tea.View {
	if m.fresh {
		return m.frame
	}
	m.fresh = true
	if m.canvas == nil || m.canvas.W != max(m.w, 0) || m.canvas.H != max(m.h, 0) {
		m.canvas = cell.NewCanvas(m.w, m.h)
	} else {
		m.canvas.Clear()
	}
	m.hits = hitList{}
	cursor := m.draw()
	v := tea.NewView(m.canvas.Render(m.theme))
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.WindowTitle = "cowscope"
	if m.opts.Theme != "" && !m.opts.Plain { // a theme that was asked for brings its own ground
		v.BackgroundColor, v.ForegroundColor = lipgloss.Color(m.theme.Palette.Ground), lipgloss.Color(m.theme.Palette.Text)
	}
	v.Cursor = cursor
	m.frame = v
	return v
}

// draw paints the panes and what lies over them.
func (m *App) draw() *tea.Cursor {
	all := m.canvas.Pen(cell.At(0, 0, m.w, m.h))
	if m.w < minWidth || m.h < minHeight {
		for y, l := range cell.Wrap(fmt.Sprintf("cowscope needs %dx%d cells; this is %dx%d", minWidth, minHeight, m.w, m.h), m.w) {
			all.Put(0, y, cell.Plain, l)
		}
		return nil
	}
	s := m.scene()
	lay := m.layout(s)
	for _, p := range panes {
		p.draw(m.canvas.Pen(p.place(lay)), s, m)
	}
	if m.over != nil {
		return m.over.draw(all, m)
	}
	return nil
}

// layout divides the screen. A lesson's text stands left of the lab, or in its place where both do
// not fit; the presenter's bar stands above the keys.
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
		for _, r := range []*cell.Rect{&lay.maps, &lay.pages, &lay.inspector, &lay.log} {
			r.X += text
		}
	case m.course.swap:
		lay, text = layout(w, h, measure(s, w, h)), 0
	}
	lay.header, lay.keys = cell.At(0, 0, m.w, 1), cell.At(0, m.h-1, m.w, 1)
	if text > 0 {
		lay.lesson = m.courseRect()
	}
	if m.presents() {
		lay.bar = cell.At(0, m.h-2, m.w, 1)
	}
	if n := m.captionHeight(); n > 0 {
		lay.caption = cell.At(0, m.bodyHeight()-1, m.w, n)
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
	place func(screen) cell.Rect
	draw  func(cell.Pen, *scene, *App)
}

var panes = []pane{
	{"header", func(l screen) cell.Rect { return l.header }, func(p cell.Pen, s *scene, _ *App) { drawHeader(p, s) }},
	{"map", func(l screen) cell.Rect { return l.maps }, func(p cell.Pen, s *scene, m *App) { drawMap(p, s, &m.hits) }},
	{"pages", func(l screen) cell.Rect { return l.pages }, func(p cell.Pen, s *scene, m *App) { drawPages(p, s, &m.hits) }},
	{"inspector", func(l screen) cell.Rect { return l.inspector }, func(p cell.Pen, s *scene, _ *App) { drawInspector(p, s) }},
	{"log", func(l screen) cell.Rect { return l.log }, func(p cell.Pen, s *scene, m *App) { drawLog(p, s, &m.hits) }},
	{"lesson", func(l screen) cell.Rect { return l.lesson }, func(p cell.Pen, _ *scene, m *App) {
		if m.course != nil {
			drawCourse(p, m)
		}
	}},
	{"caption", func(l screen) cell.Rect { return l.caption }, func(p cell.Pen, _ *scene, m *App) { drawCaption(p, m.play) }},
	{"bar", func(l screen) cell.Rect { return l.bar }, func(p cell.Pen, _ *scene, m *App) { drawPressed(p, m.pressed) }},
	{"keys", func(l screen) cell.Rect { return l.keys }, func(p cell.Pen, s *scene, m *App) { drawKeys(p, s, m.keyBar()) }},
}

// measure asks the content how much room it wants.
func measure(s *scene, w, h int) demand {
	d := demand{mapRows: max(countRows(s.snap, h), 1), inspector: 10}
	g := newPageGrid(s, w/2, h)
	d.pageCols = gridLabel + g.perLine*cellCols
	d.pageRows = 1 + g.group*g.groups
	return d
}
