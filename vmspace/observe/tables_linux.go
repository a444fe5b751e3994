package observe

import (
	"math/bits"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"
)

// Rules of this file: without PAGEMAP_SCAN a word is read for every possible page, and a TiB that
// is only reserved has as many words as one that is full. The kernel's count of page tables
// shortens this: there is a table for every block that has a page, a table for every block of such
// tables, and so on (mm_pgtables_bytes in include/linux/mm.h). If the pages found need as many
// tables as there are, there are no other pages. If they need fewer, there are unused tables or
// more pages, and everything is read.

// reserved is the size in bytes from which on a mapping is read only where pages are likely.
const reserved = 1 << 30

// readLikely reads a sparse space where pages are likely: in mappings that are not large, and where
// the family had pages. all is false if there may be others.
func (r *Reader) readLikely(g *reading) (all bool, err error) {
	if r.features.Query || !r.sparse(g.stat) {
		return false, nil
	}
	var windows []vmspace.Range
	for _, m := range g.maps.All() {
		if m.Len() < reserved && m.Start < vmspace.KernelHalf {
			windows = append(windows, m.Range)
		}
	}
	if r.last != nil {
		for _, p := range r.last.Processes {
			for _, run := range p.Pages.All() {
				windows = append(windows, run.Bounds().Widen(0, vmspace.HugeBlock(r.pages.size)))
			}
		}
	}
	tables := procfs.PageTables(g.PID)
	runs, err := r.pages.read(g.files, g.maps, mergeRanges(windows))
	if err != nil || tablesFor(runs, g.maps, r.pages.size) != tables || procfs.PageTables(g.PID) != tables {
		return false, err
	}
	r.runs = append(r.runs[:0], r.counted(runs, g.maps)...)
	return true, nil
}

// tablesFor is the least number of bytes of page tables that the pages need. A full block may be
// one huge page without a table of its own; anonymous memory keeps a table in reserve for when such
// a page is split (pgtable_trans_huge_deposit in mm/pgtable-generic.c).
func tablesFor(runs []vmspace.Run, maps vmspace.List[vmspace.Mapping], pageSize uint64) (n uint64) {
	entries := pageSize / 8
	var above [2]uint64 // the spans of the levels above the lowest, where these exist
	for i, levels := 0, tableLevels(userEnd(maps), pageSize); i < levels-1 && i < len(above); i++ {
		above[i] = vmspace.HugeBlock(pageSize)
		for range i + 1 {
			above[i] *= entries
		}
	}
	last := [2]uint64{^uint64(0), ^uint64(0)}
	table := func(addr uint64) {
		n += pageSize
		for i, span := range above {
			if span != 0 && addr/span != last[i] {
				last[i] = addr / span
				n += pageSize
			}
		}
	}
	at := maps.Walk(0)
	block, pages, counted := ^uint64(0), uint64(0), false
	for _, run := range runs {
		for at.Item() != nil && at.Item().End <= run.Start {
			at.Next()
		}
		anon := at.Item() != nil && at.Item().Inode == 0
		for addr := run.Start; addr < run.Bounds().End; {
			b := addr / vmspace.HugeBlock(pageSize)
			end := min(run.Bounds().End, (b+1)*vmspace.HugeBlock(pageSize))
			if b != block {
				if !counted && pages > 0 && pages < entries {
					table(block * vmspace.HugeBlock(pageSize))
				}
				block, pages, counted = b, 0, false
			}
			pages += (end - addr) / pageSize
			if anon && !counted {
				table(addr)
				counted = true
			}
			addr = end
		}
	}
	if !counted && pages > 0 && pages < entries {
		table(block * vmspace.HugeBlock(pageSize))
	}
	return n
}

// tableLevels is how many levels of page tables the kernel counts for a space that ends at end: all
// but the highest, and at most three. If the kernel supports longer addresses than it hands out, as
// on arm64 with pages of 16 KiB, there are more levels, and nothing can be proved.
func tableLevels(end, pageSize uint64) int {
	perLevel := bits.TrailingZeros64(pageSize / 8)
	below := bits.Len64(end-1) - bits.TrailingZeros64(pageSize)
	return min(3, (below+perLevel-1)/perLevel-1)
}
