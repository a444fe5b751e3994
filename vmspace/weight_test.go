package vmspace

import "testing"

// What a snapshot takes beside another: nothing where they are one, all where they share nothing,
// and about a chunk where one item differs.
func TestBeside(t *testing.T) {
	const items = 10_000
	of := func(l List[Mapping]) *Snapshot {
		return &Snapshot{Processes: []*Process{{Member: Member{Label: "p1"}, Mappings: l}}}
	}
	ms := make([]Mapping, items)
	for i := range ms {
		start := uint64(i+1) << 13
		ms[i] = Mapping{Range: Range{start, start + 4096}}
	}
	all := NewList(ms)
	a := of(all)
	full := a.Beside(nil)
	if full < items*72 || full > items*400 {
		t.Errorf("%d mappings take %d bytes", items, full)
	}
	if n := a.Beside(a); n != 0 {
		t.Errorf("%d beside itself", n)
	}
	if n := of(NewList(ms)).Beside(a); n < full*9/10 {
		t.Errorf("%d of %d beside one that shares nothing", n, full)
	}
	if n := of(all).Beside(a); n > 1000 {
		t.Errorf("%d of %d beside one with the same list", n, full)
	}
	changed := ms[items/2]
	changed.Perms = Read
	b := of(all.Splice(items/2, items/2+1, []Mapping{changed}))
	if n := b.Beside(a); n < 72 || n > full/10 {
		t.Errorf("%d of %d where one mapping differs", n, full)
	}
	more := *b
	more.Processes = append([]*Process{{Member: Member{Label: "p0"}}}, b.Processes...)
	if n := more.Beside(b); n > 1000 {
		t.Errorf("%d of %d where a process came first", n, full)
	}
}
