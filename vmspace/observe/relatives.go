package observe

import "cowscope/vmspace"

// Rules of this file: pure. A state that the words of one process leave open may be decided by
// those of its relatives.

// sameFrame reports whether the pages of two processes at one address are one frame, if frames are
// visible.
func sameFrame(_, mine, other vmspace.Run) (vmspace.State, bool) {
	return vmspace.COW, mine.Frame != 0 && (other.State == vmspace.Anon || other.State == vmspace.COW) && other.Frame == mine.Frame
}

// halfSplit reports, if frames are hidden, whether a part of a huge page is most likely shared with
// a relative: if the relative wrote to the first small page after a fork, which split the mapping
// there, its other pages are not exclusive, and this process has them all. A relative with a whole
// huge page there has another one: if it were this one, its first small page would be shared too,
// and would not be exclusive here.
func halfSplit(_, mine, other vmspace.Run) (vmspace.State, bool) {
	return vmspace.COW, mine.Attrs&vmspace.Huge != 0 && other.State == vmspace.COW && other.Attrs&vmspace.Huge == 0
}

// perhapsHalfSplit is halfSplit for kernels without PAGEMAP_SCAN: unless smaps counts a whole
// mapping as huge, nothing identifies huge pages, but a run that contains a whole block may be one.
func perhapsHalfSplit(run, mine, other vmspace.Run) (vmspace.State, bool) {
	if state, ok := halfSplit(run, mine, other); ok {
		return state, true
	}
	block := vmspace.HugeBlock(mine.PageSize())
	start := mine.Start / block * block
	return vmspace.Unknown, other.Word&(vmspace.WordPresent|vmspace.WordFile|vmspace.WordExclusive) == vmspace.WordPresent && run.Bounds().Covers(vmspace.Range{Start: start, End: start + block})
}

// refine is the second step, over a family: it compares the runs of one process with those of a
// relative. A page that is marked exclusive can be shared with a relative: for a huge page the bit
// describes its first small page only. shares is one of the three functions above, and receives the
// whole run beside the two pieces. refine returns runs itself if nothing changes.
func refine(runs []vmspace.Run, relative vmspace.List[vmspace.Run], shares func(run, mine, other vmspace.Run) (vmspace.State, bool), firstTrue bool) []vmspace.Run {
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
			for _, part := range behindFirst(both, r.PageSize(), firstTrue) {
				if out == nil {
					out = append(make([]vmspace.Run, 0, len(runs)+2), runs[:i]...)
				}
				if at < part.Start {
					out = append(out, r.Clip(vmspace.Range{Start: at, End: part.Start}))
				}
				shared := r.Clip(part)
				shared.State = state
				out = append(out, shared)
				at = part.End
			}
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

// behindFirst returns r, with or without the first page of each huge block.
func behindFirst(r vmspace.Range, size uint64, without bool) []vmspace.Range {
	if !without {
		return []vmspace.Range{r}
	}
	block := vmspace.HugeBlock(size)
	var parts []vmspace.Range
	for at := r.Start; at < r.End; {
		end := min(at-at%block+block, r.End)
		if at%block == 0 {
			at += size
		}
		if at < end {
			parts = append(parts, vmspace.Range{Start: at, End: end})
		}
		at = end
	}
	return parts
}
