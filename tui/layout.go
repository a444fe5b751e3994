// The layout: arithmetic from a size to rectangles, and nothing else.
//
//	┌ header ───────────────────────────┐
//	│ map: one row a range of addresses,│   takes what its rows need, up to a share
//	│ one column a process              │
//	├ pages ─────────┬ inspector ───────┤   side by side where wide enough
//	├ log ───────────┴──────────────────┤   takes the rest
//	└ keys ─────────────────────────────┘
//
// Rules: rectangles never overlap and never leave the screen; what does not fit is left out whole
// (log, then pages, then inspector), never squeezed below what it can be read in.

package tui

import "cowscope/tui/cell"

// The smallest screen that is drawn; below it stands one polite line.
const (
	minWidth  = 40
	minHeight = 12
)

// demand is what the content asks of the layout.
type demand struct {
	mapRows   int // rows that the map has, without its border and heading
	pageRows  int // lines that the page grid wants, without its border
	pageCols  int // columns that the page grid wants, without its border
	inspector int // lines that the inspector wants, without its border
}

// screen is the rectangles of one frame; an empty one is not drawn.
type screen struct {
	header, maps, pages, inspector, log, keys cell.Rect
	lesson                                    cell.Rect // of its text, where one is shown
	bar                                       cell.Rect // of the presenter, where it is on
	caption                                   cell.Rect // of a demo
}

// layout divides w by h cells.
func layout(w, h int, d demand) screen {
	var s screen
	if w < minWidth || h < minHeight {
		return s
	}
	s.header = cell.At(0, 0, w, 1)
	s.keys = cell.At(0, h-1, w, 1)
	body := h - 2
	middle := middleHeight(body, d)
	logH := logHeight(body - middle)
	mapH := min(d.mapRows+2, body-middle-logH)
	mapH = max(mapH, min(5, body-middle-logH))
	// What the map does not need goes to the middle first, while that has more to show, then to the
	// log.
	spare := body - middle - logH - mapH
	grow := min(spare, max(0, max(d.inspector, d.pageRows)+2-middle))
	middle += grow
	logH = body - mapH - middle
	y := 1
	s.maps = cell.At(0, y, w, mapH)
	y += mapH
	s.pages, s.inspector = middleColumns(cell.At(0, y, w, middle), d)
	y += middle
	s.log = cell.At(0, y, w, logH)
	return s
}

// middleHeight is the height, border included, of pages and inspector.
func middleHeight(body int, d demand) int {
	want := max(d.inspector, d.pageRows) + 2
	switch {
	case body < 12:
		return min(4, want)
	case body < 20:
		return min(8, want)
	case body < 30:
		return min(9, want)
	}
	return min(max(10, body/3), want)
}

func logHeight(rest int) int {
	switch {
	case rest < 7:
		return min(2, rest)
	case rest < 16:
		return 5
	case rest < 24:
		return 7
	}
	return rest / 3
}

// middleColumns puts the page grid left of the inspector where both can be read, else gives all to
// the inspector.
func middleColumns(r cell.Rect, d demand) (pages, inspector cell.Rect) {
	if r.W < 64 || r.H < 5 {
		return cell.Rect{}, r
	}
	w := min(max(d.pageCols+4, 24), r.W*2/5)
	return cell.At(r.X, r.Y, w, r.H), cell.At(r.X+w, r.Y, r.W-w, r.H)
}
