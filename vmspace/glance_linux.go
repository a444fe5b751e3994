package vmspace

import "slices"

// Rules of this file: where a tracer holds the whole family still and knows what its last command can have changed, only that is read:
// no state, no list of mappings, no counters. A mapping that changed has no Smaps then.

// Glance gives what Update would, but for the counters and VmFlags of mappings and the resident size, which stay as they were read last.
// Every process must stand still, and none may have run since prev but the one that is named. Where that is too little to
// go by, everything is read.
func (r *Reader) Glance(prev *Snapshot, family []Member, look Glance) (*Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, ok := r.hold(prev, family, look)
	if !ok || !r.glance(all, look) {
		return r.readAll(prev, family), nil
	}
	return r.finish(prev, all), nil
}

// hold begins a reading of processes that stand still, without asking for their state.
func (r *Reader) hold(prev *Snapshot, family []Member, look Glance) ([]*reading, bool) {
	if prev == nil || prev != r.last || !r.features.Query || !sameFamily(prev, family) {
		return nil, false
	}
	r.budget = r.opt.KPageBudget
	r.startCost()
	all := make([]*reading, 0, len(family))
	for _, p := range prev.Processes {
		g := &reading{Member: p.Member, prev: p, files: r.procs[p.PID], maps: p.Mappings}
		g.stat = stat{State: p.State, MinorFlt: p.MinorFlt, MajorFlt: p.MajorFlt, StartTime: p.Started, RSSPages: p.RSS / r.pages.size}
		if p.Label == look.Label {
			g.stat.MinorFlt += look.Minor
			g.stat.MajorFlt += look.Major
		}
		if p.Err != "" || g.files == nil || g.files.pagemap < 0 || g.files.maps < 0 {
			return nil, false
		}
		all = append(all, g)
	}
	return all, true
}

// glance reads what was touched.
func (r *Reader) glance(all []*reading, look Glance) bool {
	spans := spansOf([]Touched{look.Touched}, r.pages.size)
	if look.Mapped {
		i := slices.IndexFunc(all, func(g *reading) bool { return g.Label == look.Label })
		for _, s := range spans {
			if i < 0 || r.patch(all[i], s) != nil {
				return false
			}
		}
	}
	return r.partialPages(all, spans)
}
