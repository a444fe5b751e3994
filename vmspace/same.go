package vmspace

import "slices"

// Rules of this file: what "nothing changed" means, in one place. Pure.

// SameMapping says whether nothing differs between two mappings, counters included.
func SameMapping(a, b *Mapping) bool {
	if a.Smaps == b.Smaps || a.Smaps != nil && b.Smaps != nil && a.Smaps.Same(b.Smaps) {
		x := *a
		x.Smaps = b.Smaps
		return x == *b
	}
	return false
}

// Same says whether nothing differs between two sets of counters.
func (c *Counters) Same(o *Counters) bool {
	return c.Rss == o.Rss && c.Pss == o.Pss && c.Swap == o.Swap && c.Locked == o.Locked && c.LazyFree == o.LazyFree &&
		c.AnonHuge == o.AnonHuge && c.KSM == o.KSM && c.ProtectionKey == o.ProtectionKey && slices.Equal(c.VMFlags, o.VMFlags)
}

// SameRun says whether nothing differs between two runs.
func SameRun(a, b *Run) bool { return *a == *b }

// SameHead says whether all that is known of two processes beside mappings and pages is the same.
func (p *Process) SameHead(o *Process) bool {
	return p.Member == o.Member && p.State == o.State && p.MinorFlt == o.MinorFlt && p.MajorFlt == o.MajorFlt &&
		p.RSS == o.RSS && p.Started == o.Started && p.Err == o.Err &&
		slices.Equal(p.Changed, o.Changed)
}

// PairRuns walks two ordered lists of runs side by side. For each stretch of pages that is one
// piece in both it yields the piece of either; where one list has none there, it is a run in state
// None.
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
			yield(x, nothing(x))
		case bs < as:
			y := b.take(as)
			yield(nothing(y), y)
		default:
			end := min(a.head.Bounds().End, b.head.Bounds().End)
			yield(a.take(end), b.take(end))
		}
	}
}

// tape gives runs piece by piece.
type tape struct {
	head Run // what is left of the current run; no pages at the end
	rest []Run
}

func (t *tape) load() {
	t.head = Run{}
	if len(t.rest) > 0 {
		t.head, t.rest = t.rest[0], t.rest[1:]
	}
}

// take cuts off what lies before end.
func (t *tape) take(end uint64) Run {
	r, b := t.head, t.head.Bounds()
	if end >= b.End {
		t.load()
		return r
	}
	t.head = r.Clip(Range{end, b.End})
	return r.Clip(Range{b.Start, end})
}

// nothing is the run of pages that are not there, where r is.
func nothing(r Run) Run { return Run{Start: r.Start, Pages: r.Pages, Mapcount: -1, Shift: r.Shift} }
