package compare

import (
	"cmp"
	"slices"

	"cowscope/vmspace"
)

// Rules of this file: pure. What became of one process since a mark is counted mapping by mapping.
// A page is called copied only where its states show that a copy was made: a page of the page cache
// or the zero page became anonymous memory, or a frame that was shared became another one. A page
// that was shared and is now owned alone may also have been left by the last other one, and is
// counted by itself. Whether a page that was there all the time was written to, the states do not
// say: that needs evidence.

// Evidence says which pages were written to, beside what their states show. All ranges are sorted,
// and do not overlap.
type Evidence struct {
	// SoftDirty says that the kernel has the soft-dirty bit. It is set at the first write after it
	// was cleared (Documentation/admin-guide/mm/soft-dirty.rst): a page that did not have it at the
	// mark was written to if it has it now, and not if it has not. It proves nothing where the
	// mapping grew, was cut or merged: a new mapping gives the bit to all pages of the one that it
	// merges with (VM_SOFTDIRTY, pte_to_pagemap_entry in fs/proc/task_mmu.c).
	SoftDirty bool
	Written   []vmspace.Range // known to be written to
	Covered   []vmspace.Range // where pages that are not in Written are known not to be
}

// Since is what became of a process since a mark.
type Since struct {
	PageSize uint64
	Rows     []Became // of mappings with a difference, the largest first
	All      Became   // of all mappings together
	Unknown  uint64   // pages of which nothing says whether they were written to
}

// Became is what became of a mapping, or of all. Numbers are pages.
type Became struct {
	Mapping  vmspace.Mapping // as it is now, or as it was where it is gone; its range is the part that is told of
	What     string          // came, went, changed
	Written  uint64          // were there, and are known to be written to; copies included
	Copied   uint64          // were shared or of a file, and were replaced by a copy of one's own
	Appeared uint64          // were not in memory, and are now
	Gone     uint64          // were in memory, and are not any more: freed, dropped or swapped out
	Alone    uint64          // were shared copy-on-write, and are owned alone now: copied, or left by the others
	RSS      int64           // bytes more
	PSS      int64           // bytes more, where PSSKnown
	PSSKnown bool            // smaps was read on both sides, for this mapping alone
}

// Changed compares two pictures of one process.
func Changed(a, b *vmspace.Process, pageSize uint64, seen Evidence) *Since {
	s := &Since{PageSize: pageSize, All: Became{What: changed, PSSKnown: true}}
	x := cursor{process: &process{mappings: a.Mappings.Slice(0, a.Mappings.Len())}}
	y := cursor{process: &process{mappings: b.Mappings.Slice(0, b.Mappings.Len())}}
	old, now := pagesOf(a), pagesOf(b)
	w := witness{Evidence: seen}
	pieces(&x, &y, func(what string, r vmspace.Range, was, is *vmspace.Mapping) {
		row := Became{What: what}
		if row.Mapping = *cmp.Or(is, was); is == nil {
			row.Mapping.Smaps = nil
		}
		row.Mapping.Range = r
		for at := r.Start; at < r.End; {
			from, until := old.at(at, what == came)
			to, end := now.at(at, what == went)
			end = min(end, until, r.End)
			row.count(s, &w, vmspace.Range{Start: at, End: end}, from, to, was, is)
			at = end
		}
		row.PSS, row.PSSKnown = shareOf(r, was, is)
		s.All.add(row)
		if what != changed || row.differs() || was.Perms != is.Perms {
			s.Rows = append(s.Rows, row)
		}
	})
	slices.SortStableFunc(s.Rows, func(x, y Became) int { return cmp.Compare(y.size(), x.size()) })
	return s
}

// differs says whether anything is to be told.
func (r Became) differs() bool { return r.size() > 0 || r.PSS != 0 }

// size is how many pages a row tells of.
func (r Became) size() uint64 { return max(r.Written, r.Copied) + r.Appeared + r.Gone + r.Alone }

func (r *Became) add(o Became) {
	r.Written, r.Copied, r.Appeared, r.Gone, r.Alone = r.Written+o.Written, r.Copied+o.Copied, r.Appeared+o.Appeared, r.Gone+o.Gone, r.Alone+o.Alone
	r.RSS, r.PSS, r.PSSKnown = r.RSS+o.RSS, r.PSS+o.PSS, r.PSSKnown && o.PSSKnown
}

