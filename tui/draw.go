package tui

import (
	"fmt"
	"slices"

	"cowscope/tui/cell"
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// View returns the frame, drawn again only if something changed: Bubble Tea calls it after every
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
	m.hits = m.hits[:0]
	cursor := m.draw()
	v := tea.NewView(m.canvas.Render(m.theme))
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.WindowTitle = "cowscope"
	if m.opts.Theme != "" && !m.opts.Plain { // a theme that was requested sets its own background
		v.BackgroundColor, v.ForegroundColor = ansi.HexColor(m.theme.Palette.Ground), ansi.HexColor(m.theme.Palette.Text)
	}
	v.Cursor = cursor
	m.frame = v
	return v
}

// draw draws the panes and the overlays.
func (m *App) draw() *tea.Cursor {
	all := m.canvas.Pen(cell.At(0, 0, m.w, m.h))
	if m.w < pane.MinWidth || m.h < pane.MinHeight {
		for y, l := range cell.Wrap(fmt.Sprintf("cowscope needs %dx%d cells; this is %dx%d", pane.MinWidth, pane.MinHeight, m.w, m.h), m.w) {
			all.Put(0, y, cell.Plain, l)
		}
		return nil
	}
	s := m.scene()
	lay := m.layout(s)
	for _, p := range parts {
		p.draw(m.canvas.Pen(p.place(lay)), s, m)
	}
	if m.over != nil {
		return m.over.draw(all, m)
	}
	return nil
}

// layout divides the screen. A lesson's text is left of the lab, or in its place if both do not
// fit; the presenter's bar is above the keys.
func (m *App) layout(s *pane.Scene) pane.Screen {
	w, h := m.w, m.bodyHeight()
	text, side := 0, true
	if m.course != nil {
		text, side = courseColumns(m.w)
	}
	lay := pane.Screen{}
	switch {
	case side:
		w -= text
		lay = pane.Layout(s, w, h)
		for _, r := range []*cell.Rect{&lay.Maps, &lay.Pages, &lay.Inspector, &lay.Log} {
			r.X += text
		}
	case m.course.swap:
		lay, text = pane.Layout(s, w, h), 0
	}
	lay.Header, lay.Keys = cell.At(0, 0, m.w, 1), cell.At(0, m.h-1, m.w, 1)
	if text > 0 {
		lay.Lesson = m.courseRect()
	}
	if m.presents() {
		lay.Bar = cell.At(0, m.h-2, m.w, 1)
	}
	if n := m.captionHeight(); n > 0 {
		lay.Caption = cell.At(0, m.bodyHeight()-1, m.w, n)
	}
	return lay
}

// bodyHeight is the height of the screen without the presenter's bar and a demo's caption.
func (m *App) bodyHeight() int {
	h := m.h - m.captionHeight()
	if m.presents() {
		h--
	}
	return h
}

// part is one part of the screen: its place and its drawing function.
type part struct {
	name  string
	place func(pane.Screen) cell.Rect
	draw  func(cell.Pen, *pane.Scene, *App)
}

var parts = []part{
	{"header", func(l pane.Screen) cell.Rect { return l.Header }, func(p cell.Pen, s *pane.Scene, _ *App) { pane.DrawHeader(p, s) }},
	{"map", func(l pane.Screen) cell.Rect { return l.Maps }, func(p cell.Pen, s *pane.Scene, _ *App) { pane.DrawMap(p, s) }},
	{"pages", func(l pane.Screen) cell.Rect { return l.Pages }, func(p cell.Pen, s *pane.Scene, _ *App) { pane.DrawPages(p, s) }},
	{"inspector", func(l pane.Screen) cell.Rect { return l.Inspector }, func(p cell.Pen, s *pane.Scene, _ *App) { pane.DrawInspector(p, s) }},
	{"log", func(l pane.Screen) cell.Rect { return l.Log }, func(p cell.Pen, s *pane.Scene, _ *App) { pane.DrawLog(p, s) }},
	{"lesson", func(l pane.Screen) cell.Rect { return l.Lesson }, func(p cell.Pen, _ *pane.Scene, m *App) {
		if m.course != nil {
			drawCourse(p, m)
		}
	}},
	{"caption", func(l pane.Screen) cell.Rect { return l.Caption }, func(p cell.Pen, _ *pane.Scene, m *App) { drawCaption(p, m.play) }},
	{"bar", func(l pane.Screen) cell.Rect { return l.Bar }, func(p cell.Pen, _ *pane.Scene, m *App) { drawPressed(p, m.pressed) }},
	{"keys", func(l pane.Screen) cell.Rect { return l.Keys }, func(p cell.Pen, s *pane.Scene, m *App) { pane.DrawKeys(p, s, m.keyBar()) }},
}

// drawFooter draws the keys of an overlay in place of the key bar: key, what it does.
func drawFooter(p cell.Pen, keys ...string) {
	line := p.Sub(cell.At(0, p.R.H-1, p.R.W, 1))
	line.Fill(0)
	var shown []pane.KeyHelp
	for k := range slices.Chunk(keys, 2) {
		shown = append(shown, pane.KeyHelp{Key: k[0], Short: k[1]})
	}
	pane.DrawKeys(line, &pane.Scene{}, shown)
}
