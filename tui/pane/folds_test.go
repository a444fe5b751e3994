package pane

import (
	"testing"

	"cowscope/vmspace"

	"pgregory.net/rapid"
)

// segments draws processes that map pieces of a few files, some of them executable.
func segments(t *rapid.T) *vmspace.Snapshot {
	const page = 4 << 10
	s := &vmspace.Snapshot{PageSize: page}
	for i := range rapid.IntRange(1, 3).Draw(t, "processes") {
		var maps []vmspace.Mapping
		at, offset := uint64(page), uint64(0)
		for range rapid.IntRange(0, 24).Draw(t, "mappings") {
			at += uint64(max(0, rapid.IntRange(-3, 1).Draw(t, "gap"))) * page
			end := at + uint64(rapid.IntRange(1, 2).Draw(t, "pages"))*page
			m := vmspace.Mapping{Range: vmspace.Range{Start: at, End: end}, Offset: offset, Inode: rapid.SampledFrom([]uint64{1, 1, 1, 0, 2}).Draw(t, "file")}
			m.Perms = rapid.SampledFrom([]vmspace.Perms{vmspace.Read, vmspace.Read | vmspace.Exec, vmspace.Read, vmspace.Read | vmspace.Write, vmspace.Read | vmspace.SharedMap}).Draw(t, "perms")
			maps = append(maps, m)
			at, offset = end, offset+m.Len()
		}
		s.Processes = append(s.Processes, &vmspace.Process{Member: vmspace.Member{Label: string(rune('a' + i))}, Mappings: vmspace.NewList(maps)})
	}
	return s
}

// Rows follow one another without hole or overlap also where some are folds, and a fold is the same
// from each of its addresses; it begins and ends with a mapping of its file, and holds nothing
// else.
func TestFolds(t *testing.T) {
	seen, pictures := map[Fold]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		pictures++
		s := segments(t)
		l := Rows{Snap: s, Folds: &Folds{}}
		for range rapid.IntRange(0, 3).Draw(t, "keys") {
			l.Folds.Toggle(s, uint64(rapid.IntRange(0, 50).Draw(t, "at"))*s.PageSize)
		}
		if rapid.Bool().Draw(t, "all") {
			l.Folds.ToggleAll()
		}
		end, first := uint64(0), true
		for r, ok := l.First(); ok; r, ok = l.Below(r) {
			if !first && r.Start != end {
				t.Fatalf("%v after %#x", r, end)
			}
			end, first = r.End, false
			seen[r.Fold]++
			checkFold(t, l, r)
		}
	})
	for f, name := range []string{"not folded", "closed", "opened", "inside"} {
		if seen[Fold(f)] == 0 && pictures >= 100 { // of fewer it is for chance to say
			t.Errorf("no row was %s", name)
		}
	}
}

func checkFold(t *rapid.T, l Rows, r Row) {
	if !r.Gap {
		for at := r.Start; at < r.End; at += l.Snap.PageSize {
			if same := l.At(at); same != r {
				t.Fatalf("%v from its start, %v from %#x", r, same, at)
			}
		}
	}
	if r.Fold != Closed {
		return
	}
	var file mapped
	exec, mapped := false, uint64(0)
	for _, p := range l.Snap.Processes {
		own := uint64(0)
		for _, m := range p.Mappings.Slice(p.Mappings.Overlap(r.Range)) {
			if f := fileIn(&m); file.inode != 0 && f != file || f.inode == 0 {
				t.Fatalf("%v holds %+v", r, m)
			} else {
				file = f
			}
			exec = exec || m.Perms&vmspace.Exec != 0
			own += m.Intersect(r.Range).Len() / l.Snap.PageSize
		}
		if own > 0 && mapped > 0 && own != mapped {
			t.Fatalf("%v: %d pages in %s, %d in another process", r, own, p.Label, mapped)
		}
		mapped = max(mapped, own)
	}
	if !exec || l.pages(r) != mapped {
		t.Fatalf("%v: executable %v, %d pages of %d", r, exec, l.pages(r), mapped)
	}
}

// More pieces of one file than a program has segments have a row each, wherever one looks from.
func TestManyPiecesAreNotFolded(t *testing.T) {
	for _, n := range []int{maxParts, maxParts + 1, 1000} {
		var maps []vmspace.Mapping
		for i := range n {
			at := uint64(i+1) << 12
			maps = append(maps, vmspace.Mapping{Range: vmspace.Range{Start: at, End: at + 1<<12}, Offset: at, Inode: 7, Perms: vmspace.Read | vmspace.Exec&vmspace.Perms(i%2<<2)})
		}
		s := &vmspace.Snapshot{PageSize: 1 << 12, Processes: []*vmspace.Process{{Mappings: vmspace.NewList(maps)}}}
		l := Rows{Snap: s, Folds: &Folds{}}
		for i := range n {
			if folded := l.At(uint64(i+1)<<12).Fold == Closed; folded != (n <= maxParts) {
				t.Fatalf("piece %d of %d: folded %v", i, n, folded)
			}
		}
	}
}
