package lesson

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"cowscope/actions/lang"
	"cowscope/assets"
)

// The embedded lessons: assets/lessons/LANGUAGE/NAME.md.

const lessonsDir = "lessons"

// Entry is a lesson of the list.
type Entry struct {
	Name string
	Front
	Steps int
}

// List returns the lessons of each language in the order of the path: each builds on the previous
// ones.
func List() (map[string][]Entry, error) {
	files, err := fs.Glob(assets.Lessons, lessonsDir+"/*/*.md")
	if err != nil {
		return nil, err
	}
	out := map[string][]Entry{}
	for _, f := range files {
		language, name := path.Base(path.Dir(f)), strings.TrimSuffix(path.Base(f), ".md")
		l, err := Embedded(language, name)
		if err != nil {
			return nil, err
		}
		out[language] = append(out[language], Entry{name, l.Front, len(l.Steps)})
	}
	way := Path()
	for _, es := range out {
		slices.SortStableFunc(es, func(a, b Entry) int { return slices.Index(way, a.Name) - slices.Index(way, b.Name) })
	}
	return out, nil
}

// Path lists the names of the lessons in the order in which they should be taken.
func Path() []string {
	b, err := assets.Lessons.ReadFile(lessonsDir + "/path.txt")
	if err != nil {
		return nil // it cannot fail: a test reads the embedded file
	}
	return strings.Fields(string(b))
}

// Embedded parses an embedded lesson.
func Embedded(language, name string) (*Lesson, error) {
	file := path.Join(lessonsDir, language, name+".md")
	f, err := assets.Lessons.Open(file)
	if err != nil {
		return nil, noLesson(language, name)
	}
	defer f.Close()
	l, err := Parse(file, f)
	if err != nil {
		return nil, err
	}
	l.ID = name // the same in every language
	l.Program.In, l.Program.Dirs = assets.Lessons, []string{path.Dir(file), lessonsDir}
	return l, nil
}

// noLesson says that there is no such lesson, and lists the existing ones.
func noLesson(language, name string) error {
	// The only error is a malformed pattern.
	files, _ := fs.Glob(assets.Lessons, path.Join(lessonsDir, "*", "*.md"))
	var names []string
	for _, f := range files {
		if path.Base(path.Dir(f)) == language {
			names = append(names, strings.TrimSuffix(path.Base(f), ".md"))
		}
	}
	switch near := lang.Nearest(name, names); {
	case len(names) == 0:
		return fmt.Errorf("no lesson %s: there are none in the language %s", quoted(name), quoted(language))
	case near != "":
		return fmt.Errorf("no lesson %s; did you mean %s?", quoted(name), near)
	}
	return fmt.Errorf("no lesson %s; there are %s", quoted(name), strings.Join(names, ", "))
}
