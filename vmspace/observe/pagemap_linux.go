package observe

import (
	"bytes"
	"encoding/binary"
	"io"
	"time"

	"cowscope/vmspace"
)

// Rules of this file: pagemap words become runs. Words are read only where there are pages
// (cursor_linux.go finds them); adjacent parts are one read, which includes small holes. Nothing is
// allocated per page.

// readGap is the size in pages of a hole that is read too, because that costs less than another
// call.
const readGap = 512

// pageReader is the settings and the scratch memory for reading page words. It belongs to one
// goroutine.
type pageReader struct {
	size      uint64 // of a page, in bytes
	shift     uint8
	mask      uint64 // categories to scan for; 0 without the scan
	nodes     bool   // call move_pages if the words leave the zero page open
	lies      uint64 // bits of a pagemap word that are not trusted
	frames    bool
	zeroFrame uint64       // the frame of the zero page; 0 if unknown
	lean      bool         // keep only those categories that decide something (scanKept)
	few       bool         // so little is to be read that a scan costs more than the words
	stopped   func() error // not nil once the reading is cancelled
	pace      pace

	slice  []region
	words  []byte
	cursor cursor // of read
	batch  batch  // of read
	runs   []vmspace.Run
	open   []vmspace.Run // of tellZero
}

// clone returns a reader with the same settings, for another goroutine.
func (p *pageReader) clone() *pageReader {
	return &pageReader{size: p.size, shift: p.shift, mask: p.mask, nodes: p.nodes, lies: p.lies, frames: p.frames, zeroFrame: p.zeroFrame, slice: make([]region, scanSlice)}
}

// read returns the runs of the pages of maps that lie in the windows, in order. The slice is valid
// until the next call.
func (p *pageReader) read(f *procFiles, maps vmspace.List[vmspace.Mapping], windows []vmspace.Range) ([]vmspace.Run, error) {
	p.lean = true
	p.runs = p.runs[:0]
	for _, w := range windows {
		c := &p.cursor
		c.begin(f.pagemap, maps, w)
		for {
			more, err := c.take(p, &p.batch)
			if err == nil {
				err = p.stopped()
			}
			if err == nil && more {
				err = p.fill(f, maps, &p.batch)
			}
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
		}
	}
	return p.runs, nil
}

// fill appends the runs of a batch to p.runs.
func (p *pageReader) fill(f *procFiles, maps vmspace.List[vmspace.Mapping], b *batch) error {
	first := len(p.runs)
	err := p.fillRegions(f.pagemap, maps, b)
	if err == nil && b.plain && p.undecided(first) {
		// The pages were read without a scan, and the words are not enough: now the scan is worth
		// its time.
		p.runs = p.runs[:first]
		if err = p.scanAll(f.pagemap, b); err == nil {
			err = p.fillRegions(f.pagemap, maps, b)
		}
	}
	if err == nil {
		p.tellZero(f, maps, first)
	}
	return err
}

// undecided reports whether a run from index first on is Unknown.
func (p *pageReader) undecided(first int) bool {
	for i := first; i < len(p.runs); i++ {
		if p.runs[i].State == vmspace.Unknown {
			return true
		}
	}
	return false
}

