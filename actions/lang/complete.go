package lang

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Completion. The words before the cursor are matched against the table; the candidates are what
// may stand at the cursor and begins with the letters between the start of the word and the cursor.
// A candidate replaces the whole word. Positions are counted in characters from 0, as in an input
// field. There are no candidates in a comment, in a string, or after a word that fits nowhere.

// Env is the names that exist at the moment, which the grammar cannot know.
type Env struct{ Names, Processes, Files []string }

// Candidate is one way to complete the word at the cursor.
type Candidate struct {
	Text       string
	Start, End int // the characters that it replaces, End excluded
	Help       string
}

// Complete lists what may stand at the cursor, in the order of the table.
func (g *Grammar) Complete(line string, cursor int, env Env) []Candidate {
	if len(line) > MaxLine {
		return nil
	}
	at := byteAt(line, cursor)
	lx, f := lex(line[:at])
	if f != nil || lx.comment {
		return nil
	}
	prev, cur := lx.toks, token{pos: at, end: at, quote: -1}
	if n := len(prev); n > 0 && prev[n-1].end == at {
		prev, cur = prev[:n-1], prev[n-1]
	}
	if cur.quote >= 0 {
		return nil
	}
	end := at
	for end < len(line) && !isBlank(line[end]) && strings.IndexByte("#\r\n", line[end]) < 0 {
		end++
	}
	c := completer{g: g, env: env, line: line, cur: cur, end: end}
	c.head(prev)
	return c.out
}

func byteAt(line string, chars int) int {
	at := 0
	for range chars {
		if at >= len(line) {
			break
		}
		_, n := utf8.DecodeRuneInString(line[at:])
		at += n
	}
	return at
}

type completer struct {
	g    *Grammar
	env  Env
	line string
	cur  token // the part of the word before the cursor
	end  int   // the byte after the word
	skip int   // bytes of cur that stay, such as "addr="
	out  []Candidate
}

// offer adds a candidate if it begins with the word so far.
func (c *completer) offer(text, help string) { c.offerAs(text, text, help) }

// offerAs adds text as a candidate if match begins with the word so far.
func (c *completer) offerAs(text, match, help string) {
	if !strings.HasPrefix(match, c.cur.raw[c.skip:]) {
		return
	}
	start := utf8.RuneCountInString(c.line[:c.cur.pos+c.skip])
	end := start + utf8.RuneCountInString(c.line[c.cur.pos+c.skip:c.end])
	n := Candidate{text, start, end, help}
	if !slices.ContainsFunc(c.out, func(o Candidate) bool { return o.Text == n.Text }) {
		c.out = append(c.out, n)
	}
}

// head offers what may follow the words before the cursor, and nothing if these are wrong.
func (c *completer) head(prev []token) {
	p := parser{g: c.g, c: &Command{}, line: c.line, toks: prev}
	if p.times() != nil {
		return
	}
	prev = p.toks
	if len(prev) == 0 && strings.HasPrefix(c.cur.raw, "@") {
		for _, p := range c.env.Processes {
			c.offer("@"+p, "acts on "+p)
		}
		return
	}
	assigned := len(prev) // where a value may be assigned to a name
	if assigned > 0 && strings.HasPrefix(prev[0].raw, "@") {
		assigned--
	}
	// A name and an unfinished verb: name=mm.
	if i := strings.IndexByte(c.cur.raw, '='); i >= 0 && (assigned == 0 || assigned == 1 && i == 0) {
		whole := c.cur
		whole.raw, whole.end, c.skip = whole.raw[:i+1], whole.pos+i+1, i+1
		prev = append(slices.Clone(prev), whole)
	}
	p.toks = prev
	switch f := p.head(); {
	case f == nil:
		c.arguments(p.c.Verb, p.toks)
	case p.wants == wantVerb:
		c.verbs(p.c.Bind != "")
		if len(prev) == 0 && p.c.Times == 0 {
			c.offer(repeatWord, Prefixes[0].Help)
		}
	case p.wants == wantSecond:
		for _, s := range c.g.seconds[p.first] {
			c.offer(s, c.g.verbs[p.first+" "+s].Summary)
		}
	}
}

