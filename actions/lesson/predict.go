package lesson

import (
	"slices"
	"strings"

	"cowscope/actions"
	"cowscope/vmspace"
)

// A predict block: the question, then lines that begin with a keyword of the table.
//
//	What does p2 read?           What does this write do?
//	run: write a 2               access: @p2 write a 2
//	run: @p2 read a              happens: copy
//	- the old byte               then: expect faults minor=1
//	  @p2 expect bytes a 1       why: The frame was shared …
//	- the new byte
//	  @p2 expect bytes a 2
//	then: expect faults minor=0
//	why: One frame …

// predicting is a partly parsed predict block.
type predicting struct {
	*parser
	item     Item
	question []source
	because  []source
	// text is continued by a line without a keyword; nil after an answer or a command.
	text  *[]source
	under bool // the lines belong to the last answer
}

var predictWords = []struct {
	word string
	read func(*predicting, source)
}{
	{"run:", (*predicting).run},
	{"access:", (*predicting).access},
	{"happens:", (*predicting).happens},
	{"then:", (*predicting).then},
	{"why:", (*predicting).why},
	{"- ", (*predicting).answer},
}

func (p *parser) predict(b block) {
	q := &predicting{parser: p, item: Item{Kind: Predict, Line: b.line}}
	q.text = &q.question
	for _, s := range b.body {
		q.line(s)
	}
	q.item.Text, q.item.Why = p.markdown(unindented(q.question)), p.markdown(unindented(q.because))
	if !p.anyWrong(b) {
		q.whole(b)
	}
	p.add(q.item)
}

func (q *predicting) line(s source) {
	for _, w := range predictWords {
		if strings.HasPrefix(s.text, w.word) {
			q.text, q.under = nil, false
			w.read(q, s.behind(len(w.word)))
			return
		}
	}
	switch {
	case q.text != nil:
		*q.text = append(*q.text, s)
	case s.blank():
	case q.under:
		q.claim(s.behind(0))
	default:
		q.fail(s.line, s.col, quoted(strings.TrimSpace(s.text))+" belongs to nothing here", "the question stands first; then run:, access:, happens:, then:, why: and answers that begin with - ")
	}
}

func (q *predicting) run(s source) {
	if c, ok := q.needed(s, "run:", "write a 1"); ok {
		q.item.Commands = append(q.item.Commands, c)
		if c.Check {
			q.fail(s.line, s.col, "an expectation is not a command to run", "it stands under the answer that it decides")
		}
	}
}

// needed parses a required command; such is an example for the error.
func (q *predicting) needed(s source, word, such string) (Command, bool) {
	c, ok := q.command(s)
	if !ok {
		q.fail(s.line, s.col, word+" has no command", "write "+word+" "+such)
	}
	return c, ok
}

func (q *predicting) access(s source) {
	c, ok := q.needed(s, "access:", "write a 1")
	if !ok {
		return
	}
	if q.item.Access {
		q.fail(s.line, 1, "the block asks about two accesses", "make two blocks")
	}
	cmd, err := q.g.Parse(c.Text)
	if err == nil {
		if _, is := actions.AccessOf(cmd); !is {
			q.fail(s.line, s.col, c.verb+" does not access memory", "use read, write, touch, fill or exec; other commands stand behind run:")
		}
		if c.times > 1 {
			q.fail(s.line, s.col, "the block asks about one access, and this is repeated", "repeat it in a cow block above")
		}
	}
	q.item.Access = true
	q.item.Commands = append(q.item.Commands, c)
}

func (q *predicting) happens(s source) {
	for _, w := range strings.Fields(s.text) {
		h := vmspace.Happening(w)
		if !slices.Contains(happenings(), h) {
			q.fail(s.line, s.col, "nothing that happens is called "+quoted(w), "there are "+strings.Join(words(happenings()), ", "))
		}
		q.item.Happens = append(q.item.Happens, h)
	}
	if s.blank() {
		q.fail(s.line, s.col, "happens: says nothing", "write happens: copy, or leave it out")
	}
}

func (q *predicting) then(s source) {
	c, ok := q.needed(s, "then:", "expect faults minor=1")
	if ok && !c.Check {
		q.fail(s.line, s.col, c.verb+" is a command, and only expectations stand behind then:", "commands stand behind run:, or in a cow block below")
	}
	q.item.Then = append(q.item.Then, c)
}

func (q *predicting) why(s source) {
	if len(q.because) > 0 {
		q.fail(s.line, 1, "why: is there twice", "write more lines under the first")
	}
	q.because = append(q.because, s)
	q.text = &q.because
}

func (q *predicting) answer(s source) {
	if s.blank() {
		q.fail(s.line, s.col, "the answer has no text", "write what can be chosen behind - ")
	}
	q.item.Answers = append(q.item.Answers, Answer{Line: s.line, Text: strings.TrimSpace(s.text)})
	q.under = true
}

func (q *predicting) claim(s source) {
	c, ok := q.command(s)
	if !ok {
		return
	}
	if !c.Check {
		q.fail(s.line, s.col, c.verb+" is a command, and only expectations decide an answer", "commands stand behind run:")
	}
	a := &q.item.Answers[len(q.item.Answers)-1]
	a.Claims = append(a.Claims, c)
}

// whole reports the missing parts of the block.
func (q *predicting) whole(b block) {
	it := q.item
	for _, c := range []struct {
		wrong     bool
		msg, hint string
	}{
		{it.Text == "", "the predict block asks nothing", "its first lines are the question"},
		{len(it.Commands) == 0, "nothing runs in the predict block", "write run: and a command, or access: and an access"},
		{it.Access && len(it.Commands) > 1, "run: beside access:", "what comes before the access stands in a cow block above"},
		{it.Access && len(it.Answers) > 0, "answers beside access:", "the answers to an access are what can happen at it; leave them out, or write run:"},
		{!it.Access && len(it.Happens) > 0, "happens: without access:", "it says what happens at an access"},
		{!it.Access && len(it.Answers) < 2, "there is nothing to choose from", "write two or more answers, each behind - and with an expect under it"},
	} {
		if c.wrong {
			q.fail(b.line, 0, c.msg, c.hint)
		}
	}
	for _, a := range it.Answers {
		if len(a.Claims) == 0 {
			q.fail(a.Line, 0, "nothing decides whether this answer is right", "write an expect under it, such as expect bytes a 2")
		}
	}
}

// happenings lists all possible outcomes of an access, in the order in which they are offered.
func happenings() []vmspace.Happening {
	var out []vmspace.Happening
	for _, h := range vmspace.Happenings {
		out = append(out, h.Name)
	}
	return out
}

func words(hs []vmspace.Happening) []string {
	var out []string
	for _, h := range hs {
		out = append(out, string(h))
	}
	return out
}
