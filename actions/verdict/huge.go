package verdict

import (
	"fmt"

	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// Rules of this file: a block is what one huge page would map, 2 MiB for pages of 4 KiB. Only blocks
// that lie in one mapping of private anonymous memory can be huge pages.

// block counts the pages of one block.
type block struct {
	present uint64
	huge    bool
	home    uint64 // small pages that are where a huge page would have them, and part of a large folio
	away    uint64 // small pages that are elsewhere
	flags   bool   // the flags of a frame were read
}

// anonymous reports whether m is private memory without a file.
func anonymous(m *vmspace.Mapping) bool {
	return m.Private() && (m.Kind() == vmspace.KindAnon || m.Kind() == vmspace.KindHeap) && !flagged(m, "ht")
}

// mayBeHuge reports whether the kernel makes huge pages in m
// (Documentation/admin-guide/mm/transhuge.rst).
func (v *view) mayBeHuge(m *vmspace.Mapping) bool {
	return v.facts.THP == "always" && !flagged(m, "nh") || v.facts.THP == "madvise" && flagged(m, "hg")
}

// blocks calls yield with each block of m that has a page.
func (v *view) blocks(m *vmspace.Mapping, yield func(b *block)) {
	size := vmspace.HugeBlock(v.snap.PageSize)
	inside := vmspace.Range{Start: (m.Start + size - 1) &^ (size - 1), End: m.End &^ (size - 1)}
	if inside.Start >= inside.End {
		return
	}
	var b block
	start := uint64(0)
	flush := func() {
		if b.present > 0 {
			yield(&b)
		}
		b = block{}
	}
	for at := v.Pages.Walk(inside.Start); at.Item() != nil && at.Item().Start < inside.End; at.Next() {
		rest := at.Item().Clip(inside)
		for rest.Pages > 0 {
			first := rest.Start &^ (size - 1)
			part := rest.Clip(vmspace.Range{Start: first, End: first + size})
			rest = rest.Clip(vmspace.Range{Start: first + size, End: inside.End})
			if first != start {
				flush()
				start = first
			}
			if part.State == vmspace.Anon || part.State == vmspace.COW {
				b.add(part, (part.Start-first)/v.snap.PageSize, size/v.snap.PageSize)
			}
		}
	}
	flush()
}

// add counts a run that begins with page number index of a block of so many pages.
func (b *block) add(r vmspace.Run, index, pages uint64) {
	if r.Word&vmspace.WordPresent == 0 {
		return
	}
	b.present += r.Pages
	b.huge = b.huge || r.Attrs&vmspace.Huge != 0
	b.flags = b.flags || r.KFlags != 0
	switch {
	case r.KFlags == 0: // not read: anonymous memory has flags
	case r.KFlags&vmspace.KTHP != 0 && r.Frame%pages == index:
		b.home += r.Pages
	default:
		b.away += r.Pages
	}
}

// eachBlock calls yield with each block of private anonymous memory that has a page.
func (v *view) eachBlock(yield func(m *vmspace.Mapping, b *block)) {
	for at := v.Mappings.Walk(0); at.Item() != nil; at.Next() {
		if m := at.Item(); anonymous(m) {
			v.blocks(m, func(b *block) { yield(m, b) })
		}
	}
}

// islands looks for memory that is spread over many blocks.
func islands(v *view) *Finding {
	var blocks, present, eligible uint64
	maps := map[uint64]bool{}
	v.eachBlock(func(m *vmspace.Mapping, b *block) {
		if b.huge {
			return
		}
		blocks++
		present += b.present
		maps[m.Start] = true
		if v.mayBeHuge(m) {
			eligible++
		}
	})
	size := vmspace.HugeBlock(v.snap.PageSize)
	whole, there := blocks*size, present*v.snap.PageSize
	if blocks < islandBlocks || there < worth || percent(there, whole) > islandFill {
		return nil
	}
	huge := "huge pages are off there"
	switch {
	case eligible == blocks:
		huge = "huge pages are on there"
	case eligible > 0:
		huge = fmt.Sprintf("huge pages are on in %d of them", eligible)
	case v.facts.THP == "":
		huge = "whether huge pages are on is not known"
	}
	return &Finding{Bytes: there,
		Text: fmt.Sprintf("%s lie in islands: of each %s that they touch, %d %% are there; as huge pages they would be %s.", amount.Size(there), amount.Size(size), percent(there, whole), amount.Size(whole)),
		Evidence: fmt.Sprintf("pagemap: %s in %s of %s, in %s of anonymous memory; %s", amount.Of(present, "page"), amount.Of(blocks, "block"), amount.Size(size),
			amount.Of(uint64(len(maps)), "mapping"), huge)}
}

// hugeCopied looks for blocks of small pages of which most are parts of one huge page, each in its
// place, and some are not: the kernel split the huge page to copy a part of it (mm/huge_memory.c,
// do_huge_pmd_wp_page).
func hugeCopied(v *view) *Finding {
	var split, copied, full uint64
	flags := false
	size := vmspace.HugeBlock(v.snap.PageSize)
	v.eachBlock(func(m *vmspace.Mapping, b *block) {
		flags = flags || b.flags
		switch {
		case b.home >= size/v.snap.PageSize/2 && b.away > 0: // so no huge page can map it
			split++
			copied += b.away
		case !b.huge && b.present == size/v.snap.PageSize && v.mayBeHuge(m):
			full++
		}
	})
	switch {
	case split > 0:
		return &Finding{Bytes: split * size,
			Text: fmt.Sprintf("%s of huge pages are split: %s of them are in other frames now, as writes after a fork leave them.", amount.Size(split*size), amount.Size(copied*v.snap.PageSize)),
			Evidence: fmt.Sprintf("pagemap and kpageflags: %s of %s, most of whose pages are in the frames of one huge page; %s in other frames",
				amount.Of(split, "block"), amount.Size(size), amount.Of(copied, "page"))}
	case full > 0 && !flags:
		need := "frames"
		if v.snap.Frames {
			need = "kpage"
		}
		return &Finding{Unknown: fmt.Sprintf("needs %s: %s could be huge, and consist of small pages", need, amount.Size(full*size))}
	}
	return nil
}

// hugeSparse judges by the bytes in a sample of huge pages.
func hugeSparse(v *view) *Finding {
	h := v.own.Huge
	switch {
	case h.Blocks == 0 && h.Err != "":
		return &Finding{Unknown: "needs the bytes of its huge pages: " + h.Err}
	case h.Blocks == 0 && v.total(counter(func(c *vmspace.Counters) uint64 { return c.AnonHuge })) > 0:
		return &Finding{Unknown: "needs scan: smaps counts huge pages, and nothing tells where they are"}
	case h.Zero < worth || percent(h.Zero, h.Bytes) < sparseFill:
		return nil
	}
	which := "all that there are"
	if h.Blocks < h.Of {
		which = fmt.Sprintf("a sample of %d", h.Of)
	}
	return &Finding{Bytes: h.Zero,
		Text:     fmt.Sprintf("%s of %s in huge pages are zeros: as small pages, those that nobody wrote to would not be there.", amount.Size(h.Zero), amount.Size(h.Bytes)),
		Evidence: fmt.Sprintf("the bytes of %s, %s: small pages that hold nothing but zeros", amount.Of(h.Blocks, "huge page"), which)}
}
