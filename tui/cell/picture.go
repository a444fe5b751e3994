package cell

import (
	"fmt"
	"html"
	"strings"
)

// Pictures of a canvas, for files.

// PlainText is the text of the canvas, without colour.
func (c *Canvas) PlainText(t *Theme) string {
	var b strings.Builder
	for y := range c.H {
		var line strings.Builder
		for _, ce := range c.Cells[y*c.W:][:c.W] {
			line.WriteString(t.Glyph(ce.Text))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

const (
	cellW = 9  // width of a cell in SVG units
	cellH = 19 // height
)

// SVG writes the canvas as a picture.
func (c *Canvas) SVG(t *Theme, title string) string {
	var b strings.Builder
	w, h := c.W*cellW+2*cellH, c.H*cellH+2*cellH
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="15">`+"\n", w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="10" fill="%s"/>`+"\n", w, h, t.Palette.Ground)
	for y := range c.H {
		line := c.Cells[y*c.W:][:c.W]
		for x := 0; x < c.W; {
			n := x + 1
			for n < c.W && line[n].Style == line[x].Style {
				n++
			}
			c.svgRun(&b, t, line[x:n], x, y)
			x = n
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// svgRun writes cells of one style: their background, then their text stretched to the width of the
// cells.
func (c *Canvas) svgRun(b *strings.Builder, t *Theme, run []Cell, x, y int) {
	st := run[0].Style
	px, py := cellH+x*cellW, cellH+y*cellH
	fg, bg := t.picture(st)
	if bg != "" {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", px, py, len(run)*cellW, cellH, bg)
	}
	var text strings.Builder
	for _, ce := range run {
		text.WriteString(t.Glyph(ce.Text))
	}
	trimmed := strings.TrimLeft(text.String(), " ")
	lead := len(text.String()) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, " ")
	if trimmed == "" {
		return
	}
	weight := ""
	if st&Bold != 0 || st&0xff == Title || st&0xff == KeyCap {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(b, `<text xml:space="preserve" x="%d" y="%d" fill="%s"%s textLength="%d">%s</text>`+"\n",
		px+lead*cellW, py+14, fg, weight, Width(trimmed)*cellW, html.EscapeString(trimmed))
}

// picture returns the foreground and background colours of a style.
func (t *Theme) picture(s Style) (fg, bg string) {
	if fg = t.Colour(s & 0xff); fg == "" {
		fg = t.Palette.Text
	}
	switch {
	case s&Reverse != 0:
		return t.Palette.Ground, fg
	case s&AtCursor != 0:
		return fg, t.Palette.Cursor
	case s&Marked != 0:
		return fg, t.Palette.Mark
	case s&InRow != 0:
		return fg, t.Palette.Row
	}
	return fg, ""
}
