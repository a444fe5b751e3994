package vmspace

import "fmt"

// Range is a half-open interval of addresses, [Start, End), in bytes.
type Range struct{ Start, End uint64 }

// Everything is the range of all addresses.
var Everything = Range{0, 1<<64 - 1}

// Len is the number of bytes in r.
func (r Range) Len() uint64 { return r.End - r.Start }

// Empty reports whether r contains no address.
func (r Range) Empty() bool { return r.End <= r.Start }

// Contains reports whether addr is in r.
func (r Range) Contains(addr uint64) bool { return r.Start <= addr && addr < r.End }

// Covers reports whether all of o is in r.
func (r Range) Covers(o Range) bool { return r.Start <= o.Start && o.End <= r.End }

// Overlaps reports whether r and o share an address.
func (r Range) Overlaps(o Range) bool { return r.Start < o.End && o.Start < r.End }

// Intersect is the part that r and o share; it is empty if they do not overlap.
func (r Range) Intersect(o Range) Range {
	x := Range{max(r.Start, o.Start), min(r.End, o.End)}
	if x.Empty() {
		return Range{}
	}
	return x
}

// Pages is the number of pages of pageSize bytes that r touches.
func (r Range) Pages(pageSize uint64) uint64 {
	if r.Empty() {
		return 0
	}
	return (r.End-1)/pageSize - r.Start/pageSize + 1
}

// Widen extends r by margin bytes on both sides and rounds outward to multiples of block bytes.
func (r Range) Widen(margin, block uint64) Range {
	r.Start -= min(r.Start, margin)
	r.End += min(1<<64-1-r.End, margin)
	r.Start -= r.Start % block
	if rest := r.End % block; rest != 0 {
		r.End += min(1<<64-1-r.End, block-rest)
	}
	return r
}

// String writes r as /proc/PID/maps does.
func (r Range) String() string { return fmt.Sprintf("%x-%x", r.Start, r.End) }

// HugeBlock is the size in bytes that one entry of the page middle directory maps, for a page size
// in bytes: a table of 8-byte entries fills one page. It is 2 MiB for pages of 4 KiB, 32 MiB for 16
// KiB, and 512 MiB for 64 KiB.
func HugeBlock(pageSize uint64) uint64 { return pageSize / 8 * pageSize }
