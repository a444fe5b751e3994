// Folds: the mappings of one ELF file as one row.
//
// The dynamic linker and the kernel map each segment of a library or a program on its own: r--p,
// r-xp, r--p, rw-p of one file, one after the other (elf(5), PT_LOAD). Such a group is one row
// until it is opened. It is found from any of its addresses, and is bounded, so that a row costs
// the same among many mappings.

package pane

import (
	"slices"

	"cowscope/vmspace"
)

// Fold says whether a row belongs to a group that can be folded.
type Fold uint8

const (
	NoFold Fold = iota
	Closed      // the row is the whole group
	Opened      // the first row of an open group
	Inside      // another row of an open group
)

// Folds says which groups are open: none at first. A group is known by its file, so that it stays
// as it is while its process goes on, and is the same in every process.
type Folds struct {
	open  bool            // all but those of other
	other map[mapped]bool // those that are not as open says

	of   *vmspace.Snapshot
	long []vmspace.Range // in that picture: rows that are among too many parts of one file
}

// mapped is the file of a mapping.
type mapped struct {
	inode        uint64
	major, minor uint32
}

const (
	maxParts = 16      // rows of a group: of more, each has a row of its own
	maxLong  = 16      // of the ranges that Folds keeps
	maxHole  = 4 << 20 // bytes between two segments that are not mapped: less than the greatest alignment
)

// isOpen reports whether the groups of f are open.
func (f *Folds) isOpen(file mapped) bool { return f.open != f.other[file] }

// ToggleAll opens all groups, or closes them where all are open.
func (f *Folds) ToggleAll() { f.open, f.other = !f.open, nil }

// Toggle opens or closes the group that contains addr; ok is false where none does.
func (f *Folds) Toggle(s *vmspace.Snapshot, addr uint64) (ok bool) {
	g, ok := f.groupAt(s, RowAt(s, addr))
	if ok {
		f.set(g.file, !f.isOpen(g.file))
	}
	return ok
}

// Open opens the group that contains addr, if one does.
func (f *Folds) Open(s *vmspace.Snapshot, addr uint64) {
	if g, ok := f.groupAt(s, RowAt(s, addr)); ok {
		f.set(g.file, true)
	}
}

func (f *Folds) set(file mapped, open bool) {
	if f.other == nil {
		f.other = map[mapped]bool{}
	}
	if delete(f.other, file); open != f.open {
		f.other[file] = true
	}
}

// fold is the row that stands for r: the group where r is in a closed one, or else r itself.
func (f *Folds) fold(s *vmspace.Snapshot, r Row) Row {
	g, ok := f.groupAt(s, r)
	switch {
	case !ok:
	case !f.isOpen(g.file):
		r = Row{Range: g.Range, Fold: Closed}
	case r.Start == g.Start:
		r.Fold = Opened
	default:
		r.Fold = Inside
	}
	return r
}

// group is the mappings of one ELF file that follow one another.
type group struct {
	vmspace.Range
	file mapped
}

// groupAt finds the group that r is a part of: rows of one file that the same processes map,
// privately, one of which can be executed. Small holes between segments belong to it.
func (f *Folds) groupAt(s *vmspace.Snapshot, r Row) (g group, ok bool) {
	if r.Gap {
		if r.Start == 0 || r.Len() > maxHole {
			return g, false
		}
		r = RowAt(s, r.Start-1) // which is no gap
		if _, ok := nextPart(s, r); !ok {
			return g, false
		}
	}
	file, exec, ok := fileOf(s, r)
	if !ok || f.isLong(s, r) {
		return g, false
	}
	g = group{r.Range, file}
	parts := 1
	for _, next := range []func(*vmspace.Snapshot, Row) (Row, bool){nextPart, prevPart} {
		for at, more := next(s, r); more; at, more = next(s, at) {
			g.Start, g.End = min(g.Start, at.Start), max(g.End, at.End)
			if parts++; parts > maxParts || f.isLong(s, at) {
				f.keepLong(s, g.Range)
				return g, false
			}
			_, x, _ := fileOf(s, at)
			exec = exec || x
		}
	}
	return g, parts > 1 && exec
}

// isLong reports that r is known to be among too many parts; keepLong is told so. A screen asks for
// rows that are side by side: without it each of them would count.
func (f *Folds) isLong(s *vmspace.Snapshot, r Row) bool {
	return f.of == s && slices.ContainsFunc(f.long, func(l vmspace.Range) bool { return l.Covers(r.Range) })
}

func (f *Folds) keepLong(s *vmspace.Snapshot, r vmspace.Range) {
	if f.of != s || len(f.long) == maxLong {
		f.of, f.long = s, nil
	}
	for i, l := range f.long {
		if l.Overlaps(r) {
			f.long[i] = vmspace.Range{Start: min(r.Start, l.Start), End: max(r.End, l.End)}
			return
		}
	}
	f.long = append(f.long, r)
}

// prevPart and nextPart are the neighbours of r of the same file, over a hole if need be.
func prevPart(s *vmspace.Snapshot, r Row) (Row, bool) {
	if r.Start == 0 {
		return r, false
	}
	up := RowAt(s, r.Start-1)
	if up.Gap && up.Start > 0 && up.Len() <= maxHole {
		up = RowAt(s, up.Start-1)
	}
	return up, together(s, up, r)
}

func nextPart(s *vmspace.Snapshot, r Row) (Row, bool) {
	down := RowAt(s, r.End)
	if down.Gap && down.End < topOfMemory && down.Len() <= maxHole {
		down = RowAt(s, down.End)
	}
	return down, together(s, r, down)
}

// together reports whether two rows are of one file, further on in it, in the same processes.
func together(s *vmspace.Snapshot, a, b Row) bool {
	if a.Gap || b.Gap {
		return false
	}
	for _, p := range s.Processes {
		x, mapsA := p.MappingAt(a.Start)
		y, mapsB := p.MappingAt(b.Start)
		if mapsA != mapsB || mapsA && (fileIn(&x) != fileIn(&y) || x.Offset+(a.Start-x.Start) > y.Offset+(b.Start-y.Start)) {
			return false
		}
	}
	return true
}

// fileOf is the file of a row, where all processes that map it map the same one, privately; exec
// says that it can be executed in one of them.
func fileOf(s *vmspace.Snapshot, r Row) (file mapped, exec, ok bool) {
	if r.Gap {
		return file, false, false
	}
	for _, p := range s.Processes {
		m, maps := p.MappingAt(r.Start)
		if !maps {
			continue
		}
		f := fileIn(&m)
		if f == (mapped{}) || ok && f != file {
			return file, false, false
		}
		file, exec, ok = f, exec || m.Perms&vmspace.Exec != 0, true
	}
	return file, exec, ok
}

// fileIn is the file of a private mapping; the zero value for any other mapping.
func fileIn(m *vmspace.Mapping) mapped {
	if m.Inode == 0 || !m.Private() {
		return mapped{}
	}
	return mapped{m.Inode, m.Major, m.Minor}
}
