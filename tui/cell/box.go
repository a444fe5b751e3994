// Package cell is what a screen is drawn with: a grid of cells, the styles of a cell, boxes, and
// pictures of the whole.
package cell

import "strings"

// Box draws a rounded border with a title in its upper line and returns a pen for the inside.
func Box(p Pen, title string, st Style) Pen {
	w, h := p.R.W, p.R.H
	if w < 2 || h < 2 {
		return p.Sub(Rect{})
	}
	line := strings.Repeat("─", w-2)
	p.Put(0, 0, st, "╭"+line+"╮")
	for y := 1; y < h-1; y++ {
		p.Put(0, y, st, "│")
		p.Put(w-1, y, st, "│")
	}
	p.Put(0, h-1, st, "╰"+line+"╯")
	if title != "" && w > 6 {
		p.Put(2, 0, Title, " "+Clip(title, w-6)+" ")
	}
	return p.Sub(Rect{1, 1, w - 2, h - 2})
}
