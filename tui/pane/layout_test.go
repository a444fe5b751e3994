package pane

import (
	"testing"

	"cowscope/tui/cell"

	"pgregory.net/rapid"
)

// Rectangles do not overlap and stay on the screen.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(0, 320).Draw(t, "w"), rapid.IntRange(0, 120).Draw(t, "h")
		d := demand{rapid.IntRange(0, 200).Draw(t, "map"), rapid.IntRange(0, 80).Draw(t, "pages"), rapid.IntRange(0, 200).Draw(t, "cols"), rapid.IntRange(0, 20).Draw(t, "insp")}
		l := layout(w, h, d)
		seen := map[[2]int]bool{}
		for _, r := range []cell.Rect{l.Header, l.Maps, l.Pages, l.Inspector, l.Log, l.Keys} {
			if r.Empty() {
				continue
			}
			if r.X < 0 || r.Y < 0 || r.X+r.W > w || r.Y+r.H > h {
				t.Fatalf("%+v leaves %dx%d", r, w, h)
			}
			for y := r.Y; y < r.Y+r.H; y++ {
				for _, x := range []int{r.X, r.X + r.W - 1} {
					if r.W > 1 && seen[[2]int{x, y}] {
						t.Fatalf("%+v overlaps at %d,%d", r, x, y)
					}
					seen[[2]int{x, y}] = true
				}
			}
		}
	})
}
