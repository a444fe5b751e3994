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
	newest := s.Steps[shown[len(shown)-1]]
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
		i := shown[n]
		drawLogStep(p, y, s, i, n == len(shown)-1)
		s.Hits.add(cell.At(p.R.X, p.R.Y+y, p.R.W, 1), Hit{Kind: HitStep, N: i})
		if gone := history.Missing(s.Steps, i); gone > 0 && y > 0 {
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

// logged are the steps that the log has room for, by their index, up to the one that is shown. What
// a lesson claims, and what holds, is ticked off in its text; what a demo checks is for its author.
func (s *Scene) logged() []int {
	var out []int
	for i := s.Pos; i >= 0 && len(out) < 200; i-- {
		if !s.Quiet || !s.Steps[i].Check || !s.Steps[i].OK() || i == 0 {
			out = append(out, i)
		}
	}
	slices.Reverse(out)
	return out
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
