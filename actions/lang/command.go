package lang

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// A parsed command. Arguments are looked up by the name of their parameter and by type; for an
// argument that was not given, or is of another type, ok is false. Every part keeps its position in
// the line, for errors that only the caller can detect ("no range is called x").

// Command is one parsed line.
type Command struct {
	Line    string // as it was given
	Times   int    // how often it runs: 1 without repeat
	Process string // of @p2, "" if none
	Bind    string // of NAME =, "" if none
	Verb    *Verb
	Args    []Arg // in the order of the canonical line; every flag is an Arg of its own

	ProcessSpan, BindSpan, VerbSpan Span

	start int // the byte where the line begins after repeat
}

// Once is the line with repeat replaced by blanks, so that every column stays the same.
func (c *Command) Once() string { return strings.Repeat(" ", c.start) + c.Line[c.start:] }

// Arg is one argument.
type Arg struct {
	Param *Param
	Span  Span
	Text  string // canonical, without the key of an option
	value any
}

// String is the canonical line.
func (c *Command) String() string {
	var b strings.Builder
	if c.Times > 1 {
		b.WriteString(repeatWord + " " + strconv.Itoa(c.Times) + " ")
	}
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

// Arg returns the first argument of a parameter.
func (c *Command) Arg(param string) (Arg, bool) {
	for _, a := range c.Args {
		if a.Param.Name == param {
			return a, true
		}
	}
	return Arg{}, false
}

// Given reports whether the parameter has an argument.
func (c *Command) Given(param string) bool {
	_, ok := c.Arg(param)
	return ok
}

func get[T any](c *Command, param string) (T, bool) {
	a, _ := c.Arg(param)
	v, ok := a.value.(T)
	return v, ok
}

// Quantity returns an argument of kind Quantity, or the size of a Content.
func (c *Command) Quantity(param string) (Quantity, bool) { return get[Quantity](c, param) }

// Place returns a place, or the start of a range.
func (c *Command) Place(param string) (Place, bool) {
	if r, ok := get[Range](c, param); ok {
		return r.Place, true
	}
	return get[Place](c, param)
}

// Range returns an argument of kind Range.
func (c *Command) Range(param string) (Range, bool) { return get[Range](c, param) }

// Shift returns the argument of brk.
func (c *Command) Shift(param string) (Shift, bool) { return get[Shift](c, param) }

// Prot returns a protection.
func (c *Command) Prot(param string) (Prot, bool) { return get[Prot](c, param) }

// Number returns a whole number, or that of a percentage.
func (c *Command) Number(param string) (int64, bool) { return get[int64](c, param) }

// Bits returns a number of kind Bits, or a number given in place of a Constant's word.
func (c *Command) Bits(param string) (uint64, bool) { return get[uint64](c, param) }

// Nodes returns node numbers.
func (c *Command) Nodes(param string) (Nodes, bool) { return get[Nodes](c, param) }

// Signal returns a signal.
func (c *Command) Signal(param string) (Signal, bool) { return get[Signal](c, param) }

// Byte returns a single byte: of kind Byte, or of a Value that is not a text.
func (c *Command) Byte(param string) (byte, bool) { return get[byte](c, param) }

// Bytes returns the bytes of a Text, a Value, a Byte, or of a Content that is not a size.
func (c *Command) Bytes(param string) ([]byte, bool) {
	if b, ok := get[byte](c, param); ok {
		return []byte{b}, true
	}
	return get[[]byte](c, param)
}

// Word returns a Choice, Constant, Word, Perms, Result, Vector, Comparison, Process or File as text,
// or the first word of Flags.
func (c *Command) Word(param string) (string, bool) { return get[string](c, param) }

// Flags returns the words of a Flags parameter in the order of its set.
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

// Has reports whether a flag or choice was given anywhere in the command.
func (c *Command) Has(word string) bool {
	return slices.ContainsFunc(c.Args, func(a Arg) bool {
		return (a.Param.Kind == KindFlags || a.Param.Kind == KindChoice || a.Param.Kind == KindConstant) && a.value == any(word)
	})
}

// Names yields the names of ranges in the arguments, each with its argument.
func (c *Command) Names() iter.Seq2[string, Arg] {
	return func(yield func(string, Arg) bool) {
		for _, a := range c.Args {
			var pl Place
			switch v := a.value.(type) {
			case Place:
				pl = v
			case Range:
				pl = v.Place
			case Shift:
				pl = v.Place
			}
			if pl.IsName() && !yield(pl.Name, a) {
				return
			}
		}
	}
}

// Span is the position of a parameter's argument; of several flags, that of the first. Without an
// argument it is the position of the verb.
func (c *Command) Span(param string) Span {
	if a, ok := c.Arg(param); ok {
		return a.Span
	}
	return c.VerbSpan
}

// ErrorAt returns an error about a part of the line.
func (c *Command) ErrorAt(s Span, msg, hint string) *SyntaxError {
	return &SyntaxError{Line: c.Line, Col: s.Col, Len: s.Len, Msg: msg, Hint: hint, Usage: c.Verb.Usage()}
}

// ErrorIn returns an error about a parameter's argument.
func (c *Command) ErrorIn(param, msg, hint string) *SyntaxError {
	return c.ErrorAt(c.Span(param), msg, hint)
}
