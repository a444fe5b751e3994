package tui

import (
	"os"
	"strings"
	"testing"
	"time"

	"cowscope/actions/saved"
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
)

// Recordings on the screen. No process is traced here, and nothing is asked of the kernel.

const storyFile = "../actions/saved/testdata/story.jsonl"

func readStory(t *testing.T, path string) *saved.Recording {
	t.Helper()
	rec, err := saved.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// driveReplay is drive for a recording.
func driveReplay(t *testing.T, rec *saved.Recording, w, h int, opts Options) *driver {
	t.Helper()
	l, err := saved.NewLab(rec)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(l, opts)
	if err != nil {
		t.Fatal(err)
	}
	m.later = func(time.Duration, tea.Msg) tea.Cmd {
		t.Error("a recording waits for something")
		return nil
	}
	d := &driver{t: t, m: m}
	d.settle(m.Init())
	d.send(tea.WindowSizeMsg{Width: w, Height: h})
	return d
}

// A recording is walked through both ways, from its beginning, and says what it is.
func TestReplay(t *testing.T) {
	replayStory(t, storyFile, "Linux 6.18 · frames visible (root) · recorded 2026-11-21",
		"rss 8K", "text           0000'0040'0000    1p", "7fff'f7ff'3000    4p", "33p │ rw-p stack", "mmap(NULL, 16384, ")
}

// A recording of pages of 16 KiB, made on arm64, tells the same in its own sizes.
func TestReplayLargePages(t *testing.T) {
	replayStory(t, "../actions/saved/testdata/story-16k.jsonl", "Linux 6.12 · frames visible (root) · recorded 2026-11-28",
		"rss 32K", "text           0000'0040'0000    1p", "7fff'f7fe'4000    4p", "9p │ rw-p stack", "mmap(NULL, 65536, ")
}

// replayStory walks through a story, whose machine and sizes are shown.
func replayStory(t *testing.T, file, head string, sizes ...string) {
	rec := readStory(t, file)
	d := driveReplay(t, rec, 160, 40, Options{})
	d.sees("replay · "+head, "step 0/20", "[ ] history", "i inspect", "q quit").seesNot("live", "mmap  w")
	d.press("]").sees("step 1/20", "reserved, no memory yet").sees(sizes...)
	d.press("]").sees("none → anon", "a · 4 pages")
	d.press("]").sees("child of p1", "║", "one frame, mapped by p1 and p2")
	d.press("]").sees(`@p2 write a "HELLO"`, "cow → anon", "≠")
	d.press("]").sees("000      68 65 6c 6c 6f", "hello").press("]").sees("p1 a · ", "a recording holds no bytes")
	d.press("tab").sees("p2 a · ", "000      48 45 4c 4c 4f").press("i").sees("pagemap", "kpage", "VmFlags").press("i").sees("000      48 45")
	d.press("}").sees("step 20/20", "● end").press("[", "[").sees("step 18/20").press("{").sees("step 0/20")
	d.press("?").sees("States of a page").press("esc")
}

// In the past Tab and the mouse look at another process, until the step changes; nothing runs.
func TestLookingAround(t *testing.T) {
	d := driveReplay(t, readStory(t, storyFile), 160, 40, Options{})
	d.press("tab").sees("p1 is the only process of this step")
	d.press("]", "]", "]", "]").sees("● p1", "p1 a · ").seesNot("● p2")
	d.press("tab").sees("● p2", "p2 a · ").seesNot("● p1").press("tab").sees("● p1").press("shift+tab").sees("● p2", "step 4/20")
	d.press("[").sees("● p1").press("]")
	d.screen()
	for _, h := range d.m.hits {
		if h.Kind == pane.HitPage && h.Label == "p2" && h.Addr == d.m.cursor {
			d.send(tea.MouseClickMsg{X: h.X, Y: h.Y, Button: tea.MouseLeft})
			break
		}
	}
	d.sees("● p2", "step 4/20").press("}").seesNot("● p2")
}

// Nothing runs in a recording, and every key that would says so.
func TestReplayRunsNothing(t *testing.T) {
	d := driveReplay(t, readStory(t, storyFile), 80, 24, Options{})
	for _, b := range bindings {
		if b.off == nil || b.in != nil && !b.in(d.m) || strings.HasSuffix(b.keys[0], "tab") { // which only looks at another process
			continue
		}
		for _, at := range []string{"{", "}"} {
			d.press(at, b.keys[0])
			if d.m.over != nil || d.m.busy != "" {
				t.Fatalf("%s does something in a recording", b.keys[0])
			}
			d.sees("this is a recording", "starts a live lab")
		}
	}
	if n := len(d.m.steps); n != 21 {
		t.Errorf("%d steps", n)
	}
	d.press("}")
	d.screen()
	for _, h := range d.m.hits { // nor does the mouse
		if h.Kind == pane.HitPage || h.Kind == pane.HitRow || h.Kind == pane.HitStep {
			d.send(tea.MouseClickMsg{X: h.X, Y: h.Y, Button: tea.MouseLeft})
		}
	}
	if d.m.busy != "" || len(d.m.lab.History()) != 21 {
		t.Error("a click ran something")
	}
}

// hostile are texts and sizes that a file can hold and no kernel would tell.
var hostileEdits = []string{
	`"event":"a fresh`, `"event":"\u001b[2J\u009b\u0007\n\u202ea fresh`,
	`"path":"[vvar]"`, `"path":"\u001b]0;owned\u0007\n\u0301\u200b/x"`,
	`"command":"fork"`, `"command":"fork\r\n\u001b[H\u007f"`,
	`"kernel":"Linux 6.18"`, `"kernel":"\u001b[31mLinux"`,
	`"end":"0x7ffff7ffb000"`, `"end":"0x7ffff7ffb000"`,
	`"end":"0xffffffffff601000"`, `"end":"0xfffffffffffff000"`,
	`"end":"0x401000","perms"`, `"end":"0x7ffff7ff7000","perms"`,
	`"start":"0x400000","end":"0x401000","step":0`, `"start":"0x0","end":"0xffffffffffffffff","step":9223372036854775807`,
	`"rss":8192,"st`, `"rss":18446744073709551615,"st`,
	`"predicted":["zero-fill"]`, `"predicted":["\u001b[5m"]`,
}

// A hostile recording is drawn like any other: every size, every step, whatever the inspector
// shows, and no byte of it reaches the terminal.
func TestReplayHostile(t *testing.T) {
	b, err := os.ReadFile(storyFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	text := strings.NewReplacer(hostileEdits...).Replace(lines[0]+lines[1]) + `{"step":1,"process":"p1","pid":1,"current":"p999","result":"SIG","fault_address":"0xffffffffffffffff",` +
		`"focus":{"start":"0xfffffffffffffffe","end":"0xffffffffffffffff"}}` + "\n" +
		`{"step":2,"process":"p1","pid":1,"current":"p1","snapshot":{"labels":[]}}` + "\n"
	rec, err := saved.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{80, 24}, {200, 60}, {0, 0}, {300, 10}} {
		d := driveReplay(t, rec, size[0], size[1], Options{Plain: true})
		for range rec.Steps {
			for _, key := range []string{"g", "shift+right", "right", "G", "pgup", "down", "i", "up", "i", "left", "i", "?", "esc"} {
				d.press(key)
				for _, bad := range []string{"\x1b]0", "\x1b[2J", "\x1b[H", "\x1b[5m", "\u009b", "\u202e", "\x07", "\x7f"} {
					if strings.Contains(d.m.View().Content, bad) {
						t.Fatalf("the terminal gets %q", bad)
					}
				}
			}
			d.press("]")
		}
	}
}
