package actions

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

// mayTake says whether so much more memory fits, which the command would take in one go; otherwise the outcome tells. what says what for.
func (c *call) mayTake(more uint64, what string) bool {
	if c.f.MayTake(more) {
		return true
	}
	c.refuse("%s can take %s, where %s has %s already, and cowscope's limit is %s. --max-memory raises it.", what, amount.Size(more),
		c.P.Label+" with its family", amount.Size(c.f.Taken(true)), amount.Size(c.f.Limits.Memory))
	return false
}

// mayMap says whether another mapping fits.
func (c *call) mayMap() bool {
	if c.f.MayMap() {
		return true
	}
	c.refuse("the records of all mappings take %s, and cowscope's limit is %s for all memory together. --max-memory raises it.",
		amount.Size(c.f.Records()), amount.Size(c.f.Limits.Memory))
	return false
}

// tableOf is how many bytes of page tables a range needs for its entries: 8 a page.
func (c *call) tableOf(bytes uint64) uint64 { return bytes / c.pageSize() * 8 }

// mayMarkGuard says whether the page tables fit in which guard_install writes its markers (mm/madvise.c, madvise_guard_install).
func (c *call) mayMarkGuard(r vmspace.Range) bool {
	p := c.space()
	if p == nil {
		return true
	}
	return c.mayTake(missingTables(p.PagesIn(r), c.pageSize()), "the page tables for that many guard pages")
}

// missingTables is at most how many bytes of page tables pages lack, which come as runs in order. A table with any page in it is there;
// where the first of its pages is not, it may be there too.
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

// mayCollapse says whether the huge pages fit that a collapse makes: one for each block that has a page table, full or not.
func (c *call) mayCollapse(r vmspace.Range) bool {
	p := c.space()
	if p == nil {
		return true
	}
	mapped, present := uint64(0), p.Resident(r)*c.pageSize()
	for _, m := range p.Mappings.From(r.Start) {
		if m.Start >= r.End {
			break
		}
		mapped += m.Intersect(r).Len()
	}
	most := min(mapped, max(procfs.PageTables(c.P.PID)/c.pageSize()*vmspace.HugeBlock(c.pageSize()), present))
	return c.mayTake(most-min(most, present), "the huge pages of the collapse")
}

// mayMove says whether the page tables fit that a move needs before it gives back those that it comes from.
func (c *call) mayMove(r vmspace.Range) bool {
	if c.f.IsLittle(c.tableOf(r.Len())) { // most of the time: no file is read
		return true
	}
	return c.mayTake(min(c.tableOf(r.Len()), procfs.PageTables(c.P.PID)), "the page tables at the new place")
}

// mayCopy says whether a copy of the process fits: its page tables, and the records of its mappings.
func (c *call) mayCopy() bool {
	p := c.space()
	if p == nil {
		return true
	}
	return c.mayTake(c.f.CopyTakes(c.P), "a copy of the page tables and of the records of "+amount.Of(uint64(p.Mappings.Len()), "mapping"))
}

// mayPool says whether what a mapping of huge pages reserves fits: no other process of the machine has it then. What the pool does not
// have, the kernel itself refuses.
func (c *call) mayPool(length uint64) bool {
	pooled := slices.ContainsFunc(c.cmd.Flags("flags"), func(f string) bool { return strings.HasPrefix(f, "hugetlb") })
	if !pooled || c.cmd.Has("noreserve") || length > poolLeft() {
		return true
	}
	return c.mayTake(length, "huge pages from the pool")
}

// poolLeft is how much the pools of huge pages have for a new mapping, in bytes, those of all sizes together.
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
func (c *call) mayWrite(text []byte) bool {
	size := c.pageSize()
	return c.mayTake((uint64(len(text))+size-1)&^(size-1), "the text in the file")
}

// bringsShared is how much shared memory an mmap can bring in at once.
func (c *call) bringsShared(length uint64) uint64 {
	file, given := c.cmd.Word("file")
	if given && file != scratch.Zero || !c.cmd.Has("shared") && !c.cmd.Has("shared_validate") ||
		!c.cmd.Has("populate") && !c.cmd.Has("locked") && !c.P.LocksFuture {
		return 0
	}
	return length
}
