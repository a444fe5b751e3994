// The map pane: the address axis on the left, one column a process, the same addresses on the same
// rows.

package pane

import (
	"fmt"
	"strings"

	"cowscope/tui/cell"
	"cowscope/vmspace"
)

// axis is the widths of the parts that all processes share, and of the columns.
type axis struct {
	name, addr, size int // widths; addr is 0 if there is no room
	left             int // columns before the first process
	column           int // width of a process's column, its rule included
	first, count     int // which processes are shown
}

const (
	narrowColumn = 16 // minimum width of a process: the permissions and a few pages
	gutter       = 2
)

// newAxis divides w columns among the axis and n processes, of which the one with index current
// must be visible.
func newAxis(w, n, current int) axis {
	a := axis{name: 9, addr: 14, size: 5}
	switch {
	case w < 50:
		a.name, a.addr = 7, 0
	case w < 100 && n > 1:
		a.name = 7
	case w >= 140:
		a.name = 14
	}
	a.left = gutter + a.name + 1 + a.size + 2
	if a.addr > 0 {
		a.left += a.addr + 1
	}
	a.count = min(max(1, (w-a.left)/narrowColumn), max(n, 1))
	a.column = max(0, (w-a.left)/a.count)
	a.first = min(max(0, current-a.count/2), max(n, 1)-a.count)
	return a
}

// DrawMap draws the map into p, and records where its rows and pages are.
func DrawMap(p cell.Pen, s *Scene) {
	if p.R.Empty() {
		return
	}
	if len(s.Snap.Processes) == 0 {
		cell.Box(p, "address space", cell.Faint) // the inspector says that no process is left
		return
	}
	inner := cell.Box(p, "", cell.Faint)
	current := 0
	for i, pr := range s.Snap.Processes {
		if pr.Label == s.Current {
			current = i
		}
	}
	a := newAxis(inner.R.W, len(s.Snap.Processes), current)
	drawAxisHeads(p, s, a)
	rows, selected := s.Rows().window(s.Cursor, inner.R.H, inner.R.H/2)
	for y, r := range rows {
		line := inner.Sub(cell.At(0, y, inner.R.W, 1))
		drawRow(line, s, a, r, y == selected)
	}
	drawScroll(p, s, rows)
}

// drawAxisHeads writes the column headings into the upper border, and draws rules between the
// columns.
func drawAxisHeads(p cell.Pen, s *Scene, a axis) {
	p.Put(2, 0, cell.Title, " address space ")
	for i := range a.count {
		pr := s.Snap.Processes[a.first+i]
		x := 1 + a.left + i*a.column
		for y := 1; y < p.R.H-1; y++ {
			p.Put(x-1, y, cell.Faint, "│")
		}
		p.Put(x-1, 0, cell.Faint, "┬")
		p.Put(x-1, p.R.H-1, cell.Faint, "┴")
		st := cell.Dim
		if pr.Label == s.Current {
			st = cell.Accent | cell.Bold
		}
		w := a.column - 2
		if i == a.count-1 {
			w = p.R.W - x - 2
		}
		more := len(s.Snap.Processes) - a.first - a.count
		text := " " + processHead(s, pr, w-2)
		if i == a.count-1 && more > 0 {
			text = " " + processHead(s, pr, w-7) + fmt.Sprintf(" … +%d", more)
		}
		p.Cut(x, 0, w, st, cell.Clip(text, w-1)+" ")
	}
}

