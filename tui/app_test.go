package tui

import (
	"context"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/feature"
	"cowscope/tui/cell"
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

// driver runs the model without a terminal: a key, then every command that follows from it, until
// nothing is left to do.
type driver struct {
	t *testing.T
	m *App
	s *actions.Session
}

func drive(t *testing.T, w, h int, opts Options) *driver {
	t.Helper()
	s, err := actions.Open(actions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	m, err := New(s, opts)
	if err != nil {
		t.Fatal(err)
	}
	m.later = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	d := &driver{t, m, s}
	d.send(tea.WindowSizeMsg{Width: w, Height: h})
	d.settle(m.peek())
	return d
}

func (d *driver) send(msg tea.Msg) {
	_, cmd := d.m.Update(msg)
	d.settle(cmd)
}

// settle runs a command and what it leads to.
func (d *driver) settle(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			d.settle(c)
		}
	case nil, tea.QuitMsg:
	default:
		d.send(msg)
	}
}

// press sends keys by the names that bindings use; a word in quotes is typed.
func (d *driver) press(keys ...string) *driver {
	d.t.Helper()
	for _, k := range keys {
		if text, ok := strings.CutPrefix(k, "type:"); ok {
			for _, r := range text {
				d.send(tea.KeyPressMsg{Code: r, Text: string(r)})
			}
			continue
		}
		d.send(pressOf(k))
	}
	return d
}

func pressOf(name string) tea.KeyPressMsg {
	k, ok := keyPress(name)
	if !ok {
		panic("no key is called " + name)
	}
	return k
}

// screen is what a person sees, without colours.
func (d *driver) screen() string { return ansi.Strip(d.m.View().Content) }

func (d *driver) sees(want ...string) *driver {
	d.t.Helper()
	got := d.screen()
	for _, w := range want {
		if !strings.Contains(got, w) {
			d.t.Fatalf("the screen lacks %q:\n%s", w, got)
		}
	}
	return d
}

func (d *driver) seesNot(bad ...string) *driver {
	d.t.Helper()
	got := d.screen()
	for _, w := range bad {
		if strings.Contains(got, w) {
			d.t.Fatalf("the screen shows %q:\n%s", w, got)
		}
	}
	return d
}

// The shortest story: map, touch, fork, break the sharing.
func TestShortestStory(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.sees("cowscope", "step 0/0", "text", "stack", "m mmap")
	d.press("m").sees("mmap 4p rw private anon", "Enter run")
	d.press("enter").sees("step 1/1", "a · 4 pages", "reserved, no memory yet")
	d.press("w").sees("write a 0x01", "none → anon", "1 minor fault")
	d.press("f").sees("p2", "child of p1", "cow")
	if d.m.step().After.Frames {
		d.sees("║", "one frame, mapped by p1 and p2")
	} else {
		d.sees("┊") // most likely one
	}
	d.press("tab").sees("● p2", "use p2")
	d.press("w").sees("cow → anon", "≠")
	if d.m.step().After.Frames {
		d.sees("the kernel copied it")
	}
	d.press(":", "type:mprotect a none", "enter").sees("---p", "rw-p → ---p")
	d.press("w").sees("SIGSEGV/ACCERR", "does not allow writing")
	d.press(":", "type:mprotect a rw", "enter", "w").sees("step 9/9")
}

// Walking the history shows the past, and nothing runs there.
func TestHistory(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.press("m", "enter", "w", "f")
	d.press("[").sees("step 2/3", "history").seesNot("child of p1")
	d.press("w").sees("goes back to live")
	if n := len(d.s.History()); n != 4 {
		t.Fatalf("%d steps", n)
	}
	d.press("{").sees("step 0/3").press("]").sees("step 1/3").press("}").sees("step 3/3", "● live")
	d.press("w").sees("step 4/4")
}

