// The text of a lesson: its prose, the commands of its blocks, questions with their answers, goals
// with their hints.

package tui

import (
	"fmt"
	"strings"

	"cowscope/actions/lesson"
	"cowscope/tui/cell"
	"cowscope/tui/prose"
)

// courseLine is a line of the text, and the item that it belongs to.
type courseLine struct {
	prose.Line
	item int
}

// courseColumns divides the width between text and lab. side reports whether both fit.
func courseColumns(w int) (text int, side bool) {
	if w < 104 {
		return w, false
	}
	return min(max(w*2/5, 44), 72), true
}

// courseRect is the place of the text.
func (m *App) courseRect() cell.Rect {
	text, _ := courseColumns(m.w)
	return cell.At(0, 1, text, max(m.bodyHeight()-2, 0))
}

// layout returns the lines of the step that the reader sees, laid out again only if something
// changed.
func (c *course) layout(m *App) []courseLine {
	st := c.player.State()
	w := m.courseRect().W - 4
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
			break // what follows could reveal the answer
		}
	}
	if st.Step == st.Front && st.Next < 0 {
		text := "Enter goes on to the next step."
		if st.Step == len(st.Steps)-1 {
			text = "This is the end of the lesson."
		}
		for _, l := range cell.Wrap(text, w) {
			c.lines = append(c.lines, courseLine{prose.Plain(cell.Dim, l), len(step.Items)})
		}
	}
	return c.lines
}

// sameState reports whether two states look the same. The player makes a new state for each change,
// with new steps.
func sameState(a, b lesson.State) bool {
	return a.Step == b.Step && a.Front == b.Front && a.Next == b.Next && a.Fresh == b.Fresh && len(a.Steps) == len(b.Steps) && &a.Steps[0] == &b.Steps[0]
}

// itemLines are the lines of an item, with a blank line after it.
func itemLines(it lesson.ItemState, w int, begun bool) []prose.Line {
	if !begun {
		return nil
	}
	var out []prose.Line
	switch it.Kind {
	case lesson.Prose:
		out = prose.Markdown(it.Text, w)
	case lesson.Cow:
		out = append(commandLines(it, it.Commands, w), failureLines(it.Failure, w)...)
		if it.Status == lesson.Pending {
			out = append(out, prose.Plain(cell.KeyCap, cell.Clip("  Enter runs this", w)))
		}
	case lesson.Predict:
		out = predictLines(it, w)
	case lesson.Goal:
		out = goalLines(it, w)
	}
	return append(out, nil)
}

var statusMark = map[lesson.Status]prose.Span{
	lesson.Pending: {Text: "▸", Style: cell.KeyCap}, lesson.Running: {Text: "⟳", Style: cell.Warn}, lesson.Done: {Text: "✓", Style: cell.Good}, lesson.Failed: {Text: "✗", Style: cell.Bad},
	lesson.Right: {Text: "✓", Style: cell.Good}, lesson.Wrong: {Text: "✗", Style: cell.Bad}, lesson.Unknown: {Text: "?", Style: cell.Dim}, lesson.Reached: {Text: "✓", Style: cell.Good},
	lesson.Solved: {Text: "✓", Style: cell.Dim}, lesson.Skipped: {Text: "-", Style: cell.Dim}, lesson.NotAsked: {Text: " ", Style: cell.Plain},
}

// commandLines are the commands of a block; expectations are fainter.
func commandLines(it lesson.ItemState, cs []lesson.Command, w int) []prose.Line {
	var out []prose.Line
	for i, c := range cs {
		mark := prose.Span{Text: " ", Style: cell.Plain}
		if i == 0 {
			mark = statusMark[it.Status]
		}
		st := cell.Accent
		if c.Check {
			st = cell.Faint
		}
		out = append(out, prose.Line{mark, {Text: " ", Style: cell.Plain}, {Text: cell.Clip(c.Text, w-2), Style: st}})
	}
	return out
}

func failureLines(f *lesson.Failure, w int) []prose.Line {
	if f == nil {
		return nil
	}
	var out []prose.Line
	for _, l := range cell.Wrap(f.String(), w-2) {
		out = append(out, prose.Line{{Text: "  ", Style: cell.Plain}, {Text: l, Style: cell.Bad}})
	}
	return out
}

