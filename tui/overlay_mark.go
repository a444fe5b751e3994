package tui

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/saved"
	"cowscope/actions/watch"
	"cowscope/tui/cell"
	"cowscope/tui/pane"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/compare"

	tea "charm.land/bubbletea/v2"
)

// Rules of this file: the overlay of M shows what became of the current process since the mark,
// mapping by mapping, and how exact that is. It is asked for again as long as it is shown. Before M
// stops anybody, the overlay has said so.

// marker is a lab that can be marked.
type marker interface {
	Marked(label string) (marked, exact bool)
	Mark(ctx context.Context, label string, around vmspace.Range, exact bool) (*history.Step, error)
	Since(ctx context.Context, label string) (*watch.Since, error)
}

// markerOf is the lab as a marker, also where it is recorded; nil where it cannot be marked.
func markerOf(l actions.Lab) marker {
	k, _ := unrecorded(l).(marker)
	return k
}

// unrecorded is the lab itself, where it is recorded.
func unrecorded(l actions.Lab) actions.Lab {
	if r, ok := l.(*saved.Recorder); ok {
		return r.Lab
	}
	return l
}

func needMarker(m *App) string {
	if m.still() {
		return m.lab.Info().Refuses
	}
	if markerOf(m.lab) == nil {
		return "a mark is for a process that is watched: cowscope watch PID"
	}
	return ""
}

// marks is the overlay.
type marks struct {
	label string
	since *watch.Since
	err   error
	exact bool // the mark is exact already
	busy  bool
	top   int
}

// overlayMsg is a message to an overlay.
type overlayMsg interface{ take(*App) tea.Cmd }

type (
	// sinceMsg is what an overlay asked for.
	sinceMsg struct {
		of    *marks
		since *watch.Since
		exact bool
		err   error
		made  bool // a mark was made
	}
	// againMsg says that it is time to ask again.
	againMsg struct{ of *marks }
)

// openMark shows what became since the mark. Where there is none, it makes one.
func openMark(m *App) tea.Cmd {
	o := &marks{label: m.current()}
	m.over = o
	marked, _ := markerOf(m.lab).Marked(o.label)
	if !marked {
		return o.mark(m, false)
	}
	return o.ask(m)
}

// ask compares again.
func (o *marks) ask(m *App) tea.Cmd {
	k := markerOf(m.lab)
	return func() tea.Msg {
		since, err := k.Since(m.ctx, o.label)
		_, exact := k.Marked(o.label)
		return sinceMsg{of: o, since: since, exact: exact, err: err}
	}
}

// mark makes a mark. The bytes of the pages around the cursor are compared too.
func (o *marks) mark(m *App, exact bool) tea.Cmd {
	const pages = 1024
	k, r, size := markerOf(m.lab), pane.RowAt(m.step().After, m.cursor), m.step().After.PageSize
	around := vmspace.Range{}
	if !r.Gap {
		around.Start = max(r.Start, m.cursor-min(m.cursor, pages/2*size))
		around.End = min(r.End, around.Start+pages*size)
	}
	o.busy = true
	return func() tea.Msg {
		if _, err := k.Mark(m.ctx, o.label, around, exact); err != nil {
			return sinceMsg{of: o, err: err}
		}
		since, err := k.Since(m.ctx, o.label)
		_, exact := k.Marked(o.label)
		return sinceMsg{of: o, since: since, exact: exact, err: err, made: true}
	}
}

// take shows what was asked for, and asks again after a while.
func (msg sinceMsg) take(m *App) tea.Cmd {
	o := msg.of
	o.busy, o.err, m.fresh = false, msg.err, false
	if msg.since != nil {
		o.since, o.exact = msg.since, msg.exact
	}
	if msg.made {
		wasLive := m.live()
		m.refresh()
		if wasLive {
			m.show(len(m.steps) - 1)
		}
	}
	return m.later(pollEvery, againMsg{o})
}

// take asks again, if the overlay is still shown.
func (msg againMsg) take(m *App) tea.Cmd {
	if m.over != msg.of || msg.of.busy {
		return nil
	}
	return msg.of.ask(m)
}

func (o *marks) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "M":
		if !o.exact && !o.busy {
			return o.mark(m, true)
		}
	case "n":
		if !o.busy {
			return o.mark(m, false)
		}
	case "down", "j", "pgdown", "space":
		o.top += 5
	case "up", "k", "pgup":
		o.top = max(0, o.top-5)
	default:
		m.over = nil
	}
	return nil
}

func (o *marks) paste(*App, string) {}
func (o *marks) fail(error) bool    { return false }