// shareOf is how much more the part r takes by its share: both mappings must be that part.
func shareOf(r vmspace.Range, was, is *vmspace.Mapping) (more int64, known bool) {
	for _, side := range []struct {
		m    *vmspace.Mapping
		sign int64
	}{{was, -1}, {is, 1}} {
		switch {
		case side.m == nil:
		case side.m.Smaps == nil || side.m.Range != r:
			return 0, false
		default:
			more += side.sign * int64(side.m.Smaps.Pss)
		}
	}
	return more, true
}

// count adds what became of the pages of r, which were all alike and are all alike.
func (row *Became) count(s *Since, w *witness, r vmspace.Range, from, to *vmspace.Run, was, is *vmspace.Mapping) {
	n := r.Pages(s.PageSize)
	row.RSS += int64(n*s.PageSize) * (counted(to) - counted(from))
	had, has := from != nil && from.HasFrame(), to != nil && to.HasFrame()
	switch {
	case had && !has:
		row.Gone += n
		return
	case !has:
		return
	case !had:
		row.Appeared += n
		return
	case to.State == vmspace.Zero: // it was dropped, and only read since
		return
	}
	copied := false
	switch to.State {
	case vmspace.Anon, vmspace.COW:
		copied = from.State == vmspace.File || from.State == vmspace.Zero
		if from.State == vmspace.COW {
			a, b := from.Clip(r).Frame, to.Clip(r).Frame
			copied = a != 0 && b != 0 && a != b
			if !copied && to.State == vmspace.Anon {
				row.Alone += n
			}
		}
	}
	if copied {
		row.Copied, row.Written = row.Copied+n, row.Written+n
		return
	}
	written, silent := w.tell(r, s.PageSize)
	if w.SoftDirty && from.Attrs&vmspace.SoftDirty == 0 {
		switch {
		case to.Attrs&vmspace.SoftDirty == 0:
			silent = 0
		case was.Range == is.Range:
			written, silent = n, 0
		}
	}
	row.Written += written
	if (was.Perms|is.Perms)&vmspace.Write != 0 {
		s.Unknown += silent
	}
}

// counted is 1 for pages that are part of the resident size: neither the zero page nor what the
// kernel lends is (vm_normal_page in mm/memory.c).
func counted(r *vmspace.Run) int64 {
	if r == nil || !r.HasFrame() || r.State == vmspace.Zero || r.State == vmspace.Special {
		return 0
	}
	return 1
}

// witness walks through the evidence, upwards.
type witness struct{ Evidence }

// tell counts the pages of r that were written to, and those of which nothing is known.
func (w *witness) tell(r vmspace.Range, pageSize uint64) (written, silent uint64) {
	written = overlap(&w.Written, r) / pageSize
	covered := overlap(&w.Covered, r) / pageSize
	return written, r.Pages(pageSize) - max(written, min(covered, r.Pages(pageSize)))
}

// overlap is how many bytes of r the ranges have, and drops those before it.
func overlap(ranges *[]vmspace.Range, r vmspace.Range) (bytes uint64) {
	for len(*ranges) > 0 && (*ranges)[0].End <= r.Start {
		*ranges = (*ranges)[1:]
	}
	for _, o := range *ranges {
		if o.Start >= r.End {
			break
		}
		bytes += o.Intersect(r).Len()
	}
	return bytes
}

// pages walks through the pages of a process, upwards.
type pages struct{ w vmspace.Walker[vmspace.Run] }

func pagesOf(p *vmspace.Process) pages { return pages{p.Pages.Walk(0)} }

// at is the run of the page at addr, nil where there is none, and where another may begin. Where
// the side is empty nothing is looked up.
func (p *pages) at(addr uint64, empty bool) (run *vmspace.Run, until uint64) {
	if empty {
		return nil, vmspace.Everything.End
	}
	for p.w.Item() != nil && p.w.Item().Bounds().End <= addr {
		p.w.Next()
	}
	switch run = p.w.Item(); {
	case run == nil:
		return nil, vmspace.Everything.End
	case addr < run.Start:
		return nil, run.Start
	}
	return run, run.Bounds().End
}