func predictLines(it lesson.ItemState, w int) []prose.Line {
	out := prose.Markdown(it.Text, w)
	over := it.Status != lesson.Pending && it.Status != lesson.Running
	for i, a := range it.Offered {
		mark, st := prose.Span{Text: " ", Style: cell.Plain}, cell.Plain
		switch {
		case over && i == it.Correct:
			mark, st = prose.Span{Text: "✓", Style: cell.Good}, cell.Good
		case over && i == it.Chosen:
			mark, st = prose.Span{Text: "✗", Style: cell.Bad}, cell.Dim
		case over:
			st = cell.Dim
		case i == it.Chosen:
			mark, st = prose.Span{Text: "▸", Style: cell.KeyCap}, cell.Title|cell.Bold
		}
		for j, l := range cell.Wrap(a, w-5) {
			head := prose.Line{{Text: " ", Style: cell.Plain}, {Text: "   ", Style: cell.Plain}}
			if j == 0 {
				head = prose.Line{mark, {Text: fmt.Sprintf(" %d ", i+1), Style: cell.KeyCap}}
			}
			out = append(out, append(head, prose.Span{Text: l, Style: st}))
		}
	}
	switch {
	case !over && it.Chosen >= 0:
		out = append(out, prose.Plain(cell.KeyCap, cell.Clip("  Enter asks the kernel", w)))
	case !over:
		out = append(out, prose.Plain(cell.KeyCap, cell.Clip(fmt.Sprintf("  Choose 1 to %d", len(it.Offered)), w)))
	case over:
		ran := it
		ran.Status = lesson.NotAsked // the mark is shown beside the answer
		out = append(out, nil)
		out = append(out, commandLines(ran, it.Commands, w)...)
		out = append(out, failureLines(it.Failure, w)...)
		out = append(out, nil)
		out = append(out, prose.Plain(verdictOf(it)))
		out = append(out, prose.Markdown(it.Why, w)...)
	}
	return out
}

func verdictOf(it lesson.ItemState) (cell.Style, string) {
	switch it.Status {
	case lesson.Right:
		return cell.Good | cell.Bold, "Right."
	case lesson.Wrong:
		return cell.Bad | cell.Bold, "Not quite."
	case lesson.Skipped:
		return cell.Dim, "Skipped."
	}
	return cell.Dim, "Nothing shows here which answer is right."
}

func goalLines(it lesson.ItemState, w int) []prose.Line {
	mark := statusMark[it.Status]
	head := map[lesson.Status]string{lesson.Reached: "Reached.", lesson.Solved: "Solved by the lesson.", lesson.Skipped: "Skipped."}[it.Status]
	if head == "" {
		head = "Your turn. This is to hold:"
	}
	out := []prose.Line{{mark, {Text: " " + head, Style: cell.Title | cell.Bold}}}
	unmet := map[string]*lesson.Failure{}
	for _, f := range it.Unmet {
		unmet[f.Command] = f
	}
	for _, c := range it.Commands {
		f := unmet[c.Text]
		sign := prose.Span{Text: "  ✓ ", Style: cell.Good}
		if f != nil && it.Status == lesson.Pending {
			sign = prose.Span{Text: "  · ", Style: cell.Dim}
		}
		out = append(out, prose.Line{sign, {Text: cell.Clip(strings.TrimPrefix(c.Text, "expect "), w-4), Style: cell.Accent}})
		if f != nil && it.Status == lesson.Pending && f.Got != "" {
			for _, l := range cell.Wrap("now: "+f.Got, w-6) {
				out = append(out, prose.Line{{Text: "      ", Style: cell.Plain}, {Text: l, Style: cell.Dim}})
			}
		}
	}
	for i, h := range it.Seen() {
		out = append(out, nil, prose.Plain(cell.Warn|cell.Bold, fmt.Sprintf("Hint %d", i+1)))
		out = append(out, prose.Markdown(h, w)...)
	}
	if it.Status == lesson.Pending {
		keys := "  S shows a solution"
		if it.Shown < len(it.Hints) {
			keys = "  H gives a hint, S shows a solution"
		}
		out = append(out, prose.Plain(cell.KeyCap, cell.Clip(keys, w)))
	}
	if it.Status == lesson.Solved {
		out = append(out, commandLines(it, it.Solution, w)...)
	}
	return out
}

// drawCourse draws the text of the lesson with its title, the position of the reader, and whether
// there is more.
func drawCourse(p cell.Pen, m *App) {
	c := m.course
	st := c.player.State()
	lines := c.layout(m)
	inner := cell.Box(p, st.Steps[st.Step].Heading, cell.Faint)
	c.top = max(0, min(c.top, len(lines)-inner.R.H))
	text := inner.Sub(cell.At(1, 0, inner.R.W-2, inner.R.H))
	for y := range min(text.R.H, len(lines)-c.top) {
		lines[c.top+y].Put(text, 0, y)
	}
	where := fmt.Sprintf(" %s %d/%d ", stepDots(st), st.Step+1, len(st.Steps))
	if p.R.W > cell.Width(where)+4 {
		p.Put(2, p.R.H-1, cell.Dim, where)
	}
	if c.top+inner.R.H < len(lines) {
		p.Right(p.R.W-2, p.R.H-1, cell.KeyCap, " Enter: more ↓ ")
	} else if c.top > 0 {
		p.Right(p.R.W-2, p.R.H-1, cell.Dim, " ↑ PgUp ")
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
