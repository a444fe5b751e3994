package lang

import "strings"

// The rows of the table. A usage line is derived from a row and never written by hand.

// Word is one word of a closed set, such as a flag of mmap.
type Word struct{ Name, Help string }

// Param is one parameter of a verb. Parameters of kind Flags and Option and optional choices form
// the tail of a command: they come last in the table, and their words in any order.
type Param struct {
	Name     string // how code and forms call it; unique within the verb
	Kind     Kind
	Optional bool   // for Flags: none at all is allowed
	Default  string // what a form starts with; fills a gap before a later optional argument
	Help     string // one phrase, for hints and forms
	Show     string // its name in usage lines, where that of the kind says too little
	Words    []Word // of Choice and Flags
	Key      string // of Option
	Of       Kind   // of Option: the kind of its value
	Remote   bool   // of Place and Range: p2:PLACE is allowed
	Min, Max int64  // of Number, Bits and Constant: limits, if Min < Max
}

// Verb is one command of the language.
type Verb struct {
	Name    string // one word, or two: "expect page"
	Summary string
	Params  []Param
	Binds   bool // NAME = is allowed

	atoms []atom
	tail  []*Param
}

// Usage gives the verb's form in one line, such as "mprotect RANGE PROT".
func (v *Verb) Usage() string {
	var b strings.Builder
	b.WriteString(v.Name)
	for i := 0; i < len(v.Params); {
		n := 1
		for i+n < len(v.Params) && nests(v.Params[i], v.Params[i+n]) {
			n++
		}
		b.WriteByte(' ')
		if n == 1 {
			b.WriteString(v.Params[i].Usage())
		} else { // [Q [Q]]
			for k, p := range v.Params[i : i+n] {
				if k > 0 {
					b.WriteByte(' ')
				}
				b.WriteString("[" + p.label())
			}
			b.WriteString(strings.Repeat("]", n))
		}
		i += n
	}
	return b.String()
}

// nests says whether q can only be given after p was.
func nests(p, q Param) bool {
	return p.Optional && q.Optional && p.Kind == q.Kind && !p.inTail()
}

// Usage gives the parameter's part of the usage line.
func (p *Param) Usage() string {
	if p.Kind == KindFlags && p.Optional && p.Show == "" && p.fewWords() {
		var parts []string
		for _, w := range p.Words {
			parts = append(parts, "["+w.Name+"]")
		}
		return strings.Join(parts, " ")
	}
	s := p.label()
	if p.Kind == KindFlags {
		s += "…"
	}
	if p.Optional {
		return "[" + s + "]"
	}
	return s
}

func (p *Param) fewWords() bool { return len(p.Words) > 0 && len(p.Words) <= 4 }

// label is the parameter's name in a usage line, without brackets.
func (p *Param) label() string {
	switch {
	case p.Kind == KindOption && p.Show != "":
		return p.Key + "=" + p.Show
	case p.Kind == KindOption:
		return p.Key + "=" + kinds[p.Of].label
	case p.Show != "":
		return p.Show
	case p.Kind == KindChoice && p.fewWords():
		return strings.Join(names(p.Words), "|")
	case p.Kind == KindChoice || p.Kind == KindConstant || p.Kind == KindFlags:
		return strings.ToUpper(p.Name)
	}
	return kinds[p.Kind].label
}

// fits says in words what is right for the parameter.
func (p *Param) fits() string {
	switch p.Kind {
	case KindChoice, KindFlags:
		if len(p.Words) > 0 {
			return oneOf(names(p.Words))
		}
	case KindConstant:
		return oneOf(names(p.Words)) + ", or a number"
	case KindOption:
		return p.Key + "= and " + kinds[p.Of].fits
	}
	return kinds[p.Kind].fits
}

func names(ws []Word) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = w.Name
	}
	return out
}

// param finds a parameter by name, nil if there is none.
func (v *Verb) param(name string) *Param {
	for i := range v.Params {
		if v.Params[i].Name == name {
			return &v.Params[i]
		}
	}
	return nil
}
