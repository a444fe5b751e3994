package lesson

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/feature"
	"cowscope/actions/lang"
)

// Passages are parts for machines with a feature: whole lines between two HTML comments, which
// Markdown does not show.
//
//	<!-- needs arm64 -->
//	`ret` is `c0 03 5f d6`.
//	<!-- end -->
//
// Rules of this file: every passage is parsed on every machine, so that the mistakes of a file are
// the same everywhere; passages for features that a machine lacks are removed afterwards. The steps
// are the same everywhere, and so is their recorded progress.

// passage is the passage being parsed.
type passage struct {
	line, col int // of its opening mark
	needs     []string
}

// passageMarks are the words of the comments that begin and end a passage.
var passageMarks = map[string]func(p *parser, mark source, rest []source){
	"needs": (*parser).beginPassage,
	"end":   (*parser).endPassage,
}

const (
	beginMark = "<!-- needs FEATURE -->"
	endMark   = "<!-- end -->"
)

// comment returns the words of a line that begins with an HTML comment. alone says that the line
// contains nothing else.
func comment(n int, line string) (words []source, alone bool) {
	const opens, closes = "<!--", "-->"
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if indent > 3 || !strings.HasPrefix(line[indent:], opens) { // an indented line is code
		return nil, false
	}
	s := source{n, 1, line}.behind(indent + len(opens))
	inside, after, closed := strings.Cut(s.text, closes)
	for s.text = inside; !s.blank(); {
		s = s.behind(0)
		word, _, _ := strings.Cut(strings.ReplaceAll(s.text, "\t", " "), " ")
		words = append(words, source{n, s.col, word})
		s = s.behind(len(word))
	}
	return words, closed && strings.TrimSpace(after) == ""
}

// mark parses a line that begins or ends a passage; it returns false for any other line.
func (p *parser) mark(n int, line string) bool {
	words, alone := comment(n, line)
	if len(words) == 0 {
		return false
	}
	w, rest := words[0], words[1:]
	read := passageMarks[w.text]
	switch near := nearMark(w.text, len(rest)); {
	case read != nil && alone:
		read(p, w, rest)
	case read != nil:
		p.fail(n, w.col, "the comment that says "+w.text+" is not alone on its line", "write "+beginMark+" or "+endMark+", and nothing beside it")
	case near != "":
		p.fail(n, w.col, "no passage begins or ends with "+quoted(w.text), "did you mean "+near+"?")
	default:
		return false
	}
	return true
}

// nearMark is the mark that was meant by a word followed by more words, "" for an ordinary comment.
func nearMark(word string, more int) string {
	for _, m := range []string{"needs", "end"} {
		if near := len(word) > 3 && lang.Nearest(word, []string{m}) != ""; (near || strings.EqualFold(word, m)) && (m == "needs") == (more > 0) {
			return m
		}
	}
	return ""
}

func (p *parser) beginPassage(mark source, features []source) {
	if p.passage != nil {
		p.fail(mark.line, mark.col, fmt.Sprintf("a passage begins inside that of line %d", p.passage.line), "close that one first, with "+endMark+"; one may need several features")
		return
	}
	p.flush()
	p.passage = &passage{line: mark.line, col: mark.col}
	if len(features) == 0 {
		p.fail(mark.line, mark.col, "the passage names no feature", "write "+beginMark+", with names that cowscope doctor lists")
	}
	for _, f := range features {
		if err := feature.Known(f.text); err != nil {
			p.fail(f.line, f.col, err.Error(), "cowscope doctor lists them")
		}
		p.passage.needs = append(p.passage.needs, f.text)
	}
}

func (p *parser) endPassage(mark source, rest []source) {
	switch {
	case len(rest) > 0:
		p.fail(rest[0].line, rest[0].col, "nothing may stand behind end", "write "+endMark)
	case p.passage == nil:
		p.fail(mark.line, mark.col, "no passage ends here", beginMark+" begins one")
	}
	p.flush()
	p.passage = nil
}

// unended reports a passage that is still open at the end of the file.
func (p *parser) unended() {
	if p.passage != nil {
		p.fail(p.passage.line, p.passage.col, "the passage that begins here has no end", "close it with a line "+endMark)
	}
}

// outside reports a heading in a passage.
func (p *parser) outside(n int) {
	if p.passage != nil {
		p.fail(n, 1, fmt.Sprintf("a heading stands in the passage of line %d", p.passage.line), "close that first, with "+endMark+": steps are the same on every machine")
	}
}

// unmarked reports marks in the body of a block.
func (p *parser) unmarked(b block) {
	for _, s := range b.body {
		if words, _ := comment(s.line, s.text); len(words) > 0 && passageMarks[words[0].text] != nil {
			p.fail(s.line, s.col, "a passage begins or ends inside a block", "it holds whole blocks: write the block once for each machine")
		}
	}
}

// add adds an item to the step.
func (p *parser) add(it Item) {
	if p.passage != nil {
		it.Needs, it.passage = p.passage.needs, p.passage.line
	}
	p.step.Items = append(p.step.Items, it)
}

// besides reports whether an item is in the current passage or, outside of any, in none.
func (p *parser) besides(it *Item) bool {
	return p.passage == nil && it.passage == 0 || p.passage != nil && it.passage == p.passage.line
}

// On returns the lesson for a machine with these features, and the missing features because of
// which something was left out.
func (l *Lesson) On(has func(feature string) bool) (here *Lesson, without []string) {
	out := *l
	out.Steps = slices.Clone(l.Steps)
	for i := range out.Steps {
		st := &out.Steps[i]
		st.Items = slices.DeleteFunc(slices.Clone(st.Items), func(it Item) bool {
			missing := slices.IndexFunc(it.Needs, func(n string) bool { return !has(n) })
			if missing < 0 {
				return false
			}
			if n := it.Needs[missing]; !slices.Contains(without, n) {
				without = append(without, n)
			}
			return true
		})
	}
	return &out, without
}

// here returns the lesson for this machine.
func (l *Lesson) here() (here *Lesson, without []string, err error) {
	here, without = l.On(func(name string) bool {
		ok, _, e := feature.Available(name)
		if e != nil {
			err = e
		}
		return ok
	})
	return here, without, err
}
