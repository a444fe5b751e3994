package pane

import (
	"slices"

	"cowscope/tui/cell"
)

// HitKind is the kind of thing under a cell, for the mouse.
type HitKind uint8

const (
	HitNothing HitKind = iota
	HitRow             // a row of the map: addr is where it starts
	HitPage            // a page: addr and the process's label
	HitStep            // a line of the log: n is the index in the history
	HitFold            // the name of a row that can be folded: addr is where the row starts
)

// Hit is the meaning of a click on a rectangle.
type Hit struct {
	Kind  HitKind
	Addr  uint64
	Label string
	N     int
}

// Hits are collected while a frame is drawn; later ones are above earlier ones.
type Hits []Target

// Target is a rectangle that can be clicked.
type Target struct {
	cell.Rect
	Hit
}

func (l *Hits) add(r cell.Rect, h Hit) {
	if l != nil && !r.Empty() {
		*l = append(*l, Target{r, h})
	}
}

// At returns what is under the cell at x, y.
func (l Hits) At(x, y int) Hit {
	for _, t := range slices.Backward(l) {
		if t.Contains(x, y) {
			return t.Hit
		}
	}
	return Hit{}
}
