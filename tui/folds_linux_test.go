package tui

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cowscope/actions/watch"
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"
)

// watching is the screen on this process itself.
func watching(t *testing.T, w, h int) *driver {
	t.Helper()
	l, err := watch.Open(context.Background(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m, err := New(l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.later = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	d := &driver{t: t, m: m}
	d.send(tea.WindowSizeMsg{Width: w, Height: h})
	return d
}

// The segments of this program are one row, which opens and closes, and stays so while it goes on.
func TestFoldOfAProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d := watching(t, 120, 36)
	name := filepath.Base(self)
	segments := 0
	for _, m := range d.m.step().After.Processes[0].Mappings.All() {
		if m.Path == self {
			segments++
		}
	}
	if segments < 2 {
		t.Fatalf("%d mappings of %s", segments, self)
	}
	fold := func(want pane.Fold) {
		t.Helper()
		if r := d.m.rows().At(d.m.cursor); r.Fold != want {
			t.Fatalf("the row is %+v, want %v", r, want)
		}
	}
	d.press("/", "type:"+name, "enter")
	fold(pane.Opened)
	d.press("down")
	fold(pane.Inside)
	at := d.m.cursor
	d.press("enter")
	fold(pane.Closed)
	if d.m.cursor != at {
		t.Error("the cursor left its page")
	}
	if text := d.screen(); !strings.Contains(text, "+"+name) && !strings.Contains(text, "+"+name[:5]) {
		t.Errorf("no fold of %s:\n%s", name, text)
	}
	top := d.m.rows().At(at)
	d.press("down", "up")
	fold(pane.Closed)
	if d.m.cursor != top.Start {
		t.Errorf("up went to %#x, the fold begins at %#x", d.m.cursor, top.Start)
	}
	d.press("o")
	fold(pane.Opened)
	late := time.Now().Add(20 * time.Second)
	for steps := len(d.m.steps); len(d.m.steps) == steps; d.send(pollMsg{}) {
		if time.Now().After(late) {
			t.Fatal("no step tells of a new mapping")
		}
		if _, err := unix.MmapPtr(-1, 0, nil, 1<<20, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // polls have their rhythm
	}
	fold(pane.Opened)
	d.press("O", "O")
	fold(pane.Closed)

	// The mouse opens and closes it too.
	for _, want := range []pane.Fold{pane.Opened, pane.Closed} {
		d.screen()
		i := slices.IndexFunc(d.m.hits, func(h pane.Target) bool { return h.Kind == pane.HitFold && h.Addr == top.Start })
		if i < 0 {
			t.Fatal("nothing to click at")
		}
		d.send(tea.MouseClickMsg{X: d.m.hits[i].X, Y: d.m.hits[i].Y, Button: tea.MouseLeft})
		fold(want)
	}
}

// In the lab nothing is folded, and neither the key bar nor the card speaks of it.
func TestNoFoldInTheLab(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.seesNot("fold").press("O", "enter", "o").seesNot("fold").press("?", "j", "j", "j", "j", "j", "j").sees("go to an address").seesNot("fold")
}
