package tui

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/lesson"
	"cowscope/tui/cell"
	"cowscope/tui/prose"

	tea "charm.land/bubbletea/v2"
	"pgregory.net/rapid"
)

// attend drives a lesson; its progress is kept in the file.
func attend(t *testing.T, w, h int, progress string) *driver {
	t.Helper()
	f, err := os.Open("testdata/short.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := lesson.Parse("short.md", f)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lesson.NewPlayer(context.Background(), l, l.Open(actions.Options{}), lesson.ProgressAt(progress))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	m, err := NewCourse(p, l.Title, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.later = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	d := &driver{t: t, m: m}
	d.send(tea.WindowSizeMsg{Width: w, Height: h})
	d.settle(m.peek())
	return d
}

func TestLessonOnTheScreen(t *testing.T) {
	progress := filepath.Join(t.TempDir(), "progress.json")
	d := attend(t, 120, 36, progress)
	d.sees("A short walk", "This is where it begins", "• one", "Enter goes on", "address space", "1/3", "Enter go on")
	d.press("enter").sees("First touch", "We map a page", "page = mmap 1p rw private anon", "Enter runs this").seesNot("as claimed", "What does p1 get")
	// What it only claims runs by itself, and the question comes.
	d.press("enter").sees("as claimed", "✓ expect unmapped", "What does p1 get?", "1 a frame of its own", "Choose 1 to 2", "page · 1 page", "1-9 answer")
	d.press("H").sees("there is no goal")
	d.press("3").sees("there are answers 1 to 2")
	d.press("enter").sees("What do you think?")
	d.press("1").sees("▸ 1 a frame", "Enter asks the kernel").seesNot("Reading nothing costs nothing")
	d.press("enter").sees("✗ 1 a frame", "✓ 2 the zero page", "Not quite.", "Reading nothing costs nothing", "none → zero")
	// Back is a look, and forward again runs nothing.
	steps := len(d.m.steps)
	d.press("<").sees("This is where it begins", "✓").press(">").sees("First touch", "Not quite.")
	if len(d.m.steps) != steps {
		t.Errorf("looking back and forward made %d steps", len(d.m.steps)-steps)
	}
	d.press("enter").sees("Your turn", "page page anon", "now: ", "H gives a hint").seesNot("Well done")
	d.press("enter").sees("Your turn: reach the goal")
	d.press("H").sees("Hint 1", "Reading did not do it").press("H").sees("Hint 2", "S shows a solution")
	d.press("r").sees("now: ")                          // free play does not reach it
	d.press(":", "type:write page 7", "enter")          // and this does
	d.sees("Reached.", "Well done.", "This is the end") // by other words than the lesson's
	d.press("enter").sees("That was the lesson")
	if b, err := os.ReadFile(progress); err != nil || !strings.Contains(string(b), "2") {
		t.Errorf("the progress is %s, %v", b, err)
	}
	// A fresh subject: another history, the step's beginning again.
	d.press("n").sees("Your turn", "now: ", "H gives a hint").seesNot("Well done")
	d.press("S").sees("Solved by the lesson.", "write page 1", "Well done.")
	d.press("N").sees("This is where it begins", "step 0/0")
}

// The process that acts can be killed; the lesson says so and begins the step again.
func TestLessonSurvivesDeath(t *testing.T) {
	d := attend(t, 120, 36, filepath.Join(t.TempDir(), "progress.json"))
	d.press("enter", "enter", "K", "enter")
	d.press("2", "enter").press("enter").sees("n begins this step again")
	d.press("n").sees("First touch", "Enter runs this").press("enter").sees("What does p1 get?")
}

// Where text and lab do not fit side by side, t changes between them, and running shows the text
// again on a scroll.
func TestLessonOnASmallScreen(t *testing.T) {
	d := attend(t, 80, 24, filepath.Join(t.TempDir(), "progress.json"))
	d.sees("This is where it begins").seesNot("address space")
	d.press("t").sees("address space", "what happened").seesNot("This is where")
	d.press("t", "enter", "enter").sees("What does p1 get?")
	d.send(tea.WindowSizeMsg{Width: 40, Height: 12})
	d.sees("Enter: more ↓")
	top := d.m.course.top
	d.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown, X: 5, Y: 5})
	if d.m.course.top == top {
		t.Error("the wheel does not scroll the text")
	}
	d.send(tea.MouseWheelMsg{Button: tea.MouseWheelUp, X: 5, Y: 5})
	d.sees("↓") // there is more, and Enter shows it first
	for range 6 {
		d.press("enter")
	}
	d.sees("What do you think?")
	d.press("1", "enter")
	for range 6 {
		d.press("enter")
	}
	d.sees("page page anon")
}

