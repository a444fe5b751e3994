package vmspace

import "fmt"

// Rules of this file: pure. The changes of a list as splices, so that a list can be rebuilt from
// its predecessor. Splices may come from an untrusted file: applying them checks everything.

// Splice says that the Drop items of a list from index At on were replaced by Add.
type Splice[T Item] struct {
	At, Drop int
	Add      []T
}

// MappingSplices returns the changes from a to b, counters included: splices in order, with indexes
// of a. It examines only what the two lists do not share.
func MappingSplices(a, b List[Mapping]) []Splice[Mapping] { return splicesOf(a, b, SameMapping) }

// RunSplices returns the changes from a to b.
func RunSplices(a, b List[Run]) []Splice[Run] { return splicesOf(a, b, SameRun) }

func splicesOf[T Item](a, b List[T], same func(a, b *T) bool) []Splice[T] {
	var out []Splice[T]
	Unshared(a, b, func(alo, ahi, blo, bhi int) {
		was, now := a.Slice(alo, ahi), b.Slice(blo, bhi)
		for i, k := 0, 0; i < len(was) || k < len(now); {
			if i < len(was) && k < len(now) && same(&was[i], &now[k]) {
				i, k = i+1, k+1
				continue
			}
			i0, k0 := i, k
			for (i < len(was) || k < len(now)) && (i == len(was) || k == len(now) || !same(&was[i], &now[k])) {
				if k == len(now) || i < len(was) && was[i].Bounds().Start <= now[k].Bounds().Start {
					i++
				} else {
					k++
				}
			}
			out = append(out, Splice[T]{alo + i0, i - i0, now[k0:k]})
		}
	})
	return out
}

// fewSplices is how many splices are applied one by one, each sharing the chunks that it does not
// touch; with more of them the list is rebuilt.
const fewSplices = 64

// ApplyMappings applies splices to l. It fails if they do not fit l, or if the items would not be
// in order.
func ApplyMappings(l List[Mapping], splices []Splice[Mapping]) (List[Mapping], error) {
	return l.apply(splices, SameMapping)
}

// ApplyRuns applies splices to l, as ApplyMappings does.
func ApplyRuns(l List[Run], splices []Splice[Run]) (List[Run], error) {
	return l.apply(splices, SameRun)
}

func (l List[T]) apply(splices []Splice[T], same func(a, b *T) bool) (List[T], error) {
	if err := l.fits(splices); err != nil {
		return l, err
	}
	if len(splices) > fewSplices {
		var items []T
		at := 0
		for _, s := range splices {
			items = append(append(items, l.Slice(at, s.At)...), s.Add...)
			at = s.At + s.Drop
		}
		return Rebase(l, append(items, l.Slice(at, l.n)...), same), nil
	}
	// From the end, so that the indexes of the earlier splices stay valid.
	for i := len(splices) - 1; i >= 0; i-- {
		s := splices[i]
		l = l.Splice(s.At, s.At+s.Drop, s.Add)
	}
	return l, nil
}

// fits returns the error of splices that do not fit l.
func (l List[T]) fits(splices []Splice[T]) error {
	at, end := 0, uint64(0) // the index and the address up to which everything is valid
	for i, s := range splices {
		if s.At < at || s.Drop < 0 || s.At > l.n || s.Drop > l.n-s.At {
			return fmt.Errorf("items %d to %d+%d of %d cannot be replaced", s.At, s.At, s.Drop, l.n)
		}
		if s.At > at {
			end = l.At(s.At - 1).Bounds().End
		}
		for k := range s.Add {
			b := s.Add[k].Bounds()
			if b.Empty() || b.Start < end {
				return fmt.Errorf("%v is empty, or overlaps what lies before it", b)
			}
			end = b.End
		}
		at = s.At + s.Drop
		if last := i == len(splices)-1 || splices[i+1].At > at; last && at < l.n && l.At(at).Bounds().Start < end {
			return fmt.Errorf("%v overlaps what lies before it", l.At(at).Bounds())
		}
	}
	return nil
}
