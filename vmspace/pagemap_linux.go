package vmspace

import (
	"encoding/binary"
	"io"
)

// Rules of this file: pagemap words become runs. The words are read only where something is (the scan says where) or, without
// the scan, over whole mappings; neighbouring parts are one read, and small holes are read through. Nothing is allocated per page.

const (
	readPages = 32 << 10 // words in one read
	readGap   = 512      // a hole of at most so many pages is read through
)

// pageReader is the scratch memory and the settings for reading page words.
type pageReader struct {
	size      uint64 // of a page
	shift     uint8
	mask      uint64 // categories to scan for; 0 without the scan
	frames    bool
	zeroFrame uint64 // the frame of the zero page; 0 where not known

	slice   []region
	regions []region
	words   []byte
	runs    []Run
}

// read gives the runs of the pages of maps that lie in the windows, in order. The slice is good until the next call.
func (p *pageReader) read(pagemap int, maps List[Mapping], windows []Range) ([]Run, error) {
	p.regions, p.runs = p.regions[:0], p.runs[:0]
	for _, w := range windows {
		w.End = min(w.End, userEnd(maps))
		if w.Empty() {
			continue
		}
		if p.mask == 0 {
			p.wholeMappings(maps, w)
			continue
		}
		var err error
		if p.regions, err = scan(pagemap, w, p.mask, p.slice, p.regions); err != nil {
			return nil, err
		}
	}
	b := runBuilder{pageReader: p, maps: maps}
	for at := 0; at < len(p.regions); {
		// Regions [at, end) are one read, of at most readPages words.
		start, end := p.regions[at].start, at+1
		for end < len(p.regions) && p.regions[end].start-p.regions[end-1].end <= readGap*p.size &&
			p.regions[end].end-start <= readPages*p.size {
			end++
		}
		if err := b.regions(pagemap, p.regions[at:end]); err != nil {
			return nil, err
		}
		at = end
	}
	return p.runs, nil
}

// userEnd is the end of the highest mapping that pagemap can speak of. The vsyscall page of x86-64 lies in the kernel's half.
func userEnd(maps List[Mapping]) uint64 {
	for i := maps.Len() - 1; i >= 0; i-- {
		if end := maps.At(i).End; end < 1<<63 {
			return end
		}
	}
	return 0
}

// wholeMappings makes a region of every mapping in w, neighbours merged: what there is without the scan.
func (p *pageReader) wholeMappings(maps List[Mapping], w Range) {
	for _, m := range maps.From(w.Start) {
		r := m.Range.Intersect(w)
		if r.Empty() {
			return
		}
		if n := len(p.regions); n > 0 && p.regions[n-1].end == r.Start {
			p.regions[n-1].end = r.End
			continue
		}
		p.regions = append(p.regions, region{start: r.Start, end: r.End})
	}
}

// runBuilder turns words into runs.
type runBuilder struct {
	*pageReader
	maps  List[Mapping]
	at    walker[Mapping]
	m     *Mapping
	class class
}

// regions reads the words of the regions and everything between them, in as few reads as fit, and makes the runs.
func (b *runBuilder) regions(pagemap int, regions []region) error {
	at, end := regions[0].start, regions[len(regions)-1].end
	for len(regions) > 0 {
		at = max(at, regions[0].start)
		n := min((end-at)/b.size, readPages)
		if uint64(cap(b.words)) < n*8 {
			b.words = make([]byte, n*8)
		}
		got, err := preadFull(pagemap, b.words[:n*8], int64(at/b.size*8))
		if err != nil && err != io.EOF {
			return err
		}
		words := b.words[:got&^7]
		have := Range{at, at + uint64(len(words)/8)*b.size}
		for len(regions) > 0 {
			r := Range{regions[0].start, regions[0].end}.Intersect(have)
			if !r.Empty() {
				b.region(r, regions[0].categories, words[(r.Start-at)/b.size*8:])
			}
			if regions[0].end > have.End && err == nil {
				break
			}
			regions = regions[1:] // done, or past what the kernel will tell
		}
		at = have.End
	}
	return nil
}

// region makes the runs of r, mapping by mapping.
func (b *runBuilder) region(r Range, categories uint64, words []byte) {
	for at := r.Start; at < r.End; {
		if b.m == nil || b.m.End <= at {
			if b.at.l.n == 0 || b.at.item() == nil || b.at.item().End <= at {
				b.at = b.maps.walk(at)
			}
			if b.m = b.at.item(); b.m == nil {
				return
			}
			b.at.next()
			b.class = b.m.class()
		}
		part := Range{at, r.End}.Intersect(b.m.Range)
		if part.Empty() { // a page where the list of mappings has none: the process moved on between the reads
			return
		}
		n := part.Len() / b.size
		skip := (part.Start - r.Start) / b.size
		b.part(part.Start, uint16(categories), words[skip*8:(skip+n)*8])
		at = part.End
	}
}

// part makes the runs of pages of one mapping and one set of categories. It is the loop that runs for every page.
func (b *runBuilder) part(addr uint64, categories uint16, words []byte) {
	keep := ^uint64(0)
	if !b.frames {
		keep = ^uint64(wordFrame)
	}
	var run *Run
	var last, step uint64 // the word that would go on with the run is last+step
	if n := len(b.runs); n > 0 && b.runs[n-1].Bounds().End == addr && addr != b.m.Start && b.runs[n-1].Scan == categories {
		run = &b.runs[n-1]
		last, step = run.Word|run.FrameOf(run.Pages-1), run.FrameOf(run.Pages)-run.FrameOf(run.Pages-1)
	}
	for ; len(words) >= 8; words, addr = words[8:], addr+b.size {
		word := binary.NativeEndian.Uint64(words) & keep
		if word&WordPresent == 0 {
			word &^= wordFrame // holds a swap entry
		}
		if run != nil && word == last+step {
			run.Pages++
			last = word
			continue
		}
		run = nil
		if word&(WordPresent|WordSwapped|WordGuard) == 0 {
			continue
		}
		e := Evidence{Word: word, Scan: categories, HaveScan: b.mask != 0}
		e.ZeroFrame = b.zeroFrame != 0 && word&WordPresent != 0 && word&wordFrame == b.zeroFrame
		r := Run{Start: addr, Pages: 1, Word: word &^ wordFrame, Frame: word & wordFrame, Scan: categories, Mapcount: -1, Shift: b.shift}
		r.State, r.Attrs = classify(b.class, e)
		b.runs = append(b.runs, r)
		run = &b.runs[len(b.runs)-1]
		last, step = word, r.FrameOf(1)-r.Frame
	}
}
