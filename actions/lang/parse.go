package lang

import (
	"fmt"
	"slices"
	"strings"
)

// From a line to a command. Of several mistakes the leftmost is reported.

// Parse parses one line. A blank line or a comment gives neither a command nor an error; every
// error is a *SyntaxError.
func (g *Grammar) Parse(line string) (*Command, error) {
	c, v, f := g.parse(line)
	if f != nil {
		return nil, f.in(line, v)
	}
	// Escapes can make the canonical line longer than the given one.
	if c != nil && len(line) > MaxLine/4 {
		if n := len(c.String()); n > MaxLine {
			return nil, (&fault{0, len(line), fmt.Sprintf("this line has %d bytes in its canonical form", n),
				fmt.Sprintf("a line holds at most %d", MaxLine)}).in(line, c.Verb)
		}
	}
	return c, nil
}

func (g *Grammar) parse(line string) (*Command, *Verb, *fault) {
	lx, f := lex(line)
	if f != nil || len(lx.toks) == 0 {
		return nil, nil, f
	}
	c := &Command{Line: line, Times: 1}
	p := parser{g: g, c: c, line: line, toks: lx.toks, end: lx.end}
	if f := p.head(); f != nil {
		return nil, c.Verb, f
	}
	if f := p.args(); f != nil {
		return nil, c.Verb, f
	}
	return c, c.Verb, nil
}

type parser struct {
	g    *Grammar
	c    *Command
	line string
	toks []token // not read yet
	end  int     // of the last word

	wants want   // the part of the head that is missing if the line ends too early
	first string // the first word of a verb of two words
}

// want is a part of the head.
type want uint8

const (
	wantNothing want = iota
	wantTimes
	wantVerb
	wantSecond // the second word of the verb
)

func (p *parser) next() token {
	t := p.toks[0]
	p.toks = p.toks[1:]
	return t
}

func (p *parser) span(t token) Span { return spanOf(p.line, t.pos, t.end) }

// missing returns an error about the end of the line.
func (p *parser) missing(msg, hint string) *fault { return &fault{p.end, p.end, msg, hint} }

// args parses everything after the verb.
func (p *parser) args() *fault {
	v := p.c.Verb
	m, ok := match(v.atoms, p.toks)
	if !ok {
		return p.unmatched(m)
	}
	if f := p.positional(v.atoms, m.got); f != nil {
		return f
	}
	return p.tail(m)
}

// positional makes arguments of the words of the atoms.
func (p *parser) positional(atoms []atom, got []int) *fault {
	for i, j := range got {
		if j < 0 {
			continue
		}
		a, t := &atoms[i], p.toks[j]
		value, text, f := parseValue(t, a.param, a.kind)
		if f != nil {
			if q, _ := p.c.Verb.tailParam(t); q != nil && len(q.Words) > 0 {
				return t.fault(a.label()+" is missing before "+say(t.raw), a.fits())
			}
			return f
		}
		switch {
		case a.size:
			last := &p.c.Args[len(p.c.Args)-1]
			r := last.value.(Range)
			r.Size, r.HasSize = value.(Quantity), true
			last.value, last.Text = r, last.Text+" "+text
			first := p.toks[got[i-1]]
			last.Span = spanOf(p.line, first.pos, t.end)
			continue
		case a.param.Kind == KindRange:
			value = Range{Place: value.(Place)}
		}
		p.c.Args = append(p.c.Args, Arg{a.param, p.span(t), text, value})
	}
	return nil
}

// unmatched returns the reason why a required argument found no word.
func (p *parser) unmatched(m *matcher) *fault {
	v := p.c.Verb
	if f := p.positional(v.atoms, m.failGot); f != nil {
		return f
	}
	a := &v.atoms[m.failAtom]
	if m.failTok >= len(p.toks) {
		return p.missing(v.Name+" needs "+a.label(), a.fits())
	}
	t := p.toks[m.failTok]
	if q, _ := v.tailParam(t); q != nil {
		return t.fault(a.label()+" is missing before "+say(t.raw), a.fits())
	}
	if _, _, f := parseValue(t, a.param, a.kind); f != nil {
		return f
	}
	return t.fault(a.label()+" is expected here, not "+say(t.raw), a.fits())
}

