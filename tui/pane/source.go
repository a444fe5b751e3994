// The source: where a program that is run was, and how many events each line has caused so far.

package pane

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/tui/cell"
	"cowscope/vmspace/printable"
)

// drawSource draws the lines around the one that caused the step that is shown.
func drawSource(p cell.Pen, s *Scene) {
	at := s.site()
	if at == nil {
		inner := cell.Box(p, "source", cell.Faint)
		inner.Put(1, 0, cell.Dim, "no line of source belongs to this step")
		return
	}
	inner := cell.Box(p, at.String(), cell.Faint)
	body := inner
	if len(at.Callers) > 0 && inner.R.H > 2 {
		body = inner.Sub(cell.At(0, 0, inner.R.W, inner.R.H-1))
		inner.Cut(1, inner.R.H-1, inner.R.W-2, cell.Faint, "called by "+printable.Line(strings.Join(at.Callers, ", ")))
	}
	if len(at.Source) == 0 {
		body.Put(1, 0, cell.Dim, "its source cannot be read")
		return
	}
	counts := eventsByLine(s.Steps[:s.Pos+1], at.File)
	width := len(fmt.Sprint(at.From + len(at.Source)))
	first := min(max(at.Line-at.From-body.R.H/2, 0), max(len(at.Source)-body.R.H, 0))
	for y := range min(body.R.H, len(at.Source)-first) {
		n := at.From + first + y
		number, text, mark := cell.Faint, cell.Plain, ""
		if n == at.Line {
			number, text, mark = cell.Accent|cell.Bold, cell.Title, "▸"
		}
		body.Put(0, y, cell.Accent, mark)
		body.Right(2+width, y, number, fmt.Sprint(n))
		room := body.R.W - width - 4
		if c := counts[n]; c > 0 {
			told := fmt.Sprintf("%d×", c)
			body.Right(body.R.W-1, y, cell.Dim, told)
			room -= cell.Width(told) + 1
		}
		body.Cut(3+width, y, room, text, at.Source[first+y])
	}
}

// site is where the program was: a command and an expectation leave it where the event before them was.
func (s *Scene) site() *history.Site {
	for i := s.Pos; i >= 0; i-- {
		if st := s.Steps[i]; st.Command == "" {
			return st.At
		}
	}
	return nil
}

// eventsByLine counts the events of each line of a file.
func eventsByLine(steps []*history.Step, file string) map[int]int {
	counts := map[int]int{}
	for _, st := range steps {
		if st.At != nil && st.At.File == file {
			counts[st.At.Line]++
		}
	}
	return counts
}
