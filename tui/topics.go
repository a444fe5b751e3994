package tui

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"cowscope/actions"
	"cowscope/actions/lesson"
	"cowscope/tui/cell"
	"cowscope/vmspace"
)

// Topic is a chapter of the manual: a table of the program, as text.
type Topic struct {
	Name, About string
	write       func(io.Writer) error
}

// Topics are what there is to look up. A new one is a line here.
var Topics = []Topic{
	{"keys", "the keys of the lab and of a lesson", writeKeys},
	{"states", "the states of a page: how they are drawn, what they mean, what proves them", writeStates},
	{"language", "the commands, and the words that they take", writeLanguage},
	{"lessons", "the lessons that cowscope brings along", writeLessons},
	{"demos", "the demos that cowscope brings along, and how one is written", writeDemoWords},
}

// Write writes the chapter for a terminal of 80 columns.
func (t Topic) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	if err := t.write(out); err != nil {
		return err
	}
	return out.Flush()
}

// topicWidth is that of a chapter, in columns.
const topicWidth = 80

// entry is something that is explained.
type entry struct{ name, text string }

// section writes entries in two columns under a heading. A name that does not fit its column has a line of its own.
func section(w io.Writer, heading string, entries []entry) {
	column := 0
	for _, e := range entries {
		if n := cell.Width(e.name); n <= 20 {
			column = max(column, n)
		}
	}
	fmt.Fprintf(w, "%s\n\n", heading)
	for _, e := range entries {
		name := e.name
		if cell.Width(name) > column {
			fmt.Fprintf(w, "  %s\n", name)
			name = ""
		}
		for _, line := range cell.Wrap(e.text, topicWidth-column-4) {
			fmt.Fprintf(w, "  %s%s  %s\n", name, strings.Repeat(" ", column-cell.Width(name)), line)
			name = ""
		}
	}
	fmt.Fprintln(w)
}

func writeKeys(w io.Writer) error {
	for _, part := range []struct {
		heading string
		keys    []binding
	}{{"In the lab:", bindings}, {"In a lesson, beside those of the lab:", courseBindings}} {
		var all []entry
		for _, b := range part.keys {
			if b.help != "" {
				all = append(all, entry{b.label(), b.help})
			}
		}
		section(w, part.heading, all)
	}
	return nil
}

func writeStates(w io.Writer) error {
	var all []entry
	for i, s := range vmspace.States {
		all = append(all, entry{fmt.Sprintf("%s %s %s", cell.StateGlyph[i].Glyph, cell.StateGlyph[i].Letter, s.Name), s.Sentence + " (" + s.Evidence + ")"})
	}
	section(w, "The glyph of a page, its letter in ASCII, the state, and what proves it:", all)
	return nil
}

func writeLanguage(w io.Writer) error {
	g, err := actions.Grammar()
	if err != nil {
		return err
	}
	var verbs []entry
	for _, v := range g.Verbs() {
		verbs = append(verbs, entry{v.Usage(), v.Summary})
	}
	section(w, "Commands:", verbs)
	for _, a := range actions.AllVerbs {
		var words []entry
		for _, p := range a.Params {
			for _, x := range p.Words {
				words = append(words, entry{x.Name, x.Help})
			}
		}
		if len(words) > 0 && !a.Check { // states and features are told elsewhere
			section(w, "Words of "+a.Name+":", words)
		}
	}
	return nil
}

func writeLessons(w io.Writer) error {
	all, err := lesson.List()
	if err != nil {
		return err
	}
	var entries []entry
	for _, e := range all[lesson.English] {
		entries = append(entries, entry{e.Name, fmt.Sprintf("%s (%s, %d minutes)", e.Summary, e.Level, e.Minutes)})
	}
	section(w, "cowscope lesson NAME opens one:", entries)
	return nil
}

func writeDemoWords(w io.Writer) error {
	all, err := Demos()
	if err != nil {
		return err
	}
	var demos, words []entry
	for _, d := range all {
		demos = append(demos, entry{d.Name, d.Title})
	}
	for _, x := range demoWords {
		words = append(words, entry{x.form, x.help})
	}
	section(w, "cowscope demo NAME plays one:", demos)
	section(w, "A demo is a file of one's own with these words, a line each:", words)
	return nil
}
