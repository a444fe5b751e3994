// The text of a lesson: its prose, what its blocks ran, questions with their answers, goals with their hints.

package tui

import (
	"fmt"
	"strings"

	"cowscope/actions/lesson"
)

// courseLine is a line of the text, and the item that it belongs to.
type courseLine struct {
	textLine
	item int
}

// courseColumns divides the width between text and lab. side says that both fit.
func courseColumns(w int) (text int, side bool) {
	if w < 104 {
		return w, false
	}
	return min(max(w*2/5, 44), 72), true
}

// courseRect is where the text stands.
func (m *App) courseRect() rect {
	text, _ := courseColumns(m.w)
	return rect{0, 1, text, max(m.bodyHeight()-2, 0)}
}

// layout gives the lines of the step that the reader looks at, laid out anew where anything changed.
func (c *course) layout(m *App) []courseLine {
	st := c.player.State()
	w := m.courseRect().w - 4
	if c.state != nil && c.width == w && sameState(*c.state, st) {
		return c.lines
	}
	c.width, c.state, c.lines = w, &st, nil
	step := st.Steps[st.Step]
	for i, it := range step.Items {
		for _, l := range itemLines(it, w, st.Step < st.Front || i <= st.Next || st.Next < 0) {
			c.lines = append(c.lines, courseLine{l, i})
		}
		if st.Step == st.Front && i == st.Next {
			break // what comes after would tell the answer
		}
	}
	if st.Step == st.Front && st.Next < 0 {
		text := "Enter goes on to the next step."
		if st.Step == len(st.Steps)-1 {
			text = "This is the end of the lesson."
		}
		for _, l := range wrap(text, w) {
			c.lines = append(c.lines, courseLine{plainLine(roleDim, l), len(step.Items)})
		}
	}
	return c.lines
}

// sameState says whether two states look the same. The player gives out a new state for each change, with new steps.
func sameState(a, b lesson.State) bool {
	return a.Step == b.Step && a.Front == b.Front && a.Next == b.Next && a.Fresh == b.Fresh && len(a.Steps) == len(b.Steps) && &a.Steps[0] == &b.Steps[0]
}

// itemLines are the lines of an item with a blank one behind it.
func itemLines(it lesson.ItemState, w int, begun bool) []textLine {
	if !begun {
		return nil
	}
	var out []textLine
	switch it.Kind {
	case lesson.Prose:
		out = markdown(it.Text, w)
	case lesson.Cow:
		out = append(commandLines(it, it.Commands, w), failureLines(it.Failure, w)...)
		if it.Status == lesson.Pending {
			out = append(out, plainLine(roleKey, clip("  Enter runs this", w)))
		}
	case lesson.Predict:
		out = predictLines(it, w)
	case lesson.Goal:
		out = goalLines(it, w)
	}
	return append(out, nil)
}

var statusMark = map[lesson.Status]span{
	lesson.Pending: {"▸", roleKey}, lesson.Running: {"⟳", roleWarn}, lesson.Done: {"✓", roleGood}, lesson.Failed: {"✗", roleBad},
	lesson.Right: {"✓", roleGood}, lesson.Wrong: {"✗", roleBad}, lesson.Unknown: {"?", roleDim}, lesson.Reached: {"✓", roleGood},
	lesson.Solved: {"✓", roleDim}, lesson.Skipped: {"-", roleDim}, lesson.NotAsked: {" ", roleText},
}

// commandLines are the commands of a block; claims are drawn fainter.
func commandLines(it lesson.ItemState, cs []lesson.Command, w int) []textLine {
	var out []textLine
	for i, c := range cs {
		mark := span{" ", roleText}
		if i == 0 {
			mark = statusMark[it.Status]
		}
		st := roleAccent
		if c.Check {
			st = roleFaint
		}
		out = append(out, textLine{mark, {" ", roleText}, {clip(c.Text, w-2), st}})
	}
	return out
}

func failureLines(f *lesson.Failure, w int) []textLine {
	if f == nil {
		return nil
	}
	var out []textLine
	for _, l := range wrap(f.String(), w-2) {
		out = append(out, textLine{{"  ", roleText}, {l, roleBad}})
	}
	return out
}

