package tui

import "testing"

// The card of verdicts is about what lives now: not about the past, nor about nobody.
func TestWhyCard(t *testing.T) {
	d := drive(t, 80, 24, Options{ASCII: true, Plain: true})
	d.press("m", "enter", "w")
	d.press("V").sees("why: what this memory is", "p1 ", "rss ", "could not map or unmap")
	d.press("down", "up", "pgdown", "pgup").sees("why: what this memory is")
	d.press("esc").seesNot("why: what this memory is")
	d.press("[", "V").sees("in the past").seesNot("why: what this memory is")
	d.press("}", "K", "enter", "V").sees("no process is left")
}
