package lang

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Hints: one line under the prompt that shows what is expected at the end of the line: how the last
// word may continue or, after a blank, what may come next. An earlier mistake is shown instead,
// once it is certain: the beginning of a correct word is not yet a mistake.

// Hint describes what is expected at the end of the line; "" if nothing more can follow.
func (g *Grammar) Hint(line string) string {
	lx, f := lex(line)
	switch {
	case f != nil:
		return joinHint(f.msg, f.hint)
	case len(lx.toks) == 0 || lx.comment:
		return ""
	}
	open := lx.end == len(line) // the last word is still being written
	p := parser{g: g, c: &Command{}, line: line, toks: lx.toks, end: lx.end}
	if f := p.head(); f != nil {
		if list := g.endings(line); open && list != "" {
			return list
		}
		if open && len(lx.toks) == 1 && (lx.toks[0].raw == "@" || lx.toks[0].raw == "@p") {
			return joinHint(kinds[KindProcess].label, kinds[KindProcess].fits)
		}
		return joinHint(f.msg, f.hint)
	}
	v, args := p.c.Verb, p.toks
	if open && len(args) == 0 {
		return joinHint(v.Usage(), v.Summary)
	}
	if !open {
		if e := v.expect(args); !e.bad && p.sound(args) {
			return e.String()
		}
	} else if e := v.expect(args[:len(args)-1]); !e.bad && p.sound(args[:len(args)-1]) {
		if hint := e.writing(args[len(args)-1]); hint != "" {
			return hint
		}
		if list := g.endings(line); list != "" {
			return list
		}
	}
	if _, _, f := g.parse(line); f != nil {
		return joinHint(f.msg, f.hint)
	}
	return ""
}

// sound reports whether no word before the end of the line is wrong; missing words do not count.
func (p *parser) sound(args []token) bool {
	end := 0
	if len(args) > 0 {
		end = args[len(args)-1].end
	}
	_, _, f := p.g.parse(p.line)
	return f == nil || f.pos >= end
}

// endings lists how the last word may end, if it is the beginning of a known word.
func (g *Grammar) endings(line string) string {
	found := g.Complete(line, utf8.RuneCountInString(line), Env{})
	var texts []string
	for _, c := range found {
		if c.Start == c.End {
			return ""
		}
		texts = append(texts, c.Text)
	}
	if len(found) == 1 && found[0].Help != "" {
		return joinHint(found[0].Text, found[0].Help)
	}
	return someOf(texts)
}

// writing describes what the word being written is for; "" if it fits nowhere.
func (e expected) writing(t token) string {
	for _, a := range e.atoms {
		if _, _, f := parseValue(t, a.param, a.kind); f == nil {
			return a.hint()
		}
	}
	key, value, ok := t.key()
	for _, p := range e.tail {
		if ok && p.Kind == KindOption && p.Key == key {
			if _, _, f := parseValue(value, p, p.Of); f == nil || value.raw == "" {
				return p.hint()
			}
		}
	}
	return ""
}

func joinHint(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

// someOf lists the first few words; completion lists the others.
func someOf(words []string) string {
	const most = 8
	if len(words) > most {
		return strings.Join(words[:most], ", ") + "…"
	}
	return oneOf(words)
}

func (a *atom) hint() string {
	switch {
	case a.size:
		return "[Q]: how much of the range, if not all"
	case a.param.Kind == KindChoice:
		return joinHint(a.param.label(), someOf(names(a.param.Words)))
	case a.param.Kind == KindConstant:
		return joinHint(a.param.label(), someOf(names(a.param.Words))+", or a number")
	case a.param.Help != "":
		return joinHint(a.label(), a.param.Help+" ("+a.fits()+")")
	}
	return joinHint(a.label(), a.fits())
}

func (p *Param) hint() string {
	help := p.Help
	if p.Kind == KindOption && help == "" {
		help = kinds[p.Of].fits
	}
	return joinHint(p.label(), help)
}

// String is everything expected, in one line.
func (e expected) String() string {
	var parts []string
	for _, a := range e.atoms {
		parts = append(parts, a.hint())
	}
	for _, p := range e.tail {
		switch {
		case p.Kind == KindOption:
			parts = append(parts, p.label())
		case len(p.Words) == 0:
			parts = append(parts, joinHint(p.label(), p.fits()))
		default:
			left := slices.DeleteFunc(names(p.Words), func(s string) bool {
				return slices.ContainsFunc(e.given, func(t token) bool { return t.raw == s })
			})
			if len(left) > 0 {
				parts = append(parts, someOf(left))
			}
		}
	}
	return strings.Join(parts, " · ")
}
