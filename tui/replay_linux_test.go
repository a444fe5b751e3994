package tui

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/saved"

	tea "charm.land/bubbletea/v2"
)

// What a live lab showed at each step is what its recording shows, but for the header, the keys and
// bytes.
func TestReplayShowsTheSame(t *testing.T) {
	s, err := actions.Open(actions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, line := range []string{"mmap 4p rw private anon", "write a 1", "fork", "@p2 write a 2", "use p2", "mprotect a+1p 1p none", "write a+1p 1",
		`file data "text"`, "f = mmap 2p rw shared file=data", "write f 1", "read f+1p", "big = mmap 256g rw private anon noreserve", "write big+128g 1",
		"mmap 0 rw private anon", "expect page a anon", "munmap a+3p", "use p1", "@p2 exit 3", "wait", "restart", "mmap 2p r shared anon", "kill SIGKILL", "snapshot"} {
		if _, err := s.Do(context.Background(), line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	var b bytes.Buffer
	steps := s.History()
	w, err := saved.NewWriter(&b, saved.NewHeader(s.Info(), steps[0], false, "test"))
	for _, st := range steps {
		err = errors.Join(err, w.Write(st, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	rec, err := saved.Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.later = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	live, replay := &driver{t: t, m: m, s: s}, driveReplay(t, rec, 120, 40, Options{})
	live.send(tea.WindowSizeMsg{Width: 120, Height: 40})
	live.press("{")
	live.m.cursor, live.m.fresh = replay.m.cursor, false
	for i := range steps {
		for _, view := range []string{"words", "raw", "bytes"} {
			if a, b := panesOf(live.screen()), panesOf(replay.screen()); a != b && (view == "raw" || i < len(steps)-1) {
				t.Fatalf("step %d, %s: live\n%s\nreplay\n%s", i, view, a, b)
			}
			live.press("i")
			replay.press("i")
		}
		live.press("]")
		replay.press("]")
	}
	replay.sees("● end", "no process is left")
}

// panesOf is a screen without its header and its keys, and without what is said instead of bytes.
func panesOf(screen string) string {
	var out []string
	lines := strings.Split(screen, "\n")
	for _, l := range lines[1 : len(lines)-1] {
		if !strings.Contains(l, "bytes are read live only") && !strings.Contains(l, "a recording holds no bytes") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// full is a device on which nothing fits.
type full struct{ steps int }

func (f *full) Write(b []byte) (int, error) {
	if f.steps--; f.steps < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(b), nil
}

// A session that can no longer be saved says so once, and goes on.
func TestRecorderThatFails(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	w, err := saved.NewWriter(&full{steps: 4}, saved.NewHeader(d.s.Info(), d.s.History()[0], false, "test"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(d.s.History()[0], 0); err != nil {
		t.Fatal(err)
	}
	r := saved.NewRecorder(d.s, w)
	d.m.lab = r
	d.press("m", "enter", "w")
	if r.Failed() != nil {
		t.Fatal(r.Failed())
	}
	d.press("f").sees("step 3/3")
	d.send(pollMsg{})
	d.sees("saved up to step 2 only: no space left on device")
	d.press("tab").sees("step 4/4").seesNot("no space")
	d.send(pollMsg{})
	d.seesNot("no space")
	if r.Failed() == nil {
		t.Error("the end says nothing")
	}
}
