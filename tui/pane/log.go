// The log: every step in strace style, and for the step that is shown one sentence of why.

package pane

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/tui/cell"
)

// DrawLog draws the steps up to the one that is shown.
func DrawLog(p cell.Pen, s *Scene) {
	if p.R.Empty() {
		return
	}
	if p.R.H < 4 { // too low for a border
		drawLogTail(p, s)
		return
	}
	inner := cell.Box(p, "what happened", cell.Faint)
	drawLogTail(inner.Sub(cell.At(1, 0, inner.R.W-2, inner.R.H)), s)
}

// drawLogTail draws the steps that end with the one shown, newest below.
func drawLogTail(p cell.Pen, s *Scene) {
	shown := s.logged()
	newest := s.Steps[shown[len(shown)-1].last]
	why := cell.Wrap(newest.Why, p.R.W-logIndent(p.R.W))
	if at := newest.Whence(); at != "" {
		why = append([]string{cell.Clip(at, p.R.W-logIndent(p.R.W))}, why...)
	}
	if len(why) > max(p.R.H-1, 1) {
		why = why[:max(p.R.H-1, 1)]
		last := &why[len(why)-1]
		*last = cell.Clip(*last+" …", p.R.W-logIndent(p.R.W))
	}
	// From the top while there is room, then the newest at the bottom.
	y := min(p.R.H, len(shown)+len(why)) - len(why)
	for i, l := range why {
		p.Put(logIndent(p.R.W), y+i, cell.Plain, l)
	}
	for n := len(shown) - 1; n >= 0 && y > 0; n-- {
		y--
		row := shown[n]
		if row.first == row.last {
			drawLogStep(p, y, s, row.last, n == len(shown)-1)
		} else {
			drawLogFold(p, y, s, row)
		}
		s.Hits.add(cell.At(p.R.X, p.R.Y+y, p.R.W, 1), Hit{Kind: HitStep, N: row.first})
		if gone := history.Missing(s.Steps, row.first); gone > 0 && y > 0 {
			y--
			p.Put(8, y, cell.Faint, missing(gone))
		}
	}
}

// missing says that steps are no longer kept.
func missing(n int) string {
	if n == 1 {
		return "┄┄┄ 1 step is no longer kept ┄┄┄"
	}
	return fmt.Sprintf("┄┄┄ %d steps are no longer kept ┄┄┄", n)
}

// logRow is a row of the log: a step, by its index, or several page faults in a row that one line of a
// program took and that did the same.
type logRow struct{ first, last int }

const (
	mostLogged = 200    // rows
	mostLooked = 20_000 // steps that are gone through for them
	fewest     = 3      // that are folded
)

// logged are the rows that the log has room for, up to the step that is shown, which is never folded:
// stepping back into a fold opens it. What a lesson claims, and what holds, is ticked off in its text; what
// a demo checks is for its author.
func (s *Scene) logged() []logRow {
	var out []logRow
	for i := s.Pos; i >= 0 && len(out) < mostLogged && s.Pos-i < mostLooked; i-- {
		if s.Quiet && s.Steps[i].Check && s.Steps[i].OK() && i != 0 {
			continue
		}
		first := i
		for i < s.Pos && first > 0 && s.Pos-first < mostLooked && alike(s.Steps, first) {
			first--
		}
		if i-first+1 < fewest {
			first = i
		}
		out = append(out, logRow{first, i})
		i = first
	}
	slices.Reverse(out)
	return out
}

// alike reports whether step i is a fault like the one before it, and none is missing between them.
func alike(steps []*history.Step, i int) bool {
	a, b := steps[i-1], steps[i]
	return len(a.Faults) == 1 && len(b.Faults) == 1 && a.At != nil && b.At != nil && a.Process == b.Process && a.Happened == b.Happened &&
		a.Command == "" && b.Command == "" && a.At.Object == b.At.Object && a.At.File == b.At.File && a.At.Line == b.At.Line && a.At.Function == b.At.Function &&
		(a.At.Line > 0 || a.At.At == b.At.At) && history.Missing(steps, i) == 0
}

// drawLogFold draws several faults as one row.
func drawLogFold(p cell.Pen, y int, s *Scene, row logRow) {
	st, did := s.Steps[row.first], string(s.Steps[row.first].Happened)
	x := 0
	if p.R.W >= 70 {
		p.Right(3, y, cell.Faint, fmt.Sprint(st.N))
		x = 4
	}
	x = max(8, p.Put(x, y, cell.Accent, st.Process)+1)
	if did != "" {
		did = ": " + did
	}
	x = p.Cut(x, y, p.R.W-x, cell.Dim, fmt.Sprintf("%d page faults%s", row.last-row.first+1, did))
	if at := st.Whence(); p.R.W-x > 12 {
		p.Cut(x+2, y, p.R.W-x-2, cell.Faint, at)
	}
}

func logIndent(w int) int {
	if w < 70 {
		return 2
	}
	return 8
}

// drawLogStep draws one step: number, process, command, call and answer.
func drawLogStep(p cell.Pen, y int, s *Scene, i int, last bool) {
	st := s.Steps[i]
	num, cmd := cell.Faint, cell.Dim
	if last {
		num, cmd = cell.Accent|cell.Bold, cell.Title
	}
	x := 0
	if p.R.W >= 70 {
		p.Right(3, y, num, fmt.Sprint(st.N))
		x = p.Put(4, y, cell.Accent, st.Process)
	} else {
		x = p.Put(0, y, cell.Accent, st.Process)
	}
	x++
	if st.Command == "" && st.Call != "" { // of a program that is run
		x = p.Cut(max(8, x), y, p.R.W-max(8, x), cmd, st.Told())
		if at := st.Whence(); !last && p.R.W-x > 12 {
			p.Cut(x+2, y, p.R.W-x-2, cell.Faint, at)
		}
		return
	}
	if st.Command == "" {
		role := cell.Warn // it came by itself
		if st.N == 0 {
			role = cell.Dim
		}
		p.Cut(max(8, x), y, p.R.W-max(8, x), role, st.Event)
		return
	}
	x = max(8, x)
	x = p.Cut(x, y, p.R.W-x, cmd, st.Command)
	answer := st.Answer()
	if f := st.Faulted(); f != "" {
		answer += " · " + f
	}
	if f := st.Foretold(); f != "" {
		answer += " · " + f
	}
	if p.R.W >= 100 {
		x = max(x+2, 8+30)
		call := p.R.W - x - cell.Width(answer) - 1
		if call > 12 && st.Call != "" {
			x = p.Cut(x, y, call, cell.Dim, st.Call)
			x++
		}
	} else {
		x += 2
	}
	p.Cut(x, y, p.R.W-x, answerRole(st), answer)
}

func answerRole(st *history.Step) cell.Style {
	switch {
	case st.OK():
		return cell.Good
	case st.Result.Ending == history.EndedSignal, st.Result == history.Exited:
		return cell.Bad
	}
	return cell.Warn
}
