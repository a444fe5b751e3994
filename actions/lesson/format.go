package lesson

import (
	_ "embed"
	"strings"
	"unicode"
)

// Format describes for authors, in Markdown, how a lesson is written.
//
//go:embed format.md
var Format string

// template is a new lesson. TITLE marks the place of its title.
//
//go:embed template.md
var template string

// Template returns a new lesson, which passes the check as it is. Its title is made from name.
func Template(name string) string {
	return strings.Replace(template, "TITLE", titleOf(name), 1)
}

// titleOf makes a title from a file name: my-first_lesson.md is My first lesson.
func titleOf(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	name = strings.TrimSuffix(name, ".md")
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	title := []rune(strings.Join(words, " "))
	if len(title) == 0 {
		return "A new lesson"
	}
	title[0] = unicode.ToUpper(title[0])
	return string(title[:min(len(title), 80)])
}
