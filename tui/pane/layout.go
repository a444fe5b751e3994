// The layout: arithmetic from a size to rectangles, and nothing else.
//
//	┌ header ───────────────────────────┐
//	│ map: one row a range of addresses,│   takes what its rows need, up to a share
//	│ one column a process              │
//	├ pages ─────────┬ inspector ───────┤   side by side where wide enough
//	├ log ───────────┴──────────────────┤   takes the rest
//	└ keys ─────────────────────────────┘
//
// Rules: rectangles never overlap and never leave the screen; a part that does not fit is left out
// as a whole (log, then pages, then inspector), never squeezed until it is unreadable.

package pane

import "cowscope/tui/cell"

// The smallest screen that is drawn; on a smaller one there is a single line of text.
const (
	MinWidth  = 40
	MinHeight = 12
)

// demand is the room that the content needs.
type demand struct {
	mapRows   int // rows of the map, without its border and heading
	pageRows  int // lines of the page grid, without its border
	pageCols  int // columns of the page grid, without its border
	inspector int // lines of the inspector, without its border
}

// Screen is the rectangles of one frame; an empty one is not drawn.
type Screen struct {
	Header, Maps, Pages, Inspector, Log, Keys cell.Rect
	Lesson                                    cell.Rect // of its text, if one is shown
	Bar                                       cell.Rect // of the presenter, if it is on
	Caption                                   cell.Rect // of a demo
}

// Layout divides w by h cells among the parts.
func Layout(s *Scene, w, h int) Screen { return layout(w, h, measure(s, w, h)) }

// measure returns how much room the content needs.
func measure(s *Scene, w, h int) demand {
	d := demand{mapRows: max(s.Rows().count(h), 1), inspector: 10}
	g := newPageGrid(s, w/2, h)
	d.pageCols = gridLabel + g.perLine*cellCols
	d.pageRows = 1 + g.group*g.groups
	return d
}

// layout divides w by h cells.
func layout(w, h int, d demand) Screen {
	var s Screen
	if w < MinWidth || h < MinHeight {
		return s
	}
	s.Header = cell.At(0, 0, w, 1)
	s.Keys = cell.At(0, h-1, w, 1)
	body := h - 2
	middle := middleHeight(body, d)
	logH := logHeight(body - middle)
	mapH := min(d.mapRows+2, body-middle-logH)
	mapH = max(mapH, min(5, body-middle-logH))
	// Room that the map does not need goes to the middle first, as long as that has more to show,
	// then to the log.
	spare := body - middle - logH - mapH
	grow := min(spare, max(0, max(d.inspector, d.pageRows)+2-middle))
	middle += grow
	logH = body - mapH - middle
	y := 1
	s.Maps = cell.At(0, y, w, mapH)
	y += mapH
	s.Pages, s.Inspector = middleColumns(cell.At(0, y, w, middle), d)
	y += middle
	s.Log = cell.At(0, y, w, logH)
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

// middleColumns places the page grid left of the inspector if both fit, otherwise all room goes to
// the inspector.
func middleColumns(r cell.Rect, d demand) (pages, inspector cell.Rect) {
	if r.W < 64 || r.H < 5 {
		return cell.Rect{}, r
	}
	w := min(max(d.pageCols+4, 24), r.W*2/5)
	return cell.At(r.X, r.Y, w, r.H), cell.At(r.X+w, r.Y, r.W-w, r.H)
}
