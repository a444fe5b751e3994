package lesson

import (
	_ "embed"
	"strings"
	"unicode"
)

// Format tells authors how a lesson is written, in Markdown.
//
//go:embed format.md
var Format string

// template is a lesson to begin with. TITLE stands where its title goes.
//
//go:embed template.md
var template string

// Template is a lesson to begin with, which passes the check as it is. Its title is made of name.
func Template(name string) string {
	return strings.Replace(template, "TITLE", titleOf(name), 1)
}

// titleOf makes words of a file's name: my-first_lesson.md is My first lesson.
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
