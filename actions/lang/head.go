package lang

import (
	"fmt"
	"slices"
	"strings"
)

// The head of a line: [repeat N] [@p2] [NAME =] VERB.

// Prefixes are what can precede a command, as the help writes it.
var Prefixes = []Word{
	{repeatWord + " N", fmt.Sprintf("run it N times, as N lines would: at most %d", maxTimes)},
	{"@p2", "the process p2 does it, and not the current one"},
	{"NAME =", "what to call the range that it makes; otherwise the next free letter"},
}

const (
	repeatWord = "repeat"
	// More than a process may have mappings under the default vm.max_map_count.
	maxTimes = 100_000
)

var paramTimes = Param{Name: "times", Kind: KindNumber, Min: 1, Max: maxTimes}

// repeats reports whether the words begin with repeat that is not a name being assigned.
func repeats(toks []token) bool {
	return len(toks) > 0 && toks[0].raw == repeatWord && (len(toks) == 1 || !strings.HasPrefix(toks[1].raw, "="))
}

// times reads [repeat N].
func (p *parser) times() *fault {
	if !repeats(p.toks) {
		return nil
	}
	p.next()
	if len(p.toks) == 0 {
		p.wants = wantTimes
		return p.missing(repeatWord+" needs N", fmt.Sprintf("how often, 1 to %d, and then a command", maxTimes))
	}
	t := p.next()
	n, f := parseNumber(t, &paramTimes)
	if f != nil {
		return f
	}
	p.c.Times, p.c.start = int(n), t.end
	if repeats(p.toks) {
		return p.toks[0].fault(repeatWord+" cannot contain another "+repeatWord, "multiply the numbers instead")
	}
	return nil
}

// head reads [repeat N] [@p2] [NAME =] VERB.
func (p *parser) head() *fault {
	if f := p.times(); f != nil {
		return f
	}
	if len(p.toks) > 0 && strings.HasPrefix(p.toks[0].raw, "@") {
		t := p.next()
		who := t.raw[1:]
		if !IsProcess(who) {
			return t.fault("@"+say(who)+" is not a process", processHint(who))
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
		p.wants = wantVerb
		return p.missing("a verb is missing", "such as mmap, write or fork")
	}
	t := p.next()
	if f := p.verb(t); f != nil {
		return f
	}
	if p.c.Bind != "" && !p.c.Verb.Binds {
		return &fault{p.c.bindPos(p.line), assign.end, p.c.Verb.Name + " makes no range, so there is nothing to name",
			"leave out " + p.c.Bind + " ="}
	}
	return nil
}

// splitAssign splits name=verb, name= verb and name =verb into three words, so that blanks around
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
		return t.fault(say(t.raw)+" is a process, so it cannot name a range", rule)
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
		p.wants, p.first = wantSecond, t.raw
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
	first := append([]string{repeatWord}, p.g.firsts...)
	switch {
	case t.raw == repeatWord:
		return t.fault(repeatWord+" comes first", repeatWord+" 3 @p2 …, or "+repeatWord+" 3 a = …")
	case t.quoted():
		return t.fault("a verb is missing before the string", "a command starts with a verb, such as write")
	case t.raw == "=":
		return t.fault("a name is missing before =", "such as buf = mmap")
	case slices.Contains(first, low):
		return t.fault("no verb "+say(t.raw), "verbs are lower case: "+low)
	case p.c.Bind == "" && IsName(t.raw) && len(p.toks) > 0 && slices.Contains(p.g.firsts, p.toks[0].raw):
		return t.fault("no verb "+say(t.raw), fmt.Sprintf("did you mean %s = %s?", say(t.raw), p.toks[0].raw))
	}
	return t.fault("no verb "+say(t.raw), guess(t.raw, first, "the verbs are "+oneOf(p.g.firsts)))
}
