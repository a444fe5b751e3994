package explain

import (
	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// The blocks of memory that an MADV_COLLAPSE would make huge pages of.

const hugeSize = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"

// hugeBlocks are the aligned blocks of a huge page's size that lie in the range and in one mapping.
func (e *evidence) hugeBlocks() (blocks []vmspace.Range, known bool) {
	size, known := e.Number(hugeSize)
	if !known || size == 0 {
		return nil, false
	}
	e.firstMapping(e.rounded, func(m vmspace.Mapping) bool {
		r := m.Intersect(e.rounded)
		for at := (r.Start + size - 1) / size * size; at+size <= r.End && len(blocks) < mostBlocks; at += size {
			blocks = append(blocks, vmspace.Range{Start: at, End: at + size})
		}
		return false
	})
	return blocks, true
}

// mostBlocks is the maximum number of blocks that a reason examines.
const mostBlocks = 1 << 12

// collapseBlocks are the blocks that a collapse is about; none for other advices.
func (e *evidence) collapseBlocks() []vmspace.Range {
	if !e.has("collapse") {
		return nil
	}
	blocks, _ := e.hugeBlocks()
	return blocks
}

// emptyBlock finds the first block of private anonymous memory without a page.
func (e *evidence) emptyBlock() (vmspace.Range, bool) {
	for _, r := range e.collapseBlocks() {
		if m, _ := e.before.MappingAt(r.Start); anonymous(m) && e.before.Resident(r) == 0 {
			return r, true
		}
	}
	return vmspace.Range{}, false
}

// uncollapsible finds the first block of private anonymous memory in which bad is true of every
// page that is present, so that a collapse fails.
func (e *evidence) uncollapsible(bad func(vmspace.Mapping, vmspace.Run) bool) (vmspace.Range, bool) {
	for _, r := range e.collapseBlocks() {
		m, _ := e.before.MappingAt(r.Start)
		if !anonymous(m) {
			continue
		}
		pages, fit := 0, true
		for run := range e.before.PagesIn(r) {
			if present(run.State) {
				pages, fit = pages+1, fit && bad(m, run)
			}
		}
		if pages > 0 && fit {
			e.foundAt = r.Start
			return r, true
		}
	}
	return vmspace.Range{}, false
}

func isZeroPage(_ vmspace.Mapping, page vmspace.Run) bool { return page.State == vmspace.Zero }

// readOnly finds the first block in which every page needs a fault to be written. Whether a page
// that one process came to own alone is still write-protected, only a write shows; so if the range
// has one block only, its small pages count too.
func (e *evidence) readOnly() (vmspace.Range, bool) {
	if !kernel.CollapsesWritable() {
		return vmspace.Range{}, false
	}
	r, ok := e.uncollapsible(func(m vmspace.Mapping, page vmspace.Run) bool {
		return m.Perms&vmspace.Write == 0 || page.State == vmspace.COW || page.State == vmspace.Zero
	})
	if ok || len(e.collapseBlocks()) != 1 {
		return r, ok
	}
	return e.uncollapsible(func(_ vmspace.Mapping, page vmspace.Run) bool { return page.Attrs&vmspace.Huge == 0 })
}

// guardPage finds the first guard page of the range in a mapping for which such is true.
func (e *evidence) guardPage(such func(vmspace.Mapping) bool) (addr uint64, ok bool) {
	for run := range e.before.PagesIn(e.rounded) {
		if m, _ := e.before.MappingAt(run.Start); run.State == vmspace.Guard && such(m) {
			e.foundAt = run.Start
			return run.Start, true
		}
	}
	return 0, false
}

// guardedBlock finds the first guard page of a block that could be a huge page.
func (e *evidence) guardedBlock() (addr uint64, ok bool) {
	for _, r := range e.collapseBlocks() {
		for run := range e.before.PagesIn(r) {
			if run.State == vmspace.Guard {
				e.foundAt = run.Start
				return run.Start, true
			}
		}
	}
	return 0, false
}