// Every size is drawn, and whatever key comes.
func TestLessonAtEverySize(t *testing.T) {
	d := attend(t, 120, 36, filepath.Join(t.TempDir(), "progress.json"))
	keys := []string{"enter", "1", "2", "H", "S", "<", ">", "t", "pgup", "pgdown", "n", "m", "esc", "w", "f", "tab", "?", "[", "]", "i", "J"}
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(0, 200).Draw(t, "w"), rapid.IntRange(0, 60).Draw(t, "h")
		d.send(tea.WindowSizeMsg{Width: w, Height: h})
		d.press(rapid.SampledFrom(keys).Draw(t, "key"))
		lines := strings.Split(d.screen(), "\n")
		if w > 0 && h > 0 && len(lines) != h {
			t.Fatalf("%dx%d: %d lines", w, h, len(lines))
		}
		for _, l := range lines {
			if cell.Width(l) != w && w > 0 && h > 0 {
				t.Fatalf("%dx%d: a line of %d columns: %q", w, h, cell.Width(l), l)
			}
		}
	})
}

func TestMarkdown(t *testing.T) {
	text := func(s string, w int) string {
		var out []string
		for _, l := range prose.Markdown(s, w) {
			line := ""
			for _, sp := range l {
				line += sp.Text
			}
			if cell.Width(line) > w {
				t.Errorf("%q has %d columns, %d are there", line, cell.Width(line), w)
			}
			out = append(out, line)
		}
		return strings.Join(out, "\n")
	}
	for in, want := range map[string]string{
		"plain":                     "plain",
		"a **b** `c` *d*":           "a b c d",
		"one two three":             "one two\nthree",
		"- a\n- b":                  "• a\n• b",
		"1. a\n2. b":                "1. a\n2. b",
		"```c\nint x;\n```":         "  int x;",
		"a\n```\n  b\n```\nc":       "a\n\n    b\n\nc",
		"- a\n\n  ```\n  b\n  ```":  "• a\n\n    b",
		"~~~\n```\n~~~":             "  ```",
		"```\na\n```\n```\nb":       "  a\n\n  b",
		"写时复制是一种技术":                 "写时复制是\n一种技术",
		"- one two three\n- 2":      "• one two\n  three\n• 2",
		"- a\n  - b\n\n- c":         "• a\n  • b\n\n• c",
		"9. a\n10. b":               "9. a\n10. b",
		"> one two three":           "│ one two\n│ three",
		"a  \nb\nc":                 "a\nb c",
		"letters rw-p":              "letters\nrw-p",
		"一二三四五，六":                   "一二三四\n五，六",
		"一二三四（五）":                   "一二三四\n（五）",
		"longerthanaline":           "longerthan\naline",
		"|a|b|\n|-|-|\n|1|x y z w|": "a │ b\n──┼───────\n1 │ x y z\n  │ w",
		"### Head":                  "Head",
		"---":                       "──────────",
		"[a](b)":                    "a b",
		"![a](b)":                   "a",
		"<b>a</b> &lt; \\<":         "a < <",
		"<div>\na\n</div>":          "a",
		"<!-- a -->":                "",
		"~~a~~":                     "a",
		"- [x] a":                   "• [x] a",
		"a\n: b":                    "a\n  b",
		"\x1b[31m":                  `\x1b[31m`,
		"":                          "",
		"\\*":                       "*",
	} {
		if got := text(in, 10); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := prose.Markdown("a `b` **c**", 40)[0]; len(got) != 4 || got[1].Style != cell.Accent || got[3].Style&cell.Bold == 0 {
		t.Errorf("the styles are %v", got)
	}
	if prose.Markdown("x", 0) != nil {
		t.Error("no width, and lines")
	}
}
