package verb

import (
	"iter"
	"path/filepath"
	"strconv"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/actions/scratch"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/procfs"
)

// mayTake reports whether more bytes, which the command would take in one step, fit the limit;
// otherwise the outcome says why not. what is the purpose, for that text.
func (c *Call) mayTake(more uint64, what string) bool {
	if c.F.MayTake(more) {
		return true
	}
	c.refuse("%s can take %s, %s has %s already, and cowscope's limit is %s. --max-memory raises it.", what, amount.Size(more),
		c.P.Label+" with its family", amount.Size(c.F.Taken(true)), amount.Size(c.F.Limits.Memory))
	return false
}

// mayMap reports whether another mapping fits the limit.
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

// mayMark reports whether the page tables fit the limit in which a call writes markers for absent
// pages (madvise_guard_install in mm/madvise.c, change_pmd_prepare in mm/mprotect.c).
func (c *Call) mayMark(r vmspace.Range, what string) bool {
	p := c.Space()
	if p == nil {
		return true
	}
	return c.mayTake(missingTables(p.PagesIn(r), c.PageSize()), "the page tables for that many "+what)
}

// missingTables is the maximum number of bytes of page tables that are missing for pages, which
// come as runs in order. A table exists if any of its pages does; if the first one does not, the
// table may still exist.
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

// mayCollapse reports whether the huge pages of a collapse fit the limit: one for each block that
// has a page table, full or not.
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
	most := min(mapped, max(procfs.PageTables(p.PID)/c.PageSize()*vmspace.HugeBlock(c.PageSize()), present))
	return c.mayTake(most-min(most, present), "the huge pages of the collapse")
}

// mayMove reports whether the new page tables of a move fit the limit, before the old ones are
// freed.
func (c *Call) mayMove(r vmspace.Range) bool {
	if c.F.IsLittle(c.tableOf(r.Len())) { // usually: no file is read
		return true
	}
	return c.mayTake(min(c.tableOf(r.Len()), procfs.PageTables(c.P.PID)), "the page tables at the new place")
}

// mayCopy reports whether a copy of the process fits the limit: its page tables, and the records of
// its mappings.
func (c *Call) mayCopy() bool {
	p := c.Space()
	if p == nil {
		return true
	}
	return c.mayTake(c.F.CopyTakes(c.P), "a copy of the page tables and of the records of "+amount.Of(uint64(p.Mappings.Len()), "mapping"))
}

// mayPool reports whether the huge pages that a mapping reserves fit the limit: no other process of
// the machine can use them then. If the pool has too few, the kernel itself refuses.
func (c *Call) mayPool(length uint64) bool {
	if c.Args.Flags&mapNoreserve != 0 || length > poolLeft() {
		return true
	}
	return c.mayTake(length, "huge pages from the pool")
}

// poolLeft is how many bytes the pools of huge pages, of all sizes together, have for a new
// mapping.
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

// mayWrite reports whether the room for a text in a file fits the limit.
func (c *Call) mayWrite(text []byte) bool {
	size := c.PageSize()
	return c.mayTake((uint64(len(text))+size-1)&^(size-1), "the text in the file")
}

// bringsShared is how much shared memory an mmap can bring in at once.
func (c *Call) bringsShared(length uint64) uint64 {
	file, given := c.Cmd.Word("file")
	flags := c.Args.Flags
	if given && file != scratch.Zero || flags&mapShared == 0 || flags&(mapPopulate|mapLocked) == 0 && !c.P.LocksFuture {
		return 0
	}
	return length
}
