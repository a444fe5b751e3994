package observe

import "cowscope/vmspace"

// Rules of this file: pure. What the words of one process leave open, those of its relatives may
// tell.

// sameFrame says whether two processes' pages at one address are one frame, where frames are
// visible.
func sameFrame(_, mine, other vmspace.Run) (vmspace.State, bool) {
	return vmspace.COW, mine.Frame != 0 && (other.State == vmspace.Anon || other.State == vmspace.COW) && other.Frame == mine.Frame
}

// halfSplit says, where frames are hidden, whether a part of a huge page is most likely one with a
// relative's: after a fork and a write of the relative to the first small page, which splits the
// mapping there, its other pages are not exclusive, and all of them are here.
func halfSplit(_, mine, other vmspace.Run) (vmspace.State, bool) {
	return vmspace.COW, mine.Attrs&vmspace.Huge != 0 && other.State == vmspace.COW
}

// perhapsHalfSplit is for kernels without PAGEMAP_SCAN: unless smaps counts all of a mapping as
// huge nothing says that a page is, but a run that holds a whole block may be one.
func perhapsHalfSplit(run, mine, other vmspace.Run) (vmspace.State, bool) {
	if state, ok := halfSplit(run, mine, other); ok {
		return state, true
	}
	block := vmspace.HugeBlock(mine.PageSize())
	start := mine.Start / block * block
	return vmspace.Unknown, other.Word&(vmspace.WordPresent|vmspace.WordFile|vmspace.WordExclusive) == vmspace.WordPresent && run.Bounds().Covers(vmspace.Range{Start: start, End: start + block})
}

// refine is the second step, over a family: runs of one process against those of its relatives. A
// page that says "exclusive" and that a relative shares is shared all the same: for a huge page the
// bit speaks of its first small page. shares is one of the three above, and gets the run beside the
// pages. It gives runs itself where nothing changes.
func refine(runs []vmspace.Run, relative vmspace.List[vmspace.Run], shares func(run, mine, other vmspace.Run) (vmspace.State, bool)) []vmspace.Run {
	var out []vmspace.Run // nil until something changes
	for i, r := range runs {
		if r.State != vmspace.Anon {
			if out != nil {
				out = append(out, r)
			}
			continue
		}
		at := r.Start
		for _, o := range relative.From(r.Start) {
			both := r.Bounds().Intersect(o.Bounds())
			if both.Empty() {
				break
			}
			state, ok := shares(r, r.Clip(both), o.Clip(both))
			if !ok {
				continue
			}
			if out == nil {
				out = append(make([]vmspace.Run, 0, len(runs)+2), runs[:i]...)
			}
			if at < both.Start {
				out = append(out, r.Clip(vmspace.Range{Start: at, End: both.Start}))
			}
			shared := r.Clip(both)
			shared.State = state
			out = append(out, shared)
			at = both.End
		}
		if out != nil && at < r.Bounds().End {
			out = append(out, r.Clip(vmspace.Range{Start: at, End: r.Bounds().End}))
		}
	}
	if out == nil {
		return runs
	}
	return out
}
