package family

import (
	"slices"
	"time"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"
)

// Rules of this file: the memory of the family is what the kernel reports of its processes and of
// the scratch files, plus what it reports of neither: pages of shared memory that are in no page
// table, and the records of the mappings. A command that can be killed while it runs is watched by
// the tracer's guard. A command that takes much memory in one uninterruptible step is estimated
// beforehand, and refused if it does not fit.

// The size of the records of a mapping, in bytes, in each process that has it, measured on Linux
// 6.18 with 488000 mappings in 61 processes: the kernel's vm_area_struct, anon_vma and their share
// of a maple tree, 320; an anon_vma_chain for the process and each of its ancestors, 72 each
// (mm/rmap.c, anon_vma_fork); and cowscope's own records of it and its pages, 1.6 KiB.
const (
	perMapping  = 2 << 10
	perAncestor = 72
)

// Taken is the memory of the family, in bytes; exact counts once what several processes share. The
// tracer's guard also calls it while a command runs, when nothing changes the data that it reads.
func (f *Family) Taken(exact bool) uint64 {
	pids := make([]int, 0, len(f.Members))
	var seen []*AddressSpace
	for _, m := range f.Members {
		if m.Gone == "" && !slices.Contains(seen, m.AddressSpace) {
			pids = append(pids, m.PID)
			if m.shared {
				seen = append(seen, m.AddressSpace)
			}
		}
	}
	m := procfs.Footprint(pids, exact)
	return m.Own + m.Pooled + f.Records() + max(m.Shmem, f.Files.Used()+f.Shared.Count*f.Now.PageSize+f.growth())
}

// Records is the size of the records of all mappings, in bytes.
func (f *Family) Records() (n uint64) {
	for _, p := range f.Now.Processes {
		if m := f.Member(p.Label); m != nil && p.Shares == "" {
			n += uint64(p.Mappings.Len()) * (perMapping + uint64(m.generation)*perAncestor)
		}
	}
	return n
}

// growth is an upper bound, in bytes, of the shared memory that the current command has brought in.
// It may include pages that existed already and only returned to the page tables, which does no
// harm: a command that accesses a range brings in all new pages of it in the end.
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
	// A fault can bring in a huge page.
	return min(fresh, procfs.ResidentShmem(c.P.PID), faults*vmspace.HugeBlock(snap.PageSize))
}

// Over reports whether the family, with more bytes, exceeds its limit.
func (f *Family) Over(more uint64) bool {
	limit := f.Limits.Memory
	if f.Taken(false)+more <= limit {
		return false
	}
	f.Shared.Sweep(f.Now)
	return f.Taken(true)+more > limit
}

// smallPart is the part of the limit that commands may take together without a check.
const smallPart = 256

// IsLittle reports whether so few bytes need no check.
func (f *Family) IsLittle(bytes uint64) bool { return bytes <= f.Limits.Memory/smallPart }

// MayTake reports whether so many more bytes, which a command would take in one step, fit the
// limit. Small amounts are not checked one by one.
func (f *Family) MayTake(more uint64) bool {
	if f.unasked += min(more, f.Limits.Memory); f.IsLittle(f.unasked) {
		return true
	}
	if !f.Over(more) {
		f.unasked = 0
		return true
	}
	f.unasked = f.Limits.Memory // the next one is checked too
	return false
}

// MayMap reports whether the records of another mapping fit the limit.
func (f *Family) MayMap() bool { return f.Records() <= f.Limits.Memory/2 || !f.Over(perMapping) }

// CopyTakes is the memory for a copy of a process, in bytes: its page tables, and the records of
// its mappings.
func (f *Family) CopyTakes(m *Member) uint64 {
	n := procfs.PageTables(m.PID)
	if p := f.Now.Process(m.Label); p != nil {
		n += uint64(p.Mappings.Len()) * (perMapping + uint64(m.generation+1)*perAncestor)
	}
	return n
}

// memoryCheck is how long a command must have run for memory to be checked after it; after shorter
// ones only every memoryEvery-th is checked of those that can have taken memory.
const (
	memoryCheck = 2 * time.Millisecond
	memoryEvery = 64
)

// Overdrawn reports whether the family exceeds its limit, after a command that ran for took;
// tookNothing reports whether it cannot have taken memory.
func (f *Family) Overdrawn(took time.Duration, tookNothing func() bool) bool {
	if took < memoryCheck && tookNothing() {
		return false
	}
	f.takers++
	return (took >= memoryCheck || f.takers%memoryEvery == 0) && f.Over(0)
}

// See records the shared memory in the snapshot after a command. removed says that MADV_REMOVE has
// freed what was touched.
func (f *Family) See(after *vmspace.Snapshot, d *Doing, removed bool) {
	f.Shared.see(after.Process(d.P.Label), d.Touched, removed, after.PageSize)
	if len(f.Shared.Files) > 2*f.Shared.swept+64 {
		f.Shared.Sweep(after)
	}
}
