package lang

import (
	"fmt"
	"strconv"
	"strings"
)

// Places, ranges, and the argument of brk. A place keeps its name unresolved. Its text as written
// is canonical.

// Place is a name or an address, with an offset and, if the verb allows it, in a named process.
type Place struct {
	Process string // "" for the process of the command
	Name    string // "" for an address
	Addr    uint64
	Offset  Offset
	Text    string // as it was written; empty for a place made by code
}

// IsName reports whether the place must be resolved through a name.
func (p Place) IsName() bool { return p.Name != "" }

// Resolve returns the address. base is the address of the name; it is ignored for an address.
func (p Place) Resolve(base, pageSize uint64) (uint64, error) {
	if !p.IsName() {
		base = p.Addr
	}
	return p.Offset.Apply(base, pageSize)
}

func (p Place) String() string {
	if p.Text != "" {
		return p.Text
	}
	var b strings.Builder
	if p.Process != "" {
		b.WriteString(p.Process + ":")
	}
	if p.IsName() {
		b.WriteString(p.Name)
	} else {
		b.WriteString("0x" + strconv.FormatUint(p.Addr, 16))
	}
	b.WriteString(p.Offset.String())
	return b.String()
}

func (o Offset) String() string {
	var b strings.Builder
	if o.Plus.Pages|o.Plus.Bytes != 0 {
		b.WriteString("+" + Quantity{Pages: o.Plus.Pages, Bytes: o.Plus.Bytes}.String())
	}
	if o.Minus.Pages != 0 {
		fmt.Fprintf(&b, "-%dp", o.Minus.Pages)
	}
	if o.Minus.Bytes != 0 {
		fmt.Fprintf(&b, "-%d", o.Minus.Bytes)
	}
	return b.String()
}

// Range is a place and a number of bytes. Without a size it ends where the name's range ends or, at
// an address, after one page.
type Range struct {
	Place   Place
	Size    Quantity
	HasSize bool
}

func (r Range) String() string {
	if r.HasSize {
		return r.Place.String() + " " + r.Size.String()
	}
	return r.Place.String()
}

// Shift is the argument of brk: a step up or down from the current break, or a place.
type Shift struct {
	Relative bool
	Offset   Offset // if relative
	Place    Place  // if not
	Text     string
}

func (s Shift) String() string {
	switch {
	case s.Text != "":
		return s.Text
	case !s.Relative:
		return s.Place.String()
	case s.Offset.IsZero():
		return "+0"
	}
	return s.Offset.String()
}

// MaxName is the longest name of a range, in bytes.
const MaxName = 64

// IsName reports whether a word can name a range: a letter, then letters, digits and '_', at most
// MaxName bytes, and not the form of a process.
func IsName(s string) bool {
	return nameLen(s) == len(s) && s != "" && len(s) <= MaxName && !IsProcess(s)
}

// IsProcess reports whether a word has the form of a process: p1, p2, p13.
func IsProcess(s string) bool {
	if len(s) < 2 || len(s) > 10 || s[0] != 'p' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// nameLen is the number of bytes at the start of s that have the form of a name.
func nameLen(s string) int {
	if s == "" || !isLetter(s[0]) {
		return 0
	}
	i := 1
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '_') {
		i++
	}
	return i
}

// ParsePlace parses a place of the process of a command.
func ParsePlace(text string) (Place, error) {
	p, f := parsePlace(token{0, len(text), text, -1, ""}, &Param{})
	if f != nil {
		return p, f.in(text, nil)
	}
	return p, nil
}

func parsePlace(t token, param *Param) (Place, *fault) {
	p := Place{Text: t.raw}
	rest := t
	if who, _, ok := strings.Cut(t.raw, ":"); ok && !t.quoted() && !strings.ContainsAny(who, "+-") {
		n := len(who) + 1
		switch {
		case !IsProcess(who):
			return p, t.part(0, n-1, say(who)+" is not a process", kinds[KindProcess].fits)
		case !param.Remote:
			return p, t.part(0, n, "this place cannot be in another process", "put the process in front of the command: @"+who)
		}
		p.Process = who
		rest = token{t.pos + n, t.end, t.raw[n:], -1, ""}
	}
	f := p.parseBase(rest)
	return p, f
}

func (p *Place) parseBase(t token) *fault {
	s := t.raw
	n := strings.IndexAny(s, "+-")
	if n < 0 {
		n = len(s)
	}
	base := s[:n]
	switch {
	case t.quoted() || base == "":
		return t.fault(say(s)+" is not a place", kinds[KindPlace].fits)
	case strings.HasPrefix(base, "0x") && !strings.Contains(base, "'"):
		addr, f := parseHex(token{t.pos, t.pos + n, base, -1, ""})
		if f != nil {
			return f
		}
		p.Addr = addr
	case IsProcess(base):
		hint := "put it in front of the command: @" + base
		if p.Process != "" {
			hint = "after the colon comes a name or an address, such as " + p.Process + ":a"
		}
		return t.part(0, n, say(base)+" is a process, not a place", hint)
	case nameLen(base) != n:
		return t.part(0, n, say(base)+" is not a place", placeHint(base))
	default:
		p.Name = base
	}
	if n < len(s) {
		if f := p.Offset.parse(t, n, true); f != nil {
			return f
		}
	}
	if !p.IsName() && p.Offset.Minus.Pages|p.Offset.Minus.Bytes == 0 {
		if _, err := p.Resolve(0, smallestPage); err != nil {
			return t.fault(say(s)+" lies beyond 64 bits", "the highest address is 0xffffffffffffffff")
		}
	}
	return nil
}

// placeHint is the hint for addresses in the form that screens and manuals use.
func placeHint(s string) string {
	bare := strings.NewReplacer("'", "", "_", "").Replace(strings.TrimPrefix(strings.ToLower(s), "0x"))
	if len(bare) >= 6 && len(bare) <= 16 && strings.Trim(bare, "0123456789abcdef") == "" {
		return "an address is written 0x" + bare
	}
	return kinds[KindPlace].fits
}

func parseShift(t token) (Shift, *fault) {
	s := Shift{Text: t.raw}
	if t.raw != "" && (t.raw[0] == '+' || t.raw[0] == '-') {
		s.Relative = true
		f := s.Offset.parse(t, 0, true)
		return s, f
	}
	if n := len(t.raw); n > 0 && isDigit(t.raw[0]) && !strings.HasPrefix(t.raw, "0x") {
		return s, t.fault(say(t.raw)+" is neither a step nor a place", "did you mean +"+say(t.raw)+"?")
	}
	p, f := parsePlace(t, &Param{})
	s.Place = p
	return s, f
}
