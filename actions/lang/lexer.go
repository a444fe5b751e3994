package lang

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The lexer splits a line into words. It is the only place that reads raw bytes: its output is
// printable valid UTF-8. Comments are not checked, so they may contain anything.

// MaxLine is the longest line accepted, in bytes, and MaxWords the maximum number of words.
// Together they bound the work for a line, because the work for one word may be proportional to the
// line.
const (
	MaxLine  = 64 << 10
	MaxWords = 500
)

// token is a word of the line: bytes pos to end.
type token struct {
	pos, end int
	raw      string
	quote    int    // where in raw a string starts, -1 if there is none
	str      string // the string's value
}

func (t token) quoted() bool { return t.quote == 0 }

// key splits an option at its '='.
func (t token) key() (key string, value token, ok bool) {
	i := strings.IndexByte(t.raw, '=')
	if i < 0 || t.quoted() {
		return "", token{}, false
	}
	value = token{t.pos + i + 1, t.end, t.raw[i+1:], -1, t.str}
	if t.quote >= 0 {
		value.quote = t.quote - i - 1
	}
	return t.raw[:i], value, true
}

func (t token) shape() shape {
	switch {
	case t.quoted():
		return shString
	case t.raw != "" && (t.raw[0] == '<' || t.raw[0] == '>'):
		return shCompare
	case strings.IndexByte(t.raw, '=') >= 0:
		return shOption
	case t.raw == "":
		return shOther
	}
	switch c := t.raw[0]; {
	case isLetter(c):
		return shLetter
	case isDigit(c):
		if strings.Trim(strings.TrimPrefix(t.raw, "0x"), "0123456789abcdefABCDEF") == "" {
			return shNumber
		}
		return shDigits
	case c == '-':
		return shMinus
	case c == '+':
		return shPlus
	}
	return shOther
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isBlank(c byte) bool  { return c == ' ' || c == '\t' }

// lexed is a line in words. end is the end of the last word: only blanks and a comment follow it.
type lexed struct {
	toks    []token
	end     int
	comment bool
}

// lex splits the line. The end of a line, LF or CR LF, is dropped.
func lex(line string) (lexed, *fault) {
	var out lexed
	if len(line) > MaxLine {
		return out, &fault{MaxLine, MaxLine + 1, fmt.Sprintf("this line has %d bytes", len(line)),
			fmt.Sprintf("a line holds at most %d", MaxLine)}
	}
	n := len(strings.TrimRight(line, "\r\n"))
	for i := 0; i < n; {
		switch {
		case isBlank(line[i]):
			i++
		case line[i] == '#':
			out.comment = true
			return out, nil
		default:
			t, f := lexWord(line[:n], i)
			if f != nil {
				return out, f
			}
			if len(out.toks) == MaxWords {
				return out, t.fault("this line has too many words", fmt.Sprintf("a line holds at most %d", MaxWords))
			}
			out.toks = append(out.toks, t)
			i, out.end = t.end, t.end
		}
	}
	return out, nil
}

// lexWord reads the word that starts at byte i.
func lexWord(line string, i int) (token, *fault) {
	t := token{pos: i, quote: -1}
	for i < len(line) && !isBlank(line[i]) && line[i] != '#' {
		if line[i] != '"' {
			n, f := lexRune(line, i)
			if f != nil {
				return t, f
			}
			i += n
			continue
		}
		if i > t.pos && (line[i-1] != '=' || strings.IndexByte(line[t.pos:i-1], '=') >= 0) {
			return t, &fault{i, i + 1, "a string starts in the middle of a word", "put a blank before it, or the whole word in quotes"}
		}
		end, f := lexString(line, i)
		if f != nil {
			return t, f
		}
		s, err := strconv.Unquote(line[i:end])
		if err != nil {
			return t, badEscape(line, i, end)
		}
		if end < len(line) && !isBlank(line[end]) && line[end] != '#' {
			return t, &fault{end, end + 1, "a blank is missing after the string", `inside a string a quote is written \"`}
		}
		t.quote, t.str, i = i-t.pos, s, end
	}
	t.end, t.raw = i, line[t.pos:i]
	return t, nil
}

// lexRune checks the character at byte i and returns its length in bytes.
func lexRune(line string, i int) (int, *fault) {
	r, n := utf8.DecodeRuneInString(line[i:])
	switch {
	case r == utf8.RuneError && n == 1:
		return n, &fault{i, i + n, fmt.Sprintf("byte 0x%02x is not valid UTF-8", line[i]),
			fmt.Sprintf(`write it inside a string as \x%02x`, line[i])}
	case r < ' ' || r == 0x7f:
		return n, &fault{i, i + n, fmt.Sprintf("control character 0x%02x", r), fmt.Sprintf(`write it inside a string as \x%02x`, r)}
	case !strconv.IsPrint(r):
		return n, &fault{i, i + n, fmt.Sprintf("invisible character U+%04X", r), "use a plain blank, or an escape inside a string"}
	}
	return n, nil
}

// lexString returns the end of the string that starts at byte i, after its closing quote.
func lexString(line string, i int) (int, *fault) {
	for j := i + 1; j < len(line); {
		switch {
		case line[j] == '"':
			return j + 1, nil
		case line[j] == '\\' && j+1 < len(line) && line[j+1] < utf8.RuneSelf:
			j += 2
		default:
			n, f := lexRune(line, j)
			if f != nil {
				return 0, f
			}
			j += n
		}
	}
	return 0, &fault{i, len(line), "this string has no end", `close it with "`}
}

// badEscape returns the position of the escape that strconv refuses in the string at bytes i to
// end.
func badEscape(line string, i, end int) *fault {
	rest := line[i+1 : end-1]
	for rest != "" {
		_, _, tail, err := strconv.UnquoteChar(rest, '"')
		if err != nil {
			at := end - 1 - len(rest)
			return &fault{at, min(at+2, end-1), "no such escape in a string", `\n \t \" \\ \x41 \u00e9 and \101 are right`}
		}
		rest = tail
	}
	return &fault{i, end, "this string cannot be read", `a string is "…" with Go's escapes`}
}