func predictLines(it lesson.ItemState, w int) []textLine {
	out := markdown(it.Text, w)
	over := it.Status != lesson.Pending && it.Status != lesson.Running
	for i, a := range it.Offered {
		mark, st := span{" ", roleText}, roleText
		switch {
		case over && i == it.Correct:
			mark, st = span{"✓", roleGood}, roleGood
		case over && i == it.Chosen:
			mark, st = span{"✗", roleBad}, roleDim
		case over:
			st = roleDim
		case i == it.Chosen:
			mark, st = span{"▸", roleKey}, roleTitle|flagBold
		}
		for j, l := range wrap(a, w-5) {
			head := textLine{{" ", roleText}, {"   ", roleText}}
			if j == 0 {
				head = textLine{mark, {fmt.Sprintf(" %d ", i+1), roleKey}}
			}
			out = append(out, append(head, span{l, st}))
		}
	}
	switch {
	case !over && it.Chosen >= 0:
		out = append(out, plainLine(roleKey, clip("  Enter asks the kernel", w)))
	case !over:
		out = append(out, plainLine(roleKey, clip(fmt.Sprintf("  Choose 1 to %d", len(it.Offered)), w)))
	case over:
		ran := it
		ran.Status = lesson.NotAsked // the mark is the answer's
		out = append(out, nil)
		out = append(out, commandLines(ran, it.Commands, w)...)
		out = append(out, failureLines(it.Failure, w)...)
		out = append(out, nil)
		out = append(out, plainLine(verdictOf(it)))
		out = append(out, markdown(it.Why, w)...)
	}
	return out
}

func verdictOf(it lesson.ItemState) (Style, string) {
	switch it.Status {
	case lesson.Right:
		return roleGood | flagBold, "Right."
	case lesson.Wrong:
		return roleBad | flagBold, "Not quite."
	case lesson.Skipped:
		return roleDim, "Skipped."
	}
	return roleDim, "Nothing shows here which answer is right."
}

func goalLines(it lesson.ItemState, w int) []textLine {
	mark := statusMark[it.Status]
	head := map[lesson.Status]string{lesson.Reached: "Reached.", lesson.Solved: "Solved by the lesson.", lesson.Skipped: "Skipped."}[it.Status]
	if head == "" {
		head = "Your turn. This is to hold:"
	}
	out := []textLine{{mark, {" " + head, roleTitle | flagBold}}}
	unmet := map[string]*lesson.Failure{}
	for _, f := range it.Unmet {
		unmet[f.Command] = f
	}
	for _, c := range it.Commands {
		f := unmet[c.Text]
		sign := span{"  ✓ ", roleGood}
		if f != nil && it.Status == lesson.Pending {
			sign = span{"  · ", roleDim}
		}
		out = append(out, textLine{sign, {clip(strings.TrimPrefix(c.Text, "expect "), w-4), roleAccent}})
		if f != nil && it.Status == lesson.Pending && f.Got != "" {
			for _, l := range wrap("now: "+f.Got, w-6) {
				out = append(out, textLine{{"      ", roleText}, {l, roleDim}})
			}
		}
	}
	for i, h := range it.Seen() {
		out = append(out, nil, plainLine(roleWarn|flagBold, fmt.Sprintf("Hint %d", i+1)))
		out = append(out, markdown(h, w)...)
	}
	if it.Status == lesson.Pending {
		keys := "  S shows a solution"
		if it.Shown < len(it.Hints) {
			keys = "  H gives a hint, S shows a solution"
		}
		out = append(out, plainLine(roleKey, clip(keys, w)))
	}
	if it.Status == lesson.Solved {
		out = append(out, commandLines(it, it.Solution, w)...)
	}
	return out
}

// drawCourse draws the text of the lesson with its title, where the reader is, and whether there is more.
func drawCourse(p pen, m *App) {
	c := m.course
	st := c.player.State()
	lines := c.layout(m)
	inner := drawBox(p, st.Steps[st.Step].Heading, roleFaint)
	c.top = max(0, min(c.top, len(lines)-inner.r.h))
	text := inner.sub(rect{1, 0, inner.r.w - 2, inner.r.h})
	for y := range min(text.r.h, len(lines)-c.top) {
		text.line(0, y, lines[c.top+y].textLine)
	}
	where := fmt.Sprintf(" %s %d/%d ", stepDots(st), st.Step+1, len(st.Steps))
	if p.r.w > textWidth(where)+4 {
		p.put(2, p.r.h-1, roleDim, where)
	}
	if c.top+inner.r.h < len(lines) {
		p.right(p.r.w-2, p.r.h-1, roleKey, " Enter: more ↓ ")
	} else if c.top > 0 {
		p.right(p.r.w-2, p.r.h-1, roleDim, " ↑ PgUp ")
	}
}

// stepDots shows which steps are done.
func stepDots(st lesson.State) string {
	var b strings.Builder
	for i, s := range st.Steps {
		switch {
		case i == st.Step:
			b.WriteString("●")
		case s.Done:
			b.WriteString("✓")
		default:
			b.WriteString("·")
		}
	}
	return b.String()
}
