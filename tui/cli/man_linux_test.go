package cli

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"

	"cowscope/tui"

	"github.com/spf13/pflag"
)

// The manual page has every command, every flag and every entry of the chapters.
func TestManIsComplete(t *testing.T) {
	root := command()
	var b bytes.Buffer
	if err := writeMan(&b, root); err != nil {
		t.Fatal(err)
	}
	has := func(text string) {
		t.Helper()
		if !strings.Contains(b.String(), roff(text)+"\n") {
			t.Errorf("the manual page lacks %q", text)
		}
	}
	for c := range commands(root, nil) {
		if c.Parent() != root || isTopic(c) {
			continue
		}
		has(c.Long)
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			_, text := pflag.UnquoteUsage(f)
			has(text)
		})
		for _, sub := range c.Commands() {
			has(sub.Short)
		}
	}
	for _, topic := range tui.Topics {
		sections, err := topic.Sections()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sections {
			has(s.Heading)
			for _, e := range s.Entries {
				has(e.Name)
				has(e.Text)
			}
		}
	}
}

// What the text holds is text: groff finds nothing to complain about, and no line of it is taken
// for a request.
func TestManIsWellFormed(t *testing.T) {
	if got := roff(".SH no\n'br\na\\b-c"); got != "\\&.SH no\n\\&'br\na\\eb\\-c" {
		t.Errorf("%q", got)
	}
	root := command()
	written := map[string]func(io.Writer) error{"cowscope": func(w io.Writer) error { return writeMan(w, root) }}
	for _, c := range pages(root) {
		written["cowscope-"+c.Name()] = func(w io.Writer) error { return writeCommandMan(w, c) }
	}
	if len(written) < 10 {
		t.Errorf("%d pages", len(written))
	}
	for _, tool := range [][]string{{"groff", "-man", "-ww", "-k", "-Tutf8"}, {"mandoc", "-T", "lint", "-W", "warning"}} {
		t.Run(tool[0], func(t *testing.T) {
			path, err := exec.LookPath(tool[0])
			if err != nil {
				t.Skipf("needs %s: %v", tool[0], err)
			}
			for name, write := range written {
				var page, said bytes.Buffer
				if err := write(&page); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(path, tool[1:]...)
				cmd.Stdin, cmd.Stderr = &page, &said
				if tool[0] == "mandoc" {
					cmd.Stdout = &said
				}
				if err := cmd.Run(); err != nil || said.Len() > 0 {
					t.Errorf("%s: %s: %v: %.2000s", name, tool[0], err, said.String())
				}
			}
		})
	}
}
