package tui

import (
	"testing"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
)

// An event that a terminal sends reaches the model with any numbers in it.
func TestHostileEvents(t *testing.T) {
	d := drive(t, 80, 24, Options{})
	d.press("m", "enter")
	filter := filterMsg(d.m)
	for _, seq := range []string{"\x1b[<0;0;0M", "\x1b[<0;9999999;9999999M", "\x1b[<64;9999999;1M", "\x1b[M   ", "\x1b[9999999u", "\x1b[0u", "\x1b[55296u", "\x1b[97;9999999u",
		"\x1b]11;x\x07", "\x1b]11;rgb:\x07", "\x1b]11;rgb:zz/zz/zz\x07", "\x1b[48;0;0;0;0t", "\x1b[48;65535;65535;1;1t", "\x1b[48;1;1;1;1t", "\x1b[8;9999999;9999999t", "\x1b[48;24;80;1;1t"} {
		for _, e := range events(t, filtered([]byte(seq))...) {
			var msg any = e
			if s, ok := e.(uv.WindowSizeEvent); ok {
				msg = filter(d.m, tea.WindowSizeMsg(s))
			}
			d.send(msg)
			if v := d.m.View(); len(v.Content) > 100*maxCells {
				t.Errorf("%q: a view of %d bytes", seq, len(v.Content))
			}
		}
	}
	if d.m.w != 80 || d.m.h != 24 {
		t.Errorf("the size is %dx%d", d.m.w, d.m.h)
	}
}

func TestFitSize(t *testing.T) {
	for _, x := range []struct{ in, out Size }{
		{Size{80, 24}, Size{80, 24}}, {Size{0, 0}, Size{0, 0}}, {Size{-1, -1}, Size{0, 0}}, {Size{1, 1}, Size{1, 1}}, {Size{384, 108}, Size{384, 108}},
		{Size{640, 181}, Size{640, 180}}, {Size{801, 24}, Size{800, 24}}, {Size{80, 1441}, Size{80, 1440}}, {Size{65535, 65535}, Size{800, 144}},
		{Size{0, 1 << 20}, Size{0, maxCells}}, {Size{65535, 1}, Size{800, 1}},
	} {
		if w, h := fitSize(x.in.W, x.in.H); (Size{w, h}) != x.out {
			t.Errorf("%v became %dx%d", x.in, w, h)
		}
	}
}
