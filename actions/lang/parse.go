package lang

import (
	"fmt"
	"slices"
	"strings"
)

// From a line to a command. Of several mistakes the leftmost is reported.

// Parse reads one line. A blank line or a comment gives neither a command nor an error; every error
// is a *SyntaxError.
func (g *Grammar) Parse(line string) (*Command, error) {
	c, v, f := g.parse(line)
	if f != nil {
		return nil, f.in(line, v)
	}
	if c != nil && len(line) > MaxLine/4 { // escapes can make the canonical line longer than the given one
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
	c := &Command{Line: line}
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
}

func (p *parser) next() token {
	t := p.toks[0]
	p.toks = p.toks[1:]
	return t
}

func (p *parser) span(t token) Span { return spanOf(p.line, t.pos, t.end) }

// missing complains about the end of the line.
func (p *parser) missing(msg, hint string) *fault { return &fault{p.end, p.end, msg, hint} }

// head reads [@p2] [NAME =] VERB.
func (p *parser) head() *fault {
	if t := p.toks[0]; strings.HasPrefix(t.raw, "@") {
		p.next()
		who := t.raw[1:]
		if !IsProcess(who) {
			return t.fault("@"+say(who)+" names no process", processHint(who))
		}
		p.c.Process, p.c.ProcessSpan = who, p.span(t)
	}
	p.toks = splitAssign(p.toks)
	var assign token
	if len(p.toks) > 1 && p.toks[1].raw == "=" {
		t := p.next()
		assign = p.next()
		if f := p.bind(t, assign); f != nil {
			return f
		}
	}
	if len(p.toks) == 0 {
		return p.missing("a verb is missing", "such as mmap, write or fork")
	}
	t := p.next()
	if f := p.verb(t); f != nil {
		return f
	}
	if p.c.Bind != "" && !p.c.Verb.Binds {
		return &fault{p.c.bindPos(p.line), assign.end, p.c.Verb.Name + " makes no range that could be named",
			"leave out " + p.c.Bind + " ="}
	}
	return nil
}

// splitAssign parts name=verb, name= verb and name =verb into three words, so that blanks around
// '=' do not matter.
func splitAssign(toks []token) []token {
	for k := range min(2, len(toks)) {
		t := toks[k]
		i := strings.IndexByte(t.raw, '=')
		if t.quoted() || i < 0 || k == 1 && i != 0 {
			continue
		}
		if k == 1 && toks[0].raw == "=" {
			break
		}
		var parts []token
		if i > 0 {
			parts = append(parts, token{t.pos, t.pos + i, t.raw[:i], -1, ""})
		}
		parts = append(parts, token{t.pos + i, t.pos + i + 1, "=", -1, ""})
		if _, rest, _ := t.key(); rest.raw != "" {
			parts = append(parts, rest)
		}
		return slices.Concat(toks[:k], parts, toks[k+1:])
	}
	return toks
}

func (p *parser) bind(t, assign token) *fault {
	rule := fmt.Sprintf("a name is a letter, then letters, digits and _, at most %d", MaxName)
	switch {
	case IsProcess(t.raw):
		return t.fault(say(t.raw)+" reads as a process and names no range", rule)
	case !IsName(t.raw):
		return t.fault(say(t.raw)+" is not a name", rule)
	}
	p.c.Bind, p.c.BindSpan = t.raw, p.span(t)
	if len(p.toks) > 0 && strings.HasPrefix(p.toks[0].raw, "@") {
		who := p.toks[0]
		return who.fault("the process comes first", fmt.Sprintf("%s %s = …", say(who.raw), t.raw))
	}
	return nil
}

// bindPos is the byte where the bound name starts.
func (c *Command) bindPos(line string) int {
	n := 0
	for i := range line {
		if n++; n == c.BindSpan.Col {
			return i
		}
	}
	return 0
}

// verb reads the verb, of one word or two.
func (p *parser) verb(t token) *fault {
	g := p.g
	if v := g.verbs[t.raw]; v != nil && !t.quoted() {
		p.c.Verb, p.c.VerbSpan = v, p.span(t)
		return nil
	}
	seconds := g.seconds[t.raw]
	if seconds == nil {
		return p.noVerb(t)
	}
	if len(p.toks) == 0 {
		return p.missing(t.raw+" needs a second word", oneOf(seconds))
	}
	u := p.next()
	v := g.verbs[t.raw+" "+u.raw]
	if v == nil || u.quoted() {
		return u.fault("no verb "+t.raw+" "+say(u.raw), guess(u.raw, seconds, "right here: "+oneOf(seconds)))
	}
	p.c.Verb, p.c.VerbSpan = v, spanOf(p.line, t.pos, u.end)
	return nil
}

func (p *parser) noVerb(t token) *fault {
	low := strings.ToLower(t.raw)
	switch {
	case t.quoted():
		return t.fault("a verb is missing before the string", "a command starts with a verb, such as write")
	case t.raw == "=":
		return t.fault("a name is missing before =", "such as buf = mmap")
	case slices.Contains(p.g.firsts, low):
		return t.fault("no verb "+say(t.raw), "verbs are lower case: "+low)
	case p.c.Bind == "" && IsName(t.raw) && len(p.toks) > 0 && slices.Contains(p.g.firsts, p.toks[0].raw):
		return t.fault("no verb "+say(t.raw), fmt.Sprintf("did you mean %s = %s?", say(t.raw), p.toks[0].raw))
	}
	return t.fault("no verb "+say(t.raw), guess(t.raw, p.g.firsts, "the verbs are "+oneOf(p.g.firsts)))
}

// args reads everything behind the verb.
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

// positional turns the words of the atoms into arguments.
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

// unmatched explains why a required argument found no word.
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

// tail reads flags, options and optional choices.
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

// surplus explains a word that belongs nowhere.
func (p *parser) surplus(m *matcher, t token) *fault {
	v := p.c.Verb
	var words, keys []string
	for _, q := range v.tail {
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
	last := len(m.got) // the first atom behind those that took a word
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
