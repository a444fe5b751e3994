package tui

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"cowscope/actions"
	"cowscope/actions/lang"
	"cowscope/actions/lesson"
	"cowscope/actions/run"
	"cowscope/tui/cell"
	"cowscope/vmspace"
)

// Topic is a chapter of the manual: tables of the program.
type Topic struct {
	Name, About string
	Sections    func() ([]Section, error)
}

// Section is a table under a heading.
type Section struct {
	Heading string
	Entries []Entry
}

// Entry is a term and its explanation.
type Entry struct{ Name, Text string }

// Topics are the chapters. A new one is a line here.
var Topics = []Topic{
	{"keys", "the keys of the lab and of a lesson", keySections},
	{"states", "the states of a page: their glyphs, their meaning, and their evidence", stateSections},
	{"language", "the commands and their words", languageSections},
	{"lessons", "the built-in lessons", lessonSections},
	{"demos", "the built-in demos, and how to write one", demoSections},
	{"files", "the files that cowscope reads and writes", fileSections},
}

// topicWidth is the width of a chapter on a terminal, in columns.
const topicWidth = 80

// Write writes the chapter for a terminal of 80 columns.
func (t Topic) Write(w io.Writer) error {
	all, err := t.Sections()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	for _, s := range all {
		s.write(out)
	}
	return out.Flush()
}

// write writes the entries in two columns below the heading. A name that does not fit its column
// has a line of its own.
func (s Section) write(w io.Writer) {
	column := 0
	for _, e := range s.Entries {
		if n := cell.Width(e.Name); n <= 20 {
			column = max(column, n)
		}
	}
	fmt.Fprintf(w, "%s\n\n", s.Heading)
	for _, e := range s.Entries {
		name := e.Name
		if cell.Width(name) > column {
			fmt.Fprintf(w, "  %s\n", name)
			name = ""
		}
		for _, line := range cell.Wrap(e.Text, topicWidth-column-4) {
			fmt.Fprintf(w, "  %s%s  %s\n", name, strings.Repeat(" ", column-cell.Width(name)), line)
			name = ""
		}
	}
	fmt.Fprintln(w)
}

func keySections() ([]Section, error) {
	keys := func(heading string, table []binding) Section {
		s := Section{Heading: heading}
		for _, b := range table {
			if b.help != "" {
				s.Entries = append(s.Entries, Entry{b.label(), b.help})
			}
		}
		return s
	}
	return []Section{keys("In the lab:", bindings), keys("In a lesson, in addition:", courseBindings)}, nil
}

func stateSections() ([]Section, error) {
	s := Section{Heading: "The glyph of a page, its ASCII letter, the state, and its evidence:"}
	for i, x := range vmspace.States {
		name := fmt.Sprintf("%s %s %s", cell.StateLook[i].Glyph, cell.StateLook[i].Letter, x.Name)
		s.Entries = append(s.Entries, Entry{name, x.Sentence + " (" + x.Evidence + ")"})
	}
	attrs := Section{Heading: "Attributes of a page (expect page a anon huge !ksm):"}
	for i, name := range vmspace.AttrNames {
		attrs.Entries = append(attrs.Entries, Entry{name, vmspace.AttrSentences[i]})
	}
	return []Section{s, attrs}, nil
}

func languageSections() ([]Section, error) {
	g, err := actions.Grammar()
	if err != nil {
		return nil, err
	}
	verbs := Section{Heading: "Commands:"}
	for _, v := range g.Verbs() {
		verbs.Entries = append(verbs.Entries, Entry{v.Usage(), v.Summary})
	}
	running := Section{Heading: "Commands of cowscope run, where expect is the other one:"}
	for _, v := range run.Words() {
		running.Entries = append(running.Entries, Entry{v.Usage(), strings.TrimPrefix(v.Summary, "run: ")})
	}
	before, shapes := Section{Heading: "Before a command:"}, Section{Heading: "Placeholders:"}
	for _, w := range lang.Prefixes {
		before.Entries = append(before.Entries, Entry{w.Name, w.Help})
	}
	for _, w := range lang.Kinds() {
		shapes.Entries = append(shapes.Entries, Entry{w.Name, w.Help})
	}
	all := []Section{verbs, running, before, shapes}
	for _, a := range actions.AllVerbs {
		words := Section{Heading: "Words of " + a.Name + ":"}
		for _, p := range a.Params {
			for _, x := range p.Words {
				words.Entries = append(words.Entries, Entry{x.Name, x.Help})
			}
		}
		if len(words.Entries) > 0 && !a.Check { // states and features have chapters of their own
			all = append(all, words)
		}
	}
	return all, nil
}

func lessonSections() ([]Section, error) {
	all, err := lesson.List()
	s := Section{Heading: "cowscope lesson NAME opens one:"}
	for _, e := range all[lesson.English] {
		s.Entries = append(s.Entries, Entry{e.Name, fmt.Sprintf("%s (%s, %d minutes)", e.Summary, e.Level, e.Minutes)})
	}
	return []Section{s}, err
}

func fileSections() ([]Section, error) {
	return []Section{
		{"Files that you write:", []Entry{
			{"*.cow", "a script for exec, check and run --script, or a demo: a line is a command"},
			{"*.md", "a lesson; cowscope lesson new begins one, and cowscope lesson format describes the form"},
		}},
		{"Files that cowscope writes where a flag says so, and never over a file of another kind:", []Entry{
			{"--save FILE", "a session, a line of JSON for each step, for cowscope replay"},
			{"--record FILE", "what the screen showed, for asciinema"},
			{"--still FILE", "the last screen: .svg, .ansi or .txt"},
			{"--pprof FILE", "a profile of a program's page faults, for pprof"},
		}},
		{"Files that come and go:", []Entry{
			{"$XDG_STATE_HOME/cowscope/progress.json", "the steps of lessons that are done; ~/.local/state where the variable is not set"},
			{"$TMPDIR or /var/tmp", "a folder with the files of the lab, for as long as it runs"},
		}},
	}, nil
}

func demoSections() ([]Section, error) {
	all, err := Demos()
	demos := Section{Heading: "cowscope demo NAME plays one:"}
	for _, d := range all {
		demos.Entries = append(demos.Entries, Entry{d.Name, d.Title})
	}
	words := Section{Heading: "A demo is a script that may also contain these lines:"}
	for _, x := range demoWords {
		words.Entries = append(words.Entries, Entry{x.form, x.help})
	}
	return []Section{demos, words}, err
}
