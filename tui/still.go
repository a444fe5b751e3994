// Stills: the canvas as an SVG picture, with the theme's colours, text that can be selected, and no font files.

package tui

import (
	"fmt"
	"html"
	"strings"
)

const (
	cellW = 9  // width of a cell in SVG units
	cellH = 19 // height
)

// svg writes the canvas as a picture.
func (c *canvas) svg(t *theme, title string) string {
	var b strings.Builder
	w, h := c.w*cellW+2*cellH, c.h*cellH+2*cellH
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="15">`+"\n", w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="10" fill="%s"/>`+"\n", w, h, t.palette.ground)
	for y := range c.h {
		line := c.cells[y*c.w:][:c.w]
		for x := 0; x < c.w; {
			n := x + 1
			for n < c.w && line[n].style == line[x].style {
				n++
			}
			c.svgRun(&b, t, line[x:n], x, y)
			x = n
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// svgRun writes cells of one style: their background, then their text stretched to the cells' width.
func (c *canvas) svgRun(b *strings.Builder, t *theme, run []cell, x, y int) {
	st := run[0].style
	px, py := cellH+x*cellW, cellH+y*cellH
	fg, bg := t.picture(st)
	if bg != "" {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", px, py, len(run)*cellW, cellH, bg)
	}
	var text strings.Builder
	for _, ce := range run {
		text.WriteString(t.glyph(ce.text))
	}
	trimmed := strings.TrimLeft(text.String(), " ")
	lead := len(text.String()) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, " ")
	if trimmed == "" {
		return
	}
	weight := ""
	if st&flagBold != 0 || st&0xff == roleTitle || st&0xff == roleKey {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(b, `<text xml:space="preserve" x="%d" y="%d" fill="%s"%s textLength="%d">%s</text>`+"\n",
		px+lead*cellW, py+14, fg, weight, textWidth(trimmed)*cellW, html.EscapeString(trimmed))
}

// picture is the foreground and background of a style as colours.
func (t *theme) picture(s Style) (fg, bg string) {
	if fg = t.colour(s & 0xff); fg == "" {
		fg = t.palette.text
	}
	switch {
	case s&flagReverse != 0:
		return t.palette.ground, fg
	case s&flagCursor != 0:
		return fg, t.palette.cursor
	case s&flagMark != 0:
		return fg, t.palette.mark
	case s&flagRow != 0:
		return fg, t.palette.row
	}
	return fg, ""
}
