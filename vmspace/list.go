package vmspace

import (
	"iter"
	"slices"
	"sort"
)

// Rules of this file: a List is immutable. A new version shares every chunk that did not have to
// change, so two chunks with the same address hold the same items, and comparisons skip them.

// chunkLen is the number of items of a new chunk; a chunk stays between a third and twice that.
const chunkLen = 256

// Item is an element of a List: a value with a range in an address space.
type Item interface{ Bounds() Range }

// Bounds is the range of the mapping.
func (m Mapping) Bounds() Range { return m.Range }

// chunk is a part of a list that versions share.
type chunk[T Item] struct{ items []T }

// List is an immutable sequence of items in the order of their addresses; items do not overlap. The
// zero List is empty. Any number of goroutines may read it.
type List[T Item] struct {
	chunks []*chunk[T]
	first  []int // index of each chunk's first item
	n      int
}

// NewList makes a list of items, which must be in order and must not overlap. It does not retain
// the slice.
func NewList[T Item](items []T) List[T] {
	return listOf(chunksOf(slices.Clone(items)))
}

// Keep is NewList without a copy: the list retains the slice, which must not be written to any
// more.
func Keep[T Item](items []T) List[T] { return listOf(chunksOf(items)) }

// ListBuilder makes a list from consecutive parts without copying items.
type ListBuilder[T Item] struct{ chunks []*chunk[T] }

// Add appends items; the slice must not be written to any more.
func (b *ListBuilder[T]) Add(items []T) { b.chunks = append(b.chunks, chunksOf(items)...) }

// List returns the list of everything added.
func (b *ListBuilder[T]) List() List[T] { return listOf(b.chunks) }

// chunksOf makes chunks over items without copying them.
func chunksOf[T Item](items []T) []*chunk[T] {
	if len(items) == 0 {
		return nil
	}
	parts := max(1, (len(items)+chunkLen/2)/chunkLen)
	out := make([]*chunk[T], 0, parts)
	for i := range parts {
		lo, hi := len(items)*i/parts, len(items)*(i+1)/parts
		out = append(out, &chunk[T]{items[lo:hi:hi]})
	}
	return out
}

// listOf makes a list of chunks.
func listOf[T Item](chunks []*chunk[T]) List[T] {
	l := List[T]{chunks: chunks, first: make([]int, len(chunks))}
	for i, c := range chunks {
		l.first[i] = l.n
		l.n += len(c.items)
	}
	return l
}

// Len is the number of items.
func (l List[T]) Len() int { return l.n }

// At is the item with index i; it panics where there is none, as a slice does.
func (l List[T]) At(i int) T {
	if i < 0 || i >= l.n {
		panic("vmspace: List index out of range")
	}
	c := sort.SearchInts(l.first, i+1) - 1
	return l.chunks[c].items[i-l.first[c]]
}

// All yields every item with its index.
func (l List[T]) All() iter.Seq2[int, T] { return l.fromIndex(0) }

// From yields, with their indexes, the items from the first one that ends after addr.
func (l List[T]) From(addr uint64) iter.Seq2[int, T] { return l.fromIndex(l.after(addr)) }

// fromIndex yields the items from index i.
func (l List[T]) fromIndex(i int) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		if i >= l.n {
			return
		}
		for c := sort.SearchInts(l.first, i+1) - 1; c < len(l.chunks); c++ {
			items := l.chunks[c].items
			for k := i - l.first[c]; k < len(items); k++ {
				if !yield(i, items[k]) {
					return
				}
				i++
			}
		}
	}
}

// after is the index of the first item that ends after addr, or Len if there is none.
func (l List[T]) after(addr uint64) int {
	c, end := 0, len(l.chunks)
	for c < end {
		mid := int(uint(c+end) / 2)
		if items := l.chunks[mid].items; items[len(items)-1].Bounds().End > addr {
			end = mid
		} else {
			c = mid + 1
		}
	}
	if c == len(l.chunks) {
		return l.n
	}
	items := l.chunks[c].items
	i, end := 0, len(items)
	for i < end {
		mid := int(uint(i+end) / 2)
		if items[mid].Bounds().End > addr {
			end = mid
		} else {
			i = mid + 1
		}
	}
	return l.first[c] + i
}

// Find is the index of the item that contains addr. If there is none, ok is false and the index is
// that of the first item above addr.
func (l List[T]) Find(addr uint64) (index int, ok bool) {
	i := l.after(addr)
	return i, i < l.n && l.At(i).Bounds().Contains(addr)
}

// Overlap returns the indexes [lo, hi) of the items that overlap r.
func (l List[T]) Overlap(r Range) (lo, hi int) {
	lo = l.after(r.Start)
	if r.Empty() {
		return lo, lo
	}
	hi, ok := l.Find(r.End - 1)
	if ok {
		hi++
	}
	return lo, max(lo, hi)
}

// Slice copies the items with indexes [lo, hi).
func (l List[T]) Slice(lo, hi int) []T {
	hi = min(hi, l.n)
	out := make([]T, 0, max(0, hi-lo))
	for lo < hi {
		part := l.inChunk(lo, hi)
		out = append(out, part...)
		lo += len(part)
	}
	return out
}

// View is Slice for read-only use: if possible it returns the list's own memory.
func (l List[T]) View(lo, hi int) []T {
	if lo < hi && hi <= l.n {
		if p := l.inChunk(lo, hi); len(p) == hi-lo {
			return p
		}
	}
	return l.Slice(lo, hi)
}