// What is wrong is said where it is, nothing runs, and nothing that was typed is lost.
func TestMistakesInPlace(t *testing.T) {
	d := drive(t, 100, 30, Options{})
	d.press(":", "type:mmpa 4p rw", "enter").sees("did you mean mmap", "mmpa 4p rw", "^^^^")
	d.press("esc", ":", "type:write nowhere 1", "enter").sees("nothing is called nowhere", "write nowhere 1")
	d.press("esc", "m")
	for range 2 {
		d.press("backspace")
	}
	d.press("type:4x", "enter").sees("no unit x", "mmap 4x rw private anon")
	d.press("esc")
	if n := len(d.s.History()); n != 1 {
		t.Fatalf("%d steps", n)
	}
	d.press(":", "up").sees("write nowhere 1")
}

func TestCompletion(t *testing.T) {
	d := drive(t, 100, 30, Options{})
	d.press("m", "enter", ":", "type:mpr", "tab").sees("mprotect ")
	d.press("type:a no", "tab").sees("mprotect a none")
	d.press("enter").sees("---p")
}

// Keys whose time has not come say so.
func TestReasons(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.press("tab").sees("p1 is the only process: f forks it")
	d.press("K", "enter").sees("SIGKILL").press("w").sees("n starts a fresh one")
	d.press("n").sees("a fresh one").press("m", "enter", "w").sees("none → anon")
}

// When the last process has left nothing behind, not even a zombie, there is still a screen.
func TestNobodyLeft(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.press("m", "enter", "K", "enter", ":", "type:snapshot", "enter").sees("step 3/3", "no process is left")
	d.press("down", "G", "right", "pgup", "i", "i").press("n").sees("a fresh one", "stack")
}

// Every form opens filled in, and its defaults run.
func TestForms(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.press("m", "enter", "w")
	for _, f := range [][2]string{{"v", "madvise a"}, {"s", "msync a sync"}, {"l", "mlock a"}, {"b", "brk +4p"}, {"p", "mprotect a rw"}, {"W", `write a "hello"`}, {"R", "read a 16"}} {
		key, verb := f[0], f[1]
		d.press(key).sees("p1 "+verb, "Enter run").press("enter")
		if st := d.m.step(); !st.OK() || !strings.HasPrefix(st.Command, verb) {
			t.Errorf("%s: %s, %s", key, st.Command, st.Result)
		}
		d.press(":", "type:read a", "enter") // back to the mapping
	}
	d.press("e").sees("p1 mremap a 8p maymove").press("enter").sees("8 pages")
	sealed, refused := "Sealed", "EPERM"
	if ok, _, _ := feature.Available("mseal"); !ok {
		sealed, refused = "ENOSYS", "no longer mapped"
	}
	d.press("z").sees("mseal a").press("enter").sees(sealed)
	d.press("u").sees("munmap a").press("enter").sees(refused)
}

func TestHelpAndInspector(t *testing.T) {
	d := drive(t, 120, 50, Options{})
	d.press("?").sees("States of a page", "copy-on-write", "Keys").press("esc")
	d.press("m", "enter", "w").sees("01 00")
	d.press("i").sees("pagemap", "present").press("i").press("i")
}

// A protection key is shown where the mapping has one, with what the process may do; a child has
// rights of its own.
func TestInspectorShowsKeys(t *testing.T) {
	if ok, why, err := feature.Available("pkeys"); err != nil || !ok {
		t.Skip("needs pkeys: ", why, err)
	}
	d := drive(t, 120, 50, Options{})
	d.press("m", "enter", "w").seesNot("PKRU")
	d.press(":", "type:pkey_alloc write", "enter", ":", "type:pkey_mprotect a rw 1", "enter")
	d.sees("1: read, and not written (PKRU 0x55555558)", "the mapping's protection key forbids it")
	d.press("i").sees("VmFlags", "1: read, and not written").press("i", "i")
	d.press("f", ":", "type:pkey_set 1 access", "enter").sees("1: neither read nor written (PKRU 0x55555554)")
	d.press("tab").sees("1: read, and not written (PKRU 0x55555558)")
	d.press(":", "type:pkey_mprotect a rw 0", "enter").seesNot("1: read, and")
}

