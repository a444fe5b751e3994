package tui

import "strings"

// drawBox draws a rounded border with a title in its upper line and gives a pen for what is inside.
func drawBox(p pen, title string, st Style) pen {
	w, h := p.r.w, p.r.h
	if w < 2 || h < 2 {
		return p.sub(rect{})
	}
	line := strings.Repeat("─", w-2)
	p.put(0, 0, st, "╭"+line+"╮")
	for y := 1; y < h-1; y++ {
		p.put(0, y, st, "│")
		p.put(w-1, y, st, "│")
	}
	p.put(0, h-1, st, "╰"+line+"╯")
	if title != "" && w > 6 {
		p.put(2, 0, roleTitle, " "+clip(title, w-6)+" ")
	}
	return p.sub(rect{1, 1, w - 2, h - 2})
}
