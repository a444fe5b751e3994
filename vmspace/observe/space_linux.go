package observe

import (
	"errors"
	"runtime"
	"slices"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: one address space, read in full, is consistent or says where it is not. A
// running process changes while it is read: the list of mappings arrives in pieces of a page of
// text, and pages are read after it. So every batch of pages is checked (walk_linux.go), and what
// changed is read again, a few times; what still changes then is Unknown, and listed in
// Process.Changed.

const (
	attempts     = 3    // at reading what changes meanwhile
	manyMappings = 1024 // from this number on, proving that a process was idle is worth while
)

// errChanged says that no consistent reading was possible.
var errChanged = errors.New("changed while being read, again and again: stop it, or try once more")

// errEmpty says that no mapping is listed: the process is about to execve, or it has no address
// space, as a kernel thread; its files can be opened before Linux 6.16, and are empty
// (proc_mem_open in fs/proc/base.c).
var errEmpty error = unix.ESRCH

// readSpace reads one address space in full. The pages are left in g.fresh, not yet compared with
// those of relatives.
func (r *Reader) readSpace(g *reading) error {
	var err error
	for range attempts {
		g.unsure = nil
		if err = r.readOnce(g); err == nil {
			err = r.stillThere(g)
		}
		switch {
		case errors.Is(err, procfs.ErrTorn):
			err = errChanged
		case err != nil && gone(err) && r.stillThere(g) == nil, err == nil && g.maps.Len() == 0:
			g.files.forget() // after an exec the open files refer to the previous memory
			if err == nil {
				err = errEmpty
			}
		case err != nil || len(g.unsure) == 0 || r.mendable(g):
			return err
		}
	}
	return err
}

// stillThere returns nil if the process is alive. A process that dies while it is read loses its
// pages one by one.
func (r *Reader) stillThere(g *reading) error {
	st, err := g.files.readStat()
	if err == nil && st.State >= vmspace.Zombie {
		g.stat, err = st, errors.New(errZombie)
	}
	return err
}

// readOnce reads mappings and pages, and reads again what changed meanwhile if that can be done in
// parts.
func (r *Reader) readOnce(g *reading) error {
	f := g.files
	var old vmspace.List[vmspace.Mapping]
	if g.prev != nil {
		old = g.prev.Mappings
	}
	var quiet *idle
	if f.count == 0 || f.count >= manyMappings {
		quiet = watchIdle(g.PID)
		defer quiet.close()
	}
	var err error
	if g.maps, err = r.readMaps(f, old, g.stat); err == nil {
		err = f.need(&f.pagemap, "pagemap")
	}
	if err != nil {
		return err
	}
	f.count = g.maps.Len()
	budget, changed := r.budget, []vmspace.Range(nil)
	r.runs = r.runs[:0]
	all, err := r.readLikely(g)
	if err == nil && !all {
		w := walk{files: f, list: g.maps, check: r.features.Query, idle: quiet, blanks: r.blanks}
		err = w.run(r.workers(g), func(b *batch) error {
			if err := r.stopped(); err != nil {
				return err
			}
			changed = append(changed, b.changed...)
			r.runs = joinRuns(r.runs, r.counted(b.runs, g.maps), g.maps)
			return nil
		})
		r.blanks = w.blanks
	}
	if err != nil {
		return err
	}
	if !r.features.Query {
		if changed, err = r.compareLists(g); err != nil {
			return err
		}
		r.runs = blur(r.runs, changed)
	}
	g.fresh = slices.Clone(r.runs)
	if len(changed) == 0 {
		return nil
	}
	r.budget = budget
	if g.unsure = mergeRanges(changed); r.mendable(g) {
		err = r.mend(g)
	}
	return err
}

// compareLists reads the list once more and returns the ranges where it differs: the check for
// kernels without PROCMAP_QUERY.
func (r *Reader) compareLists(g *reading) (changed []vmspace.Range, err error) {
	now, err := r.readMaps(g.files, g.maps, g.stat)
	if err == nil && now.Len() == 0 && g.maps.Len() > 0 {
		err = unix.ESRCH // as PROCMAP_QUERY says of memory that no longer exists
	}
	if err != nil {
		return nil, err
	}
	vmspace.Unshared(g.maps, now, func(alo, ahi, blo, bhi int) {
		was, is := uncounted(g.maps.Slice(alo, ahi)), uncounted(now.Slice(blo, bhi))
		changed = append(changed, changedMappings(was, is, r.pages.size)...)
	})
	return changed, nil
}

// uncounted removes the counters of mappings: one of the two lists to compare may have none.
func uncounted(maps []vmspace.Mapping) []vmspace.Mapping {
	for i := range maps {
		maps[i].Smaps = nil
	}
	return maps
}

// counted returns runs with count and flags of their frames, as far as the budget allows.
func (r *Reader) counted(runs []vmspace.Run, maps vmspace.List[vmspace.Mapping]) []vmspace.Run {
	if r.kpage == nil || r.budget <= 0 && r.pages.mask != 0 {
		return runs
	}
	return r.kpage.fill(runs, maps, &r.budget, r.pages.mask != 0, vmspace.List[vmspace.Run]{}, nil)
}

// joinRuns appends more to runs; the first of them may extend the last run.
func joinRuns(runs, more []vmspace.Run, maps vmspace.List[vmspace.Mapping]) []vmspace.Run {
	if n := len(runs); n > 0 && len(more) > 0 && runs[n-1].Bounds().End == more[0].Start && runs[n-1].Extends(more[0]) {
		if m, ok := vmspace.MappingAt(maps, more[0].Start); !ok || m.Start < more[0].Start {
			runs[n-1].Pages += more[0].Pages
			more = more[1:]
		}
	}
	return append(runs, more...)
}

// mendable reports whether parts of g can be read again: not of a small space, for which reading
// the whole is faster.
func (r *Reader) mendable(g *reading) bool { return r.features.Query && !r.small(g.maps.Len(), g.stat) }

// mend reads again what changed, until nothing changes or the attempts are used up.
func (r *Reader) mend(g *reading) error {
	pages := vmspace.Keep(g.fresh)
	for range attempts {
		for _, s := range g.unsure {
			if err := r.patch(g, s); err != nil {
				return procfs.ErrTorn
			}
		}
		windows := blocks(g.unsure, r.pages.size)
		runs, err := r.pages.read(g.files, g.maps, windows)
		if err != nil {
			return err
		}
		changed := []vmspace.Range(nil)
		for _, x := range windows {
			if changed, err = r.query.differences(g.files.maps, g.maps, x, changed); err != nil {
				return err
			}
		}
		pages = spliceRuns(pages, windows, r.counted(blur(runs, changed), g.maps), g.maps)
		if g.unsure = mergeRanges(changed); len(g.unsure) == 0 {
			break
		}
	}
	g.changed = nil
	if !ordered(g.maps) {
		return procfs.ErrTorn
	}
	g.fresh = pages.Slice(0, pages.Len())
	return nil
}

// ordered reports whether no mapping overlaps the one before.
func ordered(maps vmspace.List[vmspace.Mapping]) bool {
	end := uint64(0)
	for _, m := range maps.All() {
		if m.Start < end {
			return false
		}
		end = m.End
	}
	return true
}

// A space with more mappings or resident pages than these is shared between workers.
const (
	largeMappings = 4096
	largePages    = 8 << 10
)

// workers returns the workers that read the pages of g: a single one if there is little to read, or
// if reading is gentle.
func (r *Reader) workers(g *reading) []worker {
	n := r.opt.Workers
	if n == 0 {
		n = min(2, runtime.GOMAXPROCS(0))
	}
	if r.opt.Gentle || g.maps.Len() < largeMappings && g.stat.RSSPages < largePages {
		n = 1
	}
	for len(r.pool) < n {
		if len(r.pool) == 0 {
			r.pool = append(r.pool, worker{&r.pages, &r.query})
			continue
		}
		r.pool = append(r.pool, worker{r.pages.clone(), new(querier)})
	}
	for _, k := range r.pool {
		k.pages.lean = !r.small(g.maps.Len(), g.stat)
	}
	return r.pool[:n]
}

// startCost resets the cost.
func (r *Reader) startCost() {
	r.pages.pace.cost, r.pages.pace.busy = Cost{}, 0
	for _, k := range r.pool {
		k.pages.pace.cost, k.pages.pace.busy = Cost{}, 0
	}
}

// Cost is what the last Observe or Stream cost the processes that it read.
func (r *Reader) Cost() Cost {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.pages.pace.cost
	for i, k := range r.pool {
		if i > 0 {
			c.Add(k.pages.pace.cost)
		}
	}
	return c
}

// readMaps reads the list of mappings, for a small space with the counters of smaps.
func (r *Reader) readMaps(f *procFiles, old vmspace.List[vmspace.Mapping], st procfs.Stat) (vmspace.List[vmspace.Mapping], error) {
	if err := f.need(&f.maps, "maps"); err != nil {
		return vmspace.List[vmspace.Mapping]{}, err
	}
	// A space that was small usually still is, and smaps contains all of maps.
	if n := old.Len(); n > 0 && r.small(n, st) {
		if list, err := r.readSmall(f, old); err != nil || r.small(list.Len(), st) {
			return list, err
		}
	}
	var err error
	if r.text, err = r.readText(f.maps, false); err != nil {
		return vmspace.List[vmspace.Mapping]{}, err
	}
	if string(r.text) == string(f.text) && !r.small(f.list.Len(), st) {
		// The list was patched in between, and is now as it was before.
		if !f.list.Same(old) {
			f.list = vmspace.Rebase(old, f.list.Slice(0, f.list.Len()), vmspace.SameMapping)
		}
		return f.list, nil
	}
	if r.mappings, err = procfs.ParseMaps(r.mappings[:0], r.text); err != nil {
		return vmspace.List[vmspace.Mapping]{}, err
	}
	if !r.small(len(r.mappings), st) {
		f.text = append(f.text[:0], r.text...)
		f.list = vmspace.Rebase(old, r.mappings, vmspace.SameMapping)
		f.landmark = findLandmarks(f.list)
		return f.list, nil
	}
	return r.readSmall(f, old)
}

// readSmall reads the list of mappings with their counters.
func (r *Reader) readSmall(f *procFiles, old vmspace.List[vmspace.Mapping]) (vmspace.List[vmspace.Mapping], error) {
	f.text, f.list = nil, vmspace.List[vmspace.Mapping]{}
	err := f.need(&f.smaps, "smaps")
	if err == nil {
		r.text, err = r.readText(f.smaps, true)
	}
	var maps []vmspace.Mapping
	if err == nil {
		maps, err = f.counters.Parse(r.text)
	}
	if err != nil {
		return vmspace.List[vmspace.Mapping]{}, err
	}
	return vmspace.Rebase(old, maps, vmspace.SameMapping), nil
}

// small reports whether a space is read with the counters of smaps and, unless it is sparse, always
// in full.
func (r *Reader) small(mappings int, st procfs.Stat) bool {
	pages := uint64(max(r.opt.SmallPages, 0))
	if st.Size > scattered {
		pages /= 16
	}
	return mappings <= r.opt.SmallMappings && st.RSSPages <= pages
}

// sparse reports whether reading the words takes long however little is resident: without
// PAGEMAP_SCAN they are read for the whole space.
func (r *Reader) sparse(st procfs.Stat) bool { return r.pages.mask == 0 && st.Size > r.opt.SparseSize }
