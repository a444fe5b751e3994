// Package printable keeps texts of strangers from being obeyed by a terminal: names of files, lines
// of scripts, lessons and saved sessions.
//
// Two rules hold everywhere. A name or a text becomes a part of a line through Name or Line, so
// that no newline in it fakes a line. All that the program writes to standard output and standard
// error goes through a Writer, which lets pass only what a terminal shows.
//
// Printable is what unicode.IsPrint says: letters, marks, numbers, punctuation, symbols and the
// blank. So all control characters are escaped (C0, DEL, C1), all format characters (those that
// change the order of a text among them), the separators of lines and paragraphs, other spaces,
// what is private or unassigned, and bytes that are not UTF-8.
package printable

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Line is a text as a part of a line: what is not printable has Go's escapes. All else stays as it
// is, quotes and backslashes too.
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

// Name is a name as a word of a line: in quotes, with Go's escapes, where it holds more than
// printable characters, or looks so.
func Name(s string) string {
	if q := strconv.Quote(s); len(q) != len(s)+len(`""`) {
		return q
	}
	return s
}

// First is how many bytes the first character of s has, and whether it is printable. s is not
// empty.
func First(s string) (size int, ok bool) {
	if c := s[0]; c < utf8.RuneSelf {
		return 1, ' ' <= c && c < 0x7f
	}
	r, n := utf8.DecodeRuneInString(s)
	return n, shows(r, n)
}

// shows says whether a character that was decoded from so many bytes is printable.
func shows(r rune, size int) bool {
	return (r != utf8.RuneError || size > 1) && strconv.IsPrint(r)
}

// Escape is s with Go's escape for every character outside ASCII, and for every one that is not
// printable.
func Escape(s string) string {
	q := strconv.QuoteToASCII(s)
	return q[1 : len(q)-1]
}

// Error is an error of package os with its paths as Name writes them. Others come back as they are.
func Error(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return &fs.PathError{Op: e.Op, Path: Name(e.Path), Err: e.Err}
	case *os.LinkError:
		return &os.LinkError{Op: e.Op, Old: Name(e.Old), New: Name(e.New), Err: e.Err}
	}
	return err
}
