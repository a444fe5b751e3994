package tui_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cowscope/tui/cast"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// The built program, recording, playing demos and drawing pictures.

func readCast(t *testing.T, path string) (cast.Header, []cast.Event) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, events, err := cast.Read(f)
	if err != nil {
		t.Fatal(path, err)
	}
	return h, events
}

// replayed is what a terminal shows of a recording before the screen is left, and the recording's
// markers.
func replayed(h cast.Header, events []cast.Event) (screen string, markers []string) {
	emulator := vt.NewEmulator(h.Width, h.Height)
	go io.Copy(io.Discard, emulator) // its answers
	defer emulator.InputPipe().(io.Closer).Close()
	for _, e := range events {
		switch e.Kind {
		case cast.Output:
			text, _, over := strings.Cut(e.Data, "\x1b[?1049l")
			emulator.WriteString(text)
			if over {
				return emulator.String(), markers
			}
		case cast.Resize:
			var w, h int
			fmt.Sscanf(e.Data, "%dx%d", &w, &h)
			emulator.Resize(w, h)
		case cast.Marker:
			markers = append(markers, e.Data)
		}
	}
	return emulator.String(), markers
}

// What the terminal showed is on the tape: its last screen, its sizes, a marker for each step, and
// what was typed where that was asked for.
func TestRecordTheLab(t *testing.T) {
	for _, version := range []string{"2", "3"} {
		path := filepath.Join(t.TempDir(), "lab.cast")
		c := start(t, 120, 36, []string{"SHELL=/bin/sh", "SECRET=x"}, "--record", path, "--cast-version", version, "--record-input", "--theme", "light")
		c.sees("step 0/0").keys("m\rwf\tw").sees("step 5/5", "cow → anon", " w  → write a 0x02")
		c.mu.Lock()
		c.screen.Resize(100, 30)
		c.mu.Unlock()
		if err := pty.Setsize(c.tty, &pty.Winsize{Cols: 100, Rows: 30}); err != nil {
			t.Fatal(err)
		}
		c.changes(c.text())
		c.keys(":read a\r").sees("step 6/6", "It read 02")
		last := c.text()
		c.keys("\x03") // which draws nothing any more
		if code := c.ends(); code != 0 {
			t.Errorf("status %d", code)
		}
		c.restored()
		h, events := readCast(t, path)
		if fmt.Sprint(h.Version) != version || h.Width != 120 || h.Height != 36 || h.Timestamp == 0 || h.Title != "cowscope" || h.Term != "xterm-256color" ||
			h.Shell != "/bin/sh" || h.Theme == nil || h.Theme.Background != "#ffffff" {
			t.Errorf("%+v", h)
		}
		screen, markers := replayed(h, events)
		if screen != last {
			t.Errorf("the recording shows\n%s\nand the terminal showed\n%s", screen, last)
		}
		if want := []string{"mmap 4p rw private anon", "write a 0x01", "fork", "use p2", "write a 0x02", "read a"}; !slices.Equal(markers, want) {
			t.Errorf("markers %q", markers)
		}
		out, typed, sizes := "", "", ""
		for _, e := range events {
			switch e.Kind {
			case cast.Output:
				out += e.Data
			case cast.Input:
				typed += e.Data
			case cast.Resize:
				sizes += e.Data
			}
			if !utf8.ValidString(e.Data) || strings.ContainsRune(e.Data, utf8.RuneError) {
				t.Errorf("a character was cut: %q", e.Data)
			}
		}
		c.mu.Lock()
		raw := c.raw.String()
		c.mu.Unlock()
		if strings.ReplaceAll(raw, "\r", "") != strings.ReplaceAll(out, "\r", "") {
			t.Error("the tape holds other bytes than the terminal got")
		}
		if !strings.Contains(typed, ":read a") || sizes != "100x30" {
			t.Errorf("typed %q, sizes %q", typed, sizes)
		}
		if b, _ := os.ReadFile(path); bytes.Contains(b, []byte("SECRET")) {
			t.Error("the environment is on the tape")
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm()&^0o644 != 0 {
			t.Error(st.Mode(), err)
		}
	}
}

// Without being asked, what is typed is not recorded; and after a kill -9 all that was on the
// screen is there.
func TestRecordKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.cast")
	c := start(t, 80, 24, nil, "--record", path)
	c.sees("step 0/0").keys("m\rw").sees("step 2/2")
	var last string
	for deadline := time.Now().Add(patience); ; { // the frame may come in two pieces, and is on the tape a sixtieth of a second later; a poll redraws nothing
		last = c.text()
		h, events := readCast(t, path)
		if screen, _ := replayed(h, events); screen == last {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the recording never showed\n%s\nbut\n%s", last, screen)
		}
	}
	unix.Kill(c.cmd.Process.Pid, unix.SIGKILL)
	c.ends()
	h, events := readCast(t, path)
	screen, markers := replayed(h, events)
	if screen != last || len(markers) != 2 {
		t.Errorf("%q\n%s", markers, screen)
	}
	for _, e := range events {
		if e.Kind == cast.Input {
			t.Errorf("input was recorded: %q", e.Data)
		}
	}
}

