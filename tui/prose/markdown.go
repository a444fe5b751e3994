// Markdown on the canvas: goldmark parses it, and this file lays out the result in the styles of
// the theme.
//
// Rules: only the text of a document is drawn, in the styles of its marks; HTML tags and addresses
// of images are not. The blocks are those that package lesson counted, so that its limits bound the
// work here.

// Package prose draws the Markdown of lessons in cells.
package prose

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"cowscope/actions/lesson"
	"cowscope/tui/cell"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	md "github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Span is text in one style, and Line a line of spans.
type (
	Span struct {
		Text  string
		Style cell.Style
	}
	Line []Span
)

// Plain is a line of one style.
func Plain(st cell.Style, text string) Line { return Line{{text, st}} }

// Markdown lays out text in lines of at most w columns.
func Markdown(text string, w int) []Line {
	if w <= 0 {
		return nil
	}
	var out []Line
	for _, p := range lesson.Parts(text) {
		lay := prose
		if p.Code {
			lay = codeLines
		}
		out = paragraphs(out, lay(p.Text, w))
	}
	return out
}

// paragraphs appends lines, separated by a blank line from what precedes.
func paragraphs(out, lines []Line) []Line {
	if len(out) > 0 && len(lines) > 0 {
		out = append(out, nil)
	}
	return append(out, lines...)
}

// markdownParser is goldmark's without its renderers, whose HTML nobody wants. The priorities are
// those that its extensions have.
var markdownParser = sync.OnceValue(func() md.Parser {
	return md.NewParser(
		md.WithBlockParsers(md.DefaultBlockParsers()...),
		md.WithBlockParsers(
			util.Prioritized(extension.NewDefinitionListParser(), 101),
			util.Prioritized(extension.NewDefinitionDescriptionParser(), 102)),
		md.WithInlineParsers(md.DefaultInlineParsers()...),
		md.WithInlineParsers(
			util.Prioritized(extension.NewTaskCheckBoxParser(), 0),
			util.Prioritized(extension.NewStrikethroughParser(), 500),
			util.Prioritized(extension.NewLinkifyParser(), 999)),
		md.WithParagraphTransformers(md.DefaultParagraphTransformers()...),
		md.WithParagraphTransformers(util.Prioritized(extension.NewTableParagraphTransformer(), 200)),
		md.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)
})

// prose lays out text outside fenced code.
func prose(s string, w int) []Line {
	d := document{[]byte(s)}
	return d.blocks(markdownParser().Parse(text.NewReader(d.source)), cell.Plain, w)
}

