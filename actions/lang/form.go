package lang

import (
	"strconv"
	"strings"
)

// Forms. A form has a field for each parameter and makes a line of them, which is then parsed like
// any other. A field of kind Text needs no quotes: hello becomes "hello".

// Compose makes a line of a verb and the texts of its fields, by parameter. Empty fields are left
// out. If an optional argument before another of the same kind is empty (cat NAME [Q [Q]]), its
// default is used.
func Compose(v *Verb, fields map[string]string, bind string) string {
	var b strings.Builder
	if bind = strings.TrimSpace(bind); bind != "" {
		b.WriteString(bind + " = ")
	}
	b.WriteString(v.Name)
	for i := range v.Params {
		p := &v.Params[i]
		text := p.fieldText(fields[p.Name])
		if text == "" && p.needed(v.Params[i+1:], fields) {
			text = p.Default
		}
		if text == "" {
			continue
		}
		b.WriteByte(' ')
		if p.Kind == KindOption {
			b.WriteString(p.Key + "=")
		}
		b.WriteString(text)
	}
	return b.String()
}

// needed reports whether a later argument would be mistaken for this one if this one were left out.
func (p *Param) needed(later []Param, fields map[string]string) bool {
	for _, q := range later {
		if !nests(*p, q) {
			return false
		}
		if strings.TrimSpace(fields[q.Name]) != "" {
			return true
		}
	}
	return false
}

// fieldText is the text of a field as part of a line.
func (p *Param) fieldText(s string) string {
	k := p.Kind
	if k == KindOption {
		k = p.Of
		s = strings.TrimPrefix(strings.TrimSpace(s), p.Key+"=")
	}
	if k == KindText && s != "" && !quotedField(s) { // blanks are part of the text
		return strconv.Quote(s)
	}
	s = strings.TrimSpace(s)
	if s == "" || quotedField(s) {
		return s
	}
	switch k {
	case KindValue, KindContent:
		if !isDigit(s[0]) {
			return strconv.Quote(s)
		}
	case KindFile:
		return fileText(s)
	}
	return s
}

func quotedField(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), `"`) }

// CheckField checks the text of one field by itself. The column of the error counts in that text.
// An empty optional field has no error.
func (v *Verb) CheckField(param, text string) error {
	p := v.param(param)
	if p == nil {
		return &SyntaxError{Line: text, Col: 1, Msg: v.Name + " has no " + param, Usage: v.Usage()}
	}
	if full := p.fieldText(text); quotedField(full) && !strings.Contains(text, `"`) && len(full) <= MaxLine {
		// Columns must not count the added quotes.
		if f := p.checkField(full); f != nil {
			return (&fault{0, len(text), f.msg, f.hint}).in(text, v)
		}
		return nil
	}
	if f := p.checkField(text); f != nil {
		return f.in(text, v)
	}
	return nil
}

func (p *Param) checkField(text string) *fault {
	lx, f := lex(text)
	switch {
	case f != nil:
		return f
	case lx.comment:
		return &fault{lx.end, len(text), "# starts a comment", "a field holds none"}
	case len(lx.toks) == 0 && p.Optional:
		return nil
	case len(lx.toks) == 0:
		return &fault{0, 0, p.label() + " is missing", p.fits()}
	}
	if p.Kind == KindOption {
		if key, value, ok := lx.toks[0].key(); ok && key == p.Key {
			lx.toks[0] = value
		}
		return p.checkWords(lx.toks, p.Of, 1)
	}
	switch p.Kind {
	case KindFlags:
		return p.checkWords(lx.toks, p.Kind, len(lx.toks))
	case KindRange:
		if f := p.checkWords(lx.toks[:1], KindPlace, 1); f != nil || len(lx.toks) == 1 {
			return f
		}
		return p.checkWords(lx.toks[1:], KindQuantity, 1)
	}
	return p.checkWords(lx.toks, p.Kind, 1)
}

// checkWords checks that there are at most most words, each of kind k.
func (p *Param) checkWords(toks []token, k Kind, most int) *fault {
	for i, t := range toks {
		if i >= most {
			return t.fault("one word too many: "+say(t.raw), p.fits())
		}
		for _, u := range toks[:i] {
			if u.raw == t.raw {
				return t.fault(say(t.raw)+" is given twice", "once is enough")
			}
		}
		if _, _, f := parseValue(t, p, k); f != nil {
			return f
		}
	}
	return nil
}
