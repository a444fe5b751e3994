package lesson

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cowscope/actions"
	"cowscope/actions/output"
	"cowscope/vmspace/printable"
)

// Finding a lesson by name, and the list of lessons for people.

// English is the language that every lesson is available in.
const English = "en"

// Language is the language of lessons that the environment selects by LC_ALL, LC_MESSAGES and LANG
// (locale(7)).
func Language(env func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(v, "zh") {
				return "zh-CN"
			}
			return English
		}
	}
	return English
}

// Find returns a lesson: from a file if the name contains a slash or ends in .md, otherwise an
// embedded one.
func Find(language, name string) (*Lesson, error) {
	if !strings.HasSuffix(name, ".md") && !strings.ContainsRune(name, os.PathSeparator) {
		return Embedded(language, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, printable.Error(err)
	}
	defer f.Close()
	l, err := Parse(name, f)
	if err != nil {
		return nil, err
	}
	if l.ID, err = filepath.Abs(name); err != nil {
		return nil, err
	}
	l.Program.In, l.Program.Dirs, l.Program.Foreign = os.DirFS(filepath.Dir(l.ID)), []string{"."}, true
	return l, nil
}

// entries returns the lessons of a language, with the steps of each that are done; told is why
// these are unknown.
func entries(language string, p *Progress) (all []Entry, done map[string][]int, told string, err error) {
	every, err := List()
	if err != nil {
		return nil, nil, "", err
	}
	if every[language] == nil {
		return nil, nil, "", fmt.Errorf("there are no lessons in %s; there are in %s", quoted(language), strings.Join(slices.Sorted(maps.Keys(every)), ", "))
	}
	if p != nil {
		done, told = p.All()
	}
	return every[language], done, told, nil
}

// NextOf returns the name of the first lesson of the path that is not done; the first of all if
// every one is.
func NextOf(language string, p *Progress) (string, error) {
	es, done, _, err := entries(language, p)
	if err != nil {
		return "", err
	}
	for _, e := range es {
		if len(done[e.Name]) < e.Steps {
			return e.Name, nil
		}
	}
	return es[0].Name, nil
}

// WriteList writes the lessons of a language, one per line, the name first: level, minutes, how
// much is done, title and summary. With people it has a heading.
func WriteList(w io.Writer, language string, p *Progress, people bool) (told string, err error) {
	es, done, told, err := entries(language, p)
	if err != nil {
		return "", err
	}
	width := 0
	for _, e := range es {
		width = max(width, len(e.Name))
	}
	if people {
		if _, err := fmt.Fprintf(w, "%-*s  %-12s  %3s  %-5s  %s\n", width, "NAME", "LEVEL", "MIN", "DONE", "TITLE"); err != nil {
			return told, err
		}
	}
	for _, e := range es {
		state := "-"
		if n := len(done[e.Name]); n >= e.Steps {
			state = "done"
		} else if n > 0 {
			state = fmt.Sprintf("%d/%d", n, e.Steps)
		}
		if _, err := fmt.Fprintf(w, "%-*s  %-12s  %3d  %-5s  %s: %s\n", width, e.Name, e.Level, e.Minutes, state, e.Title, e.Summary); err != nil {
			return told, err
		}
	}
	return told, nil
}

// Line is the result of a check of the lesson called name, in one line.
func (v Verdict) Line(name string) string {
	name = printable.Name(name)
	without := ""
	if len(v.Without) > 0 {
		without = "; left out: what needs " + strings.Join(v.Without, ", ")
	}
	switch {
	case v.Skipped != "":
		return fmt.Sprintf("%s: skipped: %s", name, v.Skipped)
	case len(v.Problems) > 0:
		return fmt.Sprintf("%s: %d problems in %d commands and %d claims%s", name, len(v.Problems), v.Commands, v.Claims, without)
	}
	return fmt.Sprintf("%s: ok: %d commands, %d claims%s", name, v.Commands, v.Claims, without)
}

// CheckAll checks the named lessons, or all embedded ones if no name is given, and writes the
// result of each. It returns the number of problems.
func CheckAll(ctx context.Context, w io.Writer, language string, names []string, o actions.Options) (problems int, err error) {
	if len(names) == 0 {
		names = Path()
	}
	for _, name := range names {
		l, err := Find(language, name)
		if err != nil {
			return problems, err
		}
		v, err := Check(ctx, l, l.Open(o))
		if err != nil {
			return problems, err
		}
		for _, p := range v.Problems {
			fmt.Fprintln(w, p)
		}
		problems += len(v.Problems)
		if _, err := fmt.Fprintln(w, v.Line(name)); err != nil {
			return problems, err
		}
	}
	return problems, nil
}

// Create writes a new lesson, to be completed, into NAME.md, which must not exist.
func Create(name string) (file string, err error) {
	name = strings.TrimSuffix(name, ".md")
	file = name + ".md"
	return file, output.Kind{By: "lesson new"}.New(file, []byte(Template(filepath.Base(name))))
}
