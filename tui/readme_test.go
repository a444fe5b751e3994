package tui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lesson"
	"cowscope/vmspace"

	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "rewrite the README's tables and picture")

// The README's tables are made from the program's.
func TestReadmeTables(t *testing.T) {
	const path = "../README.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, table := range map[string]string{"keys": keyTable(), "states": stateTable(), "verbs": verbTable(t), "words": wordTable(), "lesson keys": courseTable(), "demo words": demoWordTable(), "lessons": lessonTable(t)} {
		re := regexp.MustCompile(`(?s)(<!-- ` + name + `: [^\n]*-->\n).*?(<!-- end -->)`)
		if !re.MatchString(text) {
			t.Fatalf("the README has no place for %s", name)
		}
		text = re.ReplaceAllStringFunc(text, func(m string) string {
			return re.FindStringSubmatch(m)[1] + "\n" + table + "\n<!-- end -->"
		})
	}
	if text == string(b) {
		return
	}
	if !*update {
		t.Fatal("the README's tables are stale: go test ./tui -run TestReadme -update")
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func code(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }

func keyTable() string {
	out := "| key | does |\n|---|---|\n"
	for _, b := range bindings {
		if b.help != "" {
			out += fmt.Sprintf("| %s | %s |\n", code(b.label()), b.help)
		}
	}
	return out
}

func courseTable() string {
	out := "| key | does |\n|---|---|\n"
	for _, b := range courseBindings {
		if b.help != "" {
			out += fmt.Sprintf("| %s | %s |\n", code(b.label()), b.help)
		}
	}
	return out
}

func demoWordTable() string {
	out := "| word | does |\n|---|---|\n"
	for _, w := range demoWords {
		out += fmt.Sprintf("| %s | %s |\n", code(w.form), w.help)
	}
	return out
}

func lessonTable(t *testing.T) string {
	all, err := lesson.List()
	if err != nil {
		t.Fatal(err)
	}
	out := "| lesson | level | minutes | about |\n|---|---|---|---|\n"
	for _, e := range all[lesson.English] {
		out += fmt.Sprintf("| `%s` | %s | %d | %s |\n", e.Name, e.Level, e.Minutes, e.Summary)
	}
	return out
}

func stateTable() string {
	out := "| glyph | ASCII | state | meaning | evidence |\n|---|---|---|---|---|\n"
	for i, s := range vmspace.States {
		out += fmt.Sprintf("| %s | %s | `%s` | %s | %s |\n", stateGlyph[i].glyph, code(stateGlyph[i].letter), s.Name, s.Sentence, s.Evidence)
	}
	return out
}

func verbTable(t *testing.T) string {
	g, err := actions.Grammar()
	if err != nil {
		t.Fatal(err)
	}
	out := "| command | does |\n|---|---|\n"
	for _, v := range g.Verbs() {
		out += fmt.Sprintf("| %s | %s |\n", code(v.Usage()), v.Summary)
	}
	return out
}

// wordTable lists the words that some verbs take, verb by verb.
func wordTable() string {
	out := "| word | of | means |\n|---|---|---|\n"
	for _, a := range actions.All {
		for _, p := range a.Params {
			if a.Check {
				continue // states and features have tables of their own
			}
			for _, w := range p.Words {
				out += fmt.Sprintf("| `%s` | %s | %s |\n", w.Name, a.Name, w.Help)
			}
		}
	}
	return out
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

// The README's picture is the screen of today. Where frame numbers are hidden the screen says other things, so only root compares.
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
	got := d.m.canvas.svg(d.m.theme, "cowscope")
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