// Keys that come while a command runs are meant for what comes after it.
func TestTypingAhead(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	_, cmd := d.m.Update(pressOf("m"))
	d.settle(cmd)
	_, cmd = d.m.Update(pressOf("enter"))
	for _, k := range []string{"w", "f", "tab", "w"} {
		if _, c := d.m.Update(pressOf(k)); c != nil {
			t.Fatal("a key did not wait")
		}
	}
	d.settle(cmd)
	d.sees("step 5/5", "cow → anon")
}

// Every size gives exactly the screen that was asked for, whatever lies over it, and panes keep to
// their rectangles.
func TestEverySize(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.press("m", "enter", "w", "f", "tab", "w", "f")
	over := map[string][]string{"": nil, "form": {"m"}, "help": {"?"}, "command": {":"}, "menu": {"K"}, "why": {"V"}}
	for name, keys := range over {
		d.press("esc")
		d.press(keys...)
		rapid.Check(t, func(t *rapid.T) {
			w, h := rapid.IntRange(0, 300).Draw(t, "w"), rapid.IntRange(0, 100).Draw(t, "h")
			d.m.cursor = rapid.SampledFrom([]uint64{0, 0x400000, 0x500000, d.m.cursor, 1 << 62}).Draw(t, "cursor")
			d.m.Update(tea.WindowSizeMsg{Width: w, Height: h})
			lines := strings.Split(d.m.View().Content, "\n")
			if h > 0 && len(lines) != h {
				t.Fatalf("%s at %dx%d: %d lines", name, w, h, len(lines))
			}
			for i, l := range lines {
				if n := ansi.StringWidth(l); h > 0 && n != w {
					t.Fatalf("%s at %dx%d: line %d has %d cells: %q", name, w, h, i, n, ansi.Strip(l))
				}
			}
		})
		d.m.Update(tea.WindowSizeMsg{Width: 120, Height: 36})
	}
}

// A pane never draws outside the rectangle it is given.
func TestPanesKeepToTheirRectangles(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.press("m", "enter", "w", "f", "tab", "w")
	rapid.Check(t, func(t *rapid.T) {
		c := cell.NewCanvas(60, 30)
		all := c.Pen(cell.At(0, 0, 60, 30))
		all.Fill(cell.Marked)
		r := cell.At(rapid.IntRange(0, 50).Draw(t, "x"), rapid.IntRange(0, 25).Draw(t, "y"), rapid.IntRange(0, 60).Draw(t, "w"), rapid.IntRange(0, 30).Draw(t, "h"))
		p := rapid.SampledFrom(parts).Draw(t, "pane")
		p.draw(c.Pen(r), d.m.scene(), d.m)
		for y := range c.H {
			for x := range c.W {
				if got := c.Cells[y*c.W+x]; !r.Contains(x, y) && got != (cell.Cell{Text: " ", Style: cell.Marked}) {
					t.Fatalf("%s drew %q at %d,%d outside %+v", p.name, got.Text, x, y, r)
				}
			}
		}
	})
}

// With ASCII only, no other byte reaches the terminal; without colour, no colour does.
func TestASCIIAndPlain(t *testing.T) {
	d := drive(t, 120, 36, Options{ASCII: true, Plain: true})
	d.press("m", "enter", "w", "f", "tab", "w")
	for _, key := range []string{"esc", "?", "m", ":"} {
		d.press("esc", key)
		content := d.m.View().Content
		for i := range len(content) {
			if content[i] >= 0x80 {
				t.Fatalf("%q in:\n%s", content[max(0, i-20):i+10], ansi.Strip(content))
			}
		}
		if strings.Contains(content, "\x1b[38") || strings.Contains(content, "\x1b[48") || strings.Contains(content, ";38") {
			t.Fatal("a colour in the plain theme")
		}
	}
}

