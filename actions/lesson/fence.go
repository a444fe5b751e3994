package lesson

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Fences, as in CommonMark: three or more backticks or tildes, after at most three blanks.

// fence is the line that opens a block.
type fence struct {
	indent int
	mark   string // its backticks or tildes
	info   string // the text after them
	col    int    // of info, from 1
}

// openFence parses a line that opens a block.
func openFence(line string) (fence, bool) {
	rest := strings.TrimLeft(line, " ")
	f := fence{indent: len(line) - len(rest)}
	if f.indent > 3 || rest == "" || rest[0] != '`' && rest[0] != '~' {
		return f, false
	}
	behind := strings.TrimLeft(rest, rest[:1])
	f.mark = rest[:len(rest)-len(behind)]
	info := strings.TrimLeft(behind, " \t")
	f.col = utf8.RuneCountInString(line[:len(line)-len(info)]) + 1
	f.info = strings.TrimRight(info, " \t")
	inline := f.mark[0] == '`' && strings.Contains(f.info, "`") // ```code``` in running text
	return f, len(f.mark) >= 3 && !inline
}

// closes says whether a line ends the block.
func (f fence) closes(line string) bool {
	rest := strings.TrimLeft(line, " ")
	if len(line)-len(rest) > 3 {
		return false
	}
	rest = strings.TrimRight(rest, " \t")
	return len(rest) >= len(f.mark) && strings.Trim(rest, f.mark[:1]) == ""
}

// Part is a stretch of Markdown: prose, or the code of a fenced block. A block that is indented, as in a list, stays with its prose.
type Part struct {
	Code bool
	Text string
	at   int // in bytes, where it begins
}

// Parts divides Markdown into prose and code.
func Parts(text string) []Part {
	var out []Part
	var in *fence
	end := 0 // of the line, in bytes
	begin := func(code bool, at int) { out = append(out, Part{Code: code, at: at}) }
	add := func(code bool, line string) {
		if last := len(out) - 1; last < 0 || out[last].Code != code {
			begin(code, end-len(line))
		}
		p := &out[len(out)-1]
		p.Text = text[p.at:end]
	}
	for line := range strings.Lines(text) {
		end += len(line)
		bare := strings.TrimRight(line, "\r\n")
		if in == nil {
			f, opens := openFence(bare)
			if opens {
				in = &f
			}
			if !opens || f.indent > 0 {
				add(false, line)
			} else {
				begin(true, end)
			}
			continue
		}
		closes := in.closes(bare)
		if in.indent > 0 {
			add(false, line)
		} else if !closes {
			add(true, line)
		} else {
			begin(false, end) // what comes now is prose, or a block of its own
		}
		if closes {
			in = nil
		}
	}
	return out
}

// source is a piece of a line of the file.
type source struct {
	line, col int
	text      string
}

// within is the line of a block without the indentation of its fence.
func (f fence) within(n int, line string) source {
	i := 0
	for i < f.indent && i < len(line) && line[i] == ' ' {
		i++
	}
	return source{n, i + 1, line[i:]}
}

// behind is s without its first n bytes and the blanks after them.
func (s source) behind(n int) source {
	rest := strings.TrimLeft(s.text[n:], " \t")
	s.col += utf8.RuneCountInString(s.text[:len(s.text)-len(rest)])
	s.text = rest
	return s
}

// unindented is the lines from the first that is not blank on, that one without the blanks before its text.
func unindented(lines []source) []source {
	i := slices.IndexFunc(lines, func(s source) bool { return !s.blank() })
	if i < 0 {
		return nil
	}
	return append([]source{lines[i].behind(0)}, lines[i+1:]...)
}

func (s source) blank() bool { return strings.TrimSpace(s.text) == "" }