func (c *completer) verbs(binds bool) {
	for _, v := range c.g.list {
		if binds && !v.Binds {
			continue
		}
		first, _, two := strings.Cut(v.Name, " ")
		help := v.Summary
		if two {
			help = oneOf(c.g.seconds[first])
		}
		c.offer(first, help)
	}
}

func (c *completer) arguments(v *Verb, prev []token) {
	e := v.expect(prev)
	if e.bad {
		return
	}
	for _, a := range e.atoms {
		if c.cur.raw == "" || a.kind.takes(c.cur) || c.cur.shape() == shOther {
			c.value(a.param, a.kind, a.size)
		}
	}
	for _, p := range e.tail {
		if p.Kind != KindOption {
			c.words(p, e.given)
			continue
		}
		if value, ok := strings.CutPrefix(c.cur.raw, p.Key+"="); ok {
			c.skip = len(c.cur.raw) - len(value)
			c.value(p, p.Of, false)
			c.skip = 0
			continue
		}
		c.offer(p.Key+"=", c.help(p))
	}
}

// words offers the words of a set that are not given yet.
func (c *completer) words(p *Param, given []token) {
	for _, w := range p.Words {
		if !slices.ContainsFunc(given, func(t token) bool { return t.raw == w.Name }) {
			c.offer(w.Name, w.Help)
		}
	}
}

func (c *completer) help(p *Param) string {
	if p.Help != "" {
		return p.Help
	}
	return p.fits()
}

// value offers values of kind k for parameter p.
func (c *completer) value(p *Param, k Kind, size bool) {
	switch k {
	case KindPlace, KindRange, KindShift:
		c.places(p, k)
	case KindProt:
		for _, w := range protWords {
			c.offer(w.Name, w.Help)
		}
	case KindFlags, KindChoice, KindConstant:
		c.words(p, nil)
	case KindProcess:
		for _, s := range c.env.Processes {
			c.offer(s, "")
		}
	case KindFile:
		for _, s := range c.env.Files {
			c.offerAs(fileText(s), s, "")
		}
	case KindSignal:
		for _, s := range signals[1:] {
			c.offer(s, "")
			if up := strings.ToUpper(c.cur.raw[c.skip:]); up != "" && strings.HasPrefix(s[3:], up) {
				c.offerAs(s, c.cur.raw[c.skip:], "")
			}
		}
	case KindLimit:
		c.offer(unlimited, "no limit")
	case KindCompare:
		for _, w := range comparisons {
			c.offer(w.Name, w.Help)
		}
	case KindResult:
		c.results()
	}
	if p.Default != "" && c.cur.raw[c.skip:] == "" && !size && k != KindFlags && p.Kind != KindRange {
		c.offer(p.Default, c.help(p))
	}
}

var protWords = []Word{
	{"rw", "read and write"}, {"r", "read"}, {"rx", "read and execute"}, {"rwx", "read, write and execute"},
	{"w", "write"}, {"x", "execute"}, {"wx", "write and execute"}, {"none", "no access"},
}

func (c *completer) places(p *Param, k Kind) {
	word := c.cur.raw[c.skip:]
	who, _, named := strings.Cut(word, ":")
	prefix := ""
	switch {
	case p.Remote && named && IsProcess(who):
		prefix = who + ":"
	case p.Remote:
		for _, s := range c.env.Processes {
			c.offer(s+":", "a place of "+s)
		}
	}
	for _, s := range c.env.Names {
		c.offer(prefix+s, "")
	}
	if k == KindShift && word == "" && p.Default == "" {
		c.offer("+1p", "grow by a page")
		c.offer("-1p", "shrink by a page")
	}
}

func (c *completer) results() {
	word := c.cur.raw[c.skip:]
	before := word[:strings.LastIndexByte(word, '|')+1] // alternatives that are given already
	if head, _, ok := strings.Cut(word[len(before):], "/"); ok {
		if _, known := SignalNamed(head); known {
			for _, s := range codesOf(head) {
				c.offer(before+head+"/"+s, "")
			}
		}
		return
	}
	for _, s := range slices.Concat(endings, errnos, signals[1:]) {
		c.offer(before+s, "")
	}
}
