package observe

import (
	"errors"
	"slices"

	"cowscope/vmspace"
)

// Rules of this file: a partial reading is right only if its snapshot equals that of a full
// reading. So if the extent of a change is unknown, everything is read; and a partial reading
// covers more than was touched:
//
//	touched            ├──┤
//	+ mappings      that begin, end, move or change because of it, the stack and the heap
//	+ core        ├┄┄┄├──┤┄┄┄┤   64 KiB each side: fault-around maps cached neighbours
//	+ window  │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄│   whole huge blocks: a huge page comes or is split in one piece
//
// In addition it covers the same addresses in every relative, and every other mapping of the same
// part of the same file.

const (
	aroundBytes = 64 << 10 // fault_around_bytes, whatever the page size (mm/memory.c)
	maxParts    = 256      // changed parts of files: with more, everything is read
	maxPatch    = 2048     // mappings around one range: with more, the whole list is read
)

// errTooMany says that reading all mappings is cheaper.
var errTooMany = errors.New("too many mappings to ask for one by one")

// wholly reads everything, regardless of what was read so far.
func (r *Reader) wholly(all []*reading) {
	r.budget = r.opt.KPageBudget
	for _, g := range all {
		g.full = true
	}
	r.readFull(all)
}

// sameFamily reports whether the members are those of prev.
func sameFamily(prev *vmspace.Snapshot, family []vmspace.Member) bool {
	return slices.EqualFunc(prev.Processes, family, func(p *vmspace.Process, m vmspace.Member) bool { return p.Member == m })
}

// spansOf returns the touched ranges as whole pages, in order, merged.
func spansOf(touched []Touched, size uint64) []vmspace.Range {
	var spans []vmspace.Range
	for _, t := range touched {
		if !t.Range.Empty() {
			spans = append(spans, t.Range.Widen(0, size))
		}
	}
	return mergeRanges(spans)
}

// mergeRanges sorts ranges and joins those that touch.
func mergeRanges(in []vmspace.Range) []vmspace.Range {
	slices.SortFunc(in, func(a, b vmspace.Range) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	out := in[:0]
	for _, r := range in {
		if n := len(out); n > 0 && r.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, r.End)
			continue
		}
		out = append(out, r)
	}
	return out
}

// partial reads what the spans could have changed; if part, of small spaces, too. It returns false if
// that is unknown.
func (r *Reader) partial(all []*reading, spans []vmspace.Range, part bool) bool {
	if !r.patchable(all, spans, part) {
		return false
	}
	for _, g := range all {
		if g.full || g.err != nil {
			continue
		}
		if err := r.patchMaps(g, spans); err != nil {
			return false
		}
		g.full = !part && r.small(g.maps.Len(), g.stat) && !r.sparse(g.stat)
	}
	for _, g := range all {
		spans = append(spans, g.changed...)
	}
	// A large span is read where pages are likely, and only a full reading can prove that there are
	// no others.
	large := slices.ContainsFunc(spans, func(s vmspace.Range) bool { return s.Len() >= reserved })
	for _, g := range all {
		g.full = g.full || large && g.err == nil && r.sparse(g.stat) && !r.features.Query && r.bare(g, spans) == nil
	}
	// At most twice: other mappings of the same file may be far away, and what is found there leads
	// no further.
	for pass := 0; ; pass++ {
		spans = mergeRanges(slices.Clone(spans))
		windows := blocks(spans, r.pages.size)
		for _, g := range all {
			if err := r.readWindows(g, windows, r.bare(g, spans)); err != nil {
				return false
			}
		}
		more, ok := aliases(all, windows)
		if !ok {
			return false
		}
		spans = append(spans, more...)
		if pass > 0 || covered(windows, more) {
			r.lookUp(all, spans, windows)
			r.splice(all, windows)
			break
		}
	}
	r.readFull(all)
	return true
}

// splice replaces the pages in the windows by those that were read.
func (r *Reader) splice(all []*reading, windows []vmspace.Range) {
	for _, g := range all {
		if !g.full && g.err == nil {
			g.pages = spliceRuns(g.prev.Pages, windows, g.fresh, g.maps)
		}
	}
}

