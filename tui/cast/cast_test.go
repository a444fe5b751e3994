package cast

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var header = Header{Version: 2, Width: 80, Height: 24, Timestamp: 1700000000, Title: "a <b>", Term: "xterm", Shell: "/bin/sh",
	Theme: &Theme{Foreground: "#ffffff", Background: "#000000", Palette: [16]string{"#010203", 15: "#040506"}}}

// lines counts the calls of Write, and keeps each.
type lines struct{ all []string }

func (l *lines) Write(b []byte) (int, error) {
	l.all = append(l.all, string(b))
	return len(b), nil
}

func (l *lines) read(t *testing.T) (Header, []Event) {
	t.Helper()
	h, events, err := Read(strings.NewReader(strings.Join(l.all, "")))
	if err != nil {
		t.Fatal(err)
	}
	return h, events
}

func TestLines(t *testing.T) {
	for version, want := range map[int][]string{
		2: {
			`{"version":2,"width":80,"height":24,"timestamp":1700000000,"title":"a <b>","env":{"SHELL":"/bin/sh","TERM":"xterm"},"theme":{"fg":"#ffffff","bg":"#000000","palette":"#010203:::::::::::::::#040506"}}`,
			`[0.500000, "o", "\u001b[1m<é>"]`, `[0.700000, "m", "fork"]`, `[0.700001, "r", "100x30"]`, `[1.200000, "i", "m"]`, `[1.200000, "o", "x"]`,
		},
		3: {
			`{"version":3,"term":{"cols":80,"rows":24,"type":"xterm","theme":{"fg":"#ffffff","bg":"#000000","palette":"#010203:::::::::::::::#040506"}},"timestamp":1700000000,"title":"a <b>","env":{"SHELL":"/bin/sh"}}`,
			`[0.500000, "o", "\u001b[1m<é>"]`, `[0.200000, "m", "fork"]`, `[0.000001, "r", "100x30"]`, `[0.499999, "i", "m"]`, `[0.000000, "o", "x"]`,
		},
	} {
		var l lines
		h := header
		h.Version = version
		w, err := NewWriter(&l, h)
		if err != nil {
			t.Fatal(err)
		}
		w.Output(500*time.Millisecond, []byte("\x1b[1m<é>"))
		w.Marker(700*time.Millisecond, "fork")
		w.Resize(700*time.Millisecond+1900, 100, 30)
		w.Input(1200*time.Millisecond, []byte("m"))
		w.Output(1100*time.Millisecond, []byte("x")) // a clock that was set back
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(l.all, ""); got != strings.Join(want, "\n")+"\n" {
			t.Errorf("version %d:\n%s", version, got)
		}
		if len(l.all) != len(want) {
			t.Errorf("%d lines in %d writes", len(want), len(l.all))
		}
		back, events := l.read(t)
		if !reflect.DeepEqual(back, h) && version == 2 {
			t.Errorf("read back: %+v", back)
		}
		if len(events) != 5 || events[2] != (Event{700001 * time.Microsecond, Resize, "100x30"}) || events[4].At != 1200*time.Millisecond {
			t.Errorf("read back: %+v", events)
		}
	}
	if _, err := NewWriter(&lines{}, Header{Version: 4}); err == nil {
		t.Error("version 4 was written")
	}
}

// What comes within one frame is one event; another kind of event ends the frame.
func TestFrames(t *testing.T) {
	var l lines
	w, _ := NewWriter(&l, header)
	w.Output(0, []byte("a"))
	w.Output(Frame-1, []byte("b"))
	w.Output(Frame, []byte("c"))
	w.Marker(Frame+1, "m")
	w.Output(Frame+2, []byte("d"))
	w.Flush()
	w.Flush()
	_, events := l.read(t)
	got := ""
	for _, e := range events {
		got += e.Kind + e.Data + " "
	}
	if got != "oab oc mm od " {
		t.Error(got)
	}
}

// However output is cut into writes, no character is cut in two, none is lost, and each line is
// UTF-8.
func TestCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("aé─■𝄞\x1b\n"))).Draw(t, "text")
		kind := rapid.SampledFrom([]string{Output, Input}).Draw(t, "kind")
		var l lines
		w, _ := NewWriter(&l, header)
		at := time.Duration(0)
		for b := []byte(text); len(b) > 0; {
			n := rapid.IntRange(1, len(b)).Draw(t, "n")
			at += time.Duration(rapid.IntRange(0, 30).Draw(t, "ms")) * time.Millisecond
			if kind == Output {
				w.Output(at, b[:n])
			} else {
				w.Input(at, b[:n])
			}
			b = b[n:]
		}
		w.Flush()
		_, events, err := Read(strings.NewReader(strings.Join(l.all, "")))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range events {
			if strings.ContainsRune(e.Data, utf8.RuneError) {
				t.Fatalf("a character was cut: %q", e.Data)
			}
			got += e.Data
		}
		if got != text {
			t.Fatalf("%q from %q", got, text)
		}
	})
}

