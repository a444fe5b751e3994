// The canvas: a grid of cells that panes draw on, and the only place that turns cells into terminal
// text.
//
// Rules: anything drawn outside a pen's rectangle is clipped, so that a pane cannot overwrite its
// neighbour; a cell never contains a control character, so that no name can control the terminal; a
// change of style costs one escape sequence per run, not per cell.

package cell

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/ansi"
)

// Cell is one column of one line. A wide character leaves a cell with an empty text after it.
type Cell struct {
	Text  string
	Style Style
}

// Canvas is a w by h grid of cells.
type Canvas struct {
	W, H  int
	Cells []Cell
}

// NewCanvas returns a blank canvas; negative sizes count as zero.
func NewCanvas(w, h int) *Canvas {
	c := &Canvas{W: max(w, 0), H: max(h, 0)}
	c.Cells = make([]Cell, c.W*c.H)
	c.Clear()
	return c
}

// Clear makes every cell blank.
func (c *Canvas) Clear() {
	for i := range c.Cells {
		c.Cells[i] = Cell{" ", 0}
	}
}

// Rect is a rectangle of cells.
type Rect struct{ X, Y, W, H int }

// At is a rectangle of w by h cells, its upper left corner in column x of line y.
func At(x, y, w, h int) Rect { return Rect{x, y, w, h} }

// Empty reports whether r contains no cell.
func (r Rect) Empty() bool { return r.W <= 0 || r.H <= 0 }

// Contains reports whether the cell at x, y is in r.
func (r Rect) Contains(x, y int) bool { return x >= r.X && x < r.X+r.W && y >= r.Y && y < r.Y+r.H }

// Pen draws within one rectangle of a canvas, in coordinates of that rectangle.
type Pen struct {
	c *Canvas
	R Rect
}

// Pen returns a pen for the part of r that lies on the canvas.
func (c *Canvas) Pen(r Rect) Pen {
	x0, y0 := max(r.X, 0), max(r.Y, 0)
	x1, y1 := min(r.X+r.W, c.W), min(r.Y+r.H, c.H)
	return Pen{c, Rect{x0, y0, max(x1-x0, 0), max(y1-y0, 0)}}
}

// Sub returns a pen for a rectangle inside p's.
func (p Pen) Sub(r Rect) Pen {
	x0, y0 := max(r.X, 0), max(r.Y, 0)
	x1, y1 := min(r.X+r.W, p.R.W), min(r.Y+r.H, p.R.H)
	return Pen{p.c, Rect{p.R.X + x0, p.R.Y + y0, max(x1-x0, 0), max(y1-y0, 0)}}
}

// Put writes s from column x of line y and returns the column after it.
func (p Pen) Put(x, y int, st Style, s string) int {
	if y < 0 || y >= p.R.H {
		return x + Width(s)
	}
	line := p.c.Cells[(p.R.Y+y)*p.c.W+p.R.X:][:p.R.W]
	for len(s) > 0 {
		g, w, rest := NextGlyph(s)
		s = rest
		if x >= 0 && x+w <= len(line) {
			line[x] = Cell{g, st}
			if w == 2 {
				line[x+1] = Cell{"", st}
			}
		}
		x += w
	}
	return x
}

// Right writes s so that it ends at column x (exclusive).
func (p Pen) Right(x, y int, st Style, s string) { p.Put(x-Width(s), y, st, s) }

// Cut writes s within w columns, with an ellipsis if it is too long, and returns the column after
// it.
func (p Pen) Cut(x, y, w int, st Style, s string) int {
	if w <= 0 {
		return x
	}
	return p.Put(x, y, st, Clip(s, w))
}

// Fill sets every cell of p to a blank in style st.
func (p Pen) Fill(st Style) {
	for y := range p.R.H {
		line := p.c.Cells[(p.R.Y+y)*p.c.W+p.R.X:][:p.R.W]
		for x := range line {
			line[x] = Cell{" ", st}
		}
	}
}

