// Lines of code that are too long for their column continue below, two columns deeper than their
// indentation, after a mark.

package prose

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"cowscope/tui/cell"
)

const (
	codeMargin = 2
	foldMark   = "↪ " // in the two columns
	foldRoom   = 12   // columns; a narrower line has neither mark nor indentation
	tabStop    = 8
)

// codeLines breaks code into lines of at most w columns.
func codeLines(code string, w int) []Line {
	margin := codeMargin
	if w < 4*codeMargin {
		margin = 0
	}
	var out []Line
	if code = strings.Trim(code, "\n"); code == "" {
		return nil
	}
	for line := range strings.SplitSeq(code, "\n") {
		pieces, lead := fold(line, w-margin)
		for i, p := range pieces {
			indent, mark := margin, ""
			if i > 0 && lead > 0 {
				indent, mark = margin+lead-cell.Width(foldMark), foldMark
			}
			out = append(out, Line{{strings.Repeat(" ", indent), cell.Plain}, {mark, cell.Dim}, {strings.TrimRight(p, " "), cell.Accent}})
		}
	}
	return out
}

// glyph is a character as the screen shows it.
type glyph struct {
	text  string
	width int
}

func glyphsOf(line string) []glyph {
	var out []glyph
	for at := 0; len(line) > 0; {
		g := glyph{" ", 1}
		if line[0] != '\t' {
			g.text, g.width, line = cell.NextGlyph(line)
		} else if (at+1)%tabStop == 0 {
			line = line[1:]
		}
		out, at = append(out, g), at+g.width
	}
	return out
}

// fold cuts a line into pieces. All but the first begin after lead columns, which include the mark;
// 0 says that there is no room for that. Together the pieces are the whole line; blanks at the end
// of a piece may exceed the width.
func fold(line string, w int) (pieces []string, lead int) {
	rest := glyphsOf(line)
	if w >= foldRoom {
		lead = min(blanksOf(rest)+cell.Width(foldMark), w*2/3)
	}
	for room := w; ; room = w - lead {
		n := cut(rest, room)
		var b strings.Builder
		for _, g := range rest[:n] {
			b.WriteString(g.text)
		}
		pieces = append(pieces, b.String())
		if rest = rest[n:]; len(rest) == 0 {
			return pieces, lead
		}
	}
}

// blanksOf counts the blanks at the beginning of a line.
func blanksOf(line []glyph) int {
	n := 0
	for n < len(line) && line[n].text == " " {
		n++
	}
	return n
}

// cut is the number of characters that stay in a line: as many as fit, or fewer if there is a
// better place in the last third.
func cut(line []glyph, room int) int {
	best, used, first := 0, 0, blanksOf(line)
	fit := 0
	for fit < len(line) && (fit == 0 || used+line[fit].width <= room) {
		used += line[fit].width
		if fit++; fit > first && used*3 >= room*2 && canBreak(line, fit) {
			best = fit
		}
	}
	if fit == len(line) {
		return fit
	}
	if best == 0 {
		best = fit
	}
	return best + blanksOf(line[best:])
}

// canBreak reports whether character n is a good place to break: at a blank, after a comma, or after
// an operator between two operands.
func canBreak(line []glyph, n int) bool {
	if n == len(line) {
		return false
	}
	last, next := line[n-1].text, line[n].text
	switch {
	case last == " " || next == " " || last == "," || last == ";":
		return true
	case n == 1 || !strings.Contains("=|&^+-*/%<>?:", last):
		return false
	}
	return ends(line[n-2].text) && (begins(next) || next == "(" || next == `"`)
}

// begins reports whether a name or a number can begin with a character, and ends whether an operand
// can end with it.
func begins(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

func ends(s string) bool { return begins(s) || s == ")" || s == "]" || s == `"` || s == "'" }
