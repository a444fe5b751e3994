package family

import (
	"math/bits"
	"strings"

	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Rules of this file: a page of shared memory stays in memory when it leaves the page tables, by
// madvise or munmap, as long as a process maps any part of its file, and no file of /proc tells an
// ordinary user. But every page came in through a page table, and the snapshots after the commands
// have seen it there. So the content of a file is everything ever seen of it, except what
// MADV_REMOVE freed.

// sharedFile identifies shared memory by its inode number, which the kernel does not reuse.
type sharedFile struct {
	major, minor uint32
	inode        uint64
}

// sharedBlock is a bit for each of sharedBits pages of a file.
type sharedBlock [sharedBits / 64]uint64

const sharedBits = 512

// SharedPages are the pages that files of shared memory contain, by page number.
type SharedPages struct {
	Files map[sharedFile]map[uint64]*sharedBlock
	Count uint64 // of all pages
	swept int    // number of files after the last sweep
}

// sharedMemory returns the file of a mapping of nameless shared memory: the pages of other files
// are counted by the file itself.
func sharedMemory(m *vmspace.Mapping) (sharedFile, bool) {
	return sharedFile{m.Major, m.Minor, m.Inode}, m.Perms&vmspace.SharedMap != 0 && m.Inode != 0 &&
		(strings.HasPrefix(m.Path, "/dev/zero") || strings.HasPrefix(m.Path, "/anon_hugepage"))
}

// each yields the known blocks of the pages [first, end), or with add all of them, with a mask of
// the pages in each.
func (s *SharedPages) each(f sharedFile, first, end uint64, add bool, yield func(b *sharedBlock, word int, mask uint64)) {
	blocks := s.Files[f]
	if blocks == nil && add {
		if s.Files == nil {
			s.Files = map[sharedFile]map[uint64]*sharedBlock{}
		}
		blocks = map[uint64]*sharedBlock{}
		s.Files[f] = blocks
	}
	within := func(n uint64, b *sharedBlock) {
		for w := range b {
			lo := max(n*sharedBits+uint64(w)*64, first)
			hi := min(n*sharedBits+uint64(w)*64+64, end)
			if lo < hi {
				yield(b, w, ^uint64(0)>>(64-(hi-lo))<<(lo%64))
			}
		}
	}
	if lo, hi := first/sharedBits, (end+sharedBits-1)/sharedBits; add || hi-lo < uint64(len(blocks)) {
		for n := lo; n < hi; n++ {
			b := blocks[n]
			if b == nil && add {
				b = new(sharedBlock)
				blocks[n] = b
			}
			if b != nil {
				within(n, b)
			}
		}
		return
	}
	for n, b := range blocks {
		within(n, b)
	}
}

func (s *SharedPages) add(f sharedFile, first, end uint64) {
	s.each(f, first, end, true, func(b *sharedBlock, w int, mask uint64) {
		s.Count += uint64(bits.OnesCount64(mask &^ b[w]))
		b[w] |= mask
	})
}

func (s *SharedPages) remove(f sharedFile, first, end uint64) {
	s.each(f, first, end, false, func(b *sharedBlock, w int, mask uint64) {
		s.Count -= uint64(bits.OnesCount64(mask & b[w]))
		b[w] &^= mask
	})
}

// held is how many of the pages [first, end) the file contains.
func (s *SharedPages) held(f sharedFile, first, end uint64) (n uint64) {
	s.each(f, first, end, false, func(b *sharedBlock, w int, mask uint64) { n += uint64(bits.OnesCount64(mask & b[w])) })
	return n
}

// see records what the ranges of a process show. removed says that MADV_REMOVE has freed them
// before.
func (s *SharedPages) see(p *vmspace.Process, ranges []observe.Touched, removed bool, pageSize uint64) {
	if p == nil {
		return
	}
	for _, t := range ranges {
		if t.Label != p.Label {
			continue
		}
		for _, m := range p.Mappings.From(t.Range.Start) {
			if m.Start >= t.Range.End {
				break
			}
			f, ok := sharedMemory(&m)
			if !ok {
				continue
			}
			part := m.Intersect(pagesOf(t.Range, pageSize))
			number := func(addr uint64) uint64 { return (addr - m.Start + m.Offset) / pageSize }
			if removed {
				s.remove(f, number(part.Start), number(part.End))
			}
			for run := range p.PagesIn(part) {
				if run.State == vmspace.Shared {
					s.add(f, number(run.Start), number(run.Start)+run.Pages)
				}
			}
		}
	}
}

// Sweep removes the files that no process of the snapshot maps: they no longer exist.
func (s *SharedPages) Sweep(snap *vmspace.Snapshot) {
	mapped := map[sharedFile]bool{}
	for _, p := range snap.Processes {
		for _, m := range p.Mappings.All() {
			if f, ok := sharedMemory(&m); ok {
				mapped[f] = true
			}
		}
	}
	for f, blocks := range s.Files {
		if mapped[f] {
			continue
		}
		for _, b := range blocks {
			for _, w := range b {
				s.Count -= uint64(bits.OnesCount64(w))
			}
		}
		delete(s.Files, f)
	}
	s.swept = len(s.Files)
}

// fresh is how many bytes of shared memory the ranges of a process could still add.
func (s *SharedPages) fresh(p *vmspace.Process, ranges []observe.Touched, pageSize uint64) (n uint64) {
	if p == nil {
		return 0
	}
	for _, t := range ranges {
		if t.Label != p.Label {
			continue
		}
		for _, m := range p.Mappings.From(t.Range.Start) {
			if m.Start >= t.Range.End {
				break
			}
			if f, ok := sharedMemory(&m); ok {
				part := m.Intersect(pagesOf(t.Range, pageSize))
				first, pages := (part.Start-m.Start+m.Offset)/pageSize, part.Len()/pageSize
				n += (pages - s.held(f, first, first+pages)) * pageSize
			}
		}
	}
	return n
}

// pagesOf returns r as page numbers.
func pagesOf(r vmspace.Range, pageSize uint64) vmspace.Range {
	end := (r.End + pageSize - 1) &^ (pageSize - 1)
	return vmspace.Range{Start: r.Start &^ (pageSize - 1), End: max(end, r.End)}
}
