// The page pane: every page of the selected row as a cell, one line per process, and between the
// lines marks for equal and for different frames.
//
//	        0 1 2 3
//	  p1    █ ▓ · ·
//	        ≠ ║
//	  p2    █ ▓ · ·

package pane

import (
	"fmt"
	"strconv"

	"cowscope/tui/cell"
	"cowscope/vmspace"
)

// pageGrid is the arrangement of the pages of a row in w columns and h lines.
type pageGrid struct {
	row     Row
	pages   uint64
	perLine int // pages in a line
	group   int // lines of one group: one per process, and the marks between them
	groups  int // groups that fit
	first   uint64
	shown   []*vmspace.Process
	hidden  int // processes that map the row but do not fit
}

const (
	gridLabel = 7 // columns for "p1" and "+4096"
	cellCols  = 2 // columns of a page
)

// relatives lists at most n processes that map the row, the current one among them, and counts the
// others.
func relatives(s *Scene, r Row, n int) (shown []*vmspace.Process, hidden int) {
	at := 0
	for _, p := range s.Snap.Processes {
		if _, ok := p.MappingAt(r.Start); ok {
			if p.Label == s.Current {
				at = len(shown)
			}
			shown = append(shown, p)
		}
	}
	if len(shown) <= n {
		return shown, 0
	}
	from := min(max(0, at-n/2), len(shown)-n)
	return shown[from : from+n], len(shown) - n
}

func newPageGrid(s *Scene, w, h int) pageGrid {
	r := s.Rows().At(s.Cursor)
	g := pageGrid{row: r, pages: r.Pages(s.Snap.PageSize)}
	if r.Gap {
		return pageGrid{row: r}
	}
	g.shown, g.hidden = relatives(s, r, max(1, h/2))
	g.perLine = 1
	for g.perLine*2*cellCols <= w-gridLabel && g.perLine < 64 && uint64(g.perLine) < g.pages {
		g.perLine *= 2
	}
	g.group = 2*len(g.shown) - 1
	if len(g.shown) > 1 {
		g.group++
	}
	lines := int((g.pages + uint64(g.perLine) - 1) / uint64(g.perLine))
	g.groups = min(max((h-1)/max(g.group, 1), 1), lines)
	here := (s.Cursor - r.Start) / s.Snap.PageSize / uint64(g.perLine)
	if int(here) >= g.groups {
		g.first = min(here-uint64(g.groups)/2, uint64(lines-g.groups))
	}
	return g
}

// PagesPerLine is the number of pages on a line of the grid drawn in r.
func PagesPerLine(s *Scene, r cell.Rect) int { return max(newPageGrid(s, r.W-4, r.H-2).perLine, 1) }

// DrawPages draws the pages of the selected row.
func DrawPages(p cell.Pen, s *Scene) {
	if p.R.Empty() {
		return
	}
	g := newPageGrid(s, p.R.W-4, p.R.H-2)
	title := "pages"
	if !g.row.Gap {
		n, pages := "page", s.Rows().pages(g.row)
		if pages != 1 {
			n = "pages"
		}
		title = fmt.Sprintf("%s · %d %s", s.nameOf(g.row), pages, n)
	}
	inner := cell.Box(p, title, cell.Faint)
	if g.row.Gap || len(g.shown) == 0 {
		inner.Cut(1, 0, inner.R.W-2, cell.Dim, "not mapped")
		return
	}
	drawRuler(inner, g)
	for i := range g.groups {
		drawGroup(inner.Sub(cell.At(0, 1+i*g.group, inner.R.W, g.group)), s, g, g.first+uint64(i))
	}
	if g.hidden > 0 {
		p.Put(2, p.R.H-1, cell.Dim, fmt.Sprintf(" +%d processes ", g.hidden))
	}
	last := g.first + uint64(g.groups)
	if total := (g.pages + uint64(g.perLine) - 1) / uint64(g.perLine); g.first > 0 || last < total {
		p.Right(p.R.W-2, p.R.H-1, cell.Dim, fmt.Sprintf(" %d–%d of %d ", g.first*uint64(g.perLine), min(last*uint64(g.perLine), g.pages)-1, g.pages))
	}
}

