package lesson

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rules of this file: no text is passed on that controls a terminal, or that is shown in another
// order than it is written.

const (
	maxFile = 1 << 20  // bytes of a lesson
	maxLine = 16 << 10 // bytes of one of its lines
)

// errTooLarge says that a file is larger than maxFile.
var errTooLarge = errors.New("too large")

// readLines reads a file and splits it into lines, without their ends. A byte order mark at the
// beginning is dropped.
func readLines(r io.Reader) ([]string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxFile:
		return nil, errTooLarge
	}
	lines := strings.Split(strings.TrimPrefix(string(b), "\ufeff"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	if n := len(lines) - 1; lines[n] == "" { // after the end of the last line
		lines = lines[:n]
	}
	return lines, nil
}

// clean reports characters that a line must not contain.
func (p *parser) clean(n int, line string) {
	if len(line) > maxLine {
		p.fail(n, 0, fmt.Sprintf("this line has %d bytes", len(line)), fmt.Sprintf("a line holds at most %d", maxLine))
		return
	}
	col := 0
	for i, r := range line {
		col++
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(line[i:], "\ufffd"):
			p.fail(n, col, fmt.Sprintf("byte 0x%02x is not valid UTF-8", line[i]), "save the file as UTF-8")
		case r != '\t' && unicode.IsControl(r):
			p.fail(n, col, fmt.Sprintf("control character 0x%02x", r), "a lesson is plain text; tabs and line ends are all it may hold beside it")
		case unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			p.fail(n, col, fmt.Sprintf("invisible character U+%04X", r), "it changes the order or the lines of the text; leave it out")
		}
	}
}
