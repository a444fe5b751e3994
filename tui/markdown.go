// Markdown on the canvas: goldmark reads it, and this file lays out what it found in the theme's roles.
//
// Rules: only the text of a document is drawn, with the styles of its marks; tags of HTML and addresses of pictures are not. The blocks
// are those that package lesson counted, so that its limits bound the work here.

package tui

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cowscope/actions/lesson"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
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

// markdown lays text out in lines of at most w columns.
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
		out = paragraphs(out, lay(p.Text, w))
	}
	return out
}

// paragraphs appends lines, with a blank one between what is there and what comes.
func paragraphs(out, lines []textLine) []textLine {
	if len(out) > 0 && len(lines) > 0 {
		out = append(out, nil)
	}
	return append(out, lines...)
}

var markdownParser = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify, extension.TaskList, extension.DefinitionList)).Parser()

// prose lays out what is no fenced code.
func prose(s string, w int) []textLine {
	d := document{[]byte(s)}
	return d.blocks(markdownParser.Parse(text.NewReader(d.source)), roleText, w)
}

var htmlTag = regexp.MustCompile(`(?s)<!--.*?-->|<[^>]*>`)

// document is Markdown that was read.
type document struct{ source []byte }

// blocks lays out the blocks that a node holds. Items of a list that has no blank lines follow one another without one, and so does the
// list in an item.
func (d document) blocks(n ast.Node, st Style, w int) []textLine {
	var out []textLine
	list, _ := n.(*ast.List)
	number := 1
	if list != nil && list.IsOrdered() {
		number = list.Start
	}
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		var lines []textLine
		if list == nil {
			lines = d.block(c, st, w)
		} else {
			mark := "• "
			if list.IsOrdered() {
				mark = strconv.Itoa(number) + ". "
				number++
			}
			lines = hung(mark, strings.Repeat(" ", textWidth(mark)), st, func(w int) []textLine { return d.blocks(c, st, w) }, w)
		}
		if tight(n) || n.Kind() == ast.KindListItem && c.Kind() == ast.KindList {
			out = append(out, lines...)
		} else {
			out = paragraphs(out, lines)
		}
	}
	return out
}

// tight says whether the blocks that n holds stand without blank lines between them.
func tight(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.List:
		return n.IsTight
	case *ast.ListItem:
		return tight(n.Parent())
	}
	return n.Kind() == extast.KindDefinitionList
}

// hung lays lines out behind a mark on the first and as much room on the others, where there is room.
func hung(mark, rest string, st Style, lay func(w int) []textLine, w int) []textLine {
	room := textWidth(mark)
	if room*2 > w {
		return lay(w)
	}
	lines := lay(w - room)
	if len(lines) == 0 {
		lines = []textLine{nil}
	}
	for i, l := range lines {
		before := rest
		if i == 0 {
			before = mark
		}
		if l != nil || strings.TrimSpace(before) != "" {
			lines[i] = append(textLine{{before, st}}, l...)
		}
	}
	return lines
}

func (d document) block(n ast.Node, st Style, w int) []textLine {
	switch n := n.(type) {
	case *ast.Heading:
		return flow(d.inline(n, roleTitle|flagBold), w)
	case *ast.Blockquote:
		return hung("│ ", "│ ", roleDim, func(w int) []textLine { return d.blocks(n, roleDim, w) }, w)
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		return codeLines(string(n.Lines().Value(d.source)), w)
	case *ast.HTMLBlock:
		return flow([]span{{htmlTag.ReplaceAllString(string(n.Lines().Value(d.source)), " "), st}}, w)
	case *ast.ThematicBreak:
		return []textLine{plainLine(roleDim, strings.Repeat("─", w))}
	case *extast.Table:
		return d.table(n, st, w)
	case *extast.DefinitionTerm:
		return flow(d.inline(n, st|flagBold), w)
	case *extast.DefinitionDescription:
		return hung("  ", "  ", st, func(w int) []textLine { return d.blocks(n, st, w) }, w)
	}
	if c := n.FirstChild(); c == nil || c.Type() == ast.TypeInline {
		return flow(d.inline(n, st), w)
	}
	return d.blocks(n, st, w)
}

// inline is the text of a block with its styles. A line of the source that ends goes on behind a blank; "\n" is a break that is meant.
func (d document) inline(n ast.Node, st Style) []span {
	var out []span
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			s := c.Segment.Value(d.source)
			if !c.IsRaw() {
				s = util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(s)))
			}
			out = append(out, span{string(s), st})
			if c.HardLineBreak() {
				out = append(out, span{"\n", st})
			} else if c.SoftLineBreak() {
				out = append(out, span{" ", st})
			}
		case *ast.String:
			out = append(out, span{string(c.Value), st})
		case *ast.CodeSpan:
			out = append(out, d.inline(c, st&^0xff|roleAccent)...)
		case *ast.Emphasis:
			mark := flagUnderline
			if c.Level == 2 {
				mark = flagBold
			}
			out = append(out, d.inline(c, st|mark)...)
		case *ast.AutoLink:
			out = append(out, span{string(c.Label(d.source)), st | flagUnderline})
		case *ast.Link:
			out = append(append(out, d.inline(c, st|flagUnderline)...), span{" " + string(c.Destination), st})
		case *extast.TaskCheckBox:
			out = append(out, span{map[bool]string{false: "[ ] ", true: "[x] "}[c.IsChecked], st})
		case *ast.RawHTML:
		default:
			out = append(out, d.inline(c, st)...)
		}
	}
	return out
}

