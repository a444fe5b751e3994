package tui

import (
	"fmt"
	"strconv"
	"strings"

	"cowscope/tui/cell"
	"cowscope/vmspace"

	tea "charm.land/bubbletea/v2"
)

// seek is the line that asks where to go: an address, a name, or a part of a mapping's path.
type seek struct {
	editor
	err string
}

func openSeek(m *App) tea.Cmd {
	m.over = &seek{editor: newEditor(m.sought)}
	return nil
}

func (s *seek) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc":
		m.over = nil
	case "enter":
		s.enter(m)
	default:
		s.err = ""
		s.editor.key(k)
	}
	return nil
}

func (s *seek) enter(m *App) {
	text := strings.TrimSpace(s.text())
	if text == "" {
		m.over = nil
		return
	}
	addr, ok := m.find(text)
	if !ok {
		s.err = fmt.Sprintf("nothing that %s has mapped is called so, or is there", m.current())
		return
	}
	m.over, m.sought = nil, text
	m.jump(addr)
}

// find is the page of that address in the process that is looked at, if it is mapped, the range of
// that name, or the next mapping after the cursor whose path contains the text.
func (m *App) find(text string) (addr uint64, ok bool) {
	p := m.step().After.Process(m.current())
	if p == nil {
		return 0, false
	}
	if digits, hex := strings.CutPrefix(strings.ReplaceAll(text, "'", ""), "0x"); hex {
		if addr, err := strconv.ParseUint(digits, 16, 64); err == nil {
			_, ok := p.MappingAt(addr)
			return addr &^ (m.step().After.PageSize - 1), ok
		}
	}
	if b, ok := m.step().Names.Get(p.Label, text); ok {
		_, ok := p.MappingAt(b.Start)
		return b.Start &^ (m.step().After.PageSize - 1), ok
	}
	named := func(from, to uint64) bool {
		for at := p.Mappings.Walk(from); at.Item() != nil && at.Item().Start < to; at.Next() {
			if mp := at.Item(); mp.Start >= from && strings.Contains(mp.Path, text) {
				addr, ok = mp.Start, true
				return true
			}
		}
		return false
	}
	if !named(m.cursor+1, vmspace.Everything.End) {
		named(0, m.cursor+1)
	}
	return addr, ok
}

// jump puts the cursor on a page; a fold that hides its mapping opens.
func (m *App) jump(addr uint64) {
	m.cursor = addr
	if f := m.foldsNow(); f != nil {
		f.Open(m.step().After, addr)
	}
}

func (s *seek) paste(_ *App, text string) {
	s.err = ""
	s.insert(strings.Join(strings.Fields(text), " "))
}

func (s *seek) fail(error) bool { return false }

func (s *seek) draw(p cell.Pen, m *App) *tea.Cursor {
	h := min(4, p.R.H)
	box := p.Sub(cell.At(0, p.R.H-1-h, p.R.W, h))
	box.Fill(0)
	inner := cell.Box(box, "go to", cell.Accent)
	x := s.editor.draw(inner, 1, 0, inner.R.W-2, cell.Field)
	if s.err != "" {
		inner.Cut(1, 1, inner.R.W-2, cell.Bad, s.err)
	} else {
		inner.Cut(1, 1, inner.R.W-2, cell.Dim, "an address as 0x7fff12340000, a name, or a part of a path: libc, heap, stack")
	}
	drawFooter(p, "Enter", "go to the next one", "Esc", "close")
	return tea.NewCursor(inner.R.X+min(x, inner.R.W-1), inner.R.Y)
}
