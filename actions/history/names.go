package history

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"cowscope/vmspace"
)

// Binding is what a name stands for: like a C pointer it keeps its range after munmap, until it is
// bound anew.
type Binding struct {
	vmspace.Range
	Step int // that bound it
}

// Names are the ranges that the commands named, by process label and name; the zero Names holds
// none. A Names is never changed: With and Inherit make another one, which shares with it what did
// not change.
type Names struct {
	of    []*table // by label
	free  int      // all letters before this one are in use, and it is not
	ahead *table   // names of letters after that one that are in use already
}

// Bound is a name and what it stands for.
type Bound struct {
	Name string
	Binding
}

// With is n with name bound to b in the process label.
func (n Names) With(label, name string, b Binding) Names { return n.WithAll(label, []Bound{{name, b}}) }

// WithAll is n with all of these bound in the process label, one after the other.
func (n Names) WithAll(label string, bounds []Bound) Names {
	t := n.table(label).copyFor(label)
	for _, b := range bounds {
		t.bind(b)
		n.use(b.Name)
	}
	return n.put(t)
}

// use keeps free true.
func (n *Names) use(name string) {
	next := letters(n.free)
	if name != next {
		if isLetters(name) && (len(name) > len(next) || len(name) == len(next) && name > next) && n.ahead.get(name) == nil {
			n.ahead = n.ahead.copyFor("")
			n.ahead.bind(Bound{Name: name})
		}
		return
	}
	for n.free++; n.ahead != nil && n.ahead.get(letters(n.free)) != nil; n.free++ {
	}
}

// Inherit is n with all names of parent given to child, as fork does with the mappings.
func (n Names) Inherit(parent, child string) Names {
	return n.put(n.table(parent).copyFor(child))
}

// Without is n without the names of the process label.
func (n Names) Without(label string) Names {
	if i, ok := n.find(label); ok {
		n.of = slices.Concat(n.of[:i], n.of[i+1:])
	}
	return n
}

// Newest is n with no more than most names in each process: those that were bound last, and of the
// older ones those that still say what is where. mapped tells of an address whether the process
// label has anything there.
func (n Names) Newest(most int, mapped func(label string, addr uint64) bool) Names {
	out := Names{free: n.free}
	for _, t := range n.of {
		if t.count > most {
			t = t.keep(most, func(addr uint64) bool { return mapped(t.label, addr) })
		}
		out.of = append(out.of, t)
	}
	for _, t := range out.of {
		for b := range t.since(nil) {
			out.use(b.Name)
		}
	}
	return out
}

func (n Names) find(label string) (int, bool) {
	return slices.BinarySearchFunc(n.of, label, func(t *table, label string) int { return strings.Compare(t.label, label) })
}

// table is nil where the process has no name.
func (n Names) table(label string) *table {
	if i, ok := n.find(label); ok {
		return n.of[i]
	}
	return nil
}

// put is n with t in the place of the table of its process.
func (n Names) put(t *table) Names {
	i, ok := n.find(t.label)
	of := make([]*table, 0, len(n.of)+1)
	of = append(append(of, n.of[:i]...), t)
	if ok {
		i++
	}
	n.of = append(of, n.of[i:]...)
	return n
}

// Processes is how many processes are in n.
func (n Names) Processes() int { return len(n.of) }

// Len is how many names the process label has.
func (n Names) Len(label string) int { return n.table(label).len() }

// Get is what a name stands for in the process label.
func (n Names) Get(label, name string) (Binding, bool) {
	if b := n.table(label).get(name); b != nil {
		return b.Binding, true
	}
	return Binding{}, false
}

// All yields the names of the process label, those that were bound last about first.
func (n Names) All(label string) iter.Seq2[string, Binding] {
	return func(yield func(string, Binding) bool) {
		t := n.table(label)
		for b := range t.since(nil) {
			if t.get(b.Name) == b && !yield(b.Name, b.Binding) {
				return
			}
		}
	}
}

// Change is a name that a process did not have, or not for this range.
type Change struct {
	Process string
	Bound
}

// Since lists what older does not say, by process and name; kept says that no name of older is
// missing. What both share is not looked at: between two steps of a session this costs no more than
// what was bound. But any two may be compared.
func (n Names) Since(older Names) (changed []Change, kept bool) {
	kept = true
	for _, t := range n.of {
		o := older.table(t.label)
		if t == o {
			continue
		}
		bounds, all := t.changedSince(o)
		for _, b := range bounds {
			changed = append(changed, Change{t.label, b})
		}
		kept = kept && all
	}
	for _, o := range older.of {
		kept = kept && (o.count == 0 || n.table(o.label) != nil)
	}
	return changed, kept
}

// NextFree is the first of a, b, … z, aa, ab, … that no process uses.
func (n Names) NextFree() string { return letters(n.free) }

func letters(i int) string {
	var s [16]byte
	at := len(s)
	for ; i >= 0; i = i/26 - 1 {
		at--
		s[at] = byte('a' + i%26)
	}
	return string(s[at:])
}

func isLetters(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }) < 0
}

// Of finds the name whose range holds addr in the process label: the one bound last, where several
// do.
func (n Names) Of(label string, addr uint64) (name string, b Binding, ok bool) {
	if f := n.table(label).at(addr); f != nil {
		return f.Name, f.Binding, true
	}
	return "", Binding{}, false
}

// PlaceOf writes addr as a place of the language in the process p: a+1p, stack+3p, 0x7f….
func PlaceOf(n Names, p *vmspace.Process, addr, pageSize uint64) string {
	if name, b, ok := n.Of(p.Label, addr); ok {
		return OffsetPlace(name, addr-b.Start, pageSize)
	}
	if m, ok := p.MappingAt(addr); ok {
		if name := FixedName(m); name != "" {
			return OffsetPlace(name, addr-m.Start, pageSize)
		}
	}
	return fmt.Sprintf("0x%x", addr)
}

// OffsetPlace writes what lies off bytes behind the start of name: a, a+1p, a+5, a+1p+5.
func OffsetPlace(name string, off, pageSize uint64) string {
	pages, rest := off/pageSize, off%pageSize
	switch {
	case off == 0:
		return name
	case rest == 0:
		return fmt.Sprintf("%s+%dp", name, pages)
	case pages == 0:
		return fmt.Sprintf("%s+%d", name, rest)
	}
	return fmt.Sprintf("%s+%dp+%d", name, pages, rest)
}

// FixedName is the name that a mapping always has, from the kernel's name for it.
func FixedName(m vmspace.Mapping) string {
	switch m.Path {
	case "[stack]", "[heap]", "[vdso]", "[vvar]":
		return m.Path[1 : len(m.Path)-1]
	}
	return ""
}

// mostKnown is how many names are enough for a person to choose from.
const mostKnown = 1000

// Known lists the names that the process has, for a mistake's hint and for completion: those that
// it always has, and of the others those bound last, about.
func (n Names) Known(p *vmspace.Process) []string {
	if p == nil {
		return nil
	}
	var known []string
	for _, m := range p.Mappings.All() {
		if f := FixedName(m); f != "" && !slices.Contains(known, f) {
			known = append(known, f)
		}
	}
	for name := range n.All(p.Label) {
		if len(known) >= mostKnown {
			break
		}
		known = append(known, name)
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// KnownNames lists the names that may be used in the process label after a step.
func (st *Step) KnownNames(label string) []string {
	return st.Names.Known(st.After.Process(label))
}
