package history

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"cowscope/vmspace"
)

// Binding is the range that a name stands for: like a C pointer it stays the same after munmap,
// until the name is bound again.
type Binding struct {
	vmspace.Range
	Step int // the step that bound it
}

// Names are the names of ranges that commands assigned, by process label and name. The zero Names
// is empty. Names is immutable: With and Inherit return a new one, which shares everything
// unchanged.
type Names struct {
	of    []*table // by label
	free  int      // the index of the first free letter; all before it are in use
	ahead *table   // names of later letters that are in use already
}

// Bound is a name and its binding.
type Bound struct {
	Name string
	Binding
	Given bool // by a person, and not the next free letter, which an mmap without a name gets
}

// With returns n with name bound to b in the process label.
func (n Names) With(label, name string, b Binding) Names {
	return n.WithAll(label, []Bound{{Name: name, Binding: b}})
}

// WithAll returns n with all of these bound in the process label, one after the other.
func (n Names) WithAll(label string, bounds []Bound) Names {
	t := n.table(label).copyFor(label)
	for _, b := range bounds {
		t.bind(b)
		n.use(b.Name)
	}
	return n.put(t)
}

// use updates free.
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

// Inherit returns n with all names of parent copied to child, as fork does with the mappings.
func (n Names) Inherit(parent, child string) Names {
	return n.put(n.table(parent).copyFor(child))
}

// Without returns n without the names of the process label.
func (n Names) Without(label string) Names {
	if i, ok := n.find(label); ok {
		n.of = slices.Concat(n.of[:i], n.of[i+1:])
	}
	return n
}

// Newest returns n with at most most automatic names in each process: those bound last, and of the
// older ones those that still name a mapping. Names that a person gave are kept in addition while they
// name a mapping, at most given of them, the newest. mapped finds the first address from addr on that
// the process label has mapped.
func (n Names) Newest(most, given int, mapped func(label string, addr uint64) (uint64, bool)) Names {
	out := Names{free: n.free}
	for _, t := range n.of {
		if t.count > most {
			t = t.keep(most, given, func(addr uint64) (uint64, bool) { return mapped(t.label, addr) })
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

// table returns the names of a process, nil if it has none.
func (n Names) table(label string) *table {
	if i, ok := n.find(label); ok {
		return n.of[i]
	}
	return nil
}

// put returns n with t as the table of its process.
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

// Processes is the number of processes with names.
func (n Names) Processes() int { return len(n.of) }

// Has reports whether any process has a name.
func (n Names) Has(name string) bool {
	return slices.ContainsFunc(n.of, func(t *table) bool { return t.get(name) != nil })
}

// Len is the number of names of the process label.
func (n Names) Len(label string) int { return n.table(label).len() }

// Get returns the binding of a name in the process label.
func (n Names) Get(label, name string) (Binding, bool) {
	if b := n.table(label).get(name); b != nil {
		return b.Binding, true
	}
	return Binding{}, false
}

// Given reports whether a person gave a name to the process label.
func (n Names) Given(label, name string) bool {
	b := n.table(label).get(name)
	return b != nil && b.Given
}

// All yields the names of the process label, roughly the last bound first.
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

// Change is a new name of a process, or a name with a new binding.
type Change struct {
	Process string
	Bound
}

// Since lists the bindings in n that are not in older, by process and name; kept reports that every
// name of older still exists. What both share is skipped, so that between two steps of a session
// the cost follows the number of new bindings. Any two Names may be compared.
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

// NextFree is the first of a, b, … z, aa, ab, … that is not used in any process.
func (n Names) NextFree() string { return letters(n.free) }

// MayBeFree reports whether name is one of the first n names that NextFree can return.
func MayBeFree(name string, n int) bool {
	if !isLetters(name) {
		return false
	}
	last := letters(max(n-1, 0))
	return n > 0 && (len(name) < len(last) || len(name) == len(last) && name <= last)
}

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

// Of returns the name whose range contains addr in the process label; of several, the last bound.
func (n Names) Of(label string, addr uint64) (name string, b Binding, ok bool) {
	if f := n.table(label).at(addr); f != nil {
		return f.Name, f.Binding, true
	}
	return "", Binding{}, false
}

// PlaceOf formats addr as a place of the language in the process p: a+1p, stack+3p, 0x7f….
func PlaceOf(n Names, p *vmspace.Process, addr, pageSize uint64) string {
	if name, b, ok := n.Of(p.Label, addr); ok {
		return OffsetPlace(name, addr-b.Start, pageSize)
	}
	if m, ok := p.MappingAt(addr); ok {
		if name := FixedName(m); name != "" {
			if name == "heap" { // the only one with possibly several mappings
				m, _ = Fixed(p, name)
			}
			return OffsetPlace(name, addr-m.Start, pageSize)
		}
	}
	return fmt.Sprintf("0x%x", addr)
}

// OffsetPlace formats the address off bytes after the start of name: a, a+1p, a+5, a+1p+5.
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

// FixedNames are the names that mappings always have: the kernel's own names for them.
var FixedNames = []string{"stack", "heap", "vdso", "vvar"}

// FixedName returns the fixed name of a mapping, "" if it has none.
func FixedName(m vmspace.Mapping) string {
	if n := len(m.Path); n > 2 && m.Path[0] == '[' && slices.Contains(FixedNames, m.Path[1:n-1]) {
		return m.Path[1 : n-1]
	}
	return ""
}

// Fixed returns the first mapping with a fixed name: mprotect and munmap can split a heap.
func Fixed(p *vmspace.Process, name string) (vmspace.Mapping, bool) {
	for _, m := range p.Mappings.All() {
		if FixedName(m) == name {
			return m, true
		}
	}
	return vmspace.Mapping{}, false
}

// mostKnown is the maximum number of names that Known lists.
const mostKnown = 1000

// Known lists names of the process for hints and completion: the fixed ones, and roughly the last
// bound of the others.
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
