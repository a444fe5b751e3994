// Markdown on the canvas: glamour lays the text out, and this file turns its escape sequences into the theme's roles.
//
// Rules: the colours that glamour is given are numbers that stand for roles, so that a theme, no colour and pictures work as for the rest
// of the screen; of what glamour writes only the style counts, every other sequence is dropped.

package tui

import (
	"strings"

	"cowscope/actions/lesson"

	"charm.land/glamour/v2"
	mdansi "charm.land/glamour/v2/ansi"
	"github.com/charmbracelet/x/ansi"
)

// span is a stretch of text in one style, and textLine a line of them.
type (
	span struct {
		text  string
		style Style
	}
	textLine []span
)

func plainLine(st Style, text string) textLine { return textLine{{text, st}} }

// roleOfColor says what the colour numbers in markdownStyle stand for.
var roleOfColor = map[string]Style{"1": roleTitle, "2": roleAccent, "3": roleDim, "4": roleWarn}

func markdownStyle() mdansi.StyleConfig {
	yes, none, two := true, uint(0), uint(2)
	color := func(n string) mdansi.StylePrimitive { return mdansi.StylePrimitive{Color: &n} }
	bold := func(p mdansi.StylePrimitive) mdansi.StylePrimitive {
		p.Bold = &yes
		return p
	}
	heading := mdansi.StyleBlock{StylePrimitive: bold(color("1"))}
	return mdansi.StyleConfig{
		Document: mdansi.StyleBlock{Margin: &none},
		Heading:  heading, H1: heading, H2: heading, H3: heading,
		Strong:      bold(mdansi.StylePrimitive{}),
		Emph:        mdansi.StylePrimitive{Underline: &yes},
		Code:        mdansi.StyleBlock{StylePrimitive: color("2")},
		CodeBlock:   mdansi.StyleCodeBlock{StyleBlock: mdansi.StyleBlock{StylePrimitive: color("2"), Margin: &two}},
		BlockQuote:  mdansi.StyleBlock{StylePrimitive: color("3")},
		List:        mdansi.StyleList{LevelIndent: 2},
		Item:        mdansi.StylePrimitive{BlockPrefix: "• "},
		Enumeration: mdansi.StylePrimitive{BlockPrefix: ". "},
		Link:        mdansi.StylePrimitive{Underline: &yes},
		Table:       mdansi.StyleTable{StyleBlock: mdansi.StyleBlock{StylePrimitive: color("3")}},
	}
}

// markdown lays text out in lines of at most w columns. Code is laid out here: glamour does not keep the indentation of a line that is too
// long.
func markdown(text string, w int) []textLine {
	if w <= 0 {
		return nil
	}
	var out []textLine
	for _, p := range lesson.Parts(text) {
		lay := prose
		if p.Code {
			lay = codeLines
		}
		lines := lay(p.Text, w)
		if len(out) > 0 && len(lines) > 0 {
			out = append(out, nil)
		}
		out = append(out, lines...)
	}
	return out
}

// prose lays out what is no fenced code.
func prose(text string, w int) []textLine {
	r, err := glamour.NewTermRenderer(glamour.WithStyles(markdownStyle()), glamour.WithWordWrap(w))
	if err == nil {
		text, err = r.Render(text)
	}
	if err != nil {
		var out []textLine
		for _, l := range wrap(text, w) {
			out = append(out, plainLine(roleText, l))
		}
		return out
	}
	var out []textLine
	st, p := roleText, ansi.NewParser() // which is large: one for all lines
	for l := range strings.Lines(strings.Trim(text, "\n")) {
		var line textLine
		line, st = styled(p, strings.TrimRight(l, "\n"), st)
		out = append(out, line)
	}
	for len(out) > 0 && out[len(out)-1].blank() {
		out = out[:len(out)-1]
	}
	for len(out) > 0 && out[0].blank() {
		out = out[1:]
	}
	return out
}

func (l textLine) blank() bool {
	for _, s := range l {
		if strings.TrimSpace(s.text) != "" {
			return false
		}
	}
	return true
}

// styled parts a line with escape sequences into spans, beginning in style st, and gives the style that it ends in.
func styled(p *ansi.Parser, s string, st Style) (textLine, Style) {
	var out textLine
	state := byte(ansi.NormalState)
	for len(s) > 0 {
		seq, w, n, next := ansi.DecodeSequence(s, state, p)
		state, s = next, s[n:]
		switch {
		case w > 0:
			if k := len(out); k > 0 && out[k-1].style == st {
				out[k-1].text += seq
			} else {
				out = append(out, span{seq, st})
			}
		case strings.HasPrefix(seq, "\x1b[") && strings.HasSuffix(seq, "m"):
			st = sgrStyle(strings.TrimSuffix(strings.TrimPrefix(seq, "\x1b["), "m"), st)
		}
	}
	for len(out) > 0 { // glamour fills lines with blanks
		last := &out[len(out)-1]
		if last.text = strings.TrimRight(last.text, " "); last.text != "" {
			break
		}
		out = out[:len(out)-1]
	}
	return out, st
}

// sgrStyle applies the parameters of a select graphic rendition sequence.
func sgrStyle(params string, st Style) Style {
	for _, p := range strings.Split(params, ";") {
		switch {
		case p == "" || p == "0":
			st = roleText
		case p == "1":
			st |= flagBold
		case p == "4":
			st |= flagUnderline
		case len(p) == 2 && p[0] == '3':
			if role, ok := roleOfColor[p[1:]]; ok {
				st = st&^0xff | role
			}
		}
	}
	return st
}

// line writes a line of spans from column x and returns the column after it.
func (p pen) line(x, y int, l textLine) int {
	for _, s := range l {
		x = p.put(x, y, s.style, s.text)
	}
	return x
}
