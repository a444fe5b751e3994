// The map pane: the address axis on the left, one column a process, the same addresses on the same rows.

package tui

import (
	"fmt"
	"strings"

	"cowscope/vmspace"
)

// axis is the width of the parts that all processes share, and of the columns.
type axis struct {
	name, addr, size int // widths; addr is 0 where there is no room
	left             int // columns before the first process
	column           int // width of a process's column, its rule included
	first, count     int // which processes are shown
}

const (
	narrowColumn = 16 // what a process needs: letters and a few pages
	gutter       = 2
)

// newAxis divides w columns among the axis and n processes, of which the one at current must be visible.
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

// drawMap draws the map into p and tells hits where its rows and pages are.
func drawMap(p pen, s *scene, hits *hitList) {
	if p.r.empty() {
		return
	}
	if len(s.snap.Processes) == 0 {
		drawBox(p, "address space", roleFaint) // the inspector says that nobody is left
		return
	}
	inner := drawBox(p, "", roleFaint)
	current := 0
	for i, pr := range s.snap.Processes {
		if pr.Label == s.current {
			current = i
		}
	}
	a := newAxis(inner.r.w, len(s.snap.Processes), current)
	drawAxisHeads(p, s, a)
	rows, selected := window(s.snap, s.cursor, inner.r.h, inner.r.h/2)
	for y, r := range rows {
		line := inner.sub(rect{0, y, inner.r.w, 1})
		drawRow(line, s, a, r, y == selected, hits)
	}
	drawScroll(p, s, rows)
}

// drawAxisHeads writes the heads of the columns into the upper border, and rules between the columns.
func drawAxisHeads(p pen, s *scene, a axis) {
	p.put(2, 0, roleTitle, " address space ")
	for i := range a.count {
		pr := s.snap.Processes[a.first+i]
		x := 1 + a.left + i*a.column
		for y := 1; y < p.r.h-1; y++ {
			p.put(x-1, y, roleFaint, "│")
		}
		p.put(x-1, 0, roleFaint, "┬")
		p.put(x-1, p.r.h-1, roleFaint, "┴")
		st := roleDim
		if pr.Label == s.current {
			st = roleAccent | flagBold
		}
		w := a.column - 2
		if i == a.count-1 {
			w = p.r.w - x - 2
		}
		more := len(s.snap.Processes) - a.first - a.count
		text := " " + processHead(s, pr, w-2)
		if i == a.count-1 && more > 0 {
			text = " " + processHead(s, pr, w-7) + fmt.Sprintf(" … +%d", more)
		}
		p.cut(x, 0, w, st, clip(text, w-1)+" ")
	}
}

// processHead is as much of a process's description as fits w columns.
func processHead(s *scene, p *vmspace.Process, w int) string {
	bullet := "  "
	if p.Label == s.current {
		bullet = "● "
	}
	parts := []string{bullet + p.Label}
	if p.State == vmspace.Zombie || p.State == vmspace.Gone {
		parts = append(parts, p.State.String())
	}
	faults := fmt.Sprintf("faults %d", p.MinorFlt+p.MajorFlt)
	if d := s.newFaults(p); d > 0 {
		faults += fmt.Sprintf(" (+%d)", d)
	}
	family := ""
	if p.Parent != "" {
		family = "child of " + p.Parent
	}
	// In order of worth: what fits is kept in the order in which it reads.
	extras := []string{faults, family, "rss " + bytesText(p.RSS), fmt.Sprintf("pid %d", p.PID)}
	used, keep := textWidth(strings.Join(parts, " · ")), map[int]bool{}
	for i, e := range extras {
		if e != "" && used+3+textWidth(e) <= w {
			keep[i], used = true, used+3+textWidth(e)
		}
	}
	for _, i := range []int{1, 3, 2, 0} {
		if keep[i] {
			parts = append(parts, extras[i])
		}
	}
	return strings.Join(parts, " · ")
}

// newFaults is how many faults p took in the step that is shown.
func (s *scene) newFaults(p *vmspace.Process) uint64 {
	if s.step.Before == nil {
		return 0
	}
	b := s.step.Before.Process(p.Label)
	if b == nil || b.PID != p.PID || p.MinorFlt+p.MajorFlt < b.MinorFlt+b.MajorFlt {
		return 0
	}
	return p.MinorFlt + p.MajorFlt - b.MinorFlt - b.MajorFlt
}

func drawRow(line pen, s *scene, a axis, r row, selected bool, hits *hitList) {
	w := line.r.w
	hits.add(line.r, hit{kind: hitRow, addr: r.Start})
	if r.gap {
		text := "┄┄┄ " + bytesText(r.Len()) + " not mapped ┄┄┄"
		if r.Len() == 0 || r.Start == 0 && r.End == topOfMemory {
			text = "nothing is mapped"
		}
		line.cut(gutter, 0, min(w-gutter, a.left-gutter-1), roleDim, text)
		if selected {
			line.put(0, 0, roleAccent|flagBold, "▸")
			line.restyle(0, 0, a.left-1, flagRow)
		}
		return
	}
	x := gutter
	name := roleText
	if selected {
		line.put(0, 0, roleAccent|flagBold, "▸")
		name = roleTitle
	}
	line.cut(x, 0, a.name, name, s.nameOf(r))
	x += a.name + 1
	if a.addr > 0 {
		line.put(x, 0, roleDim, addrText(r.Start))
		x += a.addr + 1
	}
	line.right(x+a.size, 0, roleText, pagesText(r.Pages(s.snap.PageSize)))
	if selected {
		line.restyle(0, 0, a.left-1, flagRow)
	}
	for i := range a.count {
		x := a.left + i*a.column
		cw := a.column - 1
		if i == a.count-1 {
			cw = w - x
		}
		col := line.sub(rect{x, 0, cw, 1})
		if selected {
			col.restyle(0, 0, cw, flagRow)
		}
		drawColumn(col, s, s.snap.Processes[a.first+i], r, selected, hits)
	}
}

