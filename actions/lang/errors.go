package lang

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"cowscope/vmspace/printable"
)

// Errors. Every error says what is wrong, where, and what would be right. Inside the package an
// error is a fault in byte offsets; the exported form is a SyntaxError in columns. Columns count
// characters (runes) from 1, and an invalid byte counts as one, so that a column fits a cursor in
// an input field. Text of a line is quoted as package printable writes it.

// Span is a part of a line: its first column, from 1, and its length in characters.
type Span struct{ Col, Len int }

// SyntaxError is an error at one place of a line.
type SyntaxError struct {
	Line string // the whole line as it was given
	// From 1, in characters; Len may be 0 at the end of the line, where something is missing.
	Col, Len int
	Msg      string // what is wrong
	Hint     string // what would be right
	Usage    string // the usage line of the verb, if the verb is known
}

// Error is the error in one line.
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("col %d: %s", e.Col, e.Msg)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// caretWidth is the number of cells that Caret shows of a long line.
const caretWidth = 100

// gutter precedes the line that Caret quotes, so that it cannot be mistaken for output of the
// program.
const gutter = "| "

// Caret returns the line and a second one with ^^^^ below the mistake. Of a long line it shows the
// part around the mistake.
func (e *SyntaxError) Caret() string {
	rs := []rune(strings.TrimRight(e.Line, "\r\n"))
	at := min(max(e.Col-1, 0), len(rs))
	from, to := 0, len(rs)
	if len(rs) > caretWidth {
		from = max(0, min(at-caretWidth/3, len(rs)-caretWidth))
		to = min(len(rs), from+caretWidth)
	}
	var line, mark strings.Builder
	if from > 0 {
		line.WriteString("…")
		mark.WriteByte(' ')
	}
	for i := from; i < to; i++ {
		text, width := shown(rs[i])
		line.WriteString(text)
		sign := " "
		if i >= at && i < at+max(e.Len, 1) {
			sign = "^"
		}
		mark.WriteString(strings.Repeat(sign, width))
		if i == at && width == 0 { // a combining mark has no cell of its own
			mark.WriteByte('^')
		}
	}
	if to < len(rs) {
		line.WriteString("…")
	}
	if at >= to { // something is missing at the end
		mark.WriteByte('^')
	}
	return gutter + line.String() + "\n" + gutter + strings.TrimRight(mark.String(), " ")
}

// shown is a character as Caret shows it, and its width in cells.
func shown(r rune) (text string, width int) {
	if r == '\t' {
		return " ", 1
	}
	text = printable.Line(string(r))
	if len(text) > utf8.RuneLen(r) { // it is an escape
		return text, len(text)
	}
	return text, cells(r)
}

// cells is the width of a printable character on a terminal, exact enough to place a caret.
func cells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r < 0x1100:
		return 1
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		r >= 0x3000 && r <= 0x303e, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
		return 2
	}
	return 1
}

// fault is an error about bytes pos to end of a line.
type fault struct {
	pos, end  int
	msg, hint string
}

func (t token) fault(msg, hint string) *fault { return &fault{t.pos, t.end, msg, hint} }

// part is a fault about bytes i to j of the word.
func (t token) part(i, j int, msg, hint string) *fault {
	return &fault{t.pos + i, t.pos + j, msg, hint}
}

func (f *fault) in(line string, v *Verb) *SyntaxError {
	s := spanOf(line, f.pos, f.end)
	e := &SyntaxError{Line: line, Col: s.Col, Len: s.Len, Msg: f.msg, Hint: f.hint}
	if v != nil {
		e.Usage = v.Usage()
	}
	return e
}

func spanOf(line string, pos, end int) Span {
	return Span{utf8.RuneCountInString(line[:pos]) + 1, utf8.RuneCountInString(line[pos:end])}
}

// say quotes a word of the line in a message, cut if it is long.
func say(s string) string {
	const most = 40
	n := 0
	for i := range s {
		if n == most {
			return printable.Line(s[:i]) + "…"
		}
		n++
	}
	if s == "" {
		return `""`
	}
	return printable.Line(s)
}
