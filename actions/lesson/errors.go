package lesson

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cowscope/actions/lang"
)

// Error is a mistake in a lesson's file.
type Error struct {
	File string
	// From 1, the column in characters; Col is 0 if the whole line or file is meant.
	Line, Col int
	Msg, Hint string // what is wrong, and what would be right
	syntax    *lang.SyntaxError
}

func (e *Error) Error() string {
	s := place(e.File, e.Line, e.Col) + ": " + e.Msg
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	if e.syntax != nil {
		s += "\n" + e.syntax.Caret()
	}
	return s
}

func (e *Error) Unwrap() error {
	if e.syntax == nil {
		return nil
	}
	return e.syntax
}

// place formats a place in a file: file:3:7.
func place(file string, line, col int) string {
	s := fmt.Sprintf("%s:%d", file, line)
	if col > 0 {
		s += fmt.Sprintf(":%d", col)
	}
	return s
}

// Errors are the mistakes of a file, in the order of their lines.
type Errors []*Error

func (es Errors) Error() string {
	var out []string
	for _, e := range es {
		out = append(out, e.Error())
	}
	return strings.Join(out, "\n")
}

func (es Errors) Unwrap() []error {
	var out []error
	for _, e := range es {
		out = append(out, e)
	}
	return out
}

// maxErrors is the maximum number of reported mistakes. After that, commands are not checked any
// more, because each mistake costs a search for a similar word.
const maxErrors = 100

func (p *parser) enough() bool { return len(p.errs) >= 10*maxErrors }

// fail adds an error. Only the first error of a line is kept.
func (p *parser) fail(line, col int, msg, hint string) {
	p.note(&Error{File: p.l.File, Line: line, Col: col, Msg: msg, Hint: hint})
}

func (p *parser) note(e *Error) {
	if !p.wrong[e.Line] {
		p.wrong[e.Line] = true
		p.errs = append(p.errs, e)
	}
}

// failCommand adds an error in a command of the language that begins at s, with its column in the
// whole line.
func (p *parser) failCommand(s source, err error) {
	var syn *lang.SyntaxError
	if !errors.As(err, &syn) {
		p.fail(s.line, s.col, err.Error(), "")
		return
	}
	moved := *syn
	moved.Line, moved.Col = p.lines[s.line-1], syn.Col+s.col-1
	p.note(&Error{File: p.l.File, Line: s.line, Col: moved.Col, Msg: syn.Msg, Hint: syn.Hint, syntax: &moved})
}

// quoted quotes a part of the file, cut if long, and safe for a terminal.
func quoted(s string) string {
	const most = 40
	n := 0
	for i := range s {
		if n == most {
			return strconv.Quote(s[:i] + "…")
		}
		n++
	}
	return strconv.Quote(s)
}