var htmlTag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s)<!--.*?-->|<[^>]*>`) })

// document is parsed Markdown.
type document struct{ source []byte }

// blocks lays out the blocks in a node. In a tight list, items and nested lists are not separated
// by blank lines.
func (d document) blocks(n ast.Node, st cell.Style, w int) []Line {
	var out []Line
	list, _ := n.(*ast.List)
	number := 1
	if list != nil && list.IsOrdered() {
		number = list.Start
	}
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		var lines []Line
		if list == nil {
			lines = d.block(c, st, w)
		} else {
			mark := "• "
			if list.IsOrdered() {
				mark = strconv.Itoa(number) + ". "
				number++
			}
			lines = hangingIndent(mark, strings.Repeat(" ", cell.Width(mark)), st, func(w int) []Line { return d.blocks(c, st, w) }, w)
		}
		if tight(n) || n.Kind() == ast.KindListItem && c.Kind() == ast.KindList {
			out = append(out, lines...)
		} else {
			out = paragraphs(out, lines)
		}
	}
	return out
}

// tight reports whether the blocks in n are not separated by blank lines.
func tight(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.List:
		return n.IsTight
	case *ast.ListItem:
		return tight(n.Parent())
	}
	return n.Kind() == extast.KindDefinitionList
}

// hangingIndent lays out lines after a mark on the first line and an indentation of the same width
// on the others, if there is room for it.
func hangingIndent(mark, rest string, st cell.Style, lay func(w int) []Line, w int) []Line {
	room := cell.Width(mark)
	if room*2 > w {
		return lay(w)
	}
	lines := lay(w - room)
	if len(lines) == 0 {
		lines = []Line{nil}
	}
	for i, l := range lines {
		before := rest
		if i == 0 {
			before = mark
		}
		if l != nil || strings.TrimSpace(before) != "" {
			lines[i] = append(Line{{before, st}}, l...)
		}
	}
	return lines
}

func (d document) block(n ast.Node, st cell.Style, w int) []Line {
	switch n := n.(type) {
	case *ast.Heading:
		return flow(d.inline(n, cell.Title|cell.Bold), w)
	case *ast.Blockquote:
		return hangingIndent("│ ", "│ ", cell.Dim, func(w int) []Line { return d.blocks(n, cell.Dim, w) }, w)
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		return codeLines(string(n.Lines().Value(d.source)), w)
	case *ast.HTMLBlock:
		return flow([]Span{{htmlTag().ReplaceAllString(string(n.Lines().Value(d.source)), " "), st}}, w)
	case *ast.ThematicBreak:
		return []Line{Plain(cell.Dim, strings.Repeat("─", w))}
	case *extast.Table:
		return d.table(n, st, w)
	case *extast.DefinitionTerm:
		return flow(d.inline(n, st|cell.Bold), w)
	case *extast.DefinitionDescription:
		return hangingIndent("  ", "  ", st, func(w int) []Line { return d.blocks(n, st, w) }, w)
	}
	if c := n.FirstChild(); c == nil || c.Type() == ast.TypeInline {
		return flow(d.inline(n, st), w)
	}
	return d.blocks(n, st, w)
}

// inline is the text of a block with its styles. The end of a source line becomes a blank; a newline
// in the result is a hard line break.
func (d document) inline(n ast.Node, st cell.Style) []Span {
	var out []Span
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			s := c.Segment.Value(d.source)
			if !c.IsRaw() {
				s = util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(s)))
			}
			out = append(out, Span{string(s), st})
			if c.HardLineBreak() {
				out = append(out, Span{"\n", st})
			} else if c.SoftLineBreak() {
				out = append(out, Span{" ", st})
			}
		case *ast.String:
			out = append(out, Span{string(c.Value), st})
		case *ast.CodeSpan:
			out = append(out, d.inline(c, st&^0xff|cell.Accent)...)
		case *ast.Emphasis:
			mark := cell.Underline
			if c.Level == 2 {
				mark = cell.Bold
			}
			out = append(out, d.inline(c, st|mark)...)
		case *ast.AutoLink:
			out = append(out, Span{string(c.Label(d.source)), st | cell.Underline})
		case *ast.Link:
			out = append(append(out, d.inline(c, st|cell.Underline)...), Span{" " + string(c.Destination), st})
		case *extast.TaskCheckBox:
			out = append(out, Span{map[bool]string{false: "[ ] ", true: "[x] "}[c.IsChecked], st})
		case *ast.RawHTML:
		default:
			out = append(out, d.inline(c, st)...)
		}
	}
	return out
}

// word is an unbreakable piece of text: text without a blank, or a wide character with the marks
// that belong to it.
type word struct {
	spans  Line
	width  int
	behind bool // a blank precedes it unless it begins a line
	ends   bool // the line ends before it
}

// flow breaks text into lines of at most w columns: at blanks, and beside wide characters, but not
// before a closing mark.
func flow(spans []Span, w int) []Line {
	var out []Line
	var line Line
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
			line = line.and(Span{" ", x.spans[0].Style &^ (cell.Underline | cell.Bold)})
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
func (l Line) and(s Span) Line {
	if n := len(l); n > 0 && l[n-1].Style == s.Style {
		l[n-1].Text += s.Text
		return l
	}
	return append(l, s)
}

// wordsOf splits text into words. A word wider than w is split too.
func wordsOf(spans []Span, w int) []word {
	var out []word
	begin, behind, ends := true, false, false // of the next word
	var last rune
	wide := false // last is
	for _, s := range spans {
		for rest := s.Text; rest != ""; {
			r, n := utf8.DecodeRuneInString(rest)
			if unicode.IsSpace(r) {
				begin, behind, ends, rest = true, r != '\n', ends || r == '\n', rest[n:]
				continue
			}
			glyph, width, after := cell.NextGlyph(rest)
			rest = after
			if !begin {
				begin = (wide || width > 1) && !strings.ContainsRune(closing, r) && !strings.ContainsRune(opening, last) || out[len(out)-1].width+width > w
			}
			if begin {
				out = append(out, word{behind: behind, ends: ends})
				begin, behind, ends = false, false, false
			}
			x := &out[len(out)-1]
			x.spans, x.width = x.spans.and(Span{glyph, s.Style}), x.width+width
			last, wide = r, width > 1
		}
	}
	return out
}

// Characters that must not begin a line, and that must not end one, beside wide characters.
const (
	closing = "，。、；：！？）》」』】〕”’…—,.;:!?)]}%"
	opening = "（《「『【〔“‘([{"
)

func (l Line) width() (n int) {
	for _, s := range l {
		n += cell.Width(s.Text)
	}
	return n
}

// Put writes the line from column x and returns the column after it.
func (l Line) Put(p cell.Pen, x, y int) int {
	for _, s := range l {
		x = p.Put(x, y, s.Style, s.Text)
	}
	return x
}