// patchable reports whether a partial reading can be right at all, and marks the small spaces.
func (r *Reader) patchable(all []*reading, spans []vmspace.Range, part bool) bool {
	for _, s := range spans {
		if s.Len() > 1<<46 {
			return false
		}
	}
	for _, g := range all {
		if g.prev == nil || (g.err == nil) != (g.prev.Err == "") || g.stat.State >= vmspace.Zombie && g.prev.State != g.stat.State {
			return false
		}
		if g.err == nil {
			n := g.prev.Mappings.Len()
			g.full = n == 0 || !part && !r.sparse(g.stat) && (r.small(n, g.stat) || g.prev.Mappings.At(0).Smaps != nil)
			if g.files.pagemap < 0 || g.files.maps < 0 {
				return false // reopened since prev
			}
		}
	}
	return true
}

// blocks returns the windows for the spans.
func blocks(spans []vmspace.Range, pageSize uint64) []vmspace.Range {
	var w []vmspace.Range
	for _, s := range spans {
		w = append(w, s.Widen(aroundBytes, vmspace.HugeBlock(pageSize)))
	}
	return mergeRanges(w)
}

// bare returns the spans of a sparse space that need not be read, because no page can be there: no
// span had a page, so none can have moved between them, and the process took no fault, so none was
// brought in. Pages that the kernel brings in during a call are counted as faults too
// (mm_account_fault in mm/memory.c). A guard page needs no fault, but kernels with guard pages have
// PAGEMAP_SCAN.
func (r *Reader) bare(g *reading, spans []vmspace.Range) []vmspace.Range {
	if g.full || g.err != nil || !r.sparse(g.stat) || g.stat.MinorFlt != g.prev.MinorFlt || g.stat.MajorFlt != g.prev.MajorFlt {
		return nil
	}
	for _, s := range spans {
		if lo, hi := g.prev.Pages.Overlap(s); lo < hi {
			return nil
		}
	}
	return spans
}

// readWindows reads the page words of g in the windows, except in the bare parts.
func (r *Reader) readWindows(g *reading, windows, bare []vmspace.Range) error {
	if g.full || g.err != nil {
		return nil
	}
	runs, err := r.pages.read(g.files, g.maps, without(windows, bare))
	g.fresh, g.windows = slices.Clone(runs), windows
	return err
}

// lookUp adds counts and flags of frames. They are read near the spans, where any relative changed,
// and in huge pages, which share some of their flags and pass them on when they are split
// (__split_huge_pmd_locked in mm/huge_memory.c); elsewhere they are kept.
func (r *Reader) lookUp(all []*reading, spans, windows []vmspace.Range) {
	if r.kpage == nil {
		return
	}
	core := r.core[:0]
	for _, s := range spans {
		core = append(core, s.Widen(aroundBytes, r.pages.size))
	}
	for _, g := range all {
		if g.full || g.err != nil {
			continue
		}
		g.eachChange(windows, func(x, y vmspace.Run) { core = append(core, x.Bounds()) })
		for _, w := range windows {
			for _, x := range g.prev.Pages.From(w.Start) {
				if x.Start >= w.End {
					break
				}
				if x.KFlags&vmspace.KTHP != 0 {
					core = append(core, x.Bounds().Intersect(w))
				}
			}
		}
	}
	r.core = core
	core = mergeRanges(core)
	for _, g := range all {
		if !g.full && g.err == nil {
			g.fresh = slices.Clone(r.kpage.fill(g.fresh, g.maps, &r.budget, r.pages.mask != 0, g.prev.Pages, core))
		}
	}
}

// without returns the parts of ranges outside the others; both are in order.
func without(ranges, others []vmspace.Range) []vmspace.Range {
	if len(others) == 0 {
		return ranges
	}
	var out []vmspace.Range
	for _, x := range ranges {
		for _, o := range others {
			if both := x.Intersect(o); !both.Empty() {
				if x.Start < both.Start {
					out = append(out, vmspace.Range{Start: x.Start, End: both.Start})
				}
				x.Start = both.End
			}
		}
		if !x.Empty() {
			out = append(out, x)
		}
	}
	return out
}