// drawRuler writes the page numbers above their cells.
func drawRuler(p cell.Pen, g pageGrid) {
	every := uint64(1)
	if min(uint64(g.perLine), g.pages) > 10 {
		every = 4 // two digits do not fit one cell
	}
	for i := uint64(0); i < min(uint64(g.perLine), g.pages); i += every {
		p.Put(gridLabel+int(i)*cellCols, 0, cell.Dim, strconv.Itoa(int(i)))
	}
}

func drawGroup(p cell.Pen, s *Scene, g pageGrid, line uint64) {
	ps := s.Snap.PageSize
	first := line * uint64(g.perLine)
	n := min(uint64(g.perLine), g.pages-first)
	if first > 0 {
		// It is under the first label, or in its place.
		p.Put(1, min(len(g.shown)-1, 1), cell.Dim, fmt.Sprintf("+%d", first))
	}
	for j, pr := range g.shown {
		st := cell.Dim
		if pr.Label == s.Current {
			st = cell.Accent | cell.Bold
		}
		if len(g.shown) > 1 || first == 0 {
			p.Put(1, 2*j, st, pr.Label)
		}
		for i := range n {
			addr := g.row.Start + (first+i)*ps
			if _, maps := pr.MappingAt(addr); g.row.Fold == Closed && !maps {
				continue // a hole between segments
			}
			run := pr.PageAt(addr, ps)
			x := gridLabel + int(i)*cellCols
			drawPage(p, s, pr, run, addr, x, 2*j)
			s.Hits.add(cell.At(p.R.X+x, p.R.Y+2*j, cellCols, 1), Hit{Kind: HitPage, Addr: addr, Label: pr.Label})
			if j > 0 {
				glyph, lst := link(s, g.shown[j-1], pr, addr)
				p.Put(x, 2*j-1, lst, glyph)
			}
		}
	}
}

func drawPage(p cell.Pen, s *Scene, pr *vmspace.Process, run vmspace.Run, addr uint64, x, y int) {
	glyph, st := s.look(pr.Label, run.State, vmspace.Range{Start: addr, End: addr + s.Snap.PageSize})
	if s.marked(pr.Label, vmspace.Range{Start: addr, End: addr + s.Snap.PageSize}) {
		st |= cell.Marked
	}
	if s.Cursor == addr {
		if pr.Label == s.Current {
			st |= cell.AtCursor
		} else {
			st |= cell.Underline
		}
	}
	p.Put(x, y, st, glyph)
}

// kinship is what is known about the pages of two processes at one address.
type kinship uint8

const (
	kinNone       kinship = iota // one of them has no frame there
	kinSame                      // the same frame
	kinOther                     // different frames
	kinSameLikely                // both copy-on-write, frame numbers hidden
)

// kin compares the frames of a and b at addr. If frame numbers are hidden, an exclusive page is
// certainly another frame, pages of the same offset of a shared file are certainly the same, and
// two copy-on-write pages are likely the same.
func kin(s *Scene, a, b *vmspace.Process, addr uint64) kinship {
	ps := s.Snap.PageSize
	x, y := a.PageAt(addr, ps), b.PageAt(addr, ps)
	if !x.HasFrame() || !y.HasFrame() {
		return kinNone
	}
	if x.Frame != 0 && y.Frame != 0 {
		if x.FrameOf((addr-x.Start)/ps) == y.FrameOf((addr-y.Start)/ps) {
			return kinSame
		}
		return kinOther
	}
	switch {
	case x.State == vmspace.Anon || y.State == vmspace.Anon || x.State != y.State:
		return kinOther
	case x.State == vmspace.Shared || x.State == vmspace.File:
		ma, _ := a.MappingAt(addr)
		mb, _ := b.MappingAt(addr)
		same := ma.Inode == mb.Inode && ma.Major == mb.Major && ma.Minor == mb.Minor && ma.Offset-ma.Start == mb.Offset-mb.Start
		if same {
			return kinSame
		}
		return kinOther
	case x.State == vmspace.Zero:
		return kinSame
	}
	return kinSameLikely
}

// link is the mark for kin between two cells.
func link(s *Scene, a, b *vmspace.Process, addr uint64) (string, cell.Style) {
	switch kin(s, a, b, addr) {
	case kinSame:
		return "║", cell.Good
	case kinOther:
		return "≠", cell.Bad
	case kinSameLikely:
		return "┊", cell.Good
	}
	return " ", cell.Plain
}