func drawRow(line cell.Pen, s *Scene, a axis, r Row, selected bool) {
	w := line.R.W
	s.Hits.add(line.R, Hit{Kind: HitRow, Addr: r.Start})
	if r.Gap {
		text := "┄┄┄ " + bytesText(r.Len()) + " not mapped ┄┄┄"
		if r.Len() == 0 || r.Start == 0 && r.End == topOfMemory {
			text = "nothing is mapped"
		}
		line.Cut(gutter, 0, min(w-gutter, a.left-gutter-1), cell.Dim, text)
		if selected {
			line.Put(0, 0, cell.Accent|cell.Bold, "▸")
			line.Restyle(0, 0, a.left-1, cell.InRow)
		}
		return
	}
	x := gutter
	name := cell.Plain
	if selected {
		line.Put(0, 0, cell.Accent|cell.Bold, "▸")
		name = cell.Title
	}
	if mark := foldMarks[r.Fold]; mark != "" {
		line.Put(gutter-1, 0, cell.Accent, mark)
	}
	if r.Fold == Closed || r.Fold == Opened {
		s.Hits.add(cell.At(line.R.X, line.R.Y, gutter+a.name, 1), Hit{Kind: HitFold, Addr: r.Start})
	}
	line.Cut(x, 0, a.name, name, s.nameOf(r))
	x += a.name + 1
	if a.addr > 0 {
		line.Put(x, 0, cell.Dim, addrText(r.Start))
		x += a.addr + 1
	}
	line.Right(x+a.size, 0, cell.Plain, pagesText(s.Rows().pages(r)))
	if selected {
		line.Restyle(0, 0, a.left-1, cell.InRow)
	}
	for i := range a.count {
		x := a.left + i*a.column
		cw := a.column - 1
		if i == a.count-1 {
			cw = w - x
		}
		col := line.Sub(cell.At(x, 0, cw, 1))
		if selected {
			col.Restyle(0, 0, cw, cell.InRow)
		}
		drawColumn(col, s, s.Snap.Processes[a.first+i], r, selected)
	}
}

// drawColumn draws what one process has mapped in a row.
func drawColumn(p cell.Pen, s *Scene, pr *vmspace.Process, r Row, selected bool) {
	m, ok := pr.MappingAt(r.Start)
	if !ok {
		st := cell.Faint
		if s.marked(pr.Label, r.Range) {
			st = cell.Warn
		}
		if !pr.Alive() {
			return
		}
		if pr.Err != "" {
			p.Cut(1, 0, p.R.W-1, cell.Bad, pr.Err)
			return
		}
		p.Cut(1, 0, p.R.W-1, st, "┄┄┄┄")
		return
	}
	perms := cell.Plain
	if m.Start != r.Start {
		perms = cell.Dim // it continues from the row above
	}
	letters := m.Perms.String()
	if r.Fold == Closed {
		lo, hi := pr.Mappings.Overlap(r.Range)
		letters, perms = fmt.Sprintf("%-4s", fmt.Sprintf("%d×", hi-lo)), cell.Dim
	}
	x := p.Put(1, 0, perms, letters)
	if mappingChanged(s, pr.Label, r) {
		p.Restyle(1, 0, 4, cell.Marked)
	}
	x++
	if p.R.W >= 34 {
		p.Cut(x, 0, 7, cell.Dim, kindText(m))
		x += 8
	}
	if selected {
		p.Restyle(0, 0, p.R.W, cell.InRow)
	}
	drawStrip(p.Sub(cell.At(x, 0, p.R.W-x, 1)), s, pr, r, selected)
}

func kindText(m vmspace.Mapping) string {
	return m.Kind().String()
}

// mappingChanged reports whether the step changed the mapping itself, not only its pages.
func mappingChanged(s *Scene, label string, r Row) bool {
	for i, c := range s.Step.Changes {
		if i >= 256 {
			break
		}
		if c.Process != label || !c.Range.Overlaps(r.Range) {
			continue
		}
		switch c.Kind {
		case vmspace.ChangeMapped, vmspace.ChangeGrown, vmspace.ChangePerms, vmspace.ChangeSplit, vmspace.ChangeMerged:
			return true
		}
	}
	return false
}

