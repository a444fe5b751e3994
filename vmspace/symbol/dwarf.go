package symbol

import (
	"bytes"
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"slices"
	"time"
)

// Rules of this file: debug/dwarf reads entries, one at a time and forward only, after openDWARF
// has checked what it would trust: the tables of abbreviations, the length of strings. A unit is
// read when an address in it is asked for. Its recursive and its allocating calls (SkipChildren,
// LineReader) are not used.

const (
	mostAbbrevs = 4 << 20  // bytes of .debug_abbrev
	mostFields  = 256      // of one entry
	mostString  = 64 << 10 // bytes of one string
	mostUnits   = 1 << 17
	mostScopes  = 1 << 18 // of one unit
	mostSpans   = 1 << 20
	mostDepth   = 1024 // of entries
)

// mipsLinkageName is what AttrLinkageName was before DWARF 4.
const mipsLinkageName dwarf.Attr = 0x2007

var errDWARF = errors.New("debugging information that is malformed, or too large")

// dwarfTable is the debugging information of an object.
type dwarfTable struct {
	data               *dwarf.Data
	line, str, lineStr []byte
	loc, loclists      []byte // nil if there is none, or too much
	addr               []byte
	units              []unit
	spans              []span // of units
	bytes, growth      int64
}

// span is a range of addresses that belongs to a unit, or to a scope of a unit.
type span struct {
	lo, hi uint64
	of     int32
}

// unit is a compilation unit. Its scopes are functions and inlined functions with code.
type unit struct {
	root, end dwarf.Offset
	version   uint16
	wide      bool // its offsets have 8 bytes
	// The lowest address, and where its parts of .debug_addr and .debug_loclists begin.
	low, addrs, loclists uint64
	known                bool // it was read, as far as it can be
	lines                *lineTable
	scopes               []scope
	tops                 []span // of functions, in the order of addresses
	inner                []span // of inlined functions, in the order of their functions
}

type scope struct {
	entry              dwarf.Offset
	parent, top, depth int32
	callFile, callLine uint64
	first, last        int32 // of a function: its part of inner
	name               string
}

// openDWARF reads the sections, at most most bytes, and finds the units.
func openDWARF(f *elf.File, most int64, deadline time.Time) (*dwarfTable, error) {
	names := []string{"abbrev", "info", "str", "line", "line_str", "ranges", "rnglists", "addr", "str_offsets"}
	d := &dwarfTable{}
	parts := map[string][]byte{}
	for _, name := range names {
		s := f.Section(".debug_" + name)
		if s == nil {
			continue
		}
		limit := most - d.bytes
		switch name {
		case "abbrev":
			limit = min(limit, mostAbbrevs)
		case "ranges", "rnglists":
			limit = min(limit, most/4)
		}
		b, err := sectionData(s, limit)
		if err != nil {
			return nil, err
		}
		parts[name], d.bytes = b, d.bytes+int64(len(b))
	}
	d.line, d.str, d.lineStr, d.addr = parts["line"], parts["str"], parts["line_str"], parts["addr"]
	for _, list := range []struct {
		name string
		to   *[]byte
	}{{"loc", &d.loc}, {"loclists", &d.loclists}} {
		if s := f.Section(".debug_" + list.name); s != nil {
			*list.to, _ = sectionData(s, (most-d.bytes)/4) // without it variables that move are not known
			d.bytes += int64(len(*list.to))
		}
	}
	if d.line == nil || len(parts["info"]) == 0 || longest(d.str) > mostString || longest(d.lineStr) > mostString {
		return nil, errDWARF
	}
	if err := d.findUnits(parts["info"], parts["abbrev"]); err != nil {
		return nil, err
	}
	var err error
	if d.data, err = dwarf.New(parts["abbrev"], nil, nil, parts["info"], nil, nil, parts["ranges"], d.str); err != nil {
		return nil, err
	}
	for _, name := range []string{"line_str", "rnglists", "addr", "str_offsets"} {
		if err := d.data.AddSection(".debug_"+name, parts[name]); err != nil {
			return nil, err
		}
	}
	r := d.data.Reader()
	for i := range d.units {
		if len(d.spans) > mostSpans || time.Now().After(deadline) {
			return nil, errDWARF
		}
		r.Seek(d.units[i].root)
		e, err := r.Next()
		if err != nil || e == nil || e.Tag != dwarf.TagCompileUnit && e.Tag != dwarf.TagSkeletonUnit {
			continue
		}
		if ranges, err := d.data.Ranges(e); err == nil {
			d.spans = addSpans(d.spans, ranges, int32(i))
		}
	}
	sortSpans(d.spans)
	d.bytes += int64(len(d.spans)*24 + len(d.units)*144 + 8*len(parts["abbrev"]))
	return d, nil
}

