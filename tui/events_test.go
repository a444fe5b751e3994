package tui

import (
	"testing"

	"cowscope/tui/terminal"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
)

// An event that a terminal sends reaches the model with any numbers in it.
func TestHostileEvents(t *testing.T) {
	d := drive(t, 80, 24, Options{})
	d.press("m", "enter")
	for _, seq := range []string{"\x1b[<0;0;0M", "\x1b[<0;9999999;9999999M", "\x1b[<64;9999999;1M", "\x1b[M   ", "\x1b[9999999u", "\x1b[0u", "\x1b[55296u", "\x1b[97;9999999u",
		"\x1b]11;x\x07", "\x1b]11;rgb:\x07", "\x1b]11;rgb:zz/zz/zz\x07", "\x1b[48;0;0;0;0t", "\x1b[48;65535;65535;1;1t", "\x1b[48;1;1;1;1t", "\x1b[8;9999999;9999999t", "\x1b[48;24;80;1;1t"} {
		for _, e := range events([]byte(seq)) {
			var msg any = e
			if s, ok := e.(uv.WindowSizeEvent); ok {
				w, h := terminal.Fit(s.Width, s.Height)
				msg = tea.WindowSizeMsg{Width: w, Height: h}
			}
			d.send(msg)
			if v := d.m.View(); len(v.Content) > 100*800*180 {
				t.Errorf("%q: a view of %d bytes", seq, len(v.Content))
			}
		}
	}
	if d.m.w != 80 || d.m.h != 24 {
		t.Errorf("the size is %dx%d", d.m.w, d.m.h)
	}
}

// events are what the library reads of the bytes of a terminal.
func events(in []byte) (out []uv.Event) {
	var d uv.EventDecoder
	for len(in) > 0 {
		n, e := d.Decode(in)
		in = in[max(n, 1):]
		if several, ok := e.(uv.MultiEvent); ok {
			out = append(out, several...)
		} else {
			out = append(out, e)
		}
	}
	return out
}
