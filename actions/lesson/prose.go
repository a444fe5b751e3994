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

// Rules of this file: the work of laying out the Markdown of a step is bounded when the lesson is
// read. Laying out takes a time that grows with the square of a paragraph and the cube of the
// nesting, so both are limited. The parser that counts is the one that lays out later, so that both
// see the same blocks. Where a limit is passed it reads on as if nothing had been opened, so that
// the limits bound the counting too. Emphasis and links are not parsed here: how deep they nest is
// bounded by the bytes.

// What the texts of a step may hold: its prose, hints, questions and reasons.
const (
	maxText    = 8 << 10 // bytes, beside fenced code
	maxBlocks  = 500     // paragraphs, headings, items, cells of tables
	maxNesting = 8       // block quotes and lists in each other
)

// amount is how much text there is.
type amount struct{ bytes, blocks int }

// markdown joins the lines of a text, and complains about what would take too long to lay out.
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

// limit is one that a text has passed.
type limit struct{ msg, hint string }

var (
	tooLong = &limit{fmt.Sprintf("the texts of this step have more than %d bytes", maxText), "make two steps of it; code in a fenced block does not count"}
	tooMany = &limit{fmt.Sprintf("the texts of this step have more than %d paragraphs, items and cells", maxBlocks), "make two steps of it"}
	tooDeep = &limit{fmt.Sprintf("more than %d block quotes and lists stand in each other", maxNesting), fmt.Sprintf("nest them at most %d deep", maxNesting)}
)

// measure holds a text against the limits.
type measure struct {
	src   string
	held  *amount // by the step so far
	wrong *limit  // the first that was passed, nil for none
	at    int     // where, in bytes
}

func (m *measure) pass(l *limit, at int) {
	if m.wrong == nil {
		m.wrong, m.at = l, min(at, len(m.src))
	}
}

func (m *measure) all() {
	room := maxText - m.held.bytes
	if room < 0 || m.held.blocks > maxBlocks { // which was told
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

// parser reads blocks as they are laid out later, within the limits.
func (m *measure) parser() md.Parser {
	var blocks []util.PrioritizedValue
	for _, b := range append(md.DefaultBlockParsers(),
		util.Prioritized(extension.NewDefinitionListParser(), 101), // as extension.DefinitionList has it
		util.Prioritized(extension.NewDefinitionDescriptionParser(), 102)) {
		blocks = append(blocks, util.Prioritized(container{b.Value.(md.BlockParser), m}, b.Priority))
	}
	return md.NewParser(
		md.WithBlockParsers(blocks...),
		md.WithParagraphTransformers(md.DefaultParagraphTransformers()...),
		md.WithParagraphTransformers(util.Prioritized(table{extension.NewTableParagraphTransformer(), m}, 200)), // as extension.Table has it
	)
}

// containers are the blocks that hold blocks; an item counts with its list.
var containers = map[ast.NodeKind]bool{ast.KindBlockquote: true, ast.KindList: true, extast.KindDefinitionList: true}

// nesting is in how many of them a node stands, itself counted.
func nesting(n ast.Node) (deep int) {
	for ; n != nil; n = n.Parent() {
		if containers[n.Kind()] {
			deep++
		}
	}
	return deep
}

// container opens a block unless it nests too deep.
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

// table makes a table of a paragraph unless it has too many cells: those that a short row lacks are
// added.
type table struct {
	md.ParagraphTransformer
	m *measure
}

func (t table) Transform(n *ast.Paragraph, r text.Reader, pc md.Context) {
	columns := 0
	for i := range n.Lines().Len() {
		seg := n.Lines().At(i)
		if line := seg.Value(r.Source()); len(bytes.Trim(line, "|:- \t\n")) == 0 { // below the head of a table
			columns = max(columns, bytes.Count(line, []byte("|"))+1)
		}
	}
	if columns*n.Lines().Len() > maxBlocks {
		t.m.pass(tooMany, n.Lines().At(0).Start)
		return
	}
	t.ParagraphTransformer.Transform(n, r, pc)
}
