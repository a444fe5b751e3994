package lang

import (
	"strconv"
	"strings"
)

// Forms. A form has a field for each parameter and makes a line of them; the line is then parsed
// like any other. In a field, text needs no quotes where only text makes sense: hello in a field of
// kind Text becomes "hello".

// Compose makes a line of a verb and the texts of its fields, by parameter. Empty fields are left
// out. Where an optional argument is left out before one of the same kind (cat NAME [Q [Q]]), its
// default takes its place.
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

// needed says whether a later argument would be taken for this one if this one were left out.
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

// fieldText is the text of a field as it stands in a line.
func (p *Param) fieldText(s string) string {
	k := p.Kind
	if k == KindOption {
		k = p.Of
		s = strings.TrimPrefix(strings.TrimSpace(s), p.Key+"=")
	}
	if k == KindText && s != "" && !quotedField(s) { // blanks count
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

// CheckField checks the text of one field by itself. The error's column counts in the field's text;
// it is nil for what may be left out and is.
func (v *Verb) CheckField(param, text string) error {
	p := v.param(param)
	if p == nil {
		return &SyntaxError{Line: text, Col: 1, Msg: v.Name + " has no " + param, Usage: v.Usage()}
	}
	if full := p.fieldText(text); quotedField(full) && !strings.Contains(text, `"`) && len(full) <= MaxLine {
		if f := p.checkField(full); f != nil { // its columns would count the quotes that were added
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

// checkWords checks that there are at most so many words, each of kind k.
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