// Every glyph that is drawn has a stand-in, and every state a look of its own.
func TestGlyphs(t *testing.T) {
	seen := map[string]bool{}
	for i, g := range cell.StateLook {
		if int(g.State) != i || seen[g.Glyph] || seen[g.Letter] || len(g.Letter) != 1 || ansi.StringWidth(g.Glyph) != 1 {
			t.Errorf("state %d looks like %q and %q", i, g.Glyph, g.Letter)
		}
		if g.Glyph != g.Letter {
			seen[g.Glyph], seen[g.Letter] = true, true
		}
	}
	for g, a := range cell.ASCIIOf {
		if len(a) != 1 || ansi.StringWidth(g) != 1 {
			t.Errorf("%q stands for %q", a, g)
		}
	}
	keys := map[string]bool{}
	for _, b := range bindings {
		for _, k := range b.keys {
			if keys[k] && b.in == nil {
				t.Errorf("key %s is bound twice", k)
			}
			keys[k] = b.in == nil
		}
	}
}

// Hostile text is shown, never obeyed.
func TestHostileText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		c := cell.NewCanvas(20, 1)
		c.Pen(cell.At(0, 0, 20, 1)).Put(0, 0, 0, "\x1b[31m"+s+"\n\u0301\u200b")
		th, _ := cell.NewTheme("dark", false, true)
		out := c.Render(th)
		if strings.ContainsAny(out, "\x1b\n\r\x07") || ansi.StringWidth(out) != 20 {
			t.Fatalf("%q from %q, %d cells", out, s, ansi.StringWidth(out))
		}
	})
}

// The mouse selects rows, pages and steps.
func TestMouse(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.press("m", "enter", "w", "f")
	d.screen()
	for _, h := range d.m.hits {
		if h.Kind == pane.HitPage && h.Label == "p2" && h.Addr == d.m.cursor+d.m.step().After.PageSize {
			d.send(tea.MouseClickMsg{X: h.X, Y: h.Y, Button: tea.MouseLeft})
			break
		}
	}
	d.sees("use p2", "p2 a+1p")
	d.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	d.sees("vvar")
	d.screen()
	for _, h := range d.m.hits {
		if h.Kind == pane.HitStep && h.N == 1 {
			d.send(tea.MouseClickMsg{X: h.X, Y: h.Y, Button: tea.MouseLeft})
			break
		}
	}
	d.sees("step 1/4")
}

// A frame is drawn once: messages that change nothing give the very same one.
func TestIdleDrawsNothing(t *testing.T) {
	d := drive(t, 120, 36, Options{})
	d.press("m", "enter")
	d.m.View()
	for range 3 {
		step, err := d.s.Poll(context.Background())
		d.m.Update(polledMsg{step, err})
		if !d.m.fresh {
			t.Fatal("a quiet poll made a new frame")
		}
	}

}

// The inspector names the words that a state rests on, and says "inferred" where they do not settle
// it: where frames are hidden, of a page after fork.
func TestInspectorTellsItsEvidence(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 36}} {
		d := drive(t, size[0], size[1], Options{})
		d.press("m", "enter", "w")
		if size[0] == 120 {
			d.sees("evidence", "63 present, 56 exclusive, 61 clear")
		}
		d.seesNot("inferred").press("f")
		if d.m.step().After.Frames {
			d.seesNot("inferred")
		} else {
			d.sees("inferred", "bit 56 is clear here and in p2").press("tab").sees("bit 56 is clear here and in p1")
		}
	}
}

// As many processes as may live: what is said of them has room, and a turn is short.
func TestManyProcesses(t *testing.T) {
	d := drive(t, 80, 24, Options{})
	d.press("m", "enter", "w", "type::", "type:repeat 63 fork", "enter").sees("step 65/65", "+61 processes", "p1 · faults")
	d.sees("write ") // in the inspector
	if d.m.step().After.Frames {
		d.sees("exec ") // which has no room where frames are hidden, and more can happen
	}
	d.press("f").sees("64 processes are alive", "--max-processes")
	began := time.Now()
	d.press("w").sees("● p1")
	t.Log(time.Since(began), "a turn")
	if why := d.m.step().Why; strings.Contains(why, "frame was shared") && !strings.Contains(why, "p2, p3, p4 and 60 more keep the old one") {
		t.Error(why)
	}
	d.press("shift+tab").sees("● p64").press("w").sees("p64 write a")
}