// eachChange yields the pages of the windows whose words or frames changed.
func (g *reading) eachChange(windows []vmspace.Range, yield func(old, now vmspace.Run)) {
	if g.full || g.err != nil {
		return
	}
	fresh := g.fresh
	for _, w := range windows {
		n := 0
		for n < len(fresh) && fresh[n].Start < w.End {
			n++
		}
		vmspace.PairRuns(runsIn(g.prev.Pages, w), fresh[:n], func(x, y vmspace.Run) {
			if x.Word != y.Word || x.Frame != y.Frame || x.Scan != y.Scan || x.FrameOf(x.Pages-1) != y.FrameOf(y.Pages-1) {
				yield(x, y)
			}
		})
		fresh = fresh[n:]
	}
}

// runsIn returns the runs of l inside w, clipped.
func runsIn(l vmspace.List[vmspace.Run], w vmspace.Range) []vmspace.Run {
	lo, hi := l.Overlap(w)
	runs := l.Slice(lo, hi)
	for i := range runs {
		runs[i] = runs[i].Clip(w)
	}
	return runs
}

// aliases finds what else changed along with the windows: other mappings of the same part of a
// file, whose pages are counted together. ok is false if a page shared copy-on-write changed and
// its partner is not at the same address in a relative, where fork puts it.
func aliases(all []*reading, windows []vmspace.Range) (more []vmspace.Range, ok bool) {
	var parts []filePart
	ok = true
	for _, g := range all {
		g.eachChange(windows, func(x, y vmspace.Run) {
			// The pages before and after may be of different files: a mapping can replace another.
			for _, side := range []struct {
				maps vmspace.List[vmspace.Mapping]
				run  vmspace.Run
			}{{g.prev.Mappings, x}, {g.maps, y}} {
				m, found := vmspace.MappingAt(side.maps, x.Start)
				if found && m.Inode != 0 && side.run.State != vmspace.Anon && side.run.State != vmspace.COW {
					parts = append(parts, partOf(&m, x.Bounds()))
				}
			}
			if x.State == vmspace.COW && len(all) > 1 && !hasPartner(all, g, x) {
				ok = false
			}
		})
	}
	if !ok || len(parts) == 0 || len(parts) > maxParts {
		return nil, ok && len(parts) == 0
	}
	for _, g := range all {
		if g.full || g.err != nil {
			continue
		}
		for at := g.maps.Walk(0); at.Item() != nil; at.Next() {
			m := at.Item()
			if m.Inode == 0 {
				continue
			}
			for _, p := range parts {
				if x := p.in(m); !x.Empty() {
					more = append(more, x)
				}
			}
		}
	}
	return more, true
}

// covered reports whether the windows contain all of the ranges.
func covered(windows, ranges []vmspace.Range) bool {
	for _, x := range ranges {
		if !slices.ContainsFunc(windows, func(w vmspace.Range) bool { return w.Covers(x) }) {
			return false
		}
	}
	return true
}

// hasPartner reports whether a relative had, at the same addresses, the frames that g had in x.
func hasPartner(all []*reading, g *reading, x vmspace.Run) bool {
	for _, o := range all {
		if o == g || o.prev == nil || o.Space() == g.Space() {
			continue
		}
		pages := uint64(0)
		for _, y := range runsIn(o.prev.Pages, x.Bounds()) {
			if (y.State == vmspace.COW || y.State == vmspace.Anon) && y.Frame == x.Clip(y.Bounds()).Frame {
				pages += y.Pages
			}
		}
		if pages == x.Pages {
			return true
		}
	}
	return false
}

// filePart is a part of a file, in bytes.
type filePart struct {
	inode        uint64
	major, minor uint32
	vmspace.Range
}

// partOf is the part of its file that m maps at r.
func partOf(m *vmspace.Mapping, r vmspace.Range) filePart {
	r = r.Intersect(m.Range)
	return filePart{m.Inode, m.Major, m.Minor, vmspace.Range{Start: r.Start - m.Start + m.Offset, End: r.End - m.Start + m.Offset}}
}

// in is the range where m maps the part; empty if it does not.
func (p filePart) in(m *vmspace.Mapping) vmspace.Range {
	if m.Inode != p.inode || m.Major != p.major || m.Minor != p.minor {
		return vmspace.Range{}
	}
	r := p.Intersect(vmspace.Range{Start: m.Offset, End: m.Offset + m.Len()})
	if r.Empty() {
		return r
	}
	return vmspace.Range{Start: r.Start - m.Offset + m.Start, End: r.End - m.Offset + m.Start}
}
