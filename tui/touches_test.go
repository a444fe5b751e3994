package tui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cowscope/actions/history"
	"cowscope/actions/saved"
	"cowscope/tui/pane"
	"cowscope/vmspace"

	tea "charm.land/bubbletea/v2"
)

// touchedStory is the recorded story, in which faults were told: on the first page that came, and at
// many places elsewhere.
func touchedStory(t *testing.T) (rec *saved.Recording, came int, addr uint64) {
	t.Helper()
	rec = readStory(t, storyFile)
	for i, st := range rec.Steps {
		for _, c := range st.Changes {
			if came == 0 && c.Kind == vmspace.ChangePage && c.To == "anon" {
				came, addr = i, c.Range.Start
			}
		}
	}
	if came == 0 {
		t.Fatal("no page comes in the story")
	}
	at := vmspace.Place{Function: "fill", Offset: 0x1c, File: "/src/fill.c", Line: 20, Object: "/bin/fill"}
	rec.Steps[came].Faults = []history.Fault{{Process: "p1", TID: 77, Start: addr, Pages: 1, Count: 1, Did: vmspace.ZeroFill, At: at}}
	for i := range uint64(40) {
		rec.Steps[came].Faults = append(rec.Steps[came].Faults,
			history.Fault{Process: "p1", TID: 77, Count: 100 + i, Did: vmspace.Copy, At: vmspace.Place{Object: "/lib/libc.so.6", At: 0x1000 + i}})
	}
	rec.Steps[came].Lost = 5
	return rec, came, addr
}

// The inspector says who touched a page first; T lists the places, the one with the most first, up
// to the step that is shown.
func TestTouches(t *testing.T) {
	for _, opts := range []Options{{}, {ASCII: true, Plain: true}} {
		rec, came, addr := touchedStory(t)
		d := driveReplay(t, rec, 80, 24, opts)
		d.press("T").sees("cowscope watch").seesNot("page faults by place")
		for range came {
			d.press("]")
		}
		d.m.cursor, d.m.fresh = addr, false
		d.sees("first touched by thread 77 at fill.c:20")
		d.press("T").sees("page faults by place", "4781", "5 not seen", "faults  did", "139  copy", "libc.so.6+0x1027").seesNot("zero-fill   ")
		lines := strings.Split(d.screen(), "\n")
		if len(lines) != 24 {
			t.Errorf("%d lines", len(lines))
		}
		d.press("pgdown", "pgdown", "pgdown", "down", "down").sees("1  zero-fill", "fill.c:20 fill")
		d.press("esc").seesNot("page faults by place")
	}
}

// A page is marked where only a fault was told, and nothing differs.
func TestMarksOfFaults(t *testing.T) {
	snap := &vmspace.Snapshot{PageSize: 4096}
	marks := pane.NewMarks(&history.Step{After: snap, Faults: []history.Fault{
		{Process: "p1", Start: 0x3000, Pages: 2, Count: 2}, {Process: "p1", Start: 0x1000, Pages: 1, Count: 1}, {Process: "p2", Start: 0x9000, Count: 7}}})
	if got := fmt.Sprint(marks); got != fmt.Sprint(map[string][]vmspace.Range{"p1": {{Start: 0x1000, End: 0x2000}, {Start: 0x3000, End: 0x5000}}}) {
		t.Error(got)
	}
}

// watchedLab is a lab that would be told of page faults.
type watchedLab struct {
	*saved.Lab
	steps  []*history.Step
	untold string
	next   *history.Step
}

func (l *watchedLab) Touches() (t history.Tally)                  { return t }
func (l *watchedLab) Untold() string                              { return l.untold }
func (l *watchedLab) History() []*history.Step                    { return l.steps }
func (l *watchedLab) Poll(context.Context) (*history.Step, error) { return l.next, nil }

// That faults are not told is said once, with what would help; and so is how many were not seen.
func TestUntold(t *testing.T) {
	rec, _, _ := touchedStory(t)
	inner, err := saved.NewLab(rec)
	if err != nil {
		t.Fatal(err)
	}
	l := &watchedLab{Lab: inner, steps: rec.Steps, untold: "sysctl kernel.perf_event_paranoid=2 would help; it is 4"}
	m, err := New(l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.later = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	d := &driver{t: t, m: m}
	d.send(tea.WindowSizeMsg{Width: 120, Height: 30})
	d.sees("page faults are not told", "perf_event_paranoid=2 would help")
	d.press("i").seesNot("page faults are not told")
	d.press("}", "T").sees("page faults are not told")
	last := *rec.Steps[len(rec.Steps)-1]
	last.Lost = 1234
	l.next = &last
	d.send(pollMsg{})
	d.sees("1234 faults not seen")
	l.next = nil
	d.press("i")
	d.send(pollMsg{})
	d.seesNot("not seen")
}
