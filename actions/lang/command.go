package lang

import (
	"slices"
	"strings"
)

// A parsed command. Arguments are asked for by the name of their parameter and by type; an argument
// that was not given, or is of another type, answers false. Every part keeps its place in the line,
// for complaints that only the caller can make ("no range is called x").

// Command is one line, understood.
type Command struct {
	Line    string // as it was given
	Process string // of @p2, "" if none
	Bind    string // of NAME =, "" if none
	Verb    *Verb
	Args    []Arg // in the order of the canonical line; every flag is an Arg of its own

	ProcessSpan, BindSpan, VerbSpan Span
}

// Arg is one argument.
type Arg struct {
	Param *Param
	Span  Span
	Text  string // canonical, without the key of an option
	value any
}

// String gives the canonical line.
func (c *Command) String() string {
	var b strings.Builder
	if c.Process != "" {
		b.WriteString("@" + c.Process + " ")
	}
	if c.Bind != "" {
		b.WriteString(c.Bind + " = ")
	}
	b.WriteString(c.Verb.Name)
	for _, a := range c.Args {
		b.WriteByte(' ')
		if a.Param.Kind == KindOption {
			b.WriteString(a.Param.Key + "=")
		}
		b.WriteString(a.Text)
	}
	return b.String()
}

// Arg finds the first argument of a parameter.
func (c *Command) Arg(param string) (Arg, bool) {
	for _, a := range c.Args {
		if a.Param.Name == param {
			return a, true
		}
	}
	return Arg{}, false
}

// Given says whether the parameter has an argument.
func (c *Command) Given(param string) bool {
	_, ok := c.Arg(param)
	return ok
}

func get[T any](c *Command, param string) (T, bool) {
	a, _ := c.Arg(param)
	v, ok := a.value.(T)
	return v, ok
}

// Quantity gives an argument of kind Quantity, or the size of a Content.
func (c *Command) Quantity(param string) (Quantity, bool) { return get[Quantity](c, param) }

// Place gives a place, or where a range starts.
func (c *Command) Place(param string) (Place, bool) {
	if r, ok := get[Range](c, param); ok {
		return r.Place, true
	}
	return get[Place](c, param)
}

// Range gives an argument of kind Range.
func (c *Command) Range(param string) (Range, bool) { return get[Range](c, param) }

// Shift gives what brk takes.
func (c *Command) Shift(param string) (Shift, bool) { return get[Shift](c, param) }

// Prot gives a protection.
func (c *Command) Prot(param string) (Prot, bool) { return get[Prot](c, param) }

// Number gives a whole number.
func (c *Command) Number(param string) (int64, bool) { return get[int64](c, param) }

// Signal gives a signal.
func (c *Command) Signal(param string) (Signal, bool) { return get[Signal](c, param) }

// Byte gives a single byte: of kind Byte, or of a Value that is no text.
func (c *Command) Byte(param string) (byte, bool) { return get[byte](c, param) }

// Bytes gives the bytes of a Text, a Value, a Byte, or of a Content that is no size.
func (c *Command) Bytes(param string) ([]byte, bool) {
	if b, ok := get[byte](c, param); ok {
		return []byte{b}, true
	}
	return get[[]byte](c, param)
}

// Word gives a Choice, Word, Perms, Result, Process or File as text, and the first word of Flags.
func (c *Command) Word(param string) (string, bool) { return get[string](c, param) }

// Flags gives the words of a Flags parameter in the order of its set.
func (c *Command) Flags(param string) []string {
	var out []string
	for _, a := range c.Args {
		if a.Param.Name == param {
			if w, ok := a.value.(string); ok {
				out = append(out, w)
			}
		}
	}
	return out
}

// Has says whether a flag or choice was given anywhere in the command.
func (c *Command) Has(word string) bool {
	return slices.ContainsFunc(c.Args, func(a Arg) bool {
		return (a.Param.Kind == KindFlags || a.Param.Kind == KindChoice) && a.value == any(word)
	})
}

// Span says where a parameter's argument stands in the line; of several flags, where the first
// does. Without an argument it is the verb's place.
func (c *Command) Span(param string) Span {
	if a, ok := c.Arg(param); ok {
		return a.Span
	}
	return c.VerbSpan
}

// FlagSpan says where a word of a Flags or Choice parameter stands.
func (c *Command) FlagSpan(word string) Span {
	for _, a := range c.Args {
		if a.value == any(word) {
			return a.Span
		}
	}
	return c.VerbSpan
}

// ErrorAt makes a complaint about a part of the line.
func (c *Command) ErrorAt(s Span, msg, hint string) *SyntaxError {
	return &SyntaxError{Line: c.Line, Col: s.Col, Len: s.Len, Msg: msg, Hint: hint, Usage: c.Verb.Usage()}
}

// ErrorIn makes a complaint about a parameter's argument.
func (c *Command) ErrorIn(param, msg, hint string) *SyntaxError {
	return c.ErrorAt(c.Span(param), msg, hint)
}