// word is what stands on one line: text without a blank, or a wide character with the marks that belong to it.
type word struct {
	spans  textLine
	width  int
	behind bool // a blank stands before it where it does not begin a line
	ends   bool // the line ends before it
}

// flow breaks text into lines of at most w columns: at blanks, and beside wide characters, but not before a mark that ends something.
func flow(spans []span, w int) []textLine {
	var out []textLine
	var line textLine
	used := 0
	for _, x := range wordsOf(spans, w) {
		gap := 0
		if x.behind && used > 0 {
			gap = 1
		}
		if used > 0 && (x.ends || used+gap+x.width > w) {
			out, line, used, gap = append(out, line), nil, 0, 0
		}
		if gap > 0 {
			line = line.and(span{" ", x.spans[0].style &^ (flagUnderline | flagBold)})
		}
		for _, s := range x.spans {
			line = line.and(s)
		}
		used += gap + x.width
	}
	if used > 0 {
		out = append(out, line)
	}
	return out
}

// and appends text to a line.
func (l textLine) and(s span) textLine {
	if n := len(l); n > 0 && l[n-1].style == s.style {
		l[n-1].text += s.text
		return l
	}
	return append(l, s)
}

// wordsOf divides text. What is wider than w is divided too.
func wordsOf(spans []span, w int) []word {
	var out []word
	begin, behind, ends := true, false, false // of the next word
	var last rune
	wide := false // last is
	for _, s := range spans {
		for rest := s.text; rest != ""; {
			r, n := utf8.DecodeRuneInString(rest)
			if unicode.IsSpace(r) {
				begin, behind, ends, rest = true, r != '\n', ends || r == '\n', rest[n:]
				continue
			}
			glyph, width, after := nextGlyph(rest)
			rest = after
			if !begin {
				begin = (wide || width > 1) && !strings.ContainsRune(closing, r) && !strings.ContainsRune(opening, last) || out[len(out)-1].width+width > w
			}
			if begin {
				out = append(out, word{behind: behind, ends: ends})
				begin, behind, ends = false, false, false
			}
			x := &out[len(out)-1]
			x.spans, x.width = x.spans.and(span{glyph, s.style}), x.width+width
			last, wide = r, width > 1
		}
	}
	return out
}

// What does not begin a line, and what does not end one, beside wide characters.
const (
	closing = "，。、；：！？）》」』】〕”’…—,.;:!?)]}%"
	opening = "（《「『【〔“‘([{"
)

// table lays out a table: a line of titles, a rule, the rows. Where it is too wide its widest columns become narrower.
func (d document) table(n *extast.Table, st Style, w int) []textLine {
	var rows [][][]span
	var widths []int
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		cellStyle := st
		if row.Kind() == extast.KindTableHeader {
			cellStyle |= flagBold
		}
		var cells [][]span
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			text := d.inline(c, cellStyle)
			width := 1
			for _, l := range flow(text, 1<<16) {
				width = max(width, l.width())
			}
			if cells = append(cells, text); len(cells) > len(widths) {
				widths = append(widths, 1)
			}
			widths[len(cells)-1] = max(widths[len(cells)-1], width)
		}
		rows = append(rows, cells)
	}
	const between = " │ "
	room := w - (len(widths)-1)*textWidth(between)
	if room < len(widths) { // no room for columns: the cells follow one another
		var out []textLine
		for _, cells := range rows {
			for _, c := range cells {
				out = append(out, flow(c, w)...)
			}
		}
		return out
	}
	for total(widths) > room {
		widths[slices.Index(widths, slices.Max(widths))]--
	}
	var out []textLine
	for i, cells := range rows {
		laid, height := make([][]textLine, len(widths)), 1
		for k, c := range cells {
			laid[k] = flow(c, widths[k])
			height = max(height, len(laid[k]))
		}
		for y := range height {
			var line textLine
			for k, width := range widths {
				if k > 0 {
					line = line.and(span{between, roleDim})
				}
				var part textLine
				if y < len(laid[k]) {
					part = laid[k][y]
				}
				for _, s := range part {
					line = line.and(s)
				}
				if k < len(widths)-1 {
					line = line.and(span{strings.Repeat(" ", width-part.width()), st})
				}
			}
			out = append(out, line)
		}
		if i == 0 {
			rule := make([]string, len(widths))
			for k, width := range widths {
				rule[k] = strings.Repeat("─", width)
			}
			out = append(out, plainLine(roleDim, strings.Join(rule, "─┼─")))
		}
	}
	return out
}

func total(ns []int) (n int) {
	for _, x := range ns {
		n += x
	}
	return n
}

func (l textLine) width() (n int) {
	for _, s := range l {
		n += textWidth(s.text)
	}
	return n
}

// line writes a line of spans from column x and returns the column after it.
func (p pen) line(x, y int, l textLine) int {
	for _, s := range l {
		x = p.put(x, y, s.style, s.text)
	}
	return x
}
