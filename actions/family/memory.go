package family

import (
	"time"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"
)

// Rules of this file: what the family takes is what the kernel says of its processes and of the
// scratch folder's files, and what it says of neither: pages of shared memory that are in no page
// table, and the records of the mappings. A command that can be killed while it runs is watched by
// the tracer's guard. What takes much in one go that nothing can stop is foretold, and refused
// where it does not fit.

// What a mapping takes, in bytes, in each process that has it, measured on Linux 6.18 with 488000
// mappings in 61 processes: the kernel's vm_area_struct, anon_vma and their share of a maple tree,
// 320; an anon_vma_chain for the process and each of its ancestors, 72 each (mm/rmap.c,
// anon_vma_fork); and cowscope's own records of it and its pages, 1.6 KiB.
const (
	perMapping  = 2 << 10
	perAncestor = 72
)

// Taken is how much memory the family takes, in bytes; exact counts once what several processes
// share. It is asked by the tracer's guard too, while a command runs: what it reads is not changed
// then.
func (f *Family) Taken(exact bool) uint64 {
	pids := make([]int, 0, len(f.Members))
	for _, m := range f.Members {
		if m.Gone == "" {
			pids = append(pids, m.PID)
		}
	}
	m := procfs.Footprint(pids, exact)
	return m.Own + m.Pooled + f.Records() + max(m.Shmem, f.Files.Used()+f.Shared.Count*f.Now.PageSize+f.growth())
}

// Records is what the mappings themselves take.
func (f *Family) Records() (n uint64) {
	for _, p := range f.Now.Processes {
		if m := f.Member(p.Label); m != nil {
			n += uint64(p.Mappings.Len()) * (perMapping + uint64(m.generation)*perAncestor)
		}
	}
	return n
}

// growth is at most how much shared memory the command under way has brought in. That this cannot
// be told from what was there already, and only came back into the page tables, does no harm: a
// command that accesses a range brings in all that is new there, in the end.
func (f *Family) growth() uint64 {
	c := f.Running
	if c == nil {
		return 0
	}
	snap := f.Now
	fresh := c.MapsShared + f.Shared.fresh(snap.Process(c.P.Label), c.Touched, snap.PageSize)
	if fresh == 0 {
		return 0
	}
	minor, major := procfs.Faults(c.P.PID)
	faults := minor + major - min(minor+major, c.MinorBefore+c.MajorBefore)
	return min(fresh, procfs.ResidentShmem(c.P.PID), faults*vmspace.HugeBlock(snap.PageSize)) // a fault can bring in a huge page
}

// Over says whether the family, with so much more, takes more than it may.
func (f *Family) Over(more uint64) bool {
	limit := f.Limits.Memory
	if f.Taken(false)+more <= limit {
		return false
	}
	f.Shared.Sweep(f.Now)
	return f.Taken(true)+more > limit
}

// smallPart of the limit is what commands may take together without being asked before.
const smallPart = 256

// IsLittle says whether so much memory needs no question.
func (f *Family) IsLittle(bytes uint64) bool { return bytes <= f.Limits.Memory/smallPart }

// MayTake says whether so much more memory fits, which a command would take in one go. Little is
// not asked about one by one.
func (f *Family) MayTake(more uint64) bool {
	if f.unasked += min(more, f.Limits.Memory); f.IsLittle(f.unasked) {
		return true
	}
	if !f.Over(more) {
		f.unasked = 0
		return true
	}
	f.unasked = f.Limits.Memory // the next one is asked too
	return false
}

// MayMap says whether another mapping fits.
func (f *Family) MayMap() bool { return f.Records() <= f.Limits.Memory/2 || !f.Over(perMapping) }

// CopyTakes is what a copy of a process takes, in bytes: its page tables, and the records of its
// mappings.
func (f *Family) CopyTakes(m *Member) uint64 {
	n := procfs.PageTables(m.PID)
	if p := f.Now.Process(m.Label); p != nil {
		n += uint64(p.Mappings.Len()) * (perMapping + uint64(m.generation+1)*perAncestor)
	}
	return n
}

// memoryCheck is how long a command must have taken for its memory to be looked at when it is over;
// below that, only every memoryEvery-th is of those that can have taken any.
const (
	memoryCheck = 2 * time.Millisecond
	memoryEvery = 64
)

// Overdrawn says whether the family takes more than it may, after a command that took so long;
// tookNothing says that it cannot have taken memory.
func (f *Family) Overdrawn(took time.Duration, tookNothing func() bool) bool {
	if took < memoryCheck && tookNothing() {
		return false
	}
	f.takers++
	return (took >= memoryCheck || f.takers%memoryEvery == 0) && f.Over(0)
}

// See notes what the snapshot after a command shows of shared memory. removed says that MADV_REMOVE
// has emptied what was touched.
func (f *Family) See(after *vmspace.Snapshot, d *Doing, removed bool) {
	f.Shared.see(after.Process(d.P.Label), d.Touched, removed, after.PageSize)
	if len(f.Shared.Files) > 2*f.Shared.swept+64 {
		f.Shared.Sweep(after)
	}
}
