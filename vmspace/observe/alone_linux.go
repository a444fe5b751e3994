package observe

import (
	"slices"

	"cowscope/vmspace"
)

// Rules of this file: each of many events in a row changes little, in one address space. Where frame
// numbers are visible, its page words tell whether a relative can have changed with it: only where a
// page was shared copy-on-write. A relative that took faults of its own since is read as well. How often
// a frame is mapped is otherwise not looked up again in relatives.

// alone reads what was touched in the address space of one process, and nothing of its relatives: nil
// if that is not enough.
func (r *Reader) alone(family []vmspace.Member, may Scope, spans []vmspace.Range) []*reading {
	if !r.pages.frames || r.pages.mask == 0 || len(spans) == 0 {
		return nil
	}
	r.budget = r.opt.KPageBudget
	r.startCost()
	actor := r.last.Process(may.touched[0].Label)
	if actor == nil || slices.ContainsFunc(may.touched, func(t Touched) bool { return t.Label != actor.Label }) {
		return nil
	}
	var all, acting []*reading
	for i, m := range family {
		p := r.last.Processes[i]
		g := r.state(m, p)
		all = append(all, g)
		if (g.err == nil) != (p.Err == "") {
			return nil
		}
		if p.Err != "" {
			continue
		}
		if p.Space() != actor.Space() {
			if g.idle = g.prev != nil && g.stat.MinorFlt == p.MinorFlt && g.stat.MajorFlt == p.MajorFlt; !g.idle {
				return nil
			}
			g.maps, g.pages = p.Mappings, p.Pages
			continue
		}
		if g.prev == nil || g.err != nil || r.sparse(g.stat) || g.files.pagemap < 0 || g.files.maps < 0 || p.Mappings.Len() == 0 || r.patchMaps(g, spans) != nil {
			return nil
		}
		acting = append(acting, g)
	}
	for _, g := range acting {
		spans = append(spans, g.changed...)
	}
	spans = mergeRanges(slices.Clone(spans))
	windows := r.readAlone(acting, spans)
	if windows == nil {
		return nil
	}
	r.countAlone(acting, spans, windows)
	r.splice(acting, windows)
	return all
}

// readAlone reads the page words near the spans, or in whole huge blocks if more has changed. It
// returns nil if a relative can have changed too.
func (r *Reader) readAlone(acting []*reading, spans []vmspace.Range) []vmspace.Range {
	var windows []vmspace.Range
	for _, s := range spans {
		if s.Len() > vmspace.HugeBlock(r.pages.size) {
			return nil
		}
		windows = append(windows, s.Widen(aroundBytes, r.pages.size))
	}
	windows = mergeRanges(windows)
	for near := true; ; near = false {
		cow, far := false, false
		for _, g := range acting {
			if r.readWindows(g, windows, nil) != nil {
				return nil
			}
			g.eachChange(windows, func(x, y vmspace.Run) {
				cow = cow || x.State == vmspace.COW
				for _, w := range windows {
					far = far || x.Start == w.Start || x.Bounds().End == w.End
				}
			})
			for _, w := range windows {
				far = far || slices.ContainsFunc(runsIn(g.prev.Pages, w), isHuge)
			}
			far = far || slices.ContainsFunc(g.fresh, isHuge)
		}
		if cow {
			return nil
		}
		if !far || !near {
			return windows
		}
		windows = blocks(spans, r.pages.size)
	}
}

func isHuge(run vmspace.Run) bool { return run.Attrs&vmspace.Huge != 0 }

// countAlone looks up the frames of what was touched or has changed.
func (r *Reader) countAlone(acting []*reading, spans, windows []vmspace.Range) {
	if r.kpage == nil {
		return
	}
	for _, g := range acting {
		core := append(r.core[:0], spans...)
		g.eachChange(windows, func(x, y vmspace.Run) { core = append(core, x.Bounds()) })
		for _, run := range g.fresh {
			if isHuge(run) {
				core = append(core, run.Bounds())
			}
		}
		r.core = core
		g.fresh = slices.Clone(r.kpage.fill(g.fresh, g.maps, &r.budget, true, g.prev.Pages, mergeRanges(core)))
	}
}
