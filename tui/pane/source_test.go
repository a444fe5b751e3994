package pane

import (
	"fmt"
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/tui/cell"
	"cowscope/vmspace"
)

// at is a step at a line of a file of so many lines.
func at(line, of int) *history.Step {
	st := &history.Step{At: &history.Site{Place: vmspace.Place{Function: "main", File: "/src/a.c", Line: line}, From: 1, Callers: []string{"outer", "_start"}}}
	for n := range of {
		st.At.Source = append(st.At.Source, fmt.Sprintf("line %d;", n+1))
	}
	return st
}

func drawnSource(w, h int, steps ...*history.Step) string {
	c := cell.NewCanvas(w, h)
	drawSource(c.Pen(cell.At(0, 0, w, h)), &Scene{Steps: steps, Pos: len(steps) - 1, Step: steps[len(steps)-1]})
	theme, err := cell.NewTheme("dark", false, true)
	if err != nil {
		panic(err)
	}
	return c.PlainText(theme)
}

// The line of the step is shown at any size, marked, with how often it was reached.
func TestSource(t *testing.T) {
	for of := 1; of <= 20; of++ {
		for line := 1; line <= of; line++ {
			for h := 3; h < 16; h++ {
				text := drawnSource(40, h, at(line, of), at(1, of), at(line, of))
				want := fmt.Sprintf("%d line %d;", line, line)
				if !strings.Contains(text, "▸") || !strings.Contains(text, want) {
					t.Fatalf("line %d of %d in %d rows:\n%s", line, of, h, text)
				}
				if line != 1 && !strings.Contains(text, "2×") {
					t.Fatalf("line %d of %d in %d rows is not counted:\n%s", line, of, h, text)
				}
			}
		}
	}
	if text := drawnSource(40, 8, at(3, 5)); !strings.Contains(text, "called by outer, _start") || !strings.Contains(text, "a.c:3 main") {
		t.Error(text)
	}
	if text := drawnSource(40, 8, at(3, 0)); !strings.Contains(text, "cannot be read") {
		t.Error(text)
	}
	if text := drawnSource(60, 8, at(3, 5), &history.Step{}); !strings.Contains(text, "no line of source") {
		t.Error(text)
	}
}
