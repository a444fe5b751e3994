package pane

import (
	"fmt"
	"strings"

	"cowscope/tui/cell"
	"cowscope/vmspace"
)

// processHead is as much of the description of a process as fits w columns.
func processHead(s *Scene, p *vmspace.Process, w int) string {
	bullet := "  "
	if p.Label == s.Current {
		bullet = "● "
	}
	parts := []string{bullet + p.Label}
	if !p.Alive() {
		parts = append(parts, p.State.String())
	}
	faults := fmt.Sprintf("faults %d", p.MinorFlt+p.MajorFlt)
	if d := s.newFaults(p); d > 0 {
		faults += fmt.Sprintf(" (+%d)", d)
	}
	family := ""
	switch {
	case p.Thread:
		family = "thread of " + p.Parent
	case p.Parent != "":
		family = "child of " + p.Parent
	}
	if p.Shares != "" && (!p.Thread || p.Shares != p.Parent) {
		family += ", in " + p.Shares + "'s memory"
	}
	// In order of importance; what fits is shown in reading order.
	sizes := ""
	if s.Sizes != nil {
		if n := s.Sizes(p); n.Known {
			sizes = fmt.Sprintf("pss %s · uss %s", bytesText(n.PSS), bytesText(n.USS))
		}
	}
	rss := "rss " + bytesText(p.RSS)
	extras := []string{faults, family, rss, fmt.Sprintf("pid %d", p.PID), sizes}
	order := []int{0, 1, 2, 3, 4}
	if p.Thread { // the memory is not its own
		order = []int{1, 0, 2, 3, 4}
	}
	if s.Watched { // what people ask of a living process is what it takes
		order = []int{2, 4, 0, 1, 3}
	}
	used, keep := cell.Width(strings.Join(parts, " · ")), map[int]bool{}
	for _, i := range order {
		if e := extras[i]; e != "" && used+3+cell.Width(e) <= w {
			keep[i], used = true, used+3+cell.Width(e)
		}
	}
	for _, i := range []int{1, 3, 2, 4, 0} {
		if keep[i] {
			parts = append(parts, extras[i])
		}
	}
	return strings.Join(parts, " · ")
}

// newFaults is the number of faults that p took in the step that is shown.
func (s *Scene) newFaults(p *vmspace.Process) uint64 {
	if s.Step.Before == nil {
		return 0
	}
	b := s.Step.Before.Process(p.Label)
	if b == nil || b.PID != p.PID || p.MinorFlt+p.MajorFlt < b.MinorFlt+b.MajorFlt {
		return 0
	}
	return p.MinorFlt + p.MajorFlt - b.MinorFlt - b.MajorFlt
}

// foldMarks stand before the name of a row that is folded, or that can be.
var foldMarks = [...]string{Closed: "+", Opened: "-", Inside: "┆"}
