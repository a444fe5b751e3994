// The canvas: a grid of cells that panes draw on, and the only place that turns cells into terminal text.
//
// Rules: whatever is drawn outside a pen's rectangle is cut off, so a pane cannot garble its neighbour; no control character
// ever reaches a cell, so hostile names are shown and never obeyed; a style change costs one escape sequence a run, not a cell.

package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/ansi"
)

// cell is one column of one line. A wide character leaves a cell with an empty text after it.
type cell struct {
	text  string
	style Style
}

// canvas is a w by h grid of cells.
type canvas struct {
	w, h  int
	cells []cell
}

// newCanvas gives a blank canvas; sizes below zero count as zero.
func newCanvas(w, h int) *canvas {
	c := &canvas{w: max(w, 0), h: max(h, 0)}
	c.cells = make([]cell, c.w*c.h)
	c.clear()
	return c
}

func (c *canvas) clear() {
	for i := range c.cells {
		c.cells[i] = cell{" ", 0}
	}
}

// rect is a rectangle of cells.
type rect struct{ x, y, w, h int }

func (r rect) empty() bool            { return r.w <= 0 || r.h <= 0 }
func (r rect) contains(x, y int) bool { return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h }

// pen draws within one rectangle of a canvas, in coordinates of that rectangle.
type pen struct {
	c *canvas
	r rect
}

// pen gives a pen for the part of r that lies on the canvas.
func (c *canvas) pen(r rect) pen {
	x0, y0 := max(r.x, 0), max(r.y, 0)
	x1, y1 := min(r.x+r.w, c.w), min(r.y+r.h, c.h)
	return pen{c, rect{x0, y0, max(x1-x0, 0), max(y1-y0, 0)}}
}

// sub is a pen for a rectangle inside p's.
func (p pen) sub(r rect) pen {
	x0, y0 := max(r.x, 0), max(r.y, 0)
	x1, y1 := min(r.x+r.w, p.r.w), min(r.y+r.h, p.r.h)
	return pen{p.c, rect{p.r.x + x0, p.r.y + y0, max(x1-x0, 0), max(y1-y0, 0)}}
}

// put writes s from column x of line y and returns the column after it.
func (p pen) put(x, y int, st Style, s string) int {
	if y < 0 || y >= p.r.h {
		return x + textWidth(s)
	}
	line := p.c.cells[(p.r.y+y)*p.c.w+p.r.x:][:p.r.w]
	for len(s) > 0 {
		g, w, rest := nextGlyph(s)
		s = rest
		if x >= 0 && x+w <= len(line) {
			line[x] = cell{g, st}
			if w == 2 {
				line[x+1] = cell{"", st}
			}
		}
		x += w
	}
	return x
}

// right writes s so that it ends at column x (exclusive).
func (p pen) right(x, y int, st Style, s string) { p.put(x-textWidth(s), y, st, s) }

// cut writes s within w columns, with an ellipsis where it is too long, and returns the column after it.
func (p pen) cut(x, y, w int, st Style, s string) int {
	if w <= 0 {
		return x
	}
	return p.put(x, y, st, clip(s, w))
}

// fill gives every cell of p the text " " in style st.
func (p pen) fill(st Style) {
	for y := range p.r.h {
		line := p.c.cells[(p.r.y+y)*p.c.w+p.r.x:][:p.r.w]
		for x := range line {
			line[x] = cell{" ", st}
		}
	}
}

// restyle adds flags to n cells of line y from column x, keeping their text and colour.
func (p pen) restyle(x, y, n int, flags Style) {
	if y < 0 || y >= p.r.h {
		return
	}
	line := p.c.cells[(p.r.y+y)*p.c.w+p.r.x:][:p.r.w]
	for i := max(x, 0); i < min(x+n, len(line)); i++ {
		line[i].style |= flags
	}
}