// inChunk gives the items with indexes [lo, hi) as far as they are in one chunk.
func (l List[T]) inChunk(lo, hi int) []T {
	c := sort.SearchInts(l.first, lo+1) - 1
	items := l.chunks[c].items
	n := min(len(items), hi-l.first[c])
	return items[lo-l.first[c] : n : n]
}

// Splice makes a list with items in the place of those with indexes [lo, hi).
func (l List[T]) Splice(lo, hi int, items []T) List[T] {
	if l.n == 0 {
		return NewList(items)
	}
	if lo == hi && len(items) == 0 {
		return l
	}
	// The chunks [a, b) are rebuilt. An insertion between two chunks goes to the first of them.
	a := max(0, sort.SearchInts(l.first, lo+1)-1)
	if a > 0 && l.first[a] == lo && lo == hi {
		a--
	}
	b := max(a+1, sort.SearchInts(l.first, hi))
	end := func(c int) int {
		if c < len(l.first) {
			return l.first[c]
		}
		return l.n
	}
	// A chunk that became too small absorbs its neighbour, so that lists do not fragment.
	if left := end(b) - l.first[a] - (hi - lo) + len(items); left < chunkLen/3 && b < len(l.chunks) {
		b++
	} else if left < chunkLen/3 && a > 0 {
		a--
	}
	mid := make([]T, 0, end(b)-l.first[a]-(hi-lo)+len(items))
	mid = append(mid, l.View(l.first[a], lo)...)
	mid = append(mid, items...)
	mid = append(mid, l.View(hi, end(b))...)
	return listOf(slices.Concat(l.chunks[:a], chunksOf(mid), l.chunks[b:]))
}

// Rebase makes a list of items that shares with old the chunks that are the same at either end. It
// returns old itself if nothing differs. It does not retain the slice.
func Rebase[T Item](old List[T], items []T, same func(a, b *T) bool) List[T] {
	return rebase(old, items, false, same)
}

// KeepRebased is Rebase without a copy: the slice must not be written to any more.
func KeepRebased[T Item](old List[T], items []T, same func(a, b *T) bool) List[T] {
	return rebase(old, items, true, same)
}

func rebase[T Item](old List[T], items []T, owned bool, equal func(a, b *T) bool) List[T] {
	same := func(c *chunk[T], items []T) bool {
		for i := range c.items {
			if !equal(&c.items[i], &items[i]) {
				return false
			}
		}
		return true
	}
	a, z := 0, len(old.chunks)
	rest := items
	for a < z && len(rest) >= len(old.chunks[a].items) && same(old.chunks[a], rest) {
		rest = rest[len(old.chunks[a].items):]
		a++
	}
	if a == z && len(rest) == 0 {
		return old
	}
	for z > a {
		c := old.chunks[z-1]
		if k := len(rest) - len(c.items); k < 0 || !same(c, rest[k:]) {
			break
		}
		rest = rest[:len(rest)-len(c.items)]
		z--
	}
	// The slice is scratch memory, or much larger than the new part of it.
	if !owned || len(rest) < len(items)/2 {
		rest = slices.Clone(rest)
	}
	return listOf(slices.Concat(old.chunks[:a], chunksOf(rest), old.chunks[z:]))
}

// Same reports whether l and o consist of the same chunks; then they are equal. Equal lists may
// also consist of different chunks.
func (l List[T]) Same(o List[T]) bool { return slices.Equal(l.chunks, o.chunks) }

// Unshared yields the parts of a and b that are outside their shared chunks (at the front, at the
// back and in between): pairs of index ranges [alo, ahi) in a and [blo, bhi) in b, in order.
func Unshared[T Item](a, b List[T], yield func(alo, ahi, blo, bhi int)) {
	end := func(l List[T], c int) int {
		if c < len(l.first) {
			return l.first[c]
		}
		return l.n
	}
	i, j := 0, 0
	for i < len(a.chunks) || j < len(b.chunks) {
		if i < len(a.chunks) && j < len(b.chunks) && a.chunks[i] == b.chunks[j] {
			i, j = i+1, j+1
			continue
		}
		// Walk to the next shared chunk by address: a shared chunk starts at the same address in
		// both.
		i0, j0 := i, j
		for (i < len(a.chunks) || j < len(b.chunks)) &&
			(i >= len(a.chunks) || j >= len(b.chunks) || a.chunks[i] != b.chunks[j]) {
			if j >= len(b.chunks) || i < len(a.chunks) &&
				a.chunks[i].items[0].Bounds().Start <= b.chunks[j].items[0].Bounds().Start {
				i++
			} else {
				j++
			}
		}
		yield(end(a, i0), end(a, i), end(b, j0), end(b, j))
	}
}

// Walker steps through a list without a function call per item.
type Walker[T Item] struct {
	l    List[T]
	c, k int
}

// Walk starts at the first item that ends after addr.
func (l List[T]) Walk(addr uint64) Walker[T] {
	return l.walkFrom(l.after(addr))
}

// walkFrom starts at the item with index i.
func (l List[T]) walkFrom(i int) Walker[T] {
	if i >= l.n {
		return Walker[T]{l, len(l.chunks), 0}
	}
	c := sort.SearchInts(l.first, i+1) - 1
	return Walker[T]{l, c, i - l.first[c]}
}

// Item is the current item, or nil past the end. It must not be written to.
func (w *Walker[T]) Item() *T {
	if w.c >= len(w.l.chunks) {
		return nil
	}
	return &w.l.chunks[w.c].items[w.k]
}

// Next moves to the next item; there must be a current one.
func (w *Walker[T]) Next() {
	if w.k++; w.k >= len(w.l.chunks[w.c].items) {
		w.c, w.k = w.c+1, 0
	}
}
