package vmspace

import "iter"

// Rules of this file: pure. Look-ups in a process; none costs more than the part that it concerns.

// MappingAt finds the mapping that holds addr.
func (p *Process) MappingAt(addr uint64) (Mapping, bool) { return MappingAt(p.Mappings, addr) }

// MappingAt finds the mapping of l that holds addr.
func MappingAt(l List[Mapping], addr uint64) (Mapping, bool) {
	i, ok := l.Find(addr)
	if !ok {
		return Mapping{}, false
	}
	return l.At(i), true
}

// PageAt is the page that contains addr, as a run of one page: in state None if there is no page,
// and Special if pagemap does not report the mapping.
func (p *Process) PageAt(addr, pageSize uint64) Run {
	addr -= addr % pageSize
	if i, ok := p.Pages.Find(addr); ok {
		return p.Pages.At(i).Clip(Range{addr, addr + pageSize})
	}
	m, _ := p.MappingAt(addr)
	return noPages(&m, Range{addr, addr + pageSize}, pageSize)
}

// PagesIn yields all pages of r that lie in a mapping, as runs clipped to r. Absent pages are runs
// in state None, or Special if pagemap does not report the mapping. No run crosses the edge of a
// mapping.
func (p *Process) PagesIn(r Range) iter.Seq[Run] {
	return func(yield func(Run) bool) { p.eachRun(r, yield) }
}

// eachRun is the loop of PagesIn, which is compiled into whoever ranges over it: this is not.
func (p *Process) eachRun(r Range, yield func(Run) bool) {
	if r.Empty() {
		return
	}
	pageSize := p.pageSize()
	r = r.Widen(0, pageSize)
	runs := p.Pages.Walk(r.Start)
	for maps := p.Mappings.Walk(r.Start); maps.Item() != nil && maps.Item().Start < r.End; maps.Next() {
		part := maps.Item().Intersect(r)
		at := part.Start
		for ; runs.Item() != nil && runs.Item().Start < part.End; runs.Next() {
			run := runs.Item().Clip(part)
			if run.Pages == 0 {
				continue
			}
			if at < run.Start && !yield(noPages(maps.Item(), Range{at, run.Start}, pageSize)) || !yield(run) {
				return
			}
			at = run.Bounds().End
			if runs.Item().Bounds().End > part.End {
				break
			}
		}
		if at < part.End && !yield(noPages(maps.Item(), Range{at, part.End}, pageSize)) {
			return
		}
	}
}

// pageSize is the size of the pages of p.
func (p *Process) pageSize() uint64 { return Run{Shift: p.Shift}.PageSize() }

// noPages is a run of pages of m without a pagemap word.
func noPages(m *Mapping, r Range, pageSize uint64) Run {
	run := Run{Start: r.Start, Pages: r.Len() / pageSize, Mapcount: -1, Shift: ShiftOf(pageSize)}
	if m.blind() {
		run.State = Special
	}
	return run
}

// ShiftOf is log2 of a page size.
func ShiftOf(pageSize uint64) (s uint8) {
	for ; pageSize > 1; pageSize >>= 1 {
		s++
	}
	return s
}

// Resident counts the pages of r that have a frame: those that pagemap reports as present.
func (p *Process) Resident(r Range) (pages uint64) {
	for at := p.Pages.Walk(r.Start); at.Item() != nil && at.Item().Start < r.End; at.Next() {
		if at.Item().Word&WordPresent != 0 {
			pages += at.Item().Clip(r).Pages
		}
	}
	return pages
}