// whatExactDoes is said before it is done.
const whatExactDoes = "M again: from here on every write is known. The first thread of the process is stopped once, for less than 1 ms, and makes a userfaultfd, " +
	"which cowscope takes. While cowscope runs, the first write to a page takes a fault, mappings do not merge with new ones, and huge pages are split when they are written to."

func (o *marks) draw(p cell.Pen, m *App) *tea.Cursor {
	w, h := min(110, p.R.W-2), p.R.H-2
	box := p.Sub(cell.At((p.R.W-w)/2, 1, w, h))
	box.Fill(0)
	title := o.label + " since the mark"
	if o.since != nil {
		title += fmt.Sprintf(" at %s, step %d", o.since.At.Format("15:04:05"), o.since.Step)
	}
	in := cell.Box(box, title, cell.Accent)
	w, h = in.R.W, in.R.H
	var foot []string
	if !o.exact {
		foot = cell.Wrap(whatExactDoes, w-2)
	}
	for i, l := range foot {
		in.Put(1, h-len(foot)+i, cell.Dim, l)
	}
	y := 0
	if o.err != nil {
		for _, l := range cell.Wrap(o.err.Error(), w-2) {
			in.Put(1, y, cell.Bad, l)
			y++
		}
	}
	if o.since != nil {
		o.rows(in.Sub(cell.At(0, y, w, max(h-y-len(foot), 0))))
	}
	keys := []string{"M", "mark exact", "n", "new mark", "↑ ↓", "scroll", "Esc", "close"}
	if o.exact {
		keys = keys[2:]
	}
	drawFooter(p, keys...)
	return nil
}

// The columns of the list, each so wide that its numbers have a space before them.
const (
	sizeColumn  = 10
	countColumn = 9
)

// rows draws how exact it is, the sum, and a line for each mapping.
func (o *marks) rows(in cell.Pen) {
	look := map[watch.Exactness]cell.Style{watch.Exact: cell.Good, watch.Sampled: cell.Warn, watch.Unknown: cell.Bad}[o.since.Exact]
	x := in.Put(1, 0, look|cell.Bold, string(o.since.Exact))
	in.Cut(x, 0, in.R.W-x-1, cell.Plain, ": "+o.since.How)
	if o.since.Since == nil {
		return
	}
	x = 0
	for i, name := range []string{"rss", "pss", "written", "appeared", "copied", "gone"} {
		x += countColumn
		if i < 2 {
			x += sizeColumn - countColumn
		}
		in.Right(x, 1, cell.Title, name)
	}
	in.Put(x+2, 1, cell.Title, "mapping")
	o.row(in, 2, o.since.All, "all")
	room := max(in.R.H-3, 0)
	o.top = min(o.top, max(0, len(o.since.Rows)-room))
	for i, r := range o.since.Rows[o.top:min(o.top+room, len(o.since.Rows))] {
		name := nameOfRow(r)
		if in.R.W > 90 {
			name = r.Mapping.Perms.String() + " " + name
		}
		o.row(in, 3+i, r, name)
	}
	if len(o.since.Rows) == 0 && room > 0 {
		in.Put(2, 3, cell.Dim, "nothing has changed")
	}
}

func (o *marks) row(in cell.Pen, y int, r compare.Became, name string) {
	pss := "?"
	if r.PSSKnown {
		pss = more(r.PSS)
	}
	x := 0
	for _, size := range []string{more(r.RSS), pss} {
		x += sizeColumn
		in.Right(x, y, cell.Plain, size)
	}
	for _, n := range []uint64{r.Written, r.Appeared, r.Copied, r.Gone} {
		x += countColumn
		st := cell.Plain
		if n == 0 {
			st = cell.Faint
		}
		in.Right(x, y, st, fmt.Sprint(n))
	}
	in.Cut(x+2, y, in.R.W-x-3, cell.Plain, name)
}

// nameOfRow is short: what became of the mapping, its file or kind, and where it is.
func nameOfRow(r compare.Became) string {
	name := r.Mapping.Kind().String()
	switch path := r.Mapping.Path; {
	case strings.HasPrefix(path, "["):
		name = strings.Trim(path, "[]")
	case path != "":
		name = filepath.Base(path)
	}
	if r.What != "changed" {
		name = r.What + ": " + name
	}
	return fmt.Sprintf("%s %x", name, r.Mapping.Start)
}

// more is a difference in bytes with its sign.
func more(n int64) string {
	switch {
	case n < 0:
		return "-" + amount.Size(uint64(-n))
	case n > 0:
		return "+" + amount.Size(uint64(n))
	}
	return "0"
}
