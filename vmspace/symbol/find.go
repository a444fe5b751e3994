package symbol

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"cowscope/vmspace"
)

// Rules of this file: the way back, from a name or a line of source to addresses of a process. What
// a file has at an address, the process has at the same distance from it wherever the file is mapped.

// Named is a function or a variable of a program.
type Named struct {
	Name string // as its author wrote it, without parameters
	vmspace.Range
	Code bool // it is a function
}

// Find finds what is called name in the files that process pid has mapped: the program itself, and
// then its libraries, as they lie in memory. The first file that has such functions or variables is
// the one; in C, several files of source may each have a static one.
func (t *Table) Find(pid int, maps vmspace.List[vmspace.Mapping], name string) (found []Named) {
	for o, distance := range t.programs(pid, maps) {
		guard(func() error { found = o.find(name); return nil })
		if len(found) == 0 {
			continue
		}
		for i := range found {
			found[i].Start += distance
			found[i].End += distance
		}
		return found
	}
	return nil
}

// mostGlobals is how many variables of a program Globals gives.
const mostGlobals = 4096

// Globals are the variables of the program that a process runs: not those of its libraries, and not
// those of functions, but for static ones.
func (t *Table) Globals(pid int, maps vmspace.List[vmspace.Mapping]) (found []Named) {
	for o, distance := range t.programs(pid, maps) {
		for _, y := range o.data[:min(len(o.data), mostGlobals)] {
			found = append(found, Named{Name: string(o.name(y)), Range: vmspace.Range{Start: y.start + distance, End: y.end + distance}})
		}
		break
	}
	return found
}

// Lines finds the code of a line of source, in one or several places: that of line n of a file, or
// of the next line that has code. file is a path, or the end of one from a slash on. line is the
// line that was found; 0 if there is none.
func (t *Table) Lines(pid int, maps vmspace.List[vmspace.Mapping], file string, n int) (addrs []uint64, line int) {
	deadline := time.Now().Add(t.opt.Patience)
	for o, distance := range t.programs(pid, maps) {
		guard(func() error { addrs, line = o.dwarf.find(file, n, deadline); return nil })
		o.cost.Add(o.dwarf.grown())
		if line == 0 {
			continue
		}
		for i := range addrs {
			addrs[i] += distance
		}
		return addrs, line
	}
	return nil, 0
}

// programs yields the files that a process has mapped as code, each with the distance of its own
// addresses from those of the process. A file is locked while it is used.
func (t *Table) programs(pid int, maps vmspace.List[vmspace.Mapping]) iter.Seq2[*object, uint64] {
	return func(yield func(*object, uint64) bool) {
		for _, m := range maps.All() {
			if m.Perms&vmspace.Exec == 0 || m.Inode == 0 {
				continue
			}
			o := t.object(pid, m, false)
			if o == nil {
				continue
			}
			o.mu.Lock()
			addr, ok := o.address(m.Offset, true)
			ok = !ok || yield(o, m.Start-addr)
			o.mu.Unlock()
			t.trim(o)
			if !ok {
				return
			}
		}
	}
}

// find gives the functions and variables of a name, at the object's own addresses.
func (o *object) find(name string) (found []Named) {
	add := func(list []symbol, code bool) {
		for _, y := range list {
			raw := string(o.name(y))
			if raw != name && (!hasPrefix(raw, "_Z", "_R") || demangled(raw) != name) {
				continue
			}
			found = append(found, Named{name, vmspace.Range{Start: y.start, End: y.end}, code})
		}
	}
	add(o.symbols, true)
	add(o.data, false)
	if len(found) == 0 && o.golang != nil {
		if i, ok := o.golang.named(name); ok {
			found = append(found, Named{name, vmspace.Range{Start: o.golang.start(i), End: o.golang.start(i + 1)}, true})
		}
	}
	if len(found) == 0 && o.golang != nil && !strings.Contains(name, ".") {
		return o.find("main." + name)
	}
	return found
}

// named is the function of a name; the path of its package may be left out up to the last slash.
func (t *pclntab) named(name string) (int, bool) {
	for i := range t.funcs {
		if own := t.name(t.record(i)); own != "" && (own == name || strings.HasSuffix(own, "/"+name)) {
			return i, true
		}
	}
	return 0, false
}

// find gives the code of a line, once for each function that has some.
func (d *dwarfTable) find(file string, n int, deadline time.Time) (addrs []uint64, line int) {
	if d == nil {
		return nil, 0
	}
	type place struct {
		unit, top int32
		addr      uint64
	}
	var places []place
	for i := range d.units {
		u := &d.units[i]
		d.read(u, deadline)
		if u.lines == nil {
			continue
		}
		for k, r := range u.lines.rows {
			if r.line == noLine || int(r.line) < n || line > 0 && int(r.line) > line || !isFile(u.lines.file(uint64(r.file)), file) {
				continue
			}
			if k+1 < len(u.lines.rows) && u.lines.rows[k+1].addr == r.addr {
				continue // the line has no code there: of two rows of one address the later one counts
			}
			if int(r.line) != line {
				line, places = int(r.line), nil
			}
			top := int32(-1)
			if s, ok := spanAt(u.tops, r.addr); ok {
				top = s.of
			}
			places = append(places, place{int32(i), top, r.addr})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.top, b.top), cmp.Compare(a.addr, b.addr))
	})
	for _, p := range slices.CompactFunc(places, func(a, b place) bool { return a.unit == b.unit && a.top == b.top }) {
		addrs = append(addrs, p.addr)
	}
	slices.Sort(addrs)
	return addrs, line
}

// isFile reports whether a path is the one that is meant, or ends in it.
func isFile(path, meant string) bool {
	return path == meant || strings.HasSuffix(path, "/"+strings.TrimPrefix(meant, "./"))
}
