package lesson

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"cowscope/actions"
	"cowscope/actions/lang"
	"cowscope/actions/run"
	"cowscope/vmspace/printable"
)

// From a file to a lesson. The whole file is parsed, and its commands are checked, before anything
// runs; all mistakes are reported.

// Parse parses a lesson; file is its name in errors. The mistakes of the file are returned as
// Errors, in the order of their lines.
func Parse(file string, r io.Reader) (*Lesson, error) {
	g, err := actions.Grammar()
	if err != nil {
		return nil, err
	}
	p := &parser{g: g, l: &Lesson{ID: file, File: printable.Name(file)}, wrong: map[int]bool{}}
	if abs, err := filepath.Abs(file); err == nil {
		p.l.ID = abs
	}
	p.lines, err = readLines(r)
	switch {
	case errors.Is(err, errTooLarge):
		p.fail(1, 0, "the file is too large for a lesson", fmt.Sprintf("it holds at most %d bytes", maxFile))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", p.l.File, printable.Error(err))
	default:
		p.all()
	}
	if len(p.errs) == 0 {
		return p.l, nil
	}
	slices.SortStableFunc(p.errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	if len(p.errs) > maxErrors {
		last := p.errs[maxErrors-1]
		p.errs = append(p.errs[:maxErrors], &Error{File: p.l.File, Line: last.Line, Msg: "more mistakes follow", Hint: "mend these first"})
	}
	return nil, p.errs
}

// grammar is the language of the lesson's commands.
func (l *Lesson) grammar() (*lang.Grammar, error) {
	if l.Program.Name != "" {
		return run.Grammar()
	}
	return actions.Grammar()
}

type parser struct {
	g     *lang.Grammar
	l     *Lesson
	lines []string
	wrong map[int]bool // lines with an error
	errs  Errors

	titled bool
	begun  bool     // the first step after the introduction has begun
	step   *Step    // the current one
	before int      // the number of mistakes when it began
	prose  []source // not yet an item
	held   amount   // of text, in the step

	passage *passage // the current one, nil outside a passage
}

func (p *parser) all() {
	for i, l := range p.lines {
		p.clean(i+1, l)
	}
	i := p.front()
	if p.l.Program.Name != "" {
		if g, err := p.l.grammar(); err == nil {
			p.g = g
		}
	}
	p.step = &Step{Heading: p.l.Title, Line: i + 1}
	for i < len(p.lines) {
		i = p.next(i)
	}
	p.endStep()
	p.unended()
	if !p.begun {
		p.fail(max(len(p.lines), 1), 0, "the lesson has no step", "## and a heading begin one")
	}
}

// next parses what begins at line i, counted from 0, and returns the index of the line after it.
func (p *parser) next(i int) int {
	line := p.lines[i]
	if f, ok := openFence(line); ok {
		return p.block(i, f)
	}
	if p.mark(i+1, line) {
		return i + 1
	}
	level, text := heading(line)
	switch level {
	case 1:
		p.title(i+1, text)
	case 2:
		p.begin(i+1, text)
	default:
		p.addProse(i+1, line)
	}
	return i + 1
}

// heading parses a heading of the first or second level; level is 0 for any other line.
func heading(line string) (level int, text string) {
	rest := strings.TrimLeft(line, "#")
	level = len(line) - len(rest)
	if level > 2 || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return 0, ""
	}
	rest = strings.TrimSpace(rest)
	// The closing sequence of ## closed ## is no part of the text.
	if bare := strings.TrimRight(rest, "#"); bare == "" || strings.HasSuffix(bare, " ") {
		rest = strings.TrimSpace(bare)
	}
	return level, rest
}

func (p *parser) title(n int, text string) {
	p.outside(n)
	switch {
	case p.begun:
		p.fail(n, 1, "the title stands behind the first step", "# stands once, before all else; steps begin with ##")
	case p.titled:
		p.fail(n, 1, "the title is there twice", "steps begin with ##")
	case text != p.l.Title && p.l.Title != "":
		p.fail(n, 1, quoted(text)+" is not the title of the head", "make it "+quoted(p.l.Title)+", or leave the line out")
	}
	p.titled = true
}

// begin begins a step.
func (p *parser) begin(n int, text string) {
	p.endStep()
	p.outside(n)
	if text == "" {
		p.fail(n, 1, "the step has no heading", "write ## and what the step is about")
	}
	p.step, p.begun, p.before, p.held = &Step{Heading: text, Line: n}, true, len(p.errs), amount{}
}

func (p *parser) endStep() {
	p.flush()
	everywhere := slices.ContainsFunc(p.step.Items, func(it Item) bool { return len(it.Needs) == 0 })
	switch {
	case len(p.step.Items) > 0 && !everywhere && p.before == len(p.errs):
		p.fail(p.step.Line, 0, "the step "+quoted(p.step.Heading)+" holds passages for some machines only", "write something for all of them outside")
	case len(p.step.Items) > 0:
		p.l.Steps = append(p.l.Steps, *p.step)
	case p.begun && p.before == len(p.errs):
		p.fail(p.step.Line, 0, "the step "+quoted(p.step.Heading)+" is empty", "write what it is about, or leave it out")
	}
}

func (p *parser) addProse(n int, line string) {
	if s := (source{n, 1, line}); len(p.prose) > 0 || !s.blank() {
		p.prose = append(p.prose, s)
	}
}

// flush makes an item of the collected prose.
func (p *parser) flush() {
	if len(p.prose) > 0 {
		p.add(Item{Kind: Prose, Line: p.prose[0].line, Text: p.markdown(p.prose)})
	}
	p.prose = nil
}
