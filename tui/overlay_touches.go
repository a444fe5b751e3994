// The places in the code that take page faults, by how many they took.

package tui

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/tui/cell"

	tea "charm.land/bubbletea/v2"
)

// toucher is a lab that is told of page faults as they happen.
type toucher interface {
	Touches() history.Tally
	Untold() string // why it is not told, and what would help; "" if it is
}

// sayUntold says once that page faults are not told.
func (m *App) sayUntold() {
	if l, ok := m.lab.(toucher); ok && l.Untold() != "" {
		m.say("page faults are not told, only pictures compared: "+l.Untold(), true)
	}
}

// sayLost says how many faults of a step were not seen.
func (m *App) sayLost(st *history.Step) {
	switch {
	case st.Lost == 1:
		m.say("1 fault not seen", true)
	case st.Lost > 1:
		m.say(fmt.Sprintf("%d faults not seen", st.Lost), true)
	}
}

// touches is the list over the screen.
type touches struct {
	top   int
	tally history.Tally
	of    *history.Step // the step up to which it is
}

func openTouches(m *App) tea.Cmd {
	t := &touches{}
	t.follow(m)
	l, told := m.lab.(toucher)
	switch {
	case len(t.tally.Spots) > 0 || t.tally.Lost > 0:
		m.over = t
	case !told:
		m.say("page faults are told as they happen where a process is watched: cowscope watch", true)
	case l.Untold() != "":
		m.say("page faults are not told: "+l.Untold(), true)
	default:
		m.say("no page fault has been taken so far", false)
	}
	return nil
}

// follow adds up the faults again where another step is shown.
func (t *touches) follow(m *App) {
	if t.of == m.step() {
		return
	}
	t.of = m.step()
	if l, told := m.lab.(toucher); told && m.live() {
		t.tally = l.Touches() // of steps too that are no longer kept
		return
	}
	var spots history.Spots
	for _, st := range m.steps[:m.pos+1] {
		spots.Add(st.Faults, st.Lost)
	}
	t.tally = spots.Tally()
}

func (t *touches) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "down", "j":
		t.top++
	case "up", "k":
		t.top = max(0, t.top-1)
	case "pgdown", "space":
		t.top += 10
	case "pgup":
		t.top = max(0, t.top-10)
	default:
		m.over = nil
	}
	return nil
}

func (t *touches) paste(*App, string) {}
func (t *touches) fail(error) bool    { return false }

func (t *touches) draw(p cell.Pen, m *App) *tea.Cursor {
	t.follow(m)
	var all uint64
	for _, s := range t.tally.Spots {
		all += s.Count
	}
	title := fmt.Sprintf("page faults by place · %d", all+t.tally.Elsewhere)
	if t.tally.Lost > 0 {
		title += fmt.Sprintf(" · %d not seen", t.tally.Lost)
	}
	rows := len(t.tally.Spots) + 1
	if t.tally.Elsewhere > 0 {
		rows++
	}
	w := min(96, p.R.W-2)
	h := min(rows+2, p.R.H-2)
	box := p.Sub(cell.At((p.R.W-w)/2, (p.R.H-h)/2, w, h))
	box.Fill(0)
	inner := cell.Box(box, title, cell.Accent)
	t.top = min(t.top, max(0, rows-inner.R.H))
	drawSpot(inner, 0, cell.Dim, "faults", "did", "major", "place")
	for y := 1; y < inner.R.H && t.top+y-1 < rows-1; y++ {
		i := t.top + y - 1
		if i == len(t.tally.Spots) {
			drawSpot(inner, y, cell.Dim, fmt.Sprint(t.tally.Elsewhere), "", "", "at other places")
			break
		}
		s, major := t.tally.Spots[i], ""
		if s.Major > 0 {
			major = fmt.Sprint(s.Major)
		}
		did := string(s.Did)
		if did == "" {
			did = "unknown"
		}
		drawSpot(inner, y, cell.Plain, fmt.Sprint(s.Count), did, major, s.At)
	}
	drawFooter(p, "↑ ↓", "scroll", "Esc", "close")
	return nil
}

// drawSpot draws a line of the list: the numbers at the right of their columns.
func drawSpot(p cell.Pen, y int, st cell.Style, faults, did, major, place string) {
	p.Right(10, y, st, faults)
	p.Cut(12, y, 10, st, did)
	p.Right(30, y, st, major)
	p.Cut(32, y, p.R.W-33, st, place)
}
