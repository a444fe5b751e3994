package actions

import (
	"fmt"
	"maps"

	"cowscope/vmspace"
)

// Binding is what a name stands for: like a C pointer it keeps its range after munmap, until it is bound anew.
type Binding struct {
	vmspace.Range
	Step int // that bound it
}

// Names are the ranges that the commands named, by process label and name. A Names is never changed once it is in a step: With
// and Inherit copy what they change.
type Names map[string]map[string]Binding

// With is n with name bound to b in the process label.
func (n Names) With(label, name string, b Binding) Names {
	out := maps.Clone(n)
	of := maps.Clone(n[label])
	if of == nil {
		of = map[string]Binding{}
	}
	of[name] = b
	if out == nil {
		out = Names{}
	}
	out[label] = of
	return out
}

// Inherit is n with all names of parent given to child, as fork does with the mappings.
func (n Names) Inherit(parent, child string) Names {
	out := maps.Clone(n)
	if out == nil {
		out = Names{}
	}
	out[child] = n[parent]
	return out
}

// NextFree is the first of a, b, … z, aa, ab, … that no process uses.
func (n Names) NextFree() string {
	for i := 0; ; i++ {
		if name := letters(i); !n.used(name) {
			return name
		}
	}
}

func (n Names) used(name string) bool {
	for _, of := range n {
		if _, ok := of[name]; ok {
			return true
		}
	}
	return false
}

func letters(i int) string {
	s := ""
	for ; i >= 0; i = i/26 - 1 {
		s = string(rune('a'+i%26)) + s
	}
	return s
}

// Of finds the name whose range holds addr in the process label: the one bound last, where several do.
func (n Names) Of(label string, addr uint64) (name string, b Binding, ok bool) {
	for k, c := range n[label] {
		if c.Contains(addr) && (!ok || c.Step > b.Step || c.Step == b.Step && k < name) {
			name, b, ok = k, c, true
		}
	}
	return name, b, ok
}

// PlaceOf writes addr as a place of the language in the process p: a+1p, stack+3p, 0x7f….
func PlaceOf(n Names, p *vmspace.Process, addr, pageSize uint64) string {
	if name, b, ok := n.Of(p.Label, addr); ok {
		return offsetPlace(name, addr-b.Start, pageSize)
	}
	if m, ok := p.MappingAt(addr); ok {
		if name := fixedName(m); name != "" {
			return offsetPlace(name, addr-m.Start, pageSize)
		}
	}
	return fmt.Sprintf("0x%x", addr)
}

func offsetPlace(name string, off, pageSize uint64) string {
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

// fixedName is the name that a mapping always has, from the kernel's name for it.
func fixedName(m vmspace.Mapping) string {
	switch m.Path {
	case "[stack]", "[heap]", "[vdso]", "[vvar]":
		return m.Path[1 : len(m.Path)-1]
	}
	return ""
}