// drawColumn draws what one process has at the addresses of a row.
func drawColumn(p pen, s *scene, pr *vmspace.Process, r row, selected bool, hits *hitList) {
	m, ok := pr.MappingAt(r.Start)
	if !ok {
		st := roleFaint
		if s.marked(pr.Label, r.Range) {
			st = roleWarn
		}
		if !alive(pr) {
			return
		}
		if pr.Err != "" {
			p.cut(1, 0, p.r.w-1, roleBad, pr.Err)
			return
		}
		p.cut(1, 0, p.r.w-1, st, "┄┄┄┄")
		return
	}
	perms := roleText
	if m.Start != r.Start {
		perms = roleDim // goes on from the row above
	}
	x := p.put(1, 0, perms, m.Perms.String())
	if mappingChanged(s, pr.Label, r) {
		p.restyle(1, 0, 4, flagMark)
	}
	x++
	if p.r.w >= 34 {
		p.cut(x, 0, 7, roleDim, kindText(m))
		x += 8
	}
	if selected {
		p.restyle(0, 0, p.r.w, flagRow)
	}
	drawStrip(p.sub(rect{x, 0, p.r.w - x, 1}), s, pr, r, selected, hits)
}

func kindText(m vmspace.Mapping) string {
	return m.Kind().String()
}

// mappingChanged says whether the step changed the mapping itself and not only pages of it.
func mappingChanged(s *scene, label string, r row) bool {
	for i, c := range s.step.Changes {
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

// drawStrip draws the pages of a row, one cell a page where they fit, else one cell for so many pages, told at the end.
func drawStrip(p pen, s *scene, pr *vmspace.Process, r row, selected bool, hits *hitList) {
	ps := s.snap.PageSize
	pages := r.Pages(ps)
	room := p.r.w
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
		state := summary(pr, part)
		st := stateRole(state)
		if selected {
			st |= flagRow
		}
		if s.marked(pr.Label, part) {
			st |= flagMark
		}
		if part.Contains(s.cursor) {
			if pr.Label == s.current {
				st |= flagCursor
			} else {
				st |= flagUnderline
			}
		}
		p.put(i, 0, st, stateGlyph[state].glyph)
		hits.add(rect{p.r.x + i, p.r.y, 1, 1}, hit{kind: hitPage, addr: from, label: pr.Label})
	}
	if scale > 1 {
		st := roleDim
		if selected {
			st |= flagRow
		}
		p.put(cells+1, 0, st, strings.TrimSpace(scaleText(scale)))
	}
}

func scaleText(scale uint64) string {
	if scale == 1 {
		return ""
	}
	return "  ×" + pagesText(scale)
}

// summaryRuns bounds what a cell that stands for many pages may cost; a cell with more runs than this shows its first ones.
const summaryRuns = 32

// summary is the state that most of the pages of r have, leaving out untouched ones where any page is there at all.
func summary(p *vmspace.Process, r vmspace.Range) vmspace.State {
	var count [len(vmspace.States)]uint64
	n := 0
	for run := range p.PagesIn(r) {
		count[run.State] += run.Pages
		if n++; n == summaryRuns {
			break
		}
	}
	best := vmspace.None
	for st, c := range count {
		if vmspace.State(st) != vmspace.None && c > 0 && (best == vmspace.None || c > count[best]) {
			best = vmspace.State(st)
		}
	}
	return best
}

// drawScroll says at the lower border how much of the address space lies above and below.
func drawScroll(p pen, s *scene, rows []row) {
	if len(rows) == 0 {
		return
	}
	text := ""
	pr := s.process()
	if pr == nil {
		return
	}
	if _, ok := above(s.snap, rows[0]); ok {
		i, _ := pr.Mappings.Find(rows[0].Start)
		text = fmt.Sprintf(" ↑ %d ", i)
	}
	if _, ok := below(s.snap, rows[len(rows)-1]); ok {
		i, _ := pr.Mappings.Find(rows[len(rows)-1].End)
		top, _ := pr.Mappings.Find(topOfMemory)
		text += fmt.Sprintf(" ↓ %d ", top-i)
	}
	if text != "" {
		p.right(p.r.w-2, p.r.h-1, roleDim, text)
	}
	drawLegend(p, p.r.w-4-textWidth(text))
}

// drawLegend writes into the lower border what the glyphs mean, as many as fit w columns.
func drawLegend(p pen, w int) {
	x := 2
	for i, st := range vmspace.States {
		need := textWidth(st.Name) + 4
		if x+need > w {
			return
		}
		p.put(x, p.r.h-1, roleText, " ")
		p.put(x+1, p.r.h-1, stateRole(st.State), stateGlyph[i].glyph)
		p.put(x+2, p.r.h-1, roleDim, " "+st.Name+" ")
		x += need
	}
}
