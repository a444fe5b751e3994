// The output: what a program that is run has written to its terminal up to the step that is shown.

package pane

import (
	"strings"

	"cowscope/tui/cell"
	"cowscope/vmspace/printable"
)

// drawOutput draws the last lines.
func drawOutput(p cell.Pen, s *Scene) {
	inner := cell.Box(p, "what the program has written", cell.Faint)
	lines := lastLines(s, inner.R.H)
	if len(lines) == 0 {
		inner.Put(1, 0, cell.Dim, "nothing so far")
		return
	}
	for y, l := range lines {
		inner.Cut(1, y, inner.R.W-2, cell.Plain, printable.Line(l))
	}
}

// lastLines are up to n lines, the newest of them the last.
func lastLines(s *Scene, n int) []string {
	text := ""
	for i := s.Pos; i >= 0 && strings.Count(text, "\n") <= n; i-- {
		text = s.Steps[i].Wrote + text
	}
	if text == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[max(len(lines)-n, 0):]
}