func (p *pageReader) fillRegions(pagemap int, maps vmspace.List[vmspace.Mapping], b *batch) error {
	rb := runBuilder{pageReader: p, maps: maps, scanned: p.mask != 0 && (!b.plain || p.zeroFrame != 0)}
	regions := b.regions
	for at := 0; at < len(regions); {
		// Regions [at, end) and the holes between them are one read.
		end := at + 1
		for end < len(regions) && regions[end].start-regions[end-1].end <= readGap*p.size {
			end++
		}
		if err := rb.regions(pagemap, regions[at:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// wordsAtOnce is the maximum number of words in one read.
func (p *pageReader) wordsAtOnce() uint64 {
	if p.pace.gentle {
		return gentleWords
	}
	return batchPages
}

// userEnd is the end of the highest mapping that pagemap reports. The vsyscall page of x86-64 lies
// in the kernel half.
func userEnd(maps vmspace.List[vmspace.Mapping]) uint64 {
	for i := maps.Len() - 1; i >= 0; i-- {
		if end := maps.At(i).End; end < vmspace.KernelHalf {
			return end
		}
	}
	return 0
}

// runBuilder turns words into runs.
type runBuilder struct {
	*pageReader
	maps vmspace.List[vmspace.Mapping]
	// scanned: the categories are known, or the frame of the zero page, which says the same.
	scanned bool
	at      vmspace.Walker[vmspace.Mapping]
	m       *vmspace.Mapping
	class   vmspace.Class
	seen    [3]seen // the last decisions for m
}

// seen is a decision that holds for all pages of a mapping whose words have the same flags; only
// address and frame differ.
type seen struct {
	run        vmspace.Run
	categories uint16
}

// regions reads the words of the regions and of the holes between them, in as few reads as fit, and
// makes the runs.
func (b *runBuilder) regions(pagemap int, regions []region) error {
	at, end := regions[0].start, regions[len(regions)-1].end
	for len(regions) > 0 {
		at = max(at, regions[0].start)
		n := min((end-at)/b.size, b.wordsAtOnce())
		b.words = resize(b.words, n*8)
		start := time.Now()
		got, err := preadFull(pagemap, b.words[:n*8], int64(at/b.size*8))
		b.pace.took(start)
		if err != nil && err != io.EOF {
			return err
		}
		words := b.words[:got&^7]
		have := vmspace.Range{Start: at, End: at + uint64(len(words)/8)*b.size}
		for len(regions) > 0 {
			r := vmspace.Range{Start: regions[0].start, End: regions[0].end}.Intersect(have)
			if !r.Empty() {
				b.region(r, regions[0].categories, words[(r.Start-at)/b.size*8:])
			}
			if regions[0].end > have.End && err == nil {
				break
			}
			regions = regions[1:] // done, or beyond what the kernel reports
		}
		at = have.End
	}
	return nil
}

// region makes the runs of r, mapping by mapping.
func (b *runBuilder) region(r vmspace.Range, categories uint64, words []byte) {
	for at := r.Start; at < r.End; {
		if b.m == nil || b.m.End <= at {
			if b.at.Item() == nil || b.at.Item().End <= at {
				b.at = b.maps.Walk(at)
			}
			if b.m = b.at.Item(); b.m == nil {
				return
			}
			b.at.Next()
			b.class = b.classOf(b.m)
			b.seen = [3]seen{}
		}
		part := vmspace.Range{Start: at, End: r.End}.Intersect(b.m.Range)
		// A hole that the read includes, or a page without a mapping in the list by now.
		if part.Empty() {
			if b.m.Start >= r.End {
				return
			}
			at = b.m.Start
			continue
		}
		n := part.Len() / b.size
		skip := (part.Start - r.Start) / b.size
		b.part(part.Start, uint16(categories), words[skip*8:(skip+n)*8])
		at = part.End
	}
}

// part makes the runs of pages of one mapping and one set of categories. This loop runs for every
// page.
func (b *runBuilder) part(addr uint64, categories uint16, words []byte) {
	keep := ^b.lies
	if !b.frames {
		keep &^= vmspace.WordFrame
	}
	var run *vmspace.Run
	var last, step uint64 // the word that would extend the run is last+step
	if n := len(b.runs); n > 0 && b.runs[n-1].Bounds().End == addr && addr != b.m.Start {
		if r := &b.runs[n-1]; r.Scan == b.scanKept(r.Word, categories) {
			run = r
			last, step = run.Word|run.FrameOf(run.Pages-1), run.FrameOf(run.Pages)-run.FrameOf(run.Pages-1)
		}
	}
	for ; len(words) >= 8; words, addr = words[8:], addr+b.size {
		word := binary.NativeEndian.Uint64(words) & keep
		if word&vmspace.WordPresent == 0 {
			word &^= vmspace.WordFrame // the frame bits hold a swap entry
		}
		if run != nil && word == last+step {
			run.Pages++
			last = word
			continue
		}
		run = nil
		if word&(vmspace.WordPresent|vmspace.WordSwapped|vmspace.WordGuard) == 0 {
			skip := sameWords(words) - 8
			words, addr = words[skip:], addr+uint64(skip/8)*b.size
			continue
		}
		k := &b.seen[word>>56&1] // exclusive pages and others often alternate
		if word&vmspace.WordFrame == b.zeroFrame && b.zeroFrame != 0 && word&vmspace.WordPresent != 0 {
			k = &b.seen[2]
		}
		if k.run.Word != word&^vmspace.WordFrame || k.categories != categories {
			*k = b.decide(word, categories, k == &b.seen[2])
		}
		b.runs = append(b.runs, k.run)
		run = &b.runs[len(b.runs)-1]
		run.Start, run.Frame = addr, word&vmspace.WordFrame
		last, step = word, run.FrameOf(1)-run.Frame
	}
}

// sameWords returns how many bytes at the start of words repeat the first word, in steps of
// sameStep: comparing the slice with itself, shifted by one word, is faster than a loop over the
// words. Without PAGEMAP_SCAN most words of a mapping may be empty.
func sameWords(words []byte) int {
	n := 8
	for len(words) >= n+sameStep && bytes.Equal(words[n:n+sameStep], words[n-8:n-8+sameStep]) {
		n += sameStep
	}
	return n
}

const sameStep = 1024 // bytes

// classOf is the class of a mapping. If nothing else tells which pages are huge, smaps tells when
// all of them are.
func (p *pageReader) classOf(m *vmspace.Mapping) vmspace.Class {
	if p.mask == 0 {
		return m.CountedClass()
	}
	return m.Class()
}

// decide classifies one page; zero says that its frame is that of the zero page.
func (b *runBuilder) decide(word uint64, categories uint16, zero bool) seen {
	r := vmspace.Run{Pages: 1, Word: word &^ vmspace.WordFrame, Scan: b.scanKept(word, categories), Mapcount: -1, Shift: b.shift}
	r.State, r.Attrs = b.class.Classify(vmspace.Evidence{Word: r.Word, Scan: r.Scan, HaveScan: b.scanned, ZeroFrame: zero,
		OtherFrame: !zero && b.zeroFrame != 0, HaveGuard: b.mask&vmspace.ScanGuard != 0})
	return seen{r, categories}
}

// scanKept returns the categories that a page keeps. A lean reader scans only where that can decide
// something, and no run may show whether it was scanned for another reason, so that two readings of
// the same pages are equal whatever way they took: categories are kept for huge pages, and for
// pages whose word leaves the zero page possible, unless frames identify it.
func (b *runBuilder) scanKept(word uint64, categories uint16) uint16 {
	if !b.lean || categories&vmspace.ScanHuge != 0 {
		return categories
	}
	if b.zeroFrame != 0 {
		return 0
	}
	if s, _ := b.class.Classify(vmspace.Evidence{Word: word}); s == vmspace.Unknown {
		return categories
	}
	return 0
}
