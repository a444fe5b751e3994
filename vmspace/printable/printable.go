// Package printable prevents untrusted text (file names, scripts, lessons, saved sessions) from
// controlling the terminal.
//
// Two rules hold everywhere. A name or a text becomes part of a line only through Name or Line, so
// that a newline in it cannot imitate a line. Everything that the program writes to standard output
// and standard error goes through a Writer, which passes only printable text.
//
// Printable is defined by unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the
// blank. Everything else is escaped: control characters (C0, DEL, C1), format characters (including
// those that change the direction of text), line and paragraph separators, other spaces, private
// and unassigned characters, and bytes that are not UTF-8.
package printable

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Line is a text as part of a line: characters that are not printable become Go escapes. Everything
// else is unchanged, including quotes and backslashes.
func Line(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		n, ok := First(s[i:])
		if !ok {
			b.WriteString(s[done:i])
			b.WriteString(Escape(s[i : i+n]))
			done = i + n
		}
		i += n
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// Name is a name as a word of a line: quoted, with Go escapes, if it contains characters that are
// not printable or that could be mistaken for quoting.
func Name(s string) string {
	if q := strconv.Quote(s); len(q) != len(s)+len(`""`) {
		return q
	}
	return s
}

// First returns the length in bytes of the first character of s, and whether it is printable. s
// must not be empty.
func First(s string) (size int, ok bool) {
	if c := s[0]; c < utf8.RuneSelf {
		return 1, ' ' <= c && c < 0x7f
	}
	r, n := utf8.DecodeRuneInString(s)
	return n, shows(r, n)
}

// shows reports whether a character that was decoded from size bytes is printable.
func shows(r rune, size int) bool {
	return (r != utf8.RuneError || size > 1) && strconv.IsPrint(r)
}

// Escape is s with Go escapes for all characters that are not printable ASCII.
func Escape(s string) string {
	q := strconv.QuoteToASCII(s)
	return q[1 : len(q)-1]
}

// Error is an error of package os whose paths are formatted by Name. Other errors are returned
// unchanged.
func Error(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return &fs.PathError{Op: e.Op, Path: Name(e.Path), Err: e.Err}
	case *os.LinkError:
		return &os.LinkError{Op: e.Op, Old: Name(e.Old), New: Name(e.New), Err: e.Err}
	}
	return err
}
