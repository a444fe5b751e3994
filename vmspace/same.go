package vmspace

import "slices"

// Rules of this file: pure. The one place that defines "nothing changed".

// SameMapping reports whether two mappings are equal, counters included.
func SameMapping(a, b *Mapping) bool {
	if a.Smaps == b.Smaps || a.Smaps != nil && b.Smaps != nil && a.Smaps.Same(b.Smaps) {
		x := *a
		x.Smaps = b.Smaps
		return x == *b
	}
	return false
}

// Same reports whether two sets of counters are equal.
func (c *Counters) Same(o *Counters) bool {
	return c.Rss == o.Rss && c.Pss == o.Pss && c.Swap == o.Swap && c.Locked == o.Locked && c.LazyFree == o.LazyFree &&
		c.AnonHuge == o.AnonHuge && c.KSM == o.KSM && c.Private == o.Private &&
		c.Clean == o.Clean && c.Anonymous == o.Anonymous && c.ProtectionKey == o.ProtectionKey && slices.Equal(c.VMFlags, o.VMFlags)
}

// SameRun reports whether two runs are equal.
func SameRun(a, b *Run) bool { return *a == *b }

// SameHead reports whether two processes are equal in everything except mappings and pages.
func (p *Process) SameHead(o *Process) bool {
	return p.Member == o.Member && p.State == o.State && p.MinorFlt == o.MinorFlt && p.MajorFlt == o.MajorFlt &&
		p.RSS == o.RSS && p.Started == o.Started && p.Err == o.Err &&
		slices.Equal(p.Changed, o.Changed)
}

// PairRuns walks two ordered lists of runs in parallel. For each stretch of pages that is within
// one run in both, it yields the two pieces; where one list has no run, its piece is in state None.
func PairRuns(as, bs []Run, yield func(x, y Run)) {
	const never = 1<<64 - 1
	a, b := tape{rest: as}, tape{rest: bs}
	a.load()
	b.load()
	for a.head.Pages > 0 || b.head.Pages > 0 {
		as, bs := uint64(never), uint64(never)
		if a.head.Pages > 0 {
			as = a.head.Start
		}
		if b.head.Pages > 0 {
			bs = b.head.Start
		}
		switch {
		case as < bs:
			x := a.take(bs)
			yield(x, absentRun(x))
		case bs < as:
			y := b.take(as)
			yield(absentRun(y), y)
		default:
			end := min(a.head.Bounds().End, b.head.Bounds().End)
			yield(a.take(end), b.take(end))
		}
	}
}

// tape hands out runs piece by piece.
type tape struct {
	head Run // the rest of the current run; without pages at the end
	rest []Run
}

func (t *tape) load() {
	t.head = Run{}
	if len(t.rest) > 0 {
		t.head, t.rest = t.rest[0], t.rest[1:]
	}
}

// take cuts off and returns the part before end.
func (t *tape) take(end uint64) Run {
	r, b := t.head, t.head.Bounds()
	if end >= b.End {
		t.load()
		return r
	}
	t.head = r.Clip(Range{end, b.End})
	return r.Clip(Range{b.Start, end})
}

// absentRun is a run of absent pages with the bounds of r.
func absentRun(r Run) Run { return Run{Start: r.Start, Pages: r.Pages, Mapcount: -1, Shift: r.Shift} }
