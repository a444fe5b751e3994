package tui

import (
	"context"
	"errors"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lesson"
	"cowscope/tui/cell"
	"cowscope/vmspace"

	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "rewrite the README's picture")

// A topic tells of every row of the tables that it is made from, in lines that fit a terminal.
func TestTopics(t *testing.T) {
	told := map[string]string{}
	for _, topic := range Topics {
		var b strings.Builder
		if err := topic.Write(&b); err != nil {
			t.Fatal(topic.Name, err)
		}
		told[topic.Name] = b.String()
		for line := range strings.Lines(b.String()) {
			if cell.Width(strings.TrimSuffix(line, "\n")) > topicWidth+20 || strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
				t.Errorf("%s: %q", topic.Name, line)
			}
		}
	}
	has := func(topic, text string) {
		t.Helper()
		if !strings.Contains(told[topic], text) {
			t.Errorf("%s does not tell of %q", topic, text)
		}
	}
	for _, b := range slices.Concat(bindings, courseBindings) {
		if b.help != "" {
			has("keys", b.label())
		}
	}
	for _, s := range vmspace.States {
		has("states", s.Name)
	}
	for _, a := range actions.AllVerbs {
		has("language", a.Usage())
		for _, p := range a.Params {
			for _, w := range p.Words {
				if !a.Check {
					has("language", "  "+w.Name)
				}
			}
		}
	}
	all, err := lesson.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all[lesson.English] {
		has("lessons", e.Name)
	}
	for _, w := range demoWords {
		has("demos", w.form)
	}
}

// The scripts in the README run, and hold.
func TestReadmeScripts(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	g, err := actions.Grammar()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range regexp.MustCompile(`(?m)(?:^    .*\n)+`).FindAllString(string(b), -1) {
		script := regexp.MustCompile(`(?m)^    `).ReplaceAllString(block, "")
		if _, err := g.Parse(strings.SplitN(script, "\n", 2)[0]); err != nil {
			continue // a command of the shell
		}
		ran++
		sc, err := actions.ReadScript("README.md", strings.NewReader(script))
		if err != nil {
			t.Error(err)
			continue
		}
		if why, err := sc.Missing(); why != "" || err != nil {
			t.Log(why, err)
			continue
		}
		s, err := actions.Open(actions.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = sc.Run(context.Background(), s, func(st *history.Step, line int) error {
			if st.Result == history.Failed {
				t.Errorf("%s\nline %d: %s: %s", script, line, st.Command, st.Why)
			}
			return nil
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Errorf("%s\n%v", script, err)
		}
	}
	if ran < 3 {
		t.Errorf("only %d scripts were found", ran)
	}
}

// numbers differ from run to run: process ids, frames, and what follows from them.
var numbers = regexp.MustCompile(`pid \d+|= \d+|0x[0-9a-f]+|step \d+/\d+|faults \d+`)

// The README's picture is the screen of today. Where frame numbers are hidden the screen says other
// things, so only root compares.
func TestReadmePicture(t *testing.T) {
	const path = "../assets/lab.svg"
	d := drive(t, 120, 34, Options{Theme: "dark"})
	d.press("m", "enter", "w", "f", "tab", "w")
	d.m.View()
	if !d.m.step().After.Frames {
		t.Log("frame numbers are hidden here: the picture was not compared")
		return
	}
	clock := false
	for _, m := range d.m.step().After.Processes[0].Mappings.All() {
		clock = clock || m.Path == "[vvar_vclock]"
	}
	if !clock {
		t.Skip("needs x86-64 and Linux 6.13: the kernel of the picture lends its processes [vvar_vclock]")
	}
	got := d.m.canvas.SVG(d.m.theme, "cowscope")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if words(string(b)) != words(got) {
		t.Errorf("the README's picture is stale: go test ./tui -run TestReadme -update\n%s\n%s", words(string(b)), words(got))
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// words is the text of a picture without what differs between two runs and two kernels.
func words(svg string) string {
	text := ansi.Strip(numbers.ReplaceAllString(tags.ReplaceAllString(svg, " "), "N"))
	text = regexp.MustCompile(`Linux [\d.]+`).ReplaceAllString(text, "Linux")
	text = strings.Map(func(r rune) rune { // borders are as long as the numbers leave them
		if strings.ContainsRune("─│╭╮╰╯┬┴", r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
