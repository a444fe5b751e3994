package lesson

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cowscope/actions/feature"
	"cowscope/actions/lang"
	"cowscope/actions/run"
)

// The head of a lesson: key: value, one per line, between two lines of ---. It is parsed strictly,
// and is a subset of the YAML that forges show as a table.

const frontMark = "---"

// key is a row of the table of keys. set returns what would be right, "" if the value is.
type key struct {
	name     string
	optional bool
	set      func(f *Front, value string) (right string)
}

var keys = []key{
	{"title", false, func(f *Front, v string) string { f.Title = v; return "" }},
	{"summary", false, func(f *Front, v string) string { f.Summary = v; return "" }},
	{"level", false, func(f *Front, v string) string {
		if f.Level = v; slices.Contains(Levels, v) {
			return ""
		}
		return "it is one of " + strings.Join(Levels, ", ")
	}},
	{"minutes", false, func(f *Front, v string) string {
		n, err := strconv.Atoi(v)
		if f.Minutes = n; err == nil && 0 < n && n <= 240 && v == strconv.Itoa(n) {
			return ""
		}
		return "it is a whole number, from 1 to 240"
	}},
	{"language", false, func(f *Front, v string) string {
		if f.Language = v; languageTag(v) {
			return ""
		}
		return "it is a language tag, such as en or zh-CN"
	}},
	{"needs", true, func(f *Front, v string) string {
		f.Needs = strings.Fields(v)
		for _, n := range f.Needs {
			if err := feature.Known(n); err != nil {
				return err.Error()
			}
		}
		return ""
	}},
	{"program", true, func(f *Front, v string) string {
		if f.Program.Name = v; run.IsSource(v) {
			return ""
		}
		return "it is the name of a source in C beside the lesson, such as pages.c"
	}},
}

// languageTag reports whether v has the form of a language tag (RFC 5646), as far as lessons need
// it.
func languageTag(v string) bool {
	for i, part := range strings.Split(v, "-") {
		least := 2
		if i > 0 {
			least = 1
		}
		if len(part) < least || len(part) > 8 || i == 0 && (len(part) > 3 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz") != "") {
			return false
		}
		if strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			return false
		}
	}
	return true
}

// front parses the head and returns the number of its lines.
func (p *parser) front() int {
	if len(p.lines) == 0 || strings.TrimRight(p.lines[0], " \t") != frontMark {
		p.fail(1, 0, "the head is missing", "a lesson begins with a line ---, a line for each of "+keyList(false)+", and --- again")
		return 0
	}
	end := -1
	for i, l := range p.lines[1:] {
		if strings.TrimRight(l, " \t") == frontMark {
			end = i + 1
			break
		}
	}
	if end < 0 {
		p.fail(1, 0, "the head has no end", "close it with a line ---")
		return len(p.lines)
	}
	seen := map[string]bool{}
	for i := 1; i < end; i++ {
		p.pair(source{i + 1, 1, p.lines[i]}, seen)
	}
	var missing []string
	for _, k := range keys {
		if !k.optional && !seen[k.name] {
			missing = append(missing, k.name+":")
		}
	}
	if len(missing) > 0 {
		p.fail(end+1, 0, "the head has no "+strings.Join(missing, ", "), "there have to be "+keyList(false))
	}
	return end + 1
}

func keyList(optional bool) string {
	var out []string
	for _, k := range keys {
		if !k.optional || optional {
			out = append(out, k.name)
		}
	}
	return strings.Join(out, ", ")
}

// pair parses one line of the head.
func (p *parser) pair(s source, seen map[string]bool) {
	name, value, ok := strings.Cut(s.text, ":")
	i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
	at := utf8.RuneCountInString(s.text[:len(s.text)-len(strings.TrimLeft(value, " \t"))]) + 1
	value = strings.Trim(value, " \t")
	switch {
	case s.blank():
		p.fail(s.line, 0, "a blank line in the head", "leave it out")
	case !ok:
		p.fail(s.line, 1, quoted(s.text)+" is not a key with a value", "write key: value")
	case i < 0:
		hint := "there are " + keyList(true)
		if near := lang.Nearest(name, strings.Split(keyList(true), ", ")); near != "" {
			hint = "did you mean " + near + "?"
		}
		p.fail(s.line, 1, "no key "+quoted(name), hint)
	case seen[name]:
		p.fail(s.line, 1, name+": is there twice", "once is enough")
	case value == "":
		p.fail(s.line, at, name+": has no value", "leave out the line, or give it one")
	case !plain(value):
		p.fail(s.line, at, fmt.Sprintf("the value of %s: is not plain text in YAML, as which forges read it", name),
			"it must begin with a letter or a digit, and contain neither a colon nor a # with a blank beside it")
	default:
		if right := keys[i].set(&p.l.Front, value); right != "" {
			p.fail(s.line, at, quoted(value)+" is wrong for "+name+":", right)
		}
	}
	if i >= 0 {
		seen[name] = true
	}
}

// plain reports whether the value is a plain scalar of YAML (YAML 1.2, 7.3.3).
func plain(v string) bool {
	return !strings.ContainsAny(v[:1], "\"'[]{}&*!|>%@`#,-?:=") && !strings.Contains(v, ": ") && !strings.Contains(v, " #") && !strings.HasSuffix(v, ":")
}
