package lang

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Random commands, made from the table: each is written in a random spelling, must parse, must mean
// what was written, and must come back from its canonical line.

func drawTerm() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprint(rapid.Uint32Max(1<<20).Draw(t, "n")) + rapid.SampledFrom([]string{"", "p", "k", "m", "g"}).Draw(t, "unit")
		}),
		rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("%#x", rapid.Uint32().Draw(t, "hex")) }),
	)
}

func drawQuantity() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(drawTerm(), 1, 4).Draw(t, "terms"), "+")
	})
}

func drawName() *rapid.Generator[string] {
	return rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9_]{0,6}`).Filter(IsName)
}

func drawProcess() *rapid.Generator[string] { return rapid.StringMatching(`p[1-9][0-9]{0,2}`) }

func drawPlace(remote bool) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.OneOf(drawName(), rapid.StringMatching(`0x[0-9a-f]{1,12}`)).Draw(t, "base")
		if remote && rapid.Bool().Draw(t, "remote") {
			s = drawProcess().Draw(t, "who") + ":" + s
		}
		for range rapid.IntRange(0, 2).Draw(t, "offsets") {
			s += rapid.SampledFrom([]string{"+", "-"}).Draw(t, "sign") + drawTerm().Draw(t, "term")
		}
		return s
	})
}

func drawString() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return strconv.Quote(string(b)) })
}

// drawValue draws the text of a value of kind k.
func drawValue(k Kind, p *Param) *rapid.Generator[string] {
	switch k {
	case KindQuantity:
		return drawQuantity()
	case KindPlace:
		return drawPlace(p.Remote)
	case KindRange:
		return rapid.Custom(func(t *rapid.T) string {
			s := drawPlace(p.Remote).Draw(t, "place")
			if rapid.Bool().Draw(t, "sized") {
				s += " " + drawQuantity().Draw(t, "size")
			}
			return s
		})
	case KindShift:
		return rapid.OneOf(drawPlace(false), rapid.Map(drawQuantity(), func(s string) string { return "+" + s }),
			rapid.Map(drawQuantity(), func(s string) string { return "-" + s }))
	case KindProt:
		return rapid.SampledFrom([]string{"0x8", "0x1000003", "5", "r", "w", "x", "rw", "wr", "xr", "rwx", "xwr", "r--", "-w-", "r-x", "---", "-", "none"})
	case KindPerms:
		return rapid.StringMatching(`[r-][w-][x-][ps]`)
	case KindChoice:
		return rapid.SampledFrom(names(p.Words))
	case KindConstant:
		return rapid.OneOf(rapid.SampledFrom(names(p.Words)), rapid.SampledFrom([]string{"0", "17", "0x65", "0xffffffff"}))
	case KindBits:
		return rapid.OneOf(rapid.Map(rapid.Uint64(), func(n uint64) string { return fmt.Sprintf("%#x", n) }),
			rapid.Map(rapid.Uint64(), func(n uint64) string { return fmt.Sprint(n) }))
	case KindVector:
		return rapid.StringMatching(`[01]{1,20}`)
	case KindCompare:
		return rapid.SampledFrom(names(comparisons))
	case KindPercent:
		return rapid.Map(rapid.IntRange(0, 100), func(n int) string { return fmt.Sprint(n, "%") })
	case KindText:
		return drawString()
	case KindValue:
		return rapid.OneOf(drawString(), rapid.SampledFrom([]string{"0", "65", "255", "0x41", "0xFf"}))
	case KindLimit:
		return rapid.OneOf(drawQuantity(), rapid.Just(unlimited))
	case KindContent:
		return rapid.OneOf(drawString(), drawQuantity())
	case KindByte:
		return rapid.SampledFrom([]string{"0", "7", "255", "0x00", "0xff"})
	case KindNumber:
		return rapid.Custom(func(t *rapid.T) string {
			lo, hi := int64(-1<<40), int64(1<<40)
			if p.Min < p.Max {
				lo, hi = p.Min, p.Max
			}
			return strconv.FormatInt(rapid.Int64Range(lo, hi).Draw(t, "n"), 10)
		})
	case KindStatuses:
		return rapid.SampledFrom([]string{"0", "0,1", "ENOENT", "1023,EFAULT|ENOENT,0", "EACCES,EBUSY"})
	case KindNodes:
		return rapid.SampledFrom([]string{"0", "0,2", "0-3", "1-1,1023", "7,0-2"})
	case KindSignal:
		return rapid.OneOf(rapid.SampledFrom(signals[1:]), rapid.SampledFrom([]string{"term", "TERM", "9", "40"}))
	case KindResult:
		return rapid.OneOf(rapid.SampledFrom(errnos), rapid.SampledFrom(endings), rapid.SampledFrom([]string{"SIGBUS", "SIGSEGV/MAPERR", "EINVAL|ENOMEM", "ok|SIGSEGV/ACCERR|timeout"}))
	case KindProcess:
		return drawProcess()
	case KindFile:
		return rapid.OneOf(rapid.StringMatching(`[a-z0-9./_-]{1,8}`),
			rapid.Map(rapid.StringMatching(`[^\x00]{1,8}`), strconv.Quote))
	}
	return rapid.StringMatching(`[a-z][a-z0-9_-]{0,8}`)
}

// drawLine draws a command and what was written for each parameter.
func drawLine(t *rapid.T, g *Grammar) (line string, v *Verb, wrote map[string][]string) {
	blank := func() string { return rapid.SampledFrom([]string{" ", "  ", "\t"}).Draw(t, "blank") }
	v = rapid.SampledFrom(g.Verbs()).Draw(t, "verb")
	wrote = map[string][]string{}
	var words, tail []string
	left := false // an optional argument was left out, so those behind it are too
	for i := range v.Params {
		p := &v.Params[i]
		give := !p.Optional || !left && rapid.Bool().Draw(t, "give "+p.Name)
		switch {
		case !give:
			left = left || !p.inTail()
		case p.Kind == KindFlags:
			all := names(p.Words)
			if len(all) == 0 {
				all = []string{"frames", "thp", "a-b", "c_9"}
			}
			few := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, min(4, len(all)), rapid.ID).Draw(t, p.Name)
			wrote[p.Name], tail = few, append(tail, few...)
		case p.Kind == KindOption:
			s := drawValue(p.Of, p).Draw(t, p.Name)
			wrote[p.Name], tail = []string{s}, append(tail, p.Key+"="+s)
		default:
			s := drawValue(p.Kind, p).Draw(t, p.Name)
			wrote[p.Name] = []string{s}
			if p.inTail() {
				tail = append(tail, s)
			} else {
				words = append(words, s)
			}
		}
	}
	words = append(words, rapid.Permutation(tail).Draw(t, "tail")...)
	line = strings.Replace(v.Name, " ", blank(), 1)
	for _, w := range words {
		line += blank() + w
	}
	if v.Binds && rapid.Bool().Draw(t, "binds") {
		line = drawName().Draw(t, "bind") + rapid.SampledFrom([]string{" = ", "=", "= ", " ="}).Draw(t, "is") + line
	}
	if rapid.Bool().Draw(t, "by") {
		line = "@" + drawProcess().Draw(t, "process") + blank() + line
	}
	if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
		line = "repeat" + blank() + fmt.Sprint(rapid.IntRange(1, maxTimes).Draw(t, "times")) + blank() + line
	}
	line += rapid.SampledFrom([]string{"", " ", " # why", "#", "\r\n"}).Draw(t, "end")
	return line, v, wrote
}

func TestRandomCommands(t *testing.T) {
	g := sampleGrammar(t)
	rapid.Check(t, func(t *rapid.T) {
		line, v, wrote := drawLine(t, g)
		c, err := g.Parse(line)
		if err != nil {
			t.Fatalf("%s\n%v", line, err)
		}
		if c.Verb != v {
			t.Fatalf("%s\nis %s", line, c.Verb.Name)
		}
		checkMeaning(t, c, wrote)
		checkRoundTrip(t, g, c)
	})
}

// checkMeaning compares each argument with what was written for its parameter.
func checkMeaning(t *rapid.T, c *Command, wrote map[string][]string) {
	for i := range c.Verb.Params {
		p := &c.Verb.Params[i]
		if c.Given(p.Name) != (len(wrote[p.Name]) > 0) {
			t.Fatalf("%s\n%s given: %v", c.Line, p.Name, c.Given(p.Name))
		}
		if p.Kind == KindFlags {
			if got := c.Flags(p.Name); len(got) != len(wrote[p.Name]) {
				t.Fatalf("%s\n%s is %v", c.Line, p.Name, got)
			}
			continue
		}
		a, ok := c.Arg(p.Name)
		if !ok {
			continue
		}
		k := p.Kind
		if k == KindOption {
			k = p.Of
		}
		want := wrote[p.Name][0]
		switch k {
		case KindQuantity, KindLimit, KindPlace, KindRange, KindShift, KindPerms, KindChoice, KindConstant, KindBits, KindVector, KindCompare, KindPercent, KindByte, KindNumber, KindNodes, KindStatuses, KindResult, KindProcess:
			if a.Text != want {
				t.Fatalf("%s\n%s is %s, wrote %s", c.Line, p.Name, a.Text, want)
			}
		case KindText, KindValue, KindContent:
			if s, err := strconv.Unquote(want); err == nil {
				if b, _ := c.Bytes(p.Name); string(b) != s {
					t.Fatalf("%s\n%s is %q", c.Line, p.Name, b)
				}
			}
		}
		if got := cut(c.Line, a.Span.Col-1, a.Span.Len); !strings.HasSuffix(got, want) {
			t.Fatalf("%s\n%s points at %q", c.Line, p.Name, got)
		}
	}
}

type failer interface{ Fatalf(string, ...any) }

// checkRoundTrip holds that the canonical line means the same and is its own canonical line.
func checkRoundTrip(t failer, g *Grammar, c *Command) {
	once, err := g.Parse(c.Once())
	if err != nil || once.Times != 1 || once.VerbSpan != c.VerbSpan {
		t.Fatalf("%q\nonce is %q\n%v, %v", c.Line, c.Once(), once, err)
	}
	s := c.String()
	again, err := g.Parse(s)
	if err != nil {
		t.Fatalf("%q\nprints %q\n%v", c.Line, s, err)
	}
	if !same(c, again) || again.String() != s {
		t.Fatalf("%q\nprints %q\nthen   %q", c.Line, s, again)
	}
}

// TestRandomDamage: a command with a character changed, lost or put in is read, or refused with a
// place in the line.
func TestRandomDamage(t *testing.T) {
	g := sampleGrammar(t)
	rapid.Check(t, func(t *rapid.T) {
		line, _, _ := drawLine(t, g)
		rs := []rune(line)
		i := rapid.IntRange(0, len(rs)-1).Draw(t, "at")
		put := rapid.SampledFrom([]string{"", " ", "#", "\"", "=", "+", "-", ":", "@", "0", "x", "p", "Z", "\\", "\x1b", "\xff", "é"}).Draw(t, "put")
		keep := rapid.IntRange(0, 1).Draw(t, "keep")
		checkLine(t, g, string(rs[:i])+put+string(rs[min(len(rs), i+1-keep):]))
	})
}

// checkLine holds what is true of every line.
func checkLine(t failer, g *Grammar, line string) {
	c, err := g.Parse(line)
	if err == nil {
		if c != nil {
			checkRoundTrip(t, g, c)
		}
		return
	}
	e, ok := err.(*SyntaxError)
	if !ok || c != nil {
		t.Fatalf("%q: %T and a command %v", line, err, c)
	}
	n := utf8.RuneCountInString(line)
	if e.Col < 1 || e.Len < 0 || e.Col-1+e.Len > n {
		t.Fatalf("%q: col %d len %d of %d\n%v", line, e.Col, e.Len, n, err)
	}
	if e.Msg == "" || strings.ContainsFunc(e.Error(), func(r rune) bool { return !strconv.IsPrint(r) }) {
		t.Fatalf("%q: message %q", line, e.Error())
	}
	if caret := e.Caret(); strings.Count(caret, "\n") != 1 || !strings.Contains(caret[strings.IndexByte(caret, '\n'):], "^") {
		t.Fatalf("%q: caret %q", line, caret)
	}
}

// TestRandomForms: fields that check out make a line that parses.
func TestRandomForms(t *testing.T) {
	g := sampleGrammar(t)
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom(g.Verbs()).Draw(t, "verb")
		fields := map[string]string{}
		for i := range v.Params {
			p := &v.Params[i]
			k := p.Kind
			if k == KindOption {
				k = p.Of
			}
			fields[p.Name] = rapid.OneOf(rapid.Just(""), rapid.Just(p.Default), drawValue(k, p), rapid.String()).Draw(t, p.Name)
			if v.CheckField(p.Name, fields[p.Name]) != nil {
				t.Skip("a field is wrong")
			}
		}
		line := Compose(v, fields, "")
		c, err := g.Parse(line)
		if err != nil {
			t.Fatalf("%q\n%v\n%v", fields, line, err)
		}
		if c.Verb != v {
			t.Fatalf("%q became %s", line, c.Verb.Name)
		}
	})
}