// drawStrip draws the pages of a row: one cell per page if they fit, otherwise one cell for several
// pages, with their number at the end.
func drawStrip(p cell.Pen, s *Scene, pr *vmspace.Process, r Row, selected bool) {
	ps := s.Snap.PageSize
	pages := r.Pages(ps)
	room := p.R.W
	if room <= 0 {
		return
	}
	scale := uint64(1)
	for pages > scale*uint64(max(room-len(scaleText(scale)), 1)) {
		scale *= 2
	}
	cells := int((pages + scale - 1) / scale)
	for i := range min(cells, room) {
		from := r.Start + uint64(i)*scale*ps
		part := vmspace.Range{Start: from, End: min(from+scale*ps, r.End)}
		state, maps := summary(pr, part)
		if !maps {
			continue // a hole between segments
		}
		glyph, st := s.look(pr.Label, state, part)
		if selected {
			st |= cell.InRow
		}
		if s.marked(pr.Label, part) {
			st |= cell.Marked
		}
		if part.Contains(s.Cursor) {
			if pr.Label == s.Current {
				st |= cell.AtCursor
			} else {
				st |= cell.Underline
			}
		}
		p.Put(i, 0, st, glyph)
		s.Hits.add(cell.At(p.R.X+i, p.R.Y, 1, 1), Hit{Kind: HitPage, Addr: from, Label: pr.Label})
	}
	if scale > 1 {
		st := cell.Dim
		if selected {
			st |= cell.InRow
		}
		p.Put(cells+1, 0, st, strings.TrimSpace(scaleText(scale)))
	}
}

func scaleText(scale uint64) string {
	if scale == 1 {
		return ""
	}
	return "  ×" + pagesText(scale)
}

// summaryRuns bounds the cost of a cell that stands for many pages; of more runs than this only the
// first count.
const summaryRuns = 32

// summary is the most frequent state of the pages of r, not counting untouched pages if there are
// others; ok is false where nothing is mapped.
func summary(p *vmspace.Process, r vmspace.Range) (best vmspace.State, ok bool) {
	var count [len(vmspace.States)]uint64
	n := 0
	for run := range p.PagesIn(r) {
		count[run.State] += run.Pages
		if n++; n == summaryRuns {
			break
		}
	}
	best = vmspace.None
	for st, c := range count {
		if vmspace.State(st) != vmspace.None && c > 0 && (best == vmspace.None || c > count[best]) {
			best = vmspace.State(st)
		}
	}
	return best, n > 0
}

// drawScroll writes into the lower border how much of the address space is above and below.
func drawScroll(p cell.Pen, s *Scene, rows []Row) {
	if len(rows) == 0 {
		return
	}
	text := ""
	pr := s.process()
	if pr == nil {
		return
	}
	if _, ok := s.Rows().Above(rows[0]); ok {
		i, _ := pr.Mappings.Find(rows[0].Start)
		text = fmt.Sprintf(" ↑ %d ", i)
	}
	if _, ok := s.Rows().Below(rows[len(rows)-1]); ok {
		i, _ := pr.Mappings.Find(rows[len(rows)-1].End)
		top, _ := pr.Mappings.Find(topOfMemory)
		text += fmt.Sprintf(" ↓ %d ", top-i)
	}
	if text != "" {
		p.Right(p.R.W-2, p.R.H-1, cell.Dim, text)
	}
	if s.Touchers != nil {
		drawTouchers(p, s, rows, p.R.W-4-cell.Width(text))
		return
	}
	drawLegend(p, p.R.W-4-cell.Width(text))
}

// drawLegend writes into the lower border what the glyphs mean, as many as fit w columns.
func drawLegend(p cell.Pen, w int) {
	x := 2
	for i, st := range vmspace.States {
		need := cell.Width(st.Name) + 4
		if x+need > w {
			return
		}
		p.Put(x, p.R.H-1, cell.Plain, " ")
		p.Put(x+1, p.R.H-1, cell.StateRole(st.State), cell.StateLook[i].Glyph)
		p.Put(x+2, p.R.H-1, cell.Dim, " "+st.Name+" ")
		x += need
	}
}
