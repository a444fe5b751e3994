package tui

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"cowscope/actions"
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
	for name, table := range map[string]string{"keys": keyTable(), "states": stateTable(), "verbs": verbTable(t)} {
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
