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

// Finding a lesson by what a person calls it, and the list as a person reads it.

// English is the language that every lesson exists in.
const English = "en"

// Language is the language of the lessons that the environment asks for, as LC_ALL, LC_MESSAGES and
// LANG do (locale(7)).
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

// Find gives a lesson: a file where the name has a slash or ends in .md, else one that cowscope
// brings along.
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
	return l, nil
}

// entries are the lessons of a language, with the steps of each that are done.
func entries(language string, p *Progress) ([]Entry, map[string][]int, error) {
	all, err := List()
	if err != nil {
		return nil, nil, err
	}
	if all[language] == nil {
		return nil, nil, fmt.Errorf("there are no lessons in %s; there are in %s", quoted(language), strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	done := map[string][]int{}
	if p != nil {
		if done, _, err = p.All(); err != nil {
			return nil, nil, err
		}
	}
	return all[language], done, nil
}

// NextOf names the first lesson of the path that is not done; the first of all where every one is.
func NextOf(language string, p *Progress) (string, error) {
	es, done, err := entries(language, p)
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

// WriteList writes the lessons of a language, one a line, the name first: level, minutes, how much
// is done, title and summary. For people it has a heading.
func WriteList(w io.Writer, language string, p *Progress, people bool) error {
	es, done, err := entries(language, p)
	if err != nil {
		return err
	}
	width := 0
	for _, e := range es {
		width = max(width, len(e.Name))
	}
	if people {
		if _, err := fmt.Fprintf(w, "%-*s  %-12s  %3s  %-5s  %s\n", width, "NAME", "LEVEL", "MIN", "DONE", "TITLE"); err != nil {
			return err
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
			return err
		}
	}
	return nil
}

// Line says in one line what a check found of the lesson called name.
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

// CheckAll proves the lessons that are named, or all that cowscope brings along where none is, and
// writes of each what was found. It gives how many problems there are.
func CheckAll(ctx context.Context, w io.Writer, language string, names []string) (problems int, err error) {
	if len(names) == 0 {
		names = Path()
	}
	for _, name := range names {
		l, err := Find(language, name)
		if err != nil {
			return problems, err
		}
		v, err := Check(ctx, l, Open(actions.Options{}))
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

// Create writes a lesson to begin with into NAME.md, which must not be there yet.
func Create(name string) (file string, err error) {
	name = strings.TrimSuffix(name, ".md")
	file = name + ".md"
	return file, output.Kind{By: "lesson new"}.New(file, []byte(Template(filepath.Base(name))))
}