// A lesson's markers tell the step, too.
func TestRecordALesson(t *testing.T) {
	dir := t.TempDir()
	path, file := filepath.Join(dir, "lesson.cast"), filepath.Join(dir, "x.md")
	text := "---\ntitle: A lesson\nsummary: y\nlevel: beginner\nminutes: 1\nlanguage: en\n---\n\n## We map\n\nSo.\n\n```cow\na = mmap 1p rw private anon\nexpect page a none\n```\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := start(t, 120, 36, []string{"XDG_STATE_HOME=" + dir}, "lesson", file, "--record", path)
	c.sees("We map").keys("J").sees("step 2/2").keys("q").ends()
	h, events := readCast(t, path)
	if _, markers := replayed(h, events); !slices.Equal(markers, []string{"1/1 We map · a = mmap 1p rw private anon"}) || h.Title != "cowscope: A lesson" {
		t.Errorf("%q, %q", h.Title, markers)
	}
}

// All demos, twice: the same files, byte for byte.
func TestDemosAreSteady(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	var made []map[string]string
	for range 2 {
		dir := t.TempDir()
		out, err := exec.Command(program(t), "demo", "--all", "--record-dir", dir, "--steady", "--fast").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		files := map[string]string{}
		paths, _ := filepath.Glob(filepath.Join(dir, "*.cast"))
		for _, p := range paths {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(p)] = string(b)
			if !strings.Contains(string(out), p) {
				t.Errorf("%s was not told", p)
			}
		}
		made = append(made, files)
	}
	if len(made[0]) < 5 || len(made[0]) != len(made[1]) {
		t.Errorf("%d and %d recordings", len(made[0]), len(made[1]))
	}
	for name, text := range made[0] {
		other := made[1][name]
		if text == other {
			continue
		}
		a, b := strings.Split(text, "\n"), strings.Split(other, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Errorf("%s: line %d is\n%s\nand then\n%s", name, i+1, a[i], b[i])
				break
			}
		}
	}
}

// A demo on a terminal is seen there while it is recorded; without waiting, it is over at once.
func TestDemoOnATerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cow.cast")
	c := start(t, 120, 36, nil, "demo", "cow", "--fast", "--record", path)
	if code := c.ends(); code != 0 {
		t.Errorf("status %d", code)
	}
	c.restored()
	h, events := readCast(t, path)
	screen, markers := replayed(h, events)
	if !strings.Contains(screen, "Two frames now.") || !slices.Contains(markers, `write a "HELLO"`) || h.Width != 120 {
		t.Errorf("%q\n%s", markers, screen)
	}
	c = start(t, 120, 36, nil, "demo", "cow", "--fast")
	c.sees("The lab is yours now").keys("m").sees("mmap 4p").keys("\r").sees("step 15/15").keys("q")
	if code := c.ends(); code != 0 {
		t.Errorf("status %d", code)
	}
}

func TestDemoCommands(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"wrong.cow": "mmap 1p rw private anon\nexpect page a anon\n", "broken.cow": "mmpa\n", "thesis": "years of work", "fine.cow": "# Fine\nfork\n",
		"skipped.cow": "needs nosuch\nfork\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		says string
		code int
	}{
		{"demo list", "cow                   0:4", 0},
		{"demo fine.cow --record fine.cast --size 100x30", "", 0},
		{"demo fine.cow --record fine.cast", "", 0}, // a recording may be overwritten
		{"demo fine.cow --still fine.svg --steady", "", 0},
		{"demo wrong.cow --record x.cast", "wrong.cow:2: expect page a anon does not hold", 1},
		{"demo broken.cow --record y.cast", "broken.cow:1:1: no verb mmpa", 2},
		{"demo skipped.cow --record y.cast", "nosuch", 2},
		{"demo nosuch --record y.cast", `no demo is called "nosuch"`, 2},
		{"demo ../path --record y.cast", "no demo is called", 2},
		{"demo", "demo needs a NAME", 2},
		{"demo cow", "needs a terminal", 2},
		{"demo cow --steady", "--record FILE or --still FILE", 2},
		{"demo cow --record thesis", "thesis: it is there already and is not a recording", 2},
		{"demo cow --record no/such/y.cast", "no such file or directory", 2},
		{"demo cow --record y.cast --size 5x5", `"5x5" is no size`, 2},
		{"demo cow --record y.cast --cast-version 4", "there are versions [2 3]", 2},
		{"demo cow --record y.cast --theme purple", "no theme is called", 2},
		{"demo cow --record-input", "--record-input needs --record", 2},
		{"demo cow --still y.png", ".svg, .ansi, .txt", 2},
		{"demo --all", "--all goes with --record-dir", 2},
		{"demo cow --record-dir z", "--record-dir goes with --all", 2},
		{"exec fine.cow --still y.jpeg", ".svg, .ansi, .txt", 2},
	} {
		cmd := exec.Command(program(t), strings.Fields(c.args)...)
		cmd.Dir = dir
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) || c.code == 2 && bytes.ContainsRune(out, 0x1b) {
			t.Errorf("%s: status %d, want %d and %q\n%s", c.args, code, c.code, c.says, out)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "thesis")); string(b) != "years of work" {
		t.Errorf("the file is %q", b)
	}
	for _, name := range []string{"y.cast", "z"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s stayed behind", name)
		}
	}
	h, events := readCast(t, filepath.Join(dir, "x.cast")) // up to where it went wrong
	if _, markers := replayed(h, events); !slices.Contains(markers, "mmap 1p rw private anon") {
		t.Errorf("markers %q", markers)
	}
}

