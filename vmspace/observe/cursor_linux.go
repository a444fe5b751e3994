package observe

import (
	"errors"
	"sync"
	"time"

	"cowscope/vmspace"
)

// Rules of this file: an address space is cut into batches of bounded size, so that memory does not
// grow with the space and workers can share it. Pages are located in one of three ways, each with
// its kind of batch:
//
//	scan   PAGEMAP_SCAN finds the pages: for mappings of any size
//	plain  many small adjacent mappings: all their words are read, which is cheaper than a scan
//	whole  no PAGEMAP_SCAN in this kernel: the words of whole mappings are read
//
// The scan itself runs under the cursor's lock: it is the cheaper half of the work.

const (
	batchPages   = 16 << 10 // pages in one batch
	smallMapping = 64       // pages: too small for a huge page, and read faster than scanned
	manySmall    = 16       // this many small mappings in a row make a plain batch
	smallGap     = 64       // pages between them
)

// batch is a part of an address space on its way from the kernel to the caller.
type batch struct {
	seq     int
	span    vmspace.Range // the addresses that it covers; the next one begins at its end
	regions []region      // where pages may be
	plain   bool          // the regions were not scanned
	runs    []vmspace.Run
	changed []vmspace.Range // where the mappings differ from the list that was read before
	err     error
}

// cursor moves over an address space. Several workers may share it.
type cursor struct {
	mu      sync.Mutex
	pagemap int
	at, end uint64
	next    vmspace.Walker[vmspace.Mapping] // at the first mapping that ends after at, or before it
	seq     int
	stride  uint64 // bytes that a gentle scan may cross
}

func newCursor(pagemap int, maps vmspace.List[vmspace.Mapping], r vmspace.Range) *cursor {
	c := new(cursor)
	c.begin(pagemap, maps, r)
	return c
}

// begin sets the cursor to the start of r.
func (c *cursor) begin(pagemap int, maps vmspace.List[vmspace.Mapping], r vmspace.Range) {
	c.pagemap, c.at, c.end, c.next = pagemap, r.Start, min(r.End, userEnd(maps)), maps.Walk(r.Start)
	c.seq, c.stride = 0, gentleSpan
}

// take makes b the next batch; more is false if there is none.
func (c *cursor) take(p *pageReader, b *batch) (more bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.next.Item() != nil && c.next.Item().End <= c.at {
		c.next.Next()
	}
	if c.at >= c.end || c.next.Item() == nil {
		return false, nil
	}
	*b = batch{seq: c.seq, span: vmspace.Range{Start: c.at}, regions: b.regions[:0], runs: b.runs[:0], changed: b.changed[:0]}
	c.seq++
	switch {
	case p.mask == 0:
		c.whole(p, b)
	case p.lean && c.smallOnes(p, b):
	default:
		err = c.scan(p, b)
	}
	b.span.End = c.at
	return true, err
}

// smallOnes makes a plain batch of many small mappings, if there are many.
func (c *cursor) smallOnes(p *pageReader, b *batch) bool {
	n, limit := 0, batchPages/2*p.size
	if p.pace.gentle {
		limit = gentleWords * p.size
	}
	at := c.next
	start := max(c.at, at.Item().Start)
	var r vmspace.Range
	for ; at.Item() != nil && at.Item().Len() <= smallMapping*p.size && at.Item().End <= c.end; at.Next() {
		m := at.Item()
		if r.End != 0 && (m.Start-r.End > smallGap*p.size || m.End-start > limit) {
			break
		}
		r = vmspace.Range{Start: start, End: m.End}
		n++
	}
	if n == 0 || n < manySmall && !p.few {
		return false
	}
	b.regions, b.plain = append(b.regions, region{start: r.Start, end: r.End}), true
	c.next, c.at = at, r.End
	return true
}

// scan makes a batch of what PAGEMAP_SCAN finds next.
func (c *cursor) scan(p *pageReader, b *batch) error {
	start, end := max(c.at, c.next.Item().Start), c.end
	if start >= end {
		c.at = end
		return nil
	}
	out, pages := p.slice, uint64(batchPages)
	if p.pace.gentle {
		out, pages = p.slice[:gentleRegions], gentlePages
		end = min(end, start+c.stride)
		at := c.next
		for i := 0; i < gentleMappings && at.Item() != nil; i++ {
			at.Next()
		}
		if at.Item() != nil {
			end = min(end, max(at.Item().Start, start+p.size))
		}
	}
	took, err := c.scanTo(p, b, vmspace.Range{Start: start, End: end}, out, pages)
	if p.pace.gentle {
		if took > sliceTime {
			c.stride = max(c.stride/4, vmspace.HugeBlock(p.size))
		} else if took < sliceTime/4 && c.at == end {
			c.stride = min(c.stride*4, 1<<46)
		}
	}
	return err
}

// scanTo makes one scan of r and moves on to where it ended.
func (c *cursor) scanTo(p *pageReader, b *batch, r vmspace.Range, out []region, pages uint64) (time.Duration, error) {
	begin := time.Now()
	n, end, err := scanOnce(c.pagemap, r, p.mask, pages, out)
	took := p.pace.took(begin)
	if err != nil {
		return took, err
	}
	b.regions = append(b.regions, out[:n]...)
	found := uint64(0)
	for _, x := range out[:n] {
		found += (x.end - x.start) / p.size
	}
	switch {
	case n == len(out):
		c.at = max(end, out[n-1].end)
	case found >= pages:
		c.at = out[n-1].end
	default:
		c.at = r.End
	}
	if c.at <= r.Start {
		return took, errors.New("PAGEMAP_SCAN does not move on")
	}
	return took, nil
}

// whole makes a batch of whole mappings, or of a part of a large one.
func (c *cursor) whole(p *pageReader, b *batch) {
	for left := uint64(batchPages); left > 0 && c.next.Item() != nil; {
		r := c.next.Item().Intersect(vmspace.Range{Start: c.at, End: c.end})
		if r.Empty() {
			c.at = c.end
			return
		}
		r.End = min(r.End, r.Start+left*p.size)
		left -= r.Len() / p.size
		if n := len(b.regions); n > 0 && b.regions[n-1].end == r.Start {
			b.regions[n-1].end = r.End
		} else {
			b.regions = append(b.regions, region{start: r.Start, end: r.End})
		}
		if c.at = r.End; c.at == c.next.Item().End {
			c.next.Next()
		}
	}
	if c.next.Item() == nil {
		c.at = c.end
	}
}

// scanAll scans the span of a plain batch after all.
func (p *pageReader) scanAll(pagemap int, b *batch) error {
	c := cursor{pagemap: pagemap, at: b.span.Start, end: b.span.End}
	b.regions, b.plain = b.regions[:0], false
	for c.at < c.end {
		if _, err := c.scanTo(p, b, vmspace.Range{Start: c.at, End: c.end}, p.slice, batchPages); err != nil {
			return err
		}
	}
	return nil
}