// tail parses flags, options and optional choices.
func (p *parser) tail(m *matcher) *fault {
	v := p.c.Verb
	args := make(map[*Param][]Arg)
	for _, t := range p.toks[m.used:] {
		q, value := v.tailParam(t)
		if q == nil {
			return p.surplus(m, t)
		}
		kind := q.Kind
		if kind == KindOption {
			kind = q.Of
			if value.raw == "" {
				return t.fault(q.Key+"= has no value", optionHint(q))
			}
		}
		for _, a := range args[q] {
			if q.Kind != KindFlags || a.Text == value.raw {
				return twice(q, t, a)
			}
		}
		val, text, f := parseValue(value, q, kind)
		if f != nil {
			return f
		}
		args[q] = append(args[q], Arg{q, p.span(t), text, val})
	}
	for _, q := range v.tail {
		if len(args[q]) == 0 && !q.Optional {
			return p.missing(v.Name+" needs "+q.label(), q.fits())
		}
		p.c.Args = append(p.c.Args, inOrder(q, args[q])...)
	}
	return nil
}

func optionHint(q *Param) string {
	return q.Key + "=" + kinds[q.Of].label + " without blanks: " + kinds[q.Of].fits
}

func twice(q *Param, t token, first Arg) *fault {
	switch {
	case q.Kind == KindOption:
		return t.fault(q.Key+"= is given twice", "it can have one value")
	case first.Text == t.raw:
		return t.fault(say(t.raw)+" is given twice", "once is enough")
	}
	return t.fault(say(t.raw)+" after "+first.Text, "only one of "+oneOf(names(q.Words)))
}

// inOrder sorts flags as their set lists them.
func inOrder(q *Param, args []Arg) []Arg {
	if len(q.Words) == 0 || len(args) < 2 {
		return args
	}
	at := func(a Arg) int {
		return slices.IndexFunc(q.Words, func(w Word) bool { return w.Name == a.Text })
	}
	slices.SortStableFunc(args, func(a, b Arg) int { return at(a) - at(b) })
	return args
}

// surplus returns the error for a word that fits nowhere.
func (p *parser) surplus(m *matcher, t token) *fault {
	v := p.c.Verb
	var words, keys []string
	for _, q := range v.tail {
		if q.Kind == KindOption && q.Of == KindBits && t.shape() == shNumber {
			return t.fault("one argument too many: "+say(t.raw), "did you mean "+q.Key+"="+say(t.raw)+"?")
		}
		if q.Kind == KindOption {
			keys = append(keys, q.Key+"=")
		} else {
			words = append(words, names(q.Words)...)
		}
	}
	if key, _, ok := t.key(); ok && len(keys) > 0 {
		return t.part(0, len(key)+1, "no option "+say(key)+"=", guess(key+"=", keys, "the options are "+oneOf(keys)))
	}
	all := append(words, keys...)
	if near := guess(t.raw, all, ""); near != "" && !t.quoted() {
		return t.fault("no "+tailName(v)+" "+say(t.raw), near)
	}
	last := len(m.got) // the first atom after those that took a word
	for last > 0 && m.got[last-1] < 0 {
		last--
	}
	switch {
	case last < len(m.got) && t.pos == p.toks[m.used].pos: // an optional argument could stand here
		a := &v.atoms[last]
		_, _, f := parseValue(t, a.param, a.kind)
		if f == nil {
			f = t.fault(a.label()+" is expected here, not "+say(t.raw), a.fits())
		}
		if len(all) > 0 {
			f.hint += "; or " + oneOf(all)
		}
		return f
	case len(all) > 0 && t.shape()&v.tailShapes() != 0:
		return t.fault("no "+tailName(v)+" "+say(t.raw), "right here: "+oneOf(all))
	case len(v.Params) == 0:
		return t.fault(v.Name+" takes no argument", "leave out "+say(t.raw))
	}
	return t.fault("one argument too many: "+say(t.raw), "the form is "+v.Usage())
}

func tailName(v *Verb) string {
	for _, q := range v.tail {
		if q.Kind != KindOption {
			return strings.ReplaceAll(q.Name, "_", " ")
		}
	}
	return "option"
}
