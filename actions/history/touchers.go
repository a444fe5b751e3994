package history

import (
	"cmp"
	"slices"
	"sort"

	"cowscope/vmspace"
)

// Touchers knows, for every page of a history and every step of it, which code touched it first.
type Touchers struct {
	next  int // the number of the first step that is not in it
	pages map[touchedPage][]touching
	order []touchedPage // of pages, when there are many changes to apply
	born  map[string]birth
	names []string // of code, in the order in which it was first seen
	index map[string]int
}

type touchedPage struct {
	process string
	addr    uint64
}

// touching is what became of a page with a step: code touched it first, or it is gone.
type touching struct {
	step int
	code int // gone, or an index of names
}

const gone = -1

// birth is from whom a process has its pages, and with which step.
type birth struct {
	parent string
	step   int
	lost   []loss // what it has not of its parent any more
}

// loss is a range whose pages went with a step.
type loss struct {
	vmspace.Range
	step int
}

// mostLost is how many ranges are told apart that a child has lost.
const mostLost = 4096

// mostTouched is how many pages are told apart.
const mostTouched = 1 << 18

// Add takes in the steps that are not in it yet.
func (t *Touchers) Add(steps []*Step) {
	if t.pages == nil {
		t.pages, t.born, t.index = map[touchedPage][]touching{}, map[string]birth{}, map[string]int{}
	}
	from := sort.Search(len(steps), func(i int) bool { return steps[i].N >= t.next })
	for _, st := range steps[from:] {
		t.add(st)
		t.next = st.N + 1
	}
}

func (t *Touchers) add(st *Step) {
	for _, p := range st.After.Processes {
		if st.Before != nil && p.Parent != "" && st.Before.Process(p.Label) == nil {
			t.born[p.Label] = birth{parent: p.Parent, step: st.N}
		}
	}
	size := st.After.PageSize
	for _, c := range st.Changes {
		switch {
		case c.Kind == vmspace.ChangePage && c.Is == vmspace.None, c.Kind == vmspace.ChangeUnmapped, c.Kind == vmspace.ChangeShrunk, c.Kind == vmspace.ChangeMapped:
			t.lose(st.N, c.Process, c.Range, size)
		}
	}
	for i := range st.Faults {
		f := &st.Faults[i]
		code := t.code(cmp.Or(f.At.Function, f.Where()))
		for n := range min(f.Pages, mostTouched) {
			addr := f.Start + n*size
			if st.Before == nil || !there(st.Before.Process(f.Process), addr, size) { // else it came earlier
				t.put(touchedPage{f.Process, addr}, touching{st.N, code})
			}
		}
	}
}

// code is the index of a name.
func (t *Touchers) code(name string) int {
	i, known := t.index[name]
	if !known {
		i = len(t.names)
		t.index[name], t.names = i, append(t.names, name)
	}
	return i
}

// put notes what became of a page, unless it was so already.
func (t *Touchers) put(p touchedPage, now touching) {
	was := t.pages[p]
	if n := len(was); n > 0 && (was[n-1].code == gone) == (now.code == gone) || n == 0 && (now.code == gone || len(t.pages) >= mostTouched) {
		return
	}
	if len(was) == 0 {
		t.order = append(t.order, p)
	}
	t.pages[p] = append(was, now)
}

// lose notes that the pages of a range are gone.
func (t *Touchers) lose(step int, process string, r vmspace.Range, size uint64) {
	if b, born := t.born[process]; born && len(b.lost) < mostLost {
		b.lost = append(b.lost, loss{r, step})
		t.born[process] = b
	}
	if r.Pages(size) > uint64(len(t.order)) {
		for _, p := range t.order {
			if p.process == process && r.Contains(p.addr) {
				t.put(p, touching{step, gone})
			}
		}
		return
	}
	for addr := r.Start; addr < r.End; addr += size {
		t.put(touchedPage{process, addr}, touching{step, gone})
	}
}

// Of is the code that touched a page first, as it is after a step; ok is false if that is not known. The
// pages of a child were touched by who touched them in its parent.
func (t *Touchers) Of(process string, addr uint64, step int) (code int, ok bool) {
	all := t.pages[touchedPage{process, addr}]
	if i, _ := slices.BinarySearchFunc(all, step+1, func(x touching, step int) int { return cmp.Compare(x.step, step) }); i > 0 {
		return all[i-1].code, all[i-1].code != gone
	}
	b, born := t.born[process]
	if !born || b.step > step || slices.ContainsFunc(b.lost, func(l loss) bool { return l.step <= step && l.Contains(addr) }) {
		return 0, false
	}
	return t.Of(b.parent, addr, b.step)
}

// Name is the function, or the place, that a code stands for.
func (t *Touchers) Name(code int) string { return t.names[code] }
