package verb

import (
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/actions/scratch"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/procfs"
)

// mayTake says whether so much more memory fits, which the command would take in one go; otherwise
// the outcome tells. what says what for.
func (c *Call) mayTake(more uint64, what string) bool {
	if c.F.MayTake(more) {
		return true
	}
	c.refuse("%s can take %s, where %s has %s already, and cowscope's limit is %s. --max-memory raises it.", what, amount.Size(more),
		c.P.Label+" with its family", amount.Size(c.F.Taken(true)), amount.Size(c.F.Limits.Memory))
	return false
}

// mayMap says whether another mapping fits.
func (c *Call) mayMap() bool {
	if c.F.MayMap() {
		return true
	}
	c.refuse("the records of all mappings take %s, and cowscope's limit is %s for all memory together. --max-memory raises it.",
		amount.Size(c.F.Records()), amount.Size(c.F.Limits.Memory))
	return false
}

// tableOf is how many bytes of page tables a range needs for its entries: 8 a page.
func (c *Call) tableOf(bytes uint64) uint64 { return bytes / c.PageSize() * 8 }

// mayMarkGuard says whether the page tables fit in which guard_install writes its markers
// (mm/madvise.c, madvise_guard_install).
func (c *Call) mayMarkGuard(r vmspace.Range) bool {
	p := c.Space()
	if p == nil {
		return true
	}
	return c.mayTake(missingTables(p.PagesIn(r), c.PageSize()), "the page tables for that many guard pages")
}

// missingTables is at most how many bytes of page tables pages lack, which come as runs in order. A
// table with any page in it is there; where the first of its pages is not, it may be there too.
func missingTables(runs iter.Seq[vmspace.Run], pageSize uint64) (n uint64) {
	next := uint64(0) // the first table that was not looked at
	for run := range runs {
		r := run.Bounds()
		first, end := max(r.Start/vmspace.HugeBlock(pageSize), next), (r.End-1)/vmspace.HugeBlock(pageSize)+1
		if end > first && run.State == vmspace.None {
			n += (end - first) * pageSize
		}
		next = max(next, end)
	}
	return n
}

// mayCollapse says whether the huge pages fit that a collapse makes: one for each block that has a
// page table, full or not.
func (c *Call) mayCollapse(r vmspace.Range) bool {
	p := c.Space()
	if p == nil {
		return true
	}
	mapped, present := uint64(0), p.Resident(r)*c.PageSize()
	for _, m := range p.Mappings.From(r.Start) {
		if m.Start >= r.End {
			break
		}
		mapped += m.Intersect(r).Len()
	}
	most := min(mapped, max(procfs.PageTables(c.P.PID)/c.PageSize()*vmspace.HugeBlock(c.PageSize()), present))
	return c.mayTake(most-min(most, present), "the huge pages of the collapse")
}

// mayMove says whether the page tables fit that a move needs before it gives back those that it
// comes from.
func (c *Call) mayMove(r vmspace.Range) bool {
	if c.F.IsLittle(c.tableOf(r.Len())) { // most of the time: no file is read
		return true
	}
	return c.mayTake(min(c.tableOf(r.Len()), procfs.PageTables(c.P.PID)), "the page tables at the new place")
}

// mayCopy says whether a copy of the process fits: its page tables, and the records of its
// mappings.
func (c *Call) mayCopy() bool {
	p := c.Space()
	if p == nil {
		return true
	}
	return c.mayTake(c.F.CopyTakes(c.P), "a copy of the page tables and of the records of "+amount.Of(uint64(p.Mappings.Len()), "mapping"))
}

// mayPool says whether what a mapping of huge pages reserves fits: no other process of the machine
// has it then. What the pool does not have, the kernel itself refuses.
func (c *Call) mayPool(length uint64) bool {
	pooled := slices.ContainsFunc(c.Cmd.Flags("flags"), func(f string) bool { return strings.HasPrefix(f, "hugetlb") })
	if !pooled || c.Cmd.Has("noreserve") || length > poolLeft() {
		return true
	}
	return c.mayTake(length, "huge pages from the pool")
}

// poolLeft is how much the pools of huge pages have for a new mapping, in bytes, those of all sizes
// together.
func poolLeft() (n uint64) {
	pools, _ := filepath.Glob("/sys/kernel/mm/hugepages/hugepages-*kB")
	var l kernel.Settings
	for _, dir := range pools {
		kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(dir), "hugepages-"), "kB"), 10, 64)
		if err != nil {
			continue
		}
		free, _ := l.Number(dir + "/free_hugepages")
		more, _ := l.Number(dir + "/nr_overcommit_hugepages")
		n += (free + more) * kib << 10
	}
	return n
}

// mayWrite says whether a text fits into a file.
func (c *Call) mayWrite(text []byte) bool {
	size := c.PageSize()
	return c.mayTake((uint64(len(text))+size-1)&^(size-1), "the text in the file")
}

// bringsShared is how much shared memory an mmap can bring in at once.
func (c *Call) bringsShared(length uint64) uint64 {
	file, given := c.Cmd.Word("file")
	if given && file != scratch.Zero || !c.Cmd.Has("shared") && !c.Cmd.Has("shared_validate") ||
		!c.Cmd.Has("populate") && !c.Cmd.Has("locked") && !c.P.LocksFuture {
		return 0
	}
	return length
}
