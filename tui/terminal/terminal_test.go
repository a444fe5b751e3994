package terminal

import "testing"

type size struct{ W, H int }

// TestFit bounds sizes as a terminal may tell them.
func TestFit(t *testing.T) {
	for _, x := range []struct{ in, out size }{
		{size{80, 24}, size{80, 24}}, {size{0, 0}, size{0, 0}}, {size{-1, -1}, size{0, 0}}, {size{1, 1}, size{1, 1}}, {size{384, 108}, size{384, 108}},
		{size{640, 181}, size{640, 180}}, {size{801, 24}, size{800, 24}}, {size{80, 1441}, size{80, 1440}}, {size{65535, 65535}, size{800, 144}},
		{size{0, 1 << 20}, size{0, maxCells}}, {size{65535, 1}, size{800, 1}},
	} {
		if w, h := Fit(x.in.W, x.in.H); (size{w, h}) != x.out {
			t.Errorf("%v became %dx%d", x.in, w, h)
		}
	}
}
