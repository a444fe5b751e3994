package lang

import (
	"fmt"
	"slices"
	"strings"
)

// The grammar made from a table. NewGrammar refuses a table in which a line could have two
// meanings:
//
//   - verbs are unique, lower case, and not of the form of a process; a word is a verb or the first
//     word of verbs, not both
//   - parameters of the tail are last, and their words and keys are unique within the verb
//   - an optional argument does not have the shape of any word of the tail, nor of another optional
//     argument of another kind
//   - an optional argument with the shape of a later required one is the only optional one of that
//     shape

// Grammar parses, prints and completes lines.
type Grammar struct {
	list    []*Verb
	verbs   map[string]*Verb
	firsts  []string            // first words, in the order of the table
	seconds map[string][]string // second words, by the first
}

// NewGrammar checks a table and makes a grammar of it. The grammar keeps a copy of the table.
func NewGrammar(table []Verb) (*Grammar, error) {
	g := &Grammar{verbs: map[string]*Verb{}, seconds: map[string][]string{}}
	for _, row := range table {
		v := row
		v.Params = slices.Clone(row.Params)
		v.flatten()
		if err := g.add(&v); err != nil {
			return nil, fmt.Errorf("verb %q: %w", row.Name, err)
		}
	}
	for _, v := range g.list {
		if g.seconds[v.Name] != nil {
			return nil, fmt.Errorf("verb %q: it is also the first word of %q", v.Name, v.Name+" "+g.seconds[v.Name][0])
		}
	}
	return g, nil
}

// Verbs returns the rows in the order of the table.
func (g *Grammar) Verbs() []*Verb { return slices.Clone(g.list) }

// Verb returns a row by name, nil if there is none.
func (g *Grammar) Verb(name string) *Verb { return g.verbs[name] }

func (g *Grammar) add(v *Verb) error {
	first, second, two := strings.Cut(v.Name, " ")
	if !verbWord(first) || two && !verbWord(second) {
		return fmt.Errorf("a verb is one or two words of lower-case letters, digits, - and _")
	}
	if g.verbs[v.Name] != nil {
		return fmt.Errorf("it is there twice")
	}
	if first == repeatWord {
		return fmt.Errorf("the word is what repeats a command")
	}
	if err := checkParams(v); err != nil {
		return err
	}
	if err := checkTail(v); err != nil {
		return err
	}
	if err := checkAtoms(v); err != nil {
		return err
	}
	g.verbs[v.Name] = v
	g.list = append(g.list, v)
	if !slices.Contains(g.firsts, first) {
		g.firsts = append(g.firsts, first)
	}
	if two {
		g.seconds[first] = append(g.seconds[first], second)
	}
	return nil
}

func verbWord(s string) bool {
	return lowerWord(s) && !isDigit(s[0]) && s[0] != '-' && !IsProcess(s)
}

func lowerWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

func checkParams(v *Verb) error {
	const mostAtoms = 12 // matching may try every subset of the optional ones
	if len(v.atoms) > mostAtoms {
		return fmt.Errorf("more than %d positional words", mostAtoms)
	}
	seen := map[string]bool{}
	tail := false
	for i := range v.Params {
		p := &v.Params[i]
		switch {
		case p.Name == "" || seen[p.Name]:
			return fmt.Errorf("parameter %q: a name is needed, once", p.Name)
		case p.Kind <= KindNone || p.Kind >= kindEnd:
			return fmt.Errorf("parameter %q: no kind", p.Name)
		case (p.Kind == KindChoice || p.Kind == KindConstant) && len(p.Words) == 0:
			return fmt.Errorf("parameter %q: a choice of nothing", p.Name)
		case tail && !p.inTail():
			return fmt.Errorf("parameter %q: it stands behind flags or options", p.Name)
		case p.Kind == KindOption && !optionKind(p.Of):
			return fmt.Errorf("parameter %q: an option cannot have a value of kind %v", p.Name, p.Of)
		}
		seen[p.Name] = true
		tail = tail || p.inTail()
	}
	return nil
}

func optionKind(k Kind) bool {
	switch k {
	case KindRange, KindFlags, KindOption, KindChoice, KindConstant, KindNone:
		return false
	}
	return k > KindNone && k < kindEnd
}

func checkTail(v *Verb) error {
	words, keys := map[string]bool{}, map[string]bool{}
	open, sets := 0, 0
	for _, p := range v.tail {
		if p.Kind == KindOption {
			if !lowerWord(p.Key) || keys[p.Key] {
				return fmt.Errorf("parameter %q: key %q: a lower-case word is needed, once", p.Name, p.Key)
			}
			keys[p.Key] = true
			continue
		}
		sets++
		if len(p.Words) == 0 {
			open++
		}
		for _, w := range p.Words {
			if !lowerWord(strings.TrimPrefix(w.Name, "!")) || words[w.Name] {
				return fmt.Errorf("parameter %q: word %q: a lower-case word is needed, once", p.Name, w.Name)
			}
			words[w.Name] = true
		}
	}
	if open > 0 && sets > 1 {
		return fmt.Errorf("flags without a set beside other words")
	}
	return nil
}

// tailShapes returns every shape that a word of the tail can have.
func (v *Verb) tailShapes() shape {
	var s shape
	for _, p := range v.tail {
		switch {
		case p.Kind == KindOption:
			s |= shOption
		case len(p.Words) == 0:
			s |= shLetter | shDigit | shMinus | shPlus | shOther
		}
		for _, w := range p.Words {
			s |= token{raw: w.Name, quote: -1}.shape()
		}
	}
	return s
}

func checkAtoms(v *Verb) error {
	tail := v.tailShapes()
	for i := range v.atoms {
		a := &v.atoms[i]
		if !a.optional {
			continue
		}
		mine := kinds[a.kind].shapes
		if mine&tail != 0 {
			return fmt.Errorf("parameter %q: it is optional and looks like a word of the tail", a.param.Name)
		}
		required := false // a required atom of the same shape is in between
		for j := i + 1; j < len(v.atoms); j++ {
			b := &v.atoms[j]
			if kinds[b.kind].shapes&mine == 0 {
				if !b.optional {
					break
				}
				continue
			}
			switch {
			case b.size && b.param == a.param: // the size of an optional range
			case !b.optional:
				required = true
			case required || a.kind != b.kind || a.size != b.size || a.size:
				return fmt.Errorf("parameters %q and %q: both are optional and look alike", a.param.Name, b.param.Name)
			}
		}
	}
	return nil
}