// render writes the canvas as h lines of w cells, with the SGR prefixes of the styles.
func (c *canvas) render(t *theme) string {
	var b strings.Builder
	b.Grow(c.w*c.h*2 + 1024)
	for y := range c.h {
		if y > 0 {
			b.WriteByte('\n')
		}
		last := Style(0)
		for _, ce := range c.cells[y*c.w:][:c.w] {
			if ce.style != last {
				if last != 0 {
					b.WriteString("\x1b[m")
				}
				if ce.style != 0 {
					b.WriteString(t.sgr(ce.style))
				}
				last = ce.style
			}
			b.WriteString(t.glyph(ce.text))
		}
		if last != 0 {
			b.WriteString("\x1b[m")
		}
	}
	return b.String()
}

// joiners are characters that terminals draw together with a neighbour, though not with a letter: regional indicators, emoji
// modifiers and the vowels and finals of Hangul.
var joiners = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x1160, Hi: 0x11ff, Stride: 1}, {Lo: 0xd7b0, Hi: 0xd7ff, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1f1e6, Hi: 0x1f1ff, Stride: 1}, {Lo: 0x1f3fb, Hi: 0x1f3ff, Stride: 1}},
}

// joins says whether terminals draw the character together with one before it.
func joins(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.In(r, unicode.M, joiners) || ansi.StringWidth("a"+s) != 1+ansi.StringWidth(s)
}

// nextGlyph takes one printable character off s. Control and other unprintable characters come back as visible escapes, one
// letter at a time, and so does what would join with its neighbour, so that a cell is always one or two columns.
func nextGlyph(s string) (glyph string, width int, rest string) {
	if b := s[0]; b >= ' ' && b < 0x7f {
		return s[:1], 1, s[1:]
	}
	r, n := utf8.DecodeRuneInString(s)
	if r >= 0x2190 && r < 0x2200 || r >= 0x2500 && r < 0x25fb { // arrows, borders, blocks: what the screen itself draws, all one column
		return s[:n], 1, s[n:]
	}
	if _, ok := printable.First(s); !ok || joins(s[:n]) {
		return escapeFirst(s, n)
	}
	w := ansi.StringWidth(s[:n])
	if _, _, cluster, _ := ansi.DecodeSequence(s, ansi.NormalState, nil); cluster != n || w != 1 && w != 2 {
		return escapeFirst(s, n)
	}
	return s[:n], w, s[n:]
}

// escapeFirst replaces the first n bytes of s by their Go escape and hands back its first character.
func escapeFirst(s string, n int) (string, int, string) {
	q := printable.Escape(s[:n])
	return q[:1], 1, q[1:] + s[n:]
}

// textWidth is the number of columns that put uses for s.
func textWidth(s string) int {
	w := 0
	for len(s) > 0 {
		_, n, rest := nextGlyph(s)
		w, s = w+n, rest
	}
	return w
}

// clip shortens s to at most w columns, ending in an ellipsis where something was left out.
func clip(s string, w int) string {
	if len(s) <= w && isPlain(s) || textWidth(s) <= w {
		return s
	}
	var b strings.Builder
	for used := 0; len(s) > 0; {
		g, n, rest := nextGlyph(s)
		if used+n > w-1 {
			break
		}
		b.WriteString(g)
		used, s = used+n, rest
	}
	if w > 0 {
		b.WriteString("…")
	}
	return b.String()
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// wrap breaks s at blanks into lines of at most w columns; a longer word is broken where it must be.
func wrap(s string, w int) []string {
	if w <= 0 {
		return nil
	}
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(s) {
		n := textWidth(word)
		for n > w {
			if used > 0 {
				lines, line, used = append(lines, line), "", 0
			}
			head := cutWord(word, w)
			lines, word = append(lines, head), word[len(head):]
			n = textWidth(word)
		}
		switch {
		case used == 0:
			line, used = word, n
		case used+1+n <= w:
			line, used = line+" "+word, used+1+n
		default:
			lines = append(lines, line)
			line, used = word, n
		}
	}
	if used > 0 {
		lines = append(lines, line)
	}
	return lines
}

// cutWord is the longest head of word, at least one character, that fits w columns.
func cutWord(word string, w int) string {
	used := 0
	for i, r := range word {
		used += textWidth(string(r))
		if used > w && i > 0 {
			return word[:i]
		}
	}
	return word
}
