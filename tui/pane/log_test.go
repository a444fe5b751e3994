package pane

import (
	"fmt"
	"testing"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Faults of one line that did the same are one row, but for the step that is shown: who steps back into
// them sees them.
func TestLogFolds(t *testing.T) {
	steps := []*history.Step{{N: 0}}
	fault := func(line int, did vmspace.Happening) {
		at := &history.Site{Place: vmspace.Place{File: "a.c", Line: line, Function: "f"}}
		steps = append(steps, &history.Step{N: len(steps), Process: "p1", Event: "fault", Outcome: history.Outcome{Happened: did}, At: at, Faults: []history.Fault{{}}})
	}
	for range 5 {
		fault(3, vmspace.ZeroFill) // 1 to 5
	}
	fault(3, vmspace.ZeroMap) // 6
	for range 2 {
		fault(4, vmspace.ZeroFill) // 7, 8
	}
	for range 3 {
		fault(5, vmspace.ZeroFill) // 9 to 11
	}
	for at, want := range map[int]string{
		0: "[{0 0}]", 2: "[{0 0} {1 1} {2 2}]", 4: "[{0 0} {1 3} {4 4}]", 6: "[{0 0} {1 5} {6 6}]",
		8: "[{0 0} {1 5} {6 6} {7 7} {8 8}]", 11: "[{0 0} {1 5} {6 6} {7 7} {8 8} {9 9} {10 10} {11 11}]",
	} {
		s := &Scene{Steps: steps, Pos: at}
		if got := fmt.Sprint(s.logged()); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
	steps = append(steps[:3:3], steps[4:]...) // one is no longer kept
	if got, want := fmt.Sprint((&Scene{Steps: steps, Pos: 5}).logged()), "[{0 0} {1 1} {2 2} {3 3} {4 4} {5 5}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
