package lesson

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	md "github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Rules of this file: the time for laying out the Markdown of a step is bounded when the lesson is
// parsed. It grows with the square of the length of a paragraph and the cube of the nesting depth,
// so both are limited. Counting and layout use the same parser, so that both see the same blocks.
// Past a limit the parser opens no more blocks, so that the limits bound the counting too. Emphasis
// and links are not counted: their nesting is bounded by the number of bytes.

// What the texts of a step may contain: its prose, hints, questions and reasons.
const (
	maxText    = 8 << 10 // bytes, without fenced code
	maxBlocks  = 500     // paragraphs, headings, items, cells of tables
	maxNesting = 8       // depth of block quotes and lists in each other
)

// amount is the amount of text.
type amount struct{ bytes, blocks int }

// markdown joins the lines of a text, and reports one that would take too long to lay out.
func (p *parser) markdown(lines []source) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text + "\n")
	}
	out := strings.TrimRight(b.String(), " \t\n")
	for _, part := range Parts(out) {
		if part.Code {
			continue
		}
		m := measure{src: part.Text, held: &p.held}
		if m.all(); m.wrong != nil {
			before := out[:part.at+m.at]
			l := lines[strings.Count(before, "\n")]
			col := l.col + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
			p.fail(l.line, col, m.wrong.msg, m.wrong.hint)
		}
	}
	return out
}

// limit is a limit that a text exceeds.
type limit struct{ msg, hint string }

var (
	tooLong = &limit{fmt.Sprintf("the texts of this step have more than %d bytes", maxText), "make two steps of it; code in a fenced block does not count"}
	tooMany = &limit{fmt.Sprintf("the texts of this step have more than %d paragraphs, items and cells", maxBlocks), "make two steps of it"}
	tooDeep = &limit{fmt.Sprintf("more than %d block quotes and lists stand in each other", maxNesting), fmt.Sprintf("nest them at most %d deep", maxNesting)}
)

// measure compares a text with the limits.
type measure struct {
	src   string
	held  *amount // by the step so far
	wrong *limit  // the first exceeded limit, nil for none
	at    int     // where, in bytes
}

func (m *measure) pass(l *limit, at int) {
	if m.wrong == nil {
		m.wrong, m.at = l, min(at, len(m.src))
	}
}

func (m *measure) all() {
	room := maxText - m.held.bytes
	if room < 0 || m.held.blocks > maxBlocks { // it is reported already
		return
	}
	if m.held.bytes += len(m.src); len(m.src) > room {
		m.pass(tooLong, room)
		return
	}
	root := m.parser().Parse(text.NewReader([]byte(m.src)))
	at := 0
	ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering || n.Type() != ast.TypeBlock {
			return ast.WalkContinue, nil
		}
		if n.Lines().Len() > 0 {
			at = n.Lines().At(0).Start
		}
		if m.held.blocks++; m.held.blocks > maxBlocks {
			m.pass(tooMany, at)
			return ast.WalkStop, nil
		}
		return ast.WalkContinue, nil
	})
}

// parser is the parser of the layout, within the limits.
func (m *measure) parser() md.Parser {
	var blocks []util.PrioritizedValue
	for _, b := range append(md.DefaultBlockParsers(),
		// The priority is that of extension.DefinitionList.
		util.Prioritized(extension.NewDefinitionListParser(), 101),
		util.Prioritized(extension.NewDefinitionDescriptionParser(), 102)) {
		blocks = append(blocks, util.Prioritized(container{b.Value.(md.BlockParser), m}, b.Priority))
	}
	return md.NewParser(
		md.WithBlockParsers(blocks...),
		md.WithParagraphTransformers(md.DefaultParagraphTransformers()...),
		// The priority is that of extension.Table.
		md.WithParagraphTransformers(util.Prioritized(table{extension.NewTableParagraphTransformer(), m}, 200)),
	)
}

// containers are the blocks that contain blocks; an item counts with its list.
var containers = map[ast.NodeKind]bool{ast.KindBlockquote: true, ast.KindList: true, extast.KindDefinitionList: true}

// nesting is the number of containers around a node, including itself.
func nesting(n ast.Node) (deep int) {
	for ; n != nil; n = n.Parent() {
		if containers[n.Kind()] {
			deep++
		}
	}
	return deep
}

// container opens a block unless it is nested too deep.
type container struct {
	md.BlockParser
	m *measure
}

func (c container) Open(parent ast.Node, r text.Reader, pc md.Context) (ast.Node, md.State) {
	line, here := r.Position()
	n, state := c.BlockParser.Open(parent, r, pc)
	if n == nil || !containers[n.Kind()] || nesting(parent) < maxNesting {
		return n, state
	}
	c.m.pass(tooDeep, here.Start+max(pc.BlockOffset(), 0))
	r.SetPosition(line, here)
	return nil, md.NoChildren
}

// table makes a table of a paragraph unless it has too many cells, including those that are added
// to short rows.
type table struct {
	md.ParagraphTransformer
	m *measure
}

func (t table) Transform(n *ast.Paragraph, r text.Reader, pc md.Context) {
	columns := 0
	for i := range n.Lines().Len() {
		seg := n.Lines().At(i)
		// The delimiter row below the head of a table.
		if line := seg.Value(r.Source()); len(bytes.Trim(line, "|:- \t\n")) == 0 {
			columns = max(columns, bytes.Count(line, []byte("|"))+1)
		}
	}
	if columns*n.Lines().Len() > maxBlocks {
		t.m.pass(tooMany, n.Lines().At(0).Start)
		return
	}
	t.ParagraphTransformer.Transform(n, r, pc)
}
