package tui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/watch"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// The bill of a watched family is on the smallest screen, in ASCII too, and follows what happens.
func TestBillOfWatch(t *testing.T) {
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
	m, err := New(l, Options{ASCII: true})
	if err != nil {
		t.Fatal(err)
	}
	m.later = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	d := &driver{t, m, s}
	d.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	do := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			if st, err := s.Do(context.Background(), line); err != nil || !st.OK() {
				t.Fatalf("%s: %v", line, err)
			}
			// A picture is read only when it is time.
			for began := time.Now(); ; {
				st, err := l.Poll(context.Background())
				if err != nil || time.Since(began) > 20*time.Second {
					t.Fatalf("%s: it is not seen: %v", line, err)
				}
				if st != nil {
					d.send(polledMsg{st, nil})
					break
				}
			}
		}
	}
	do("a = mmap 64p rw private anon", "fill a 1")
	d.press("B").sees("the bill of the forks", "no process here is the child of another", "a fork of p1 now would share")
	do("fork", "@p2 touch a 16p write")
	page := int(m.step().After.PageSize)
	d.sees("p2, child of p1", "copied since", fmt.Sprintf("%d KiB", 16*page>>10))
	if m.step().After.Frames {
		d.seesNot("either:")
	} else {
		d.sees("either:", "~")
	}
	for line := range strings.Lines(d.screen()) {
		if w := ansi.StringWidth(strings.TrimRight(line, "\n")); w > 80 || strings.ContainsFunc(line, func(r rune) bool { return r > 126 }) {
			t.Errorf("%d cells: %q", w, line)
		}
	}
	d.press("pgdown", "j", "k", "pgup", "[").sees("the bill of the forks").press("}").sees("p2, child of p1").press("esc").seesNot("the bill of the forks")
	d.press("?").sees("help")
	found := false
	for range 20 {
		if found = strings.Contains(d.screen(), "the bill of the forks"); found {
			break
		}
		d.press("down")
	}
	if !found {
		t.Error("the help card has no bill")
	}
}

// In the lab the same key is the presenter's bar.
func TestNoBillInTheLab(t *testing.T) {
	d := drive(t, 80, 24, Options{}).press("B").seesNot("the bill of the forks")
	if !d.m.presenting {
		t.Error("B does nothing in the lab")
	}
}
