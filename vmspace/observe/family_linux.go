package observe

import "cowscope/vmspace"

// Rules of this file: the last step of a reading, in which processes are looked at together.

// compareFamily settles the pages of all: what was read is compared with the relatives' pages, and
// put in the place of what was.
func (r *Reader) compareFamily(all []*reading) {
	shares := perhapsHalfSplit
	if r.pages.frames {
		shares = sameFrame
	} else if r.pages.mask != 0 {
		shares = halfSplit
	}
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
			if o != g && o.err == nil {
				fresh = refine(fresh, o.pages, shares)
			}
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
