package observe

import (
	"slices"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"
)

// Rules of this file: if a tracer keeps the whole family stopped and knows what its last command
// may have changed, only that is read: no process state, no list of mappings, no counters. A
// mapping that changed has no Smaps then.

// hold begins a reading of stopped processes without reading their state; nil if that is
// impossible.
func (r *Reader) hold(prev *vmspace.Snapshot, may Scope) []*reading {
	r.budget = r.opt.KPageBudget
	r.startCost()
	all := r.held[:0]
	for i, p := range prev.Processes {
		if i == len(r.held) {
			r.held = append(r.held, new(reading))
		}
		g := r.held[i]
		*g = reading{Member: p.Member, prev: p, files: r.procs[p.PID], maps: p.Mappings, changed: g.changed[:0]}
		g.stat = procfs.Stat{State: p.State, MinorFlt: p.MinorFlt, MajorFlt: p.MajorFlt, StartTime: p.Started, RSSPages: p.RSS / r.pages.size}
		if p.Label == may.touched[0].Label {
			g.stat.MinorFlt += may.held.Minor
			g.stat.MajorFlt += may.held.Major
		}
		if p.Err != "" || g.files == nil || g.files.pagemap < 0 || g.files.maps < 0 {
			return nil
		}
		all = append(all, g)
	}
	return all
}

// glance reads what was touched.
func (r *Reader) glance(all []*reading, spans []vmspace.Range, may Scope) bool {
	if may.held.Mapped {
		i := slices.IndexFunc(all, func(g *reading) bool { return g.Label == may.touched[0].Label })
		for _, s := range spans {
			if i < 0 || r.patch(all[i], s) != nil {
				return false
			}
		}
	}
	for _, g := range all {
		spans = append(spans, g.changed...)
	}
	spans = mergeRanges(spans)
	windows := r.within(all, spans)
	r.pages.few = true
	defer func() { r.pages.few = false }()
	for _, g := range all {
		if r.readWindows(g, windows, nil) != nil {
			return false
		}
	}
	// No page of a file has changed, but the pages that share a frame copy-on-write may have.
	if len(all) > 1 {
		if more, ok := aliases(all, windows); !ok || len(more) > 0 {
			return false
		}
	}
	r.lookUp(all, spans, windows)
	r.splice(all, windows)
	return true
}

// within returns the windows for spans of anonymous memory: the effect of a command on a page is
// limited to its huge block and to its mapping.
func (r *Reader) within(all []*reading, spans []vmspace.Range) []vmspace.Range {
	out := make([]vmspace.Range, 0, len(spans))
	for _, s := range spans {
		reach := s
		for _, g := range all {
			for _, maps := range []vmspace.List[vmspace.Mapping]{g.prev.Mappings, g.maps} {
				if there := maps.View(maps.Overlap(s)); len(there) > 0 {
					reach.Start, reach.End = min(reach.Start, there[0].Start), max(reach.End, there[len(there)-1].End)
				}
			}
		}
		out = append(out, reach.Intersect(s.Widen(0, vmspace.HugeBlock(r.pages.size))))
	}
	return mergeRanges(out)
}