// Restyle adds flags to n cells of line y from column x, keeping their text and colour.
func (p Pen) Restyle(x, y, n int, flags Style) {
	if y < 0 || y >= p.R.H {
		return
	}
	line := p.c.Cells[(p.R.Y+y)*p.c.W+p.R.X:][:p.R.W]
	for i := max(x, 0); i < min(x+n, len(line)); i++ {
		line[i].Style |= flags
	}
}

// Render writes the canvas as h lines of w cells, with the SGR prefixes of the styles.
func (c *Canvas) Render(t *Theme) string {
	var b strings.Builder
	b.Grow(c.W*c.H*2 + 1024)
	for y := range c.H {
		if y > 0 {
			b.WriteByte('\n')
		}
		last := Style(0)
		for _, ce := range c.Cells[y*c.W:][:c.W] {
			if ce.Style != last {
				if last != 0 {
					b.WriteString("\x1b[m")
				}
				if ce.Style != 0 {
					b.WriteString(t.sgr(ce.Style))
				}
				last = ce.Style
			}
			b.WriteString(t.Glyph(ce.Text))
		}
		if last != 0 {
			b.WriteString("\x1b[m")
		}
	}
	return b.String()
}

// joiners are characters that terminals combine with a neighbour, except with a letter: regional
// indicators, emoji modifiers, and the vowels and finals of Hangul.
var joiners = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x1160, Hi: 0x11ff, Stride: 1}, {Lo: 0xd7b0, Hi: 0xd7ff, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1f1e6, Hi: 0x1f1ff, Stride: 1}, {Lo: 0x1f3fb, Hi: 0x1f3ff, Stride: 1}},
}

// joins reports whether terminals combine the character with one before it.
func joins(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.In(r, unicode.M, joiners) || ansi.StringWidth("a"+s) != 1+ansi.StringWidth(s)
}

// NextGlyph returns the first printable character of s and the rest. Control and other unprintable
// characters are returned as visible escapes, one letter at a time, and so are characters that
// would combine with their neighbour, so that a cell is always one or two columns wide.
func NextGlyph(s string) (glyph string, width int, rest string) {
	if b := s[0]; b >= ' ' && b < 0x7f {
		return s[:1], 1, s[1:]
	}
	r, n := utf8.DecodeRuneInString(s)
	// Arrows, borders, blocks: the glyphs of the screen itself, all one column wide.
	if r >= 0x2190 && r < 0x2200 || r >= 0x2500 && r < 0x25fb {
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

// escapeFirst replaces the first n bytes of s by their Go escape and returns its first character.
func escapeFirst(s string, n int) (string, int, string) {
	q := printable.Escape(s[:n])
	return q[:1], 1, q[1:] + s[n:]
}

// Width is the number of columns that Put uses for s.
func Width(s string) int {
	w := 0
	for len(s) > 0 {
		_, n, rest := NextGlyph(s)
		w, s = w+n, rest
	}
	return w
}

// Clip shortens s to at most w columns, with an ellipsis at the end if something was left out.
func Clip(s string, w int) string {
	if len(s) <= w && isPlain(s) || Width(s) <= w {
		return s
	}
	var b strings.Builder
	for used := 0; len(s) > 0; {
		g, n, rest := NextGlyph(s)
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

// Wrap breaks s at blanks into lines of at most w columns; a word is broken only if it is longer
// than a line.
func Wrap(s string, w int) []string {
	if w <= 0 {
		return nil
	}
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(s) {
		n := Width(word)
		for n > w {
			if used > 0 {
				lines, line, used = append(lines, line), "", 0
			}
			head := cutWord(word, w)
			lines, word = append(lines, head), word[len(head):]
			n = Width(word)
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

// cutWord is the longest prefix of word, at least one character, that fits w columns.
func cutWord(word string, w int) string {
	used := 0
	for i, r := range word {
		used += Width(string(r))
		if used > w && i > 0 {
			return word[:i]
		}
	}
	return word
}
