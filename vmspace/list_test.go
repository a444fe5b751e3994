package vmspace

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// gap is an item for the tests of List: a range with a colour.
type gap struct {
	Range
	Colour int
}

func (g gap) Bounds() Range { return g.Range }

// TestListModel drives a List and a plain slice with the same random replacements.
func TestListModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var model []gap
		for i := range rapid.IntRange(0, 2000).Draw(t, "n") {
			model = append(model, gap{Range{uint64(i) * 10, uint64(i)*10 + 7}, i})
		}
		l := NewList(model)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			lo := uint64(rapid.IntRange(0, 20100).Draw(t, "lo"))
			r := Range{lo, lo + uint64(rapid.IntRange(1, 6000).Draw(t, "len"))}
			var keep, items []gap
			at := 0
			for _, g := range model {
				if g.Overlaps(r) {
					continue
				}
				if g.End <= r.Start {
					at = len(keep) + 1
				}
				keep = append(keep, g)
			}
			if r.Len() > 8 {
				for k := range rapid.IntRange(0, 700).Draw(t, "new") {
					if s := r.Start + uint64(k)*3; s+2 <= r.End {
						items = append(items, gap{Range{s, s + 2}, -k})
					}
				}
			}
			old, was := l, slices.Clone(model)
			l, model = replace(l, r, items), slices.Insert(keep, at, items...)
			checkList(t, old, was)
			checkList(t, l, model)
			checkUnshared(t, old, l)
			based := Rebase(old, slices.Clone(model), func(a, b *gap) bool { return *a == *b })
			checkList(t, based, model)
			probe := uint64(rapid.IntRange(0, 26000).Draw(t, "probe"))
			checkFind(t, l, model, probe)
		}
	})
}

func checkList(t *rapid.T, l List[gap], want []gap) {
	if l.Len() != len(want) || !slices.Equal(l.Slice(0, l.Len()), want) {
		t.Fatalf("list and model differ: %d and %d items", l.Len(), len(want))
	}
	for i, g := range l.All() {
		if g != want[i] || l.At(i) != want[i] {
			t.Fatalf("item %d is %v, want %v", i, g, want[i])
		}
	}
	for _, c := range l.chunks {
		if len(c.items) == 0 || len(c.items) > 2*chunkLen {
			t.Fatalf("a chunk of %d items", len(c.items))
		}
	}
	if len(l.chunks) > 4+6*l.Len()/chunkLen {
		t.Fatalf("%d chunks for %d items", len(l.chunks), l.Len())
	}
}

func checkFind(t *rapid.T, l List[gap], model []gap, addr uint64) {
	want := slices.IndexFunc(model, func(g gap) bool { return g.End > addr })
	if want < 0 {
		want = len(model)
	}
	i, ok := l.Find(addr)
	if i != want || ok != (want < len(model) && model[want].Contains(addr)) {
		t.Fatalf("Find(%d) = %d, %v, want %d", addr, i, ok, want)
	}
	n := want
	for i, g := range l.From(addr) {
		if i != n || g != model[n] {
			t.Fatalf("From(%d) gives %v at %d", addr, g, i)
		}
		n++
	}
	if n != len(model) {
		t.Fatalf("From(%d) ended at %d of %d", addr, n, len(model))
	}
}

// checkUnshared puts b together from a and the parts that unshared names.
func checkUnshared(t *rapid.T, a, b List[gap]) {
	var out []gap
	at := 0
	Unshared(a, b, func(alo, ahi, blo, bhi int) {
		out = append(out, a.Slice(at, alo)...)
		out = append(out, b.Slice(blo, bhi)...)
		at = ahi
	})
	out = append(out, a.Slice(at, a.Len())...)
	if !slices.Equal(out, b.Slice(0, b.Len())) {
		t.Fatalf("the unshared parts do not lead from one list to the other")
	}
	Unshared(b, b, func(_, _, _, _ int) { t.Fatalf("a list shares everything with itself") })
}

func TestListShares(t *testing.T) {
	var items []gap
	for i := range 60000 {
		items = append(items, gap{Range{uint64(i) * 10, uint64(i)*10 + 10}, i})
	}
	a := NewList(items)
	b := replace(a, items[30000].Range, []gap{{items[30000].Range, -1}})
	n := 0
	Unshared(a, b, func(alo, ahi, _, _ int) { n += ahi - alo })
	if n == 0 || n > 2*chunkLen {
		t.Fatalf("%d items unshared after replacing one", n)
	}
	if c := Rebase(a, slices.Clone(items), func(a, b *gap) bool { return *a == *b }); !c.Same(a) {
		t.Fatal("the same items should give the same chunks")
	}
}

// replace puts items in the place of everything that overlaps r.
func replace[T Item](l List[T], r Range, items []T) List[T] {
	lo, hi := l.Overlap(r)
	return l.Splice(lo, hi, items)
}
