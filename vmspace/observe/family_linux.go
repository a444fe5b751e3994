package observe

import "cowscope/vmspace"

// Rules of this file: the last step of a reading, in which processes are compared.

// compareFamily decides the pages of all processes: the runs that were read are compared with those
// of the relatives, and replace the previous ones.
func (r *Reader) compareFamily(all []*reading) {
	shares := r.shares()
	for _, g := range all {
		if g.full && g.err == nil {
			g.pages = vmspace.Keep(g.fresh)
		}
	}
	for _, g := range all {
		if g.err != nil {
			continue
		}
		fresh := g.fresh
		for _, o := range all {
			if o.relativeOf(g) {
				fresh = refine(fresh, o.pages, shares, !r.pages.frames)
			}
		}
		if g.full && !r.pages.frames && len(all) > 1 {
			var others []relative
			for _, o := range all {
				if o.relativeOf(g) {
					others = append(others, relative{o.maps, o.pages})
				}
			}
			fresh = settleHidden(g.maps, g.fresh, fresh, others, r.mayBeHuge)
		}
		refined := len(fresh) > 0 && len(g.fresh) > 0 && &fresh[0] != &g.fresh[0]
		var old vmspace.List[vmspace.Run]
		if g.prev != nil {
			old = g.prev.Pages
		}
		switch {
		case g.full && refined:
			g.final = vmspace.KeepRebased(old, normalRuns(fresh, g.maps), vmspace.SameRun)
		case g.full:
			g.final = vmspace.KeepRebased(old, fresh, vmspace.SameRun)
		case refined:
			g.final = spliceRuns(old, g.windows, fresh, g.maps)
		default:
			g.final = g.pages
		}
	}
	for _, g := range all {
		g.pages = g.final
	}
}

// shares is how it is told here that a page is shared with a relative.
func (r *Reader) shares() func(run, mine, other vmspace.Run) (vmspace.State, bool) {
	switch {
	case r.pages.frames:
		return sameFrame
	case r.pages.mask != 0:
		return halfSplit
	}
	return perhapsHalfSplit
}

// guesses reports whether a process that was read in part has pages that may be shared with a
// relative: the counters of their mapping settle that (hidden.go), and a part has none.
func (r *Reader) guesses(all []*reading) bool {
	if r.pages.frames {
		return false
	}
	for _, g := range all {
		for _, o := range all {
			if g.full || len(g.fresh) == 0 || !o.relativeOf(g) {
				continue
			}
			pages := o.pages
			if o.full {
				pages = vmspace.NewList(o.fresh)
			}
			if fresh := refine(g.fresh, pages, r.shares(), true); &fresh[0] != &g.fresh[0] {
				return true
			}
		}
	}
	return false
}

// relativeOf reports whether the processes can both map one frame in page tables of their own.
func (g *reading) relativeOf(o *reading) bool {
	return g != o && g.err == nil && g.Space() != o.Space()
}

// mayBeHuge reports whether a run can consist of huge pages: as the scan says or, without a scan,
// whenever it is large enough for one.
func (r *Reader) mayBeHuge(run vmspace.Run) bool {
	if r.pages.mask != 0 {
		return run.Attrs&vmspace.Huge != 0
	}
	return len(blocksOf(run)) > 0
}
