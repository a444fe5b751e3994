package lesson

import (
	"strings"
	"testing"
)

// What authors begin with is true as it stands.
func TestTemplate(t *testing.T) {
	for name, title := range map[string]string{
		"two-names": "Two names", "dir/my_first.lesson.md": "My first lesson", "": "A new lesson", "\x1b[31m: #": "31m", "你好": "你好", "TITLE": "TITLE",
	} {
		l, err := Parse(name, strings.NewReader(Template(name)))
		if err != nil {
			t.Fatal(err)
		}
		if l.Title != title {
			t.Errorf("%q: title %q, want %q", name, l.Title, title)
		}
		proves(t, l)
	}
}

// The example of the description is a lesson, and true.
func TestFormat(t *testing.T) {
	_, rest, ok := strings.Cut(Format, "## An example\n\n~~~~markdown\n")
	example, _, end := strings.Cut(rest, "~~~~\n")
	if !ok || !end {
		t.Fatal("the description has no example")
	}
	l, err := Parse("example.md", strings.NewReader(example))
	if err != nil {
		t.Fatal(err)
	}
	proves(t, l)
	_, rest, ok = strings.Cut(Format, "~~~~markdown\n")
	passages, _, end := strings.Cut(rest, "~~~~\n")
	if !ok || !end {
		t.Fatal("the description has no passages")
	}
	l = parse(t, head+"## A\n"+passages)
	for _, arch := range []string{"amd64", "arm64"} {
		if here, without := l.On(has(arch)); len(here.Steps[0].Items) != 3 || len(without) != 1 {
			t.Errorf("on %s: %+v, without %v", arch, here.Steps[0], without)
		}
	}
	for _, b := range blocks {
		if !strings.Contains(Format, "**"+b.name+"**") {
			t.Errorf("nothing is said of %s", b.name)
		}
	}
	for _, w := range predictWords {
		if !strings.Contains(Format, "`"+w.word) {
			t.Errorf("nothing is said of %s", w.word)
		}
	}
	for _, k := range keys {
		if !strings.Contains(Format, "| `"+k.name+"` |") {
			t.Errorf("nothing is said of %s", k.name)
		}
	}
}
