package tui

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/feature"
	"cowscope/actions/watch"
	"cowscope/tui/cell"

	tea "charm.land/bubbletea/v2"
)

// M marks, shows what became since then, and says what it will do before it stops anybody. The process is
// that of a session, whose system calls are filtered: an exact mark is refused, and why is told.
func TestMarkOverlay(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {130, 40}} {
		s, err := actions.Open(actions.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		l, err := watch.Open(context.Background(), s.History()[0].PID)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		m, err := New(l, Options{ASCII: size.w == 80, Plain: size.w == 80})
		if err != nil {
			t.Fatal(err)
		}
		m.later = func(time.Duration, tea.Msg) tea.Cmd { return nil }
		d := &driver{t, m, s}
		d.send(tea.WindowSizeMsg{Width: size.w, Height: size.h})
		do := func(line string) {
			t.Helper()
			if _, err := s.Do(context.Background(), line); err != nil {
				t.Fatal(err)
			}
		}
		d.press("i", "i", "i").sees("M mark") // any key puts the keys in the place of a message
		do("a = mmap 16p rw private anon")
		do("write a 1")
		d.press("M").sees("p1 since the mark at ", "step 1", "nothing has changed", "M again", "is stopped once", "n new mark")
		do("touch a+1p 3p write")
		do("b = mmap 4p rw shared anon")
		d.press("esc", "M").sees("written", "appeared", "all", "came: zero", "sampled: writes of ")
		told := func(want string) {
			t.Helper()
			text := strings.Join(strings.Fields(strings.NewReplacer("│", " ", "|", " ").Replace(d.screen())), " ")
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, d.screen())
			}
		}
		grown := fmt.Sprintf("+%d KiB ", 3*os.Getpagesize()>>10)
		told(grown + grown + "0 3 0 0 all")
		for line := range strings.Lines(d.screen()) {
			if cell.Width(strings.TrimRight(line, "\n")) > size.w {
				t.Errorf("too wide: %q", line)
			}
		}
		want := "has a filter of system calls (seccomp)"
		if ok, _, _ := feature.Available("uffd-async"); !ok {
			want = "mark exact needs uffd-async"
		}
		d.press("M")
		told(want)
		d.press("n").sees("nothing has changed").press("esc").seesNot("since the mark at")
	}
	drive(t, 100, 30, Options{}).seesNot("M mark").press("M").sees("cowscope watch PID")
}
