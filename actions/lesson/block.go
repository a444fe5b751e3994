package lesson

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions"
	"cowscope/actions/lang"
)

// Fenced blocks. The blocks of the table below have a function; every other block is prose.

// block is a fenced block with a function.
type block struct {
	line int // of its opening fence
	body []source
}

// blockRow is a row of their table.
type blockRow struct {
	name string
	read func(*parser, block)
}

var blocks = []blockRow{
	{"cow", (*parser).cow},
	{"predict", (*parser).predict},
	{"goal", (*parser).goal},
	{"hint", (*parser).hint},
	{"solution", (*parser).solution},
}

// block parses the block that the fence at line i opens, and returns the index of the line after
// it.
func (p *parser) block(i int, f fence) int {
	end := i + 1
	for end < len(p.lines) && !f.closes(p.lines[end]) {
		end++
	}
	if end == len(p.lines) {
		p.fail(i+1, f.indent+1, "the block that begins here has no end", "close it with a line "+f.mark)
		return end
	}
	name, rest, _ := strings.Cut(f.info, " ")
	row := slices.IndexFunc(blocks, func(r blockRow) bool { return r.name == name })
	if row < 0 {
		p.nearly(i+1, f, name)
		for n := i; n <= end; n++ {
			p.addProse(n+1, p.lines[n])
		}
		return end + 1
	}
	switch {
	case strings.TrimSpace(rest) != "":
		p.fail(i+1, f.col+len(name)+1, "nothing may stand behind "+name, "put what it means into the block")
	case !p.begun:
		p.fail(i+1, f.indent+1, "a "+name+" block stands before the first step", "begin a step with ## above it")
	}
	p.flush()
	b := block{line: i + 1}
	for n := i + 1; n < end; n++ {
		b.body = append(b.body, f.within(n+1, p.lines[n]))
	}
	p.unmarked(b)
	blocks[row].read(p, b)
	return end + 1
}

// nearly reports an info string that is almost the word of a block: the block would be shown as
// prose, and never run.
func (p *parser) nearly(n int, f fence, name string) {
	for _, b := range blocks {
		if strings.EqualFold(name, b.name) || len(name) > 3 && lang.Nearest(name, []string{b.name}) != "" {
			p.fail(n, f.col, "no block "+quoted(name), "did you mean "+b.name+"?")
		}
	}
}

// command parses a command; ok is false for a comment, and for a mistake.
func (p *parser) command(s source) (c Command, ok bool) {
	if p.enough() {
		return c, false
	}
	cmd, err := p.g.Parse(s.text)
	switch {
	case err != nil:
		p.failCommand(s, err)
		return c, false
	case cmd == nil:
		return c, false
	case cmd.Verb.Name == "needs":
		p.failCommand(s, cmd.ErrorAt(cmd.VerbSpan, "needs stands in the head of a lesson", "write needs: and the features between the lines of ---"))
		return c, false
	}
	return Command{s.line, s.col, s.text, actions.IsExpectation(cmd), cmd.Verb.Name, cmd.Once(), cmd.Times}, true
}

// commands parses all lines of a block.
func (p *parser) commands(b block) []Command {
	var out []Command
	for _, s := range b.body {
		if c, ok := p.command(s.behind(0)); ok {
			out = append(out, c)
		}
	}
	return out
}

// some reports whether there are commands of a kind, and adds an error about the block if not.
func (p *parser) some(b block, cs []Command, check bool, msg, hint string) {
	if !slices.ContainsFunc(cs, func(c Command) bool { return c.Check == check }) && !p.anyWrong(b) {
		p.fail(b.line, 0, msg, hint)
	}
}

// ofLast are the expectations about the last command.
var ofLast = []string{"expect result", "expect value", "expect mincore", "expect move_pages", "expect faults"}

// headless reports expectations about the last command in a block that has run none: the last
// command may be the learner's.
func (p *parser) headless(cs []Command) {
	for _, c := range cs {
		switch {
		case !c.Check:
			return
		case slices.Contains(ofLast, c.verb):
			p.fail(c.Line, c.Col, c.verb+" before any command of the block", "the last command may be one of the learner's; write it behind the command that it is about, or in a predict block behind then:")
		}
	}
}

// anyWrong reports whether there is an error for the block already.
func (p *parser) anyWrong(b block) bool {
	return slices.ContainsFunc(b.body, func(s source) bool { return p.wrong[s.line] })
}

func (p *parser) cow(b block) {
	cs := p.commands(b)
	if len(cs) == 0 && !p.anyWrong(b) {
		p.fail(b.line, 0, "the cow block is empty", "write commands into it, one a line")
	}
	p.headless(cs)
	p.add(Item{Kind: Cow, Line: b.line, Commands: cs})
}

func (p *parser) goal(b block) {
	cs := p.commands(b)
	for _, c := range cs {
		if !c.Check {
			p.fail(c.Line, c.Col, c.verb+" is a command, and a goal holds expectations only", "what the lesson does itself stands in a cow block")
		}
	}
	p.some(b, cs, true, "the goal expects nothing", "write what has to hold: expect page a anon")
	p.add(Item{Kind: Goal, Line: b.line, Commands: cs})
}

// lastGoal returns the goal of the step that a hint or solution block belongs to.
func (p *parser) lastGoal(b block, name string) *Item {
	for i := len(p.step.Items) - 1; i >= 0; i-- {
		if it := &p.step.Items[i]; it.Kind == Goal && p.besides(it) {
			return it
		} else if it.Kind == Goal {
			p.fail(b.line, 0, fmt.Sprintf("the goal of this %s, in line %d, is not there for the same machines", name, it.Line), "write both inside one passage, or both outside")
			return nil
		}
	}
	p.fail(b.line, 0, "a "+name+" without a goal", "it stands behind the goal, in the same step")
	return nil
}

func (p *parser) hint(b block) {
	text := p.markdown(unindented(b.body))
	if text == "" {
		p.fail(b.line, 0, "the hint is empty", "write what helps")
	}
	if g := p.lastGoal(b, "hint"); g != nil {
		g.Hints = append(g.Hints, text)
	}
}

func (p *parser) solution(b block) {
	cs := p.commands(b)
	for _, c := range cs {
		if c.verb == "use" {
			p.fail(c.Line, c.Col, "a solution that changes the current process", "name the process in each command, as in @p2 write a 1: a learner who finds another way stays in p1")
		}
	}
	p.headless(cs)
	p.some(b, cs, false, "the solution does nothing", "write the commands that reach the goal")
	g := p.lastGoal(b, "solution")
	switch {
	case g == nil:
	case g.SolutionLine > 0:
		p.fail(b.line, 0, "the goal has a solution already", "one is enough")
	default:
		g.Solution, g.SolutionLine = cs, b.line
	}
}
