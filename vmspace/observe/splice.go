package observe

import (
	"slices"

	"cowscope/vmspace"
)

// Rules of this file: pure. Runs are always as long as possible, so that two snapshots of the same
// pages hold the same runs, whatever way they were read.

// normalRuns splits runs where a mapping begins and joins adjacent runs that are alike.
func normalRuns(runs []vmspace.Run, maps vmspace.List[vmspace.Mapping]) []vmspace.Run {
	if len(runs) == 0 {
		return nil
	}
	out := make([]vmspace.Run, 0, len(runs))
	at := maps.Walk(runs[0].Start)
	for _, r := range runs {
		for r.Pages > 0 {
			for at.Item() != nil && at.Item().End <= r.Start {
				at.Next()
			}
			m := at.Item()
			if m == nil || m.Start >= r.Bounds().End {
				out = appendRun(out, r, true)
				break
			}
			end := min(m.End, r.Bounds().End)
			if m.Start > r.Start {
				end = m.Start
			}
			out = appendRun(out, r.Clip(vmspace.Range{Start: r.Start, End: end}), r.Start == m.Start)
			r = r.Clip(vmspace.Range{Start: end, End: r.Bounds().End})
		}
	}
	return out
}

// appendRun appends r, or extends the last run by it if the two are alike and no mapping begins in
// between.
func appendRun(runs []vmspace.Run, r vmspace.Run, begins bool) []vmspace.Run {
	if n := len(runs); n > 0 && !begins && runs[n-1].Bounds().End == r.Start && runs[n-1].Extends(r) {
		runs[n-1].Pages += r.Pages
		return runs
	}
	return append(runs, r)
}

// spliceRuns replaces the runs of old in the windows by fresh. If that changes nothing, it returns
// old itself.
func spliceRuns(old vmspace.List[vmspace.Run], windows []vmspace.Range, fresh []vmspace.Run, maps vmspace.List[vmspace.Mapping]) vmspace.List[vmspace.Run] {
	for _, w := range windows {
		n := 0
		for n < len(fresh) && fresh[n].Start < w.End {
			n++
		}
		// The neighbours are included, because the new runs may join them.
		lo, hi := old.Overlap(w.Widen(1, 1))
		was := old.View(lo, hi)
		now := make([]vmspace.Run, 0, n+2)
		for _, r := range was {
			if r.Start < w.Start {
				now = append(now, r.Clip(vmspace.Range{Start: r.Start, End: w.Start}))
			}
		}
		now = append(now, fresh[:n]...)
		for _, r := range was {
			if end := r.Bounds().End; end > w.End {
				now = append(now, r.Clip(vmspace.Range{Start: max(r.Start, w.End), End: end}))
			}
		}
		if now = normalRuns(now, maps); !slices.Equal(was, now) {
			old = old.Splice(lo, hi, now)
		}
		fresh = fresh[n:]
	}
	return old
}

// Keep gives a picture the page of a process as an earlier picture has it, where both have it in the
// same mapping: what has happened to it is told later. A huge page is kept whole. The pictures stay
// as they are.
func Keep(s, earlier *vmspace.Snapshot, label string, addr uint64) *vmspace.Snapshot {
	was, is := earlier.Process(label), s.Process(label)
	if was == nil || is == nil {
		return s
	}
	m, ok := is.MappingAt(addr)
	old, had := was.MappingAt(addr)
	if !ok || !had || m.Perms != old.Perms || m.Path != old.Path || m.Path != "" && m.Offset-m.Start != old.Offset-old.Start {
		return s
	}
	size := s.PageSize
	if (was.PageAt(addr, size).Attrs|is.PageAt(addr, size).Attrs)&vmspace.Huge != 0 {
		size = vmspace.HugeBlock(size)
	}
	page := vmspace.Range{Start: addr &^ (size - 1), End: addr&^(size-1) + size}
	lo, hi := was.Pages.Overlap(page)
	runs := was.Pages.Slice(lo, hi)
	for i := range runs {
		runs[i] = runs[i].Clip(page)
	}
	pages := spliceRuns(is.Pages, []vmspace.Range{page}, runs, is.Mappings)
	out, p := *s, *is
	p.Pages, out.Processes = pages, slices.Clone(s.Processes)
	out.Processes[slices.Index(s.Processes, is)] = &p
	return &out
}
