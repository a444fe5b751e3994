package observe

import (
	"cmp"
	"slices"

	"cowscope/vmspace"
)

// Rules of this file: the list of mappings is updated where a command may have changed it. A
// command can split a mapping, merge it with its neighbours, extend or move it; so the neighbours
// of a touched range are read too, and so are the stack, which grows by itself, and the heap, which
// brk moves.

// landmarks are the mappings that can change although no command names them.
type landmarks struct{ stack vmspace.Range }

func findLandmarks(l vmspace.List[vmspace.Mapping]) (k landmarks) {
	for i := l.Len() - 1; i >= 0; i-- { // the stack is near the top
		if m := l.At(i); m.Path == "[stack]" {
			k.stack = m.Range
			break
		}
	}
	return k
}

// patchMaps sets g.maps and g.changed from the list of g.prev and the kernel's mappings around the
// spans.
func (r *Reader) patchMaps(g *reading, spans []vmspace.Range) error {
	g.maps = g.prev.Mappings
	if !r.features.Query || r.sparse(g.stat) { // with their counters, if they are few
		return r.rereadMaps(g)
	}
	spans = append(slices.Clone(spans), r.strays(g)...)
	for _, s := range mergeRanges(spans) {
		if err := r.patch(g, s); err == errTooMany {
			g.changed = nil
			return r.rereadMaps(g)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// rereadMaps reads the whole list.
func (r *Reader) rereadMaps(g *reading) error {
	var err error
	old := g.prev.Mappings
	if g.maps, err = r.readMaps(g.files, old, g.stat); err != nil {
		return err
	}
	vmspace.Unshared(old, g.maps, func(alo, ahi, blo, bhi int) {
		g.changed = append(g.changed, changedMappings(old.Slice(alo, ahi), g.maps.Slice(blo, bhi), r.pages.size)...)
	})
	if r.sparse(g.stat) {
		g.changed = g.withPages(g.changed)
	}
	return nil
}

// withPages returns the parts of ranges in which pages may have changed. If a mapping still has the
// same backing and only its permissions, flags or counters differ, its pages are as before: the
// pages that a command brought in lie in its spans, which are read anyway.
func (g *reading) withPages(ranges []vmspace.Range) []vmspace.Range {
	var out []vmspace.Range
	for _, x := range ranges {
		was, had := vmspace.MappingAt(g.prev.Mappings, x.Start)
		is, has := vmspace.MappingAt(g.maps, x.Start)
		if !had || !has || !vmspace.SameBacking(&was, &is) || !was.Covers(x) || !is.Covers(x) {
			out = append(out, x)
			continue
		}
		for _, run := range runsIn(g.prev.Pages, x) {
			out = append(out, run.Bounds())
		}
	}
	return out
}

// strays returns the places where the stack or the heap changed.
func (r *Reader) strays(g *reading) []vmspace.Range {
	var out []vmspace.Range
	look := func(addr uint64) {
		now, ok, err := r.query.find(g.files.maps, addr, false)
		was, had := vmspace.MappingAt(g.prev.Mappings, addr)
		if err == nil && (ok != had || ok && !vmspace.SameMapping(&now, &was)) {
			for _, m := range []vmspace.Mapping{now, was} {
				if !m.Empty() {
					out = append(out, m.Range)
				}
			}
		}
	}
	if s := g.files.landmark.stack; !s.Empty() {
		look(s.End - 1)
	}
	if g.stat.StartBrk != 0 {
		look(g.stat.StartBrk)
	}
	return out
}

// patch updates the list around s.
func (r *Reader) patch(g *reading, s vmspace.Range) error {
	var now []vmspace.Mapping
	lo, hi := 0, 0
	for {
		// One byte more on either side includes the adjacent neighbours.
		lo, hi = g.maps.Overlap(s.Widen(1, 1))
		if hi-lo > maxPatch {
			return errTooMany
		}
		if lo < hi {
			s.Start, s.End = min(s.Start, g.maps.At(lo).Start), max(s.End, g.maps.At(hi-1).End)
		}
		var err error
		if now, err = r.mappingsIn(g.files.maps, s); err != nil {
			return err
		}
		wide := s
		if n := len(now); n > 0 {
			wide = vmspace.Range{Start: min(s.Start, now[0].Start), End: max(s.End, now[n-1].End)}
		}
		if wide == s {
			break
		}
		s = wide
	}
	was := g.maps.View(lo, hi)
	keepSmaps(was, now)
	if slices.EqualFunc(was, now, func(a, b vmspace.Mapping) bool { return vmspace.SameMapping(&a, &b) }) {
		return nil
	}
	g.changed = append(g.changed, changedMappings(was, now, r.pages.size)...)
	g.maps = g.maps.Splice(lo, hi, now)
	return nil
}

// keepSmaps copies the counters of unchanged mappings from was to now.
func keepSmaps(was, now []vmspace.Mapping) {
	for i := range now {
		if old := holding(was, now[i].Start); old != nil && old.Smaps != nil {
			if now[i].Smaps = old.Smaps; now[i] != *old {
				now[i].Smaps = nil
			}
		}
	}
}

// mappingsIn queries the mappings that overlap s, one after the other. The slice is valid until the
// next call.
func (r *Reader) mappingsIn(maps int, s vmspace.Range) ([]vmspace.Mapping, error) {
	out := r.found[:0]
	defer func() { r.found = out }()
	for at := s.Start; at < s.End; {
		m, ok, err := r.query.find(maps, at, true)
		if err != nil {
			return nil, err
		}
		if !ok || m.Start >= s.End {
			break
		}
		if len(out) > 2*maxPatch {
			return nil, errTooMany
		}
		out = append(out, m)
		at = m.End
	}
	return out, nil
}

// changedMappings returns the ranges in which runs may differ because the mappings do: where a
// mapping was added or removed or is of another kind, and the pages around a new or vanished edge,
// because no run crosses an edge.
func changedMappings(was, now []vmspace.Mapping, size uint64) []vmspace.Range {
	type edge struct{ addr, where uint64 }
	edges := make([]edge, 0, 8)
	for i, l := range [][]vmspace.Mapping{was, now} {
		for k := range l {
			edges = append(edges, edge{l[k].Start, 1 << (2 * i)}, edge{l[k].End, 2 << (2 * i)})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.addr, b.addr) })
	var out []vmspace.Range
	for i := 0; i < len(edges); {
		e := edges[i]
		for i++; i < len(edges) && edges[i].addr == e.addr; i++ {
			e.where |= edges[i].where
		}
		if e.where&3 != e.where>>2 {
			out = append(out, vmspace.Range{Start: e.addr, End: e.addr}.Widen(size, size))
		}
		a, b := holding(was, e.addr), holding(now, e.addr)
		if i == len(edges) || a == nil && b == nil || a != nil && b != nil && alikeFor(a, b) {
			continue
		}
		out = append(out, vmspace.Range{Start: e.addr, End: edges[i].addr})
	}
	return out
}

// holding returns the mapping of an ordered slice that contains addr, or nil.
func holding(l []vmspace.Mapping, addr uint64) *vmspace.Mapping {
	i, end := 0, len(l)
	for i < end {
		if mid := int(uint(i+end) / 2); l[mid].End <= addr {
			i = mid + 1
		} else {
			end = mid
		}
	}
	if i < len(l) && l[i].Contains(addr) {
		return &l[i]
	}
	return nil
}

// alikeFor reports whether pages of a and b are classified alike and are the same part of the same
// file.
func alikeFor(a, b *vmspace.Mapping) bool {
	return a.Class() == b.Class() && a.Inode == b.Inode && a.Major == b.Major && a.Minor == b.Minor && a.Offset-a.Start == b.Offset-b.Start ||
		a.Class() == b.Class() && a.Inode == 0 && b.Inode == 0
}
