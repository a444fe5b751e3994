package tui

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/steady"
	"cowscope/tui/cast"
	"cowscope/tui/cell"
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"pgregory.net/rapid"
)

func readDemo(t *testing.T, text string) *Demo {
	t.Helper()
	d, err := ReadDemo("x.cow", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// staged is a demo on a stage, and what it recorded.
type staged struct {
	*stage
	play *play
	out  bytes.Buffer
}

// onStage sets a demo up; nothing of it has run.
func onStage(t *testing.T, d *Demo, mask bool, opts Options) *staged {
	t.Helper()
	l, done, err := d.start(actions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	if mask {
		l = steady.New(l)
	}
	m, err := NewPlay(d, l, opts)
	if err != nil {
		t.Fatal(err)
	}
	m.play.leaves = true
	st := &staged{stage: newStage(m, nil), play: m.play}
	if st.tape, err = cast.NewTapeAt(&st.out, m.header(2, DefaultSize, "x"), func() time.Duration { return st.now }); err != nil {
		t.Fatal(err)
	}
	m.tape = st.tape
	return st
}

func (s *staged) plays(t *testing.T) ([]cast.Event, error) {
	t.Helper()
	if err := s.run(context.Background(), DefaultSize); err != nil {
		t.Fatal(err)
	}
	if err := s.tape.Close(); err != nil {
		t.Fatal(err)
	}
	_, events, err := cast.Read(&s.out)
	if err != nil {
		t.Fatal(err)
	}
	return events, s.play.outcome()
}

// What is wrong with a demo is found before any of it runs, and told with its line.
func TestDemoMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"say no quotes\n":                    `x.cow:1: say needs a text: say "four pages"`,
		"say 'x'\n":                          "x.cow:1: say needs",
		"say\n":                              "x.cow:1: say needs",
		"fork\n\npause soon\n":               "x.cow:3: pause needs a number",
		"pause -1\n":                         "x.cow:1: pause needs",
		"pause NaN\n":                        "x.cow:1: pause needs",
		"key Entre\n":                        `x.cow:1: no key is called "Entre"`,
		"key \n":                             `no key is called ""`,
		"fork\nsize 120x36\n":                "x.cow:2: size comes too late",
		"size 10x10\nfork\n":                 `x.cow:1: "10x10" is no size`,
		"fork\nmmpa 4p\n":                    "x.cow:2:1: no verb mmpa",
		"say \"x\"\nfork\nneeds frames\n":    "x.cow:3:1: needs comes too late",
		"# nothing\n\n":                      "x.cow: the demo does nothing",
		"# only a check\nsize 120x36\n # \n": "the demo does nothing",
	} {
		if _, err := ReadDemo("x.cow", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What goes wrong while a demo plays ends it there.
func TestDemoGoesWrong(t *testing.T) {
	for text, want := range map[string]string{
		"mmap 1p rw private anon\n\nexpect page a anon\nfork\n": "x.cow:3: expect page a anon does not hold",
		"fork\nread nowhere\nfork\n":                            "x.cow:2:6: nothing is called nowhere",
		"key Tab\nfork\n":                                       "x.cow:1: p1 is the only process",
		"mmap 1p rw private anon\nkey q\nfork\n":                "x.cow:3: the demo ended here",
	} {
		s := onStage(t, readDemo(t, text), false, Options{})
		events, err := s.plays(t)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		for _, e := range events {
			if e.Kind == cast.Marker && e.Data == "fork" && !strings.HasPrefix(text, "fork") {
				t.Errorf("%q went on", text)
			}
		}
	}
}

// A demo's lines are typed at a person's pace, its checks are not seen, and each step has a marker.
func TestDemoPlays(t *testing.T) {
	s := onStage(t, readDemo(t, "# A title\nsay \"A caption.\"\na = mmap 4p rw private anon\nexpect page a none\nkey w\npause 3\nkey Enter\n"), true, Options{Theme: "dark"})
	events, err := s.plays(t)
	if err != nil {
		t.Fatal(err)
	}
	var markers []string
	emulator := vt.NewEmulator(DefaultSize.W, DefaultSize.H)
	typed := map[string]time.Duration{}
	var end time.Duration
	for _, e := range events {
		switch e.Kind {
		case cast.Marker:
			markers = append(markers, e.Data)
		case cast.Output:
			emulator.WriteString(e.Data)
			for _, want := range []string{": a = mm ", ": a = mmap 4p rw private anon", "A caption.", "write a 0x01"} {
				if _, ok := typed[want]; !ok && strings.Contains(emulator.String(), want) {
					typed[want] = e.At
				}
			}
		}
		end = e.At
	}
	if fmt.Sprint(markers) != "[a = mmap 4p rw private anon write a 0x01]" {
		t.Errorf("markers: %q", markers)
	}
	if d := typed[": a = mmap 4p rw private anon"] - typed[": a = mm "]; d != 21*perLetter {
		t.Errorf("21 letters took %v", d)
	}
	if typed["A caption."] != 0 || typed["write a 0x01"] == 0 || end != s.play.demo.Length() || end < 6*time.Second {
		t.Errorf("%v, the end at %v of %v", typed, end, s.play.demo.Length())
	}
	if strings.Contains(s.m.frame.Content, "expect") {
		t.Error("an expectation was shown")
	}
}

// The stage draws what Bubble Tea would: after every frame, a terminal shows the model's screen,
// cell by cell.
func TestStageDrawsTheScreen(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	for _, opts := range []Options{{Theme: "dark"}, {ASCII: true, Plain: true}} {
		demo, err := FindDemo("bgsave")
		if err != nil {
			t.Fatal(err)
		}
		s := onStage(t, demo, false, opts)
		emulator := vt.NewEmulator(DefaultSize.W, DefaultSize.H)
		frames, header, done := 0, []byte(nil), 0
		seen := func() {
			s.tape.Close()
			all := s.out.Bytes()
			if header == nil {
				header = all[:bytes.IndexByte(all, '\n')+1]
				done = len(header)
			}
			_, events, err := cast.Read(bytes.NewReader(slices.Concat(header, all[done:])))
			if err != nil {
				t.Fatal(err)
			}
			done = len(all)
			out := ""
			for _, e := range events {
				if e.Kind == cast.Output {
					out += e.Data
				}
			}
			frames += len(events)
			emulator.WriteString(out)
			want := ansi.Strip(s.m.View().Content)
			if got := emulator.String(); trimLines(got) != trimLines(want) {
				t.Fatalf("at %v the terminal shows\n%s\nand the screen is\n%s", s.now, got, want)
			}
		}
		s.update(tea.WindowSizeMsg{Width: DefaultSize.W, Height: DefaultSize.H})
		s.settle(s.m.Init())
		for n := 0; len(s.queue) > 0 && !s.over; n++ {
			next := s.queue[0]
			s.queue = s.queue[1:]
			s.now = next.at
			s.update(next.msg)
			if n == 20 { // in the middle of a line, the window changes
				emulator.Resize(100, 30)
				s.update(tea.WindowSizeMsg{Width: 100, Height: 30})
			}
			seen()
		}
		if s.play.outcome() != nil || frames < 50 {
			t.Errorf("%d frames, %v", frames, s.play.outcome())
		}
	}
}

func trimLines(s string) string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		out = append(out, strings.TrimRight(l, " \r"))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

// While a demo plays, Space stops it and q leaves it; no other key reaches the lab.
func TestDemoAndUser(t *testing.T) {
	s := onStage(t, readDemo(t, "fork\nkey Tab\nkey Tab\n"), false, Options{})
	s.update(tea.WindowSizeMsg{Width: 120, Height: 36})
	s.settle(s.m.Init())
	s.update(pressOf("m"))
	s.update(tea.PasteMsg{Content: "x"})
	s.update(tea.MouseClickMsg{X: 5, Y: 5, Button: tea.MouseLeft})
	if s.m.over != nil {
		t.Error("a key reached the lab")
	}
	s.update(pressOf("space"))
	next := s.queue[0]
	s.queue = nil
	s.update(next.msg)
	if len(s.queue) != 0 || !s.play.due || s.play.next != 0 {
		t.Error("it did not stop")
	}
	s.update(pressOf("space"))
	if len(s.queue) != 1 || s.play.next != 1 {
		t.Error("it did not go on")
	}
	s.update(pressOf("q"))
	if !s.over || s.play.outcome() == nil {
		t.Error("q did not leave")
	}
}

// On a terminal that nobody records, the lab is the user's when the demo is over.
func TestAfterTheDemo(t *testing.T) {
	s := onStage(t, readDemo(t, "mmap 4p rw private anon\n"), false, Options{})
	s.play.leaves = false
	if _, err := s.plays(t); err != nil {
		t.Fatal(err)
	}
	if s.over || s.m.play != nil || !strings.Contains(ansi.Strip(s.m.View().Content), "The lab is yours now") {
		t.Error("the lab was not handed over")
	}
	s.update(pressOf("w"))
	if !strings.Contains(ansi.Strip(s.m.View().Content), "none → anon") {
		t.Error("the lab does not work")
	}
}

// demoFits plays a demo, and looks at its captions.
func demoFits(t *testing.T, d *Demo) {
	if d.Title == "" || d.Size == (Size{}) || d.Length() < 30*time.Second || d.Length() > 2*time.Minute {
		t.Errorf("%q, %v, %v", d.Title, d.Size, d.Length())
	}
	if why, err := d.Missing(); err != nil || why != "" {
		t.Skip("needs more: ", why, err)
	}
	s := onStage(t, d, false, Options{})
	s.tape = nil // nothing is drawn: the captions are looked at alone
	s.update(tea.WindowSizeMsg{Width: d.Size.W, Height: d.Size.H})
	for s.settle(s.m.Init()); len(s.queue) > 0 && !s.over; {
		next := s.queue[0]
		s.queue = s.queue[1:]
		s.update(next.msg)
		if n := len(cell.Wrap(s.play.caption, d.Size.W-5)); n > captionLines {
			t.Errorf("a caption of %d lines: %s", n, s.play.caption)
		}
	}
	if err := s.play.outcome(); err != nil {
		t.Error(err)
	}
}

// The demos that cowscope brings along: what they say fits where it is shown, and they take from
// half a minute to two.
func TestDemos(t *testing.T) {
	all, err := Demos()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, d := range all {
		names[d.Name] = true
		t.Run(d.Name, func(t *testing.T) { demoFits(t, d) })
	}
	for _, want := range []string{"map-and-touch", "cow", "private-and-shared", "past-the-end", "tour"} {
		if !names[want] {
			t.Errorf("there is no demo %s", want)
		}
	}
}

// A demo's screen is exactly as large as the terminal, caption and all, and what does not fit
// leaves the lab its room.
func TestDemoAtEverySize(t *testing.T) {
	s := onStage(t, readDemo(t, "mmap 4p rw private anon\n"), false, Options{})
	s.tape = nil
	s.play.caption = strings.Repeat("a long caption ", 40)
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 300).Draw(t, "w"), rapid.IntRange(1, 100).Draw(t, "h")
		s.m.Update(tea.WindowSizeMsg{Width: w, Height: h})
		lines := strings.Split(ansi.Strip(s.m.View().Content), "\n")
		for i, l := range lines {
			if len(lines) != h || ansi.StringWidth(l) != w {
				t.Fatalf("%dx%d: line %d of %d has %d cells", w, h, i, len(lines), ansi.StringWidth(l))
			}
		}
		if h > pane.MinHeight+captionLines && w >= pane.MinWidth && !strings.Contains(strings.Join(lines, "\n"), "▌ a long caption") {
			t.Fatalf("%dx%d: no caption", w, h)
		}
	})
}

// A file that no folder lists is called by its inode, which is another one in each run: the first
// session still has its files when the second one makes them. The inspector shows the line of maps.
// No page is touched: when the kernel sets a page's flags is chance.
func TestSteadyFiles(t *testing.T) {
	demo := readDemo(t, `file data "text"
key i
mmap 1p rw shared anon
mmap 2p r private file=data
file more "more"
mmap 1p rw shared file=more
`)
	var made [2][]string
	var shown [2]string
	for i := range made {
		s := onStage(t, demo, true, Options{})
		events, err := s.plays(t)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			made[i] = append(made[i], e.Data)
		}
		shown[i] = ansi.Strip(s.m.View().Content)
	}
	if !slices.Equal(made[0], made[1]) {
		t.Errorf("the screen is\n%s\nand then\n%s", shown[0], shown[1])
	}
	if !regexp.MustCompile(` 10000[0-9] /\S+/#10000[0-9] \(deleted\)`).MatchString(shown[0]) {
		t.Errorf("no stand-in of an inode in\n%s", shown[0])
	}
}
