package tui

import "cowscope/tui/cell"

// hitKind says what lies under a cell for the mouse.
type hitKind uint8

const (
	hitNothing hitKind = iota
	hitRow             // a row of the map: addr is where it starts
	hitPage            // a page: addr and the process's label
	hitStep            // a line of the log: n is the index in the history
)

// hit is what a click on a rectangle means.
type hit struct {
	kind  hitKind
	addr  uint64
	label string
	n     int
}

// hitList is filled while a frame is drawn; what was added last lies on top.
type hitList struct {
	rects []cell.Rect
	hits  []hit
}

func (l *hitList) add(r cell.Rect, h hit) {
	if l != nil && !r.Empty() {
		l.rects, l.hits = append(l.rects, r), append(l.hits, h)
	}
}

// at is what lies under the cell at x, y.
func (l *hitList) at(x, y int) hit {
	for i := len(l.rects) - 1; i >= 0; i-- {
		if l.rects[i].Contains(x, y) {
			return l.hits[i]
		}
	}
	return hit{}
}