// longest is the length of the longest string of a section.
func longest(section []byte) (n int) {
	for len(section) > 0 {
		i := bytes.IndexByte(section, 0)
		if i < 0 {
			return max(n, len(section))
		}
		n, section = max(n, i), section[i+1:]
	}
	return n
}

func addSpans(to []span, ranges [][2]uint64, of int32) []span {
	for _, r := range ranges {
		if r[0] < r[1] && r[0] != 0 { // what the linker removed is left at 0
			to = append(to, span{r[0], r[1], of})
		}
	}
	return to
}

func sortSpans(s []span) {
	slices.SortFunc(s, func(a, b span) int { return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(b.hi, a.hi)) })
}

// spanAt finds the last span that contains an address, among the last few that begin below it.
func spanAt(s []span, at uint64) (found span, ok bool) {
	i, _ := slices.BinarySearchFunc(s, at, func(x span, at uint64) int {
		if x.lo <= at {
			return -1
		}
		return 1
	})
	for j := i - 1; j >= 0 && j >= i-16; j-- {
		if at < s[j].hi {
			return s[j], true
		}
	}
	return span{}, false
}

// frames gives the functions at an address, the innermost first, and where the outermost starts.
func (d *dwarfTable) frames(at uint64, deadline time.Time) (out []frame, start uint64) {
	if d == nil {
		return nil, 0
	}
	in, ok := spanAt(d.spans, at)
	if !ok {
		return nil, 0
	}
	u := &d.units[in.of]
	d.read(u, deadline)
	file, line := u.lines.at(at)
	top, ok := spanAt(u.tops, at)
	if !ok {
		if line > 0 {
			out = []frame{{"", file, line}}
		}
		return out, 0
	}
	best := top.of
	for _, s := range u.inner[u.scopes[best].first:u.scopes[best].last] {
		if s.lo <= at && at < s.hi && u.scopes[s.of].depth >= u.scopes[best].depth {
			best = s.of
		}
	}
	for i := best; i >= 0; i = u.scopes[i].parent {
		s := &u.scopes[i]
		if s.name == "" {
			guard(func() error { s.name = d.name(s.entry); return nil })
		}
		out = append(out, frame{s.name, file, line})
		file, line = u.lines.file(s.callFile), int(s.callLine)
	}
	return out, top.lo
}

// read reads a unit, if that was not done.
func (d *dwarfTable) read(u *unit, deadline time.Time) {
	if u.known {
		return
	}
	u.known = true
	guard(func() error { return d.readUnit(u, deadline) })
	d.growth += int64(len(u.scopes)*88 + (len(u.tops)+len(u.inner))*24)
	if u.lines != nil {
		d.growth += int64(len(u.lines.rows)*16 + len(u.lines.files)*32)
	}
}

