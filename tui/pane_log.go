// The log: every step in strace style, and for the step that is shown one sentence of why.

package tui

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
)

func drawLog(p pen, s *scene, hits *hitList) {
	if p.r.empty() {
		return
	}
	if p.r.h < 4 { // too low for a border
		drawLogTail(p, s, hits)
		return
	}
	inner := drawBox(p, "what happened", roleFaint)
	drawLogTail(inner.sub(rect{1, 0, inner.r.w - 2, inner.r.h}), s, hits)
}

// drawLogTail draws the steps that end with the one shown, newest below.
func drawLogTail(p pen, s *scene, hits *hitList) {
	shown := s.logged()
	why := wrap(s.steps[shown[len(shown)-1]].Why, p.r.w-logIndent(p.r.w))
	if len(why) > max(p.r.h-1, 1) {
		why = why[:max(p.r.h-1, 1)]
		last := &why[len(why)-1]
		*last = clip(*last+" …", p.r.w-logIndent(p.r.w))
	}
	y := min(p.r.h, len(shown)+len(why)) - len(why) // from the top while there is room, then the newest below
	for i, l := range why {
		p.put(logIndent(p.r.w), y+i, roleText, l)
	}
	for n := len(shown) - 1; n >= 0 && y > 0; n-- {
		y--
		i := shown[n]
		drawLogStep(p, y, s, i, n == len(shown)-1)
		hits.add(rect{p.r.x, p.r.y + y, p.r.w, 1}, hit{kind: hitStep, n: i})
	}
}

// logged are the steps that the log has room for, by their index, up to the one that is shown. What a lesson claims, and what holds, is
// ticked off in its text; what a demo checks is for its author.
func (s *scene) logged() []int {
	var out []int
	for i := s.pos; i >= 0 && len(out) < 200; i-- {
		if !s.quiet || !s.steps[i].Check || !s.steps[i].OK() || i == 0 {
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
func drawLogStep(p pen, y int, s *scene, i int, last bool) {
	st := s.steps[i]
	num, cmd := roleFaint, roleDim
	if last {
		num, cmd = roleAccent|flagBold, roleTitle
	}
	x := 0
	if p.r.w >= 70 {
		p.right(3, y, num, fmt.Sprint(st.N))
		x = p.put(4, y, roleAccent, st.Process)
	} else {
		x = p.put(0, y, roleAccent, st.Process)
	}
	x++
	if st.Command == "" {
		role := roleWarn // it came by itself
		if st.N == 0 {
			role = roleDim
		}
		p.cut(max(8, x), y, p.r.w-max(8, x), role, st.Event)
		return
	}
	x = max(8, x)
	x = p.cut(x, y, p.r.w-x, cmd, st.Command)
	answer := st.Answer()
	if f := st.Faulted(); f != "" {
		answer += " · " + f
	}
	if f := st.Foretold(); f != "" {
		answer += " · " + f
	}
	if p.r.w >= 100 {
		x = max(x+2, 8+30)
		call := p.r.w - x - textWidth(answer) - 1
		if call > 12 && st.Call != "" {
			x = p.cut(x, y, call, roleDim, st.Call)
			x++
		}
	} else {
		x += 2
	}
	p.cut(x, y, p.r.w-x, answerRole(st), answer)
}

func answerRole(st *history.Step) Style {
	switch {
	case st.OK():
		return roleGood
	case st.Result.Ending == history.EndedSignal, st.Result == history.Exited:
		return roleBad
	}
	return roleWarn
}
