package observe

import (
	"slices"

	"cowscope/vmspace"
)

// Rules of this file: pure. If frames are hidden, smaps still counts how much of a mapping is
// mapped elsewhere too. The part of that count which the words do not show is in huge pages, whose
// single bit describes their first small page; the relatives' pages at the same addresses tell
// where.

// settleHidden compares guessed (runs, with the states that refine guessed from relatives) with the
// counters of each mapping. If nothing is hidden, runs are right; if as much is hidden as was
// guessed, guessed is right; otherwise the pages in question are Unknown. mayBeHuge reports whether
// a run can consist of huge pages.
func settleHidden(maps vmspace.List[vmspace.Mapping], runs, guessed []vmspace.Run, others []relative, mayBeHuge func(vmspace.Run) bool) []vmspace.Run {
	out := make([]vmspace.Run, 0, len(guessed))
	for at := maps.Walk(0); at.Item() != nil; at.Next() {
		m := at.Item()
		before, after := within(runs, m.Range), within(guessed, m.Range)
		if m.Smaps == nil || !m.Private() || m.Inode != 0 || m.Smaps.Rss < m.Smaps.Private {
			out = append(out, after...)
			continue
		}
		least, most := uint64(0), uint64(0)
		for _, r := range before {
			if r.State != vmspace.COW {
				continue
			}
			most += r.Pages
			least += r.Pages
			if !mayBeHuge(r) {
				continue
			}
			// A huge page that is not exclusive is shared at least in its first small page, and as
			// a whole if a relative maps it as a whole.
			for _, block := range blocksOf(r) {
				if !slices.ContainsFunc(others, func(o relative) bool { return sharesAll(o.pages, block) }) {
					least -= block.Len()/r.PageSize() - 1
				}
			}
		}
		shared := (m.Smaps.Rss - m.Smaps.Private) / pageSizeOf(after)
		found := count(after, isCOW) + count(after, isUnknown) - count(before, isUnknown)
		candidates := found - min(found, most)
		fewest, hidden := shared-min(shared, most), shared-min(shared, least)
		switch {
		case hidden == 0 || m.Smaps.AnonHuge == 0:
			out = append(out, before...)
		case fewest == hidden && hidden == candidates && !cutUp(before, after, m.Range, others):
			out = append(out, with(before, after, vmspace.COW)...)
		case hidden <= candidates && !cutUp(before, after, m.Range, others):
			out = append(out, with(before, after, vmspace.Unknown)...)
		default:
			for _, r := range before {
				if r.State == vmspace.Anon && mayBeHuge(r) {
					out = append(out, behindFirstUnknown(r)...)
				} else {
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// relative is what another process of the family has.
type relative struct {
	maps  vmspace.List[vmspace.Mapping]
	pages vmspace.List[vmspace.Run]
}

// cutUp reports whether a relative has several mappings of this kind within a block in which pages
// were guessed: its pages may have been moved into or out of the block (mremap), and then equal
// counts prove nothing.
func cutUp(before, guessed []vmspace.Run, m vmspace.Range, others []relative) bool {
	i := 0
	for _, r := range guessed {
		for before[i].Bounds().End <= r.Start {
			i++
		}
		if r.State == before[i].State {
			continue
		}
		block := vmspace.HugeBlock(r.PageSize())
		all := vmspace.Range{Start: r.Start / block * block, End: (r.Bounds().End + block - 1) / block * block}.Intersect(m)
		for _, o := range others {
			lo, hi := o.maps.Overlap(all)
			if hi > lo+1 || hi == lo+1 && !o.maps.At(lo).Covers(all) {
				return true
			}
		}
	}
	return false
}

// blocksOf returns the whole huge blocks in r.
func blocksOf(r vmspace.Run) (blocks []vmspace.Range) {
	size := vmspace.HugeBlock(r.PageSize())
	for at := (r.Start + size - 1) / size * size; at+size <= r.Bounds().End; at += size {
		blocks = append(blocks, vmspace.Range{Start: at, End: at + size})
	}
	return blocks
}

// sharesAll reports whether r is one huge page there, shared copy-on-write.
func sharesAll(pages vmspace.List[vmspace.Run], r vmspace.Range) bool {
	at := r.Start
	for _, o := range pages.From(r.Start) {
		if at >= r.End || o.Start > at || o.State != vmspace.COW || o.Attrs&vmspace.Huge == 0 {
			break
		}
		at = o.Bounds().End
	}
	return at >= r.End
}

func isCOW(r vmspace.Run) bool     { return r.State == vmspace.COW }
func isUnknown(r vmspace.Run) bool { return r.State == vmspace.Unknown }

func count(runs []vmspace.Run, is func(vmspace.Run) bool) (pages uint64) {
	for _, r := range runs {
		if is(r) {
			pages += r.Pages
		}
	}
	return pages
}

// within returns the runs of an ordered list that begin in r; no run crosses the edge of a mapping.
func within(runs []vmspace.Run, r vmspace.Range) []vmspace.Run {
	from := func(addr uint64) int {
		i, _ := slices.BinarySearchFunc(runs, addr, func(x vmspace.Run, addr uint64) int {
			if x.Start < addr {
				return -1
			}
			return 1
		})
		return i
	}
	return runs[from(r.Start):from(r.End)]
}

func pageSizeOf(runs []vmspace.Run) uint64 {
	if len(runs) == 0 {
		return 1
	}
	return runs[0].PageSize()
}

// with returns guessed, with the given state for the parts whose state differs from before. The
// runs of guessed are parts of those of before.
func with(before, guessed []vmspace.Run, state vmspace.State) []vmspace.Run {
	out := slices.Clone(guessed)
	i := 0
	for k := range out {
		for before[i].Bounds().End <= out[k].Start {
			i++
		}
		if out[k].State != before[i].State {
			out[k].State = state
		}
	}
	return out
}

// behindFirstUnknown returns r with all but the first page of each huge block Unknown.
func behindFirstUnknown(r vmspace.Run) []vmspace.Run {
	var out []vmspace.Run
	at := r.Start
	for _, part := range behindFirst(r.Bounds(), r.PageSize(), true) {
		if at < part.Start {
			out = append(out, r.Clip(vmspace.Range{Start: at, End: part.Start}))
		}
		x := r.Clip(part)
		x.State = vmspace.Unknown
		out = append(out, x)
		at = part.End
	}
	if at < r.Bounds().End {
		out = append(out, r.Clip(vmspace.Range{Start: at, End: r.Bounds().End}))
	}
	return out
}