// A picture of the last screen, in each of its kinds, of a demo and of a script.
func TestStills(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "x.cow")
	if err := os.WriteFile(script, []byte("mmap 4p rw private anon\nwrite a \"<&\"\nfork\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"exec", "--size", "110x34", script}, {"demo", "--size", "110x34", "--fast", script}} {
		for ending, check := range map[string]func(string) error{"svg": checkSVG, "ansi": checkANSI, "txt": checkText} {
			path := filepath.Join(dir, args[0]+"."+ending)
			if out, err := exec.Command(program(t), append(args, "--still", path)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			b, err := os.ReadFile(path)
			if err == nil {
				err = check(string(b))
			}
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

func checkSVG(text string) error {
	var svg struct {
		Text []string `xml:"text"`
	}
	if err := xml.Unmarshal([]byte(text), &svg); err != nil {
		return err
	}
	if all := strings.Join(svg.Text, " "); !strings.Contains(all, `write a "<&"`) || !strings.Contains(all, "child of p1") || strings.Contains(text, "@font-face") {
		return fmt.Errorf("it lacks something: %s", all)
	}
	return nil
}

func checkANSI(text string) error {
	emulator := vt.NewEmulator(110, 34)
	emulator.WriteString(strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\r\n"))
	if !strings.Contains(text, "\x1b[") {
		return errors.New("no colour")
	}
	return checkText(emulator.String() + "\n")
}

func checkText(text string) error {
	if strings.ContainsRune(text, 0x1b) || strings.Count(text, "\n") != 34 || !strings.Contains(text, `write a "<&"`) || !strings.Contains(text, "child of p1") {
		return fmt.Errorf("%d lines: %q", strings.Count(text, "\n"), text)
	}
	return nil
}

// P makes a picture under a name that is free, and says which.
func TestPictureKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cowscope-1.svg"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t))
	cmd.Dir = dir
	c := launch(t, cmd, 120, 36, nil)
	c.sees("step 0/0").keys("m\r").sees("step 1/1").keys("P").sees("the picture is in cowscope-2.svg").keys("P").sees("cowscope-3.svg")
	c.keys("q").ends()
	b, err := os.ReadFile(filepath.Join(dir, "cowscope-2.svg"))
	if err != nil || !strings.Contains(string(b), "reserved, no memory yet") || !strings.Contains(string(b), "<svg") {
		t.Errorf("%v: %.300s", err, b)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "cowscope-1.svg")); string(b) != "mine" {
		t.Error("a file was overwritten")
	}
}

// Asciinema's own program plays every recording: what it writes is what was recorded.
func TestAsciinema(t *testing.T) {
	player, err := exec.LookPath("asciinema")
	if err != nil {
		t.Skip("needs asciinema: the package of that name of Debian or Ubuntu")
	}
	dir := t.TempDir()
	if out, err := exec.Command(program(t), "demo", "--all", "--record-dir", dir, "--steady", "--fast").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*.cast"))
	if len(paths) == 0 {
		t.Fatal("no recordings")
	}
	for _, path := range paths {
		want := ""
		_, events := readCast(t, path)
		for _, e := range events {
			if e.Kind == cast.Output {
				want += e.Data
			}
		}
		c := launch(t, exec.Command(player, "cat", path), 120, 36, []string{"HOME=" + dir})
		code := c.ends()
		got := c.raw.String()
		if code != 0 || strings.ReplaceAll(got, "\r", "") != strings.ReplaceAll(want, "\r", "") {
			t.Errorf("%s: status %d, %d bytes of %d: %.300s", path, code, len(got), len(want), got)
		}
	}
}