// readUnit reads the lines and the scopes of a unit. What was read before an error is kept.
func (d *dwarfTable) readUnit(u *unit, deadline time.Time) error {
	r := d.data.Reader()
	r.Seek(u.root)
	root, err := r.Next()
	if err != nil || root == nil {
		return errDWARF
	}
	u.low, _ = root.Val(dwarf.AttrLowpc).(uint64)
	u.addrs, u.loclists = offsetOf(root, dwarf.AttrAddrBase), offsetOf(root, dwarf.AttrLoclistsBase)
	if off, ok := root.Val(dwarf.AttrStmtList).(int64); ok {
		comp, _ := root.Val(dwarf.AttrCompDir).(string)
		guard(func() (err error) { u.lines, err = d.readLines(uint64(off), comp, deadline); return err })
	}
	defer u.arrange()
	for parents := []int32{-1}; len(parents) > 0 && root.Children; {
		e, err := r.Next()
		if err != nil || e == nil || e.Offset >= u.end {
			return err
		}
		if e.Tag == 0 {
			parents = parents[:len(parents)-1]
			continue
		}
		if len(parents) > mostDepth || len(u.scopes) > mostScopes || len(u.inner) > mostSpans || time.Now().After(deadline) {
			return errDWARF
		}
		in, skip := parents[len(parents)-1], false
		switch e.Tag {
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine:
			ranges, err := d.data.Ranges(e)
			if err != nil {
				return err
			}
			if skip = len(ranges) == 0; !skip {
				in = u.add(e, in, ranges)
			}
		case dwarf.TagLexDwarfBlock, dwarf.TagNamespace, dwarf.TagModule, dwarf.TagClassType, dwarf.TagStructType, dwarf.TagUnionType,
			dwarf.TagTryDwarfBlock, dwarf.TagCatchDwarfBlock:
		default:
			skip = true
		}
		if !e.Children {
			continue
		}
		if next, ok := e.Val(dwarf.AttrSibling).(dwarf.Offset); ok && skip && next > e.Offset && next < u.end {
			r.Seek(next)
			continue
		}
		parents = append(parents, in)
	}
	return nil
}

func offsetOf(e *dwarf.Entry, a dwarf.Attr) uint64 {
	off, _ := e.Val(a).(int64)
	return uint64(off)
}

// add notes a scope, and returns its number.
func (u *unit) add(e *dwarf.Entry, parent int32, ranges [][2]uint64) int32 {
	n := int32(len(u.scopes))
	s := scope{entry: e.Offset, parent: -1, top: n}
	if e.Tag == dwarf.TagInlinedSubroutine && parent >= 0 {
		file, _ := e.Val(dwarf.AttrCallFile).(int64)
		line, _ := e.Val(dwarf.AttrCallLine).(int64)
		s.parent, s.top, s.depth = parent, u.scopes[parent].top, u.scopes[parent].depth+1
		s.callFile, s.callLine = uint64(file), uint64(max(0, line))
		u.inner = addSpans(u.inner, ranges, n)
	} else {
		u.tops = addSpans(u.tops, ranges, n)
	}
	u.scopes = append(u.scopes, s)
	return n
}

// arrange sorts what was read for lookups.
func (u *unit) arrange() {
	sortSpans(u.tops)
	slices.SortStableFunc(u.inner, func(a, b span) int { return cmp.Compare(u.scopes[a.of].top, u.scopes[b.of].top) })
	for i := range u.inner {
		if top := &u.scopes[u.scopes[u.inner[i].of].top]; top.last == 0 {
			top.first, top.last = int32(i), int32(i+1)
		} else {
			top.last = int32(i + 1)
		}
	}
}

// name is the name of a function, from its entry or from the one that it refers to.
func (d *dwarfTable) name(off dwarf.Offset) (name string) {
	r := d.data.Reader()
	for range 8 {
		r.Seek(off)
		e, err := r.Next()
		if err != nil || e == nil {
			break
		}
		linked, ok := e.Val(dwarf.AttrLinkageName).(string)
		if !ok {
			linked, ok = e.Val(mipsLinkageName).(string)
		}
		if ok {
			return demangled(linked[:min(len(linked), mostName)])
		}
		if own, ok := e.Val(dwarf.AttrName).(string); ok && name == "" {
			name = own[:min(len(own), mostName)]
		}
		next, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			if next, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset); !ok {
				break
			}
		}
		off = next
	}
	return name
}

// size is the memory that the table takes, in bytes.
func (d *dwarfTable) size() int64 {
	if d == nil {
		return 0
	}
	return d.bytes
}

// grown is the memory that was added since the last call.
func (d *dwarfTable) grown() (n int64) {
	if d != nil {
		n, d.growth = d.growth, 0
	}
	return n
}