// Bytes that are no UTF-8 are shown as such, and hold nothing up.
func TestBadBytes(t *testing.T) {
	var l lines
	w, _ := NewWriter(&l, header)
	w.Output(0, []byte("a\xffb\xe2\x94"))
	w.Marker(0, "\xfe")
	w.Output(time.Second, []byte("c"))
	w.Flush()
	_, events := l.read(t)
	if len(events) != 3 || events[0].Data != "a\uFFFDb" || events[1].Data != `\xfe` || events[2].Data != "\uFFFDc" {
		t.Errorf("%q", events)
	}
}

// Relative times do not drift: after a thousand odd steps both versions say the same.
func TestDrift(t *testing.T) {
	var ends []time.Duration
	for _, v := range Versions {
		var l lines
		h := header
		h.Version = v
		w, _ := NewWriter(&l, h)
		for i := range 1000 {
			w.Marker(time.Duration(i)*33333333/10, "m")
		}
		_, events := l.read(t)
		ends = append(ends, events[len(events)-1].At)
	}
	if ends[0] != ends[1] {
		t.Error(ends)
	}
}

// A frame is written when it is over, though nothing follows; what is written then outlives the
// recorder.
func TestTape(t *testing.T) {
	var l lines
	now := time.Duration(0)
	tape, err := NewTapeAt(&l, header, func() time.Duration { return now })
	if err != nil {
		t.Fatal(err)
	}
	var over []func()
	tape.after = func(d time.Duration, f func()) func() bool {
		if d != Frame {
			t.Errorf("a frame of %v", d)
		}
		over = append(over, f)
		return func() bool { return true }
	}
	tape.Output([]byte("a"))
	tape.Output([]byte("b"))
	if len(l.all) != 1 || len(over) != 1 {
		t.Fatalf("%d lines, %d frames", len(l.all), len(over))
	}
	over[0]()
	if len(l.all) != 2 {
		t.Fatal("the frame was not written at its end")
	}
	now = time.Second
	tape.Resize(80, 24) // as it was
	tape.Resize(0, 0)
	tape.Resize(100, 30)
	tape.Input([]byte("k"))
	tape.Output([]byte("c"))
	if err := tape.Close(); err != nil {
		t.Fatal(err)
	}
	_, events := l.read(t)
	want := []Event{{0, Output, "ab"}, {time.Second, Resize, "100x30"}, {time.Second, Input, "k"}, {time.Second, Output, "c"}}
	if !reflect.DeepEqual(events, want) {
		t.Errorf("%+v", events)
	}
	var none *Tape
	none.Output(nil)
	if none.Close() != nil || none.Fails() != nil {
		t.Error("no tape fails")
	}
}

// full has room for so many bytes.
type full struct {
	bytes.Buffer
	room int
}

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errors.New("no space left")
	}
	return f.Buffer.Write(b)
}

// Where no more can be written, what is there stays whole, and it is told once.
func TestFullDisk(t *testing.T) {
	f := &full{room: 600}
	tape, err := NewTapeAt(f, header, func() time.Duration { return 2 * time.Second })
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		tape.Marker("a marker of a certain length")
	}
	f.room = 1000 // and nothing is written into the hole
	tape.Marker("late")
	if err := tape.Fails(); err == nil || !strings.Contains(err.Error(), "2.0 seconds") || tape.Fails() != nil || tape.Close() == nil {
		t.Error(err)
	}
	_, events, err := Read(&f.Buffer)
	if err != nil || len(events) == 0 || events[len(events)-1].Data == "late" {
		t.Error(events, err)
	}
}

// A recorder that was killed leaves at most half a line: what is before it is read.
func TestHalfALine(t *testing.T) {
	h, events, err := Read(strings.NewReader(`{"version":3,"term":{"cols":80,"rows":24}}` + "\n# a comment\n[1.5, \"o\", \"x\"]\n[0.5, \"o\", \"y"))
	if err == nil || h.Width != 80 || len(events) != 1 || events[0].At != 1500*time.Millisecond {
		t.Error(h, events, err)
	}
}

// Only a recording is overwritten, and only when there is something to write.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old := `{"version":2,"width":80,"height":24}` + "\n[0, \"o\", \"old\"]\n"
	for name, text := range map[string]string{"thesis": "years of work", "json": `{"version":2}`, "long": strings.Repeat("x", 1<<20), "cast1": `{"version":1,"width":80,"height":24}`} {
		path := write(name, text)
		if _, err := Create(path); err == nil || !strings.Contains(err.Error(), "is not a recording") {
			t.Errorf("%s: %v", name, err)
		}
		if b, _ := os.ReadFile(path); string(b) != text {
			t.Errorf("%s was touched", name)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(write("target", old), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, dir, "/dev/null", filepath.Join(dir, "no", "such")} {
		if _, err := Create(path); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
	for name, text := range map[string]string{"old": old, "empty": ""} {
		path := write(name, text)
		f, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(path); string(b) != text {
			t.Errorf("%s was touched before anything was written", name)
		}
		f.Write([]byte("new"))
		f.Close()
		if b, _ := os.ReadFile(path); string(b) != "new" {
			t.Errorf("%s holds %q", name, b)
		}
	}
	path := filepath.Join(dir, "fresh")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("a file stayed behind for a recording that never began")
	}
	var none *File
	if none.Close() != nil {
		t.Error("no file fails")
	}
}
