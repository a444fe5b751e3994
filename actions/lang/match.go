package lang

import "slices"

// Matching of words to parameters. The positional parameters are flattened into atoms, one word
// each: a range is a place and an optional quantity. Atoms are matched in order; an optional one
// takes a word of its shape unless a later required one would then have none. Words after the last
// atom belong to the tail.

type atom struct {
	param    *Param
	kind     Kind
	optional bool
	size     bool // the second half of a range; only directly after its place
}

// label is the name of the atom in a message.
func (a *atom) label() string {
	if a.size {
		return kinds[KindQuantity].label
	}
	return a.param.label()
}

func (a *atom) fits() string {
	if a.size {
		return kinds[KindQuantity].fits
	}
	return a.param.fits()
}

// leads reports whether b can be given only if a is: the size after its place, the second of [Q
// [Q]].
func (a *atom) leads(b *atom) bool {
	return b.size && a.param == b.param || a.param != b.param && nests(*a.param, *b.param)
}

func (v *Verb) flatten() {
	v.atoms, v.tail = nil, nil
	for i := range v.Params {
		p := &v.Params[i]
		switch {
		case p.inTail():
			v.tail = append(v.tail, p)
		case p.Kind == KindRange:
			v.atoms = append(v.atoms, atom{p, KindPlace, p.Optional, false}, atom{p, KindQuantity, true, true})
		default:
			v.atoms = append(v.atoms, atom{p, p.Kind, p.Optional, false})
		}
	}
}

// matcher assigns words to atoms.
type matcher struct {
	atoms []atom
	toks  []token
	got   []int // the word of each atom, -1 for none
	used  int   // the number of words that the atoms took

	// The failure furthest along the line: the atom that found no word, and the words of the atoms
	// before it.
	failTok, failAtom int
	failGot           []int

	// at is called for each possible match: word j for atom i, or for the tail if i is len(atoms).
	// If it is nil, the first match found is the result; otherwise all of them are tried.
	at func(i, j int)
}

func match(atoms []atom, toks []token) (*matcher, bool) {
	m := &matcher{atoms: atoms, toks: toks, got: make([]int, len(atoms)), failTok: -1}
	return m, m.try(0, 0)
}

func (m *matcher) try(i, j int) bool {
	if m.at != nil {
		m.at(i, j)
	}
	if i == len(m.atoms) {
		m.used = j
		return m.at == nil
	}
	a := &m.atoms[i]
	if j < len(m.toks) && a.kind.takes(m.toks[j]) {
		m.got[i] = j
		if m.try(i+1, j+1) {
			return true
		}
	}
	m.got[i] = -1
	if a.optional {
		next := i + 1
		for ; next < len(m.atoms) && a.leads(&m.atoms[next]); next++ {
			m.got[next] = -1
		}
		return m.try(next, j)
	}
	if j > m.failTok {
		m.failTok, m.failAtom = j, i
		m.failGot = append([]int(nil), m.got[:i]...)
	}
	return false
}

// expected is what may follow some words: atoms, and the words and keys of the tail that are not
// given yet.
type expected struct {
	atoms []*atom
	tail  []*Param
	given []token // the words of the tail so far
	bad   bool    // a word fits nowhere
}

func (v *Verb) expect(toks []token) expected {
	e := expected{bad: true}
	seen := make([]bool, len(v.atoms)+1)
	m := &matcher{atoms: v.atoms, toks: toks, got: make([]int, len(v.atoms)), failTok: -1}
	m.at = func(i, j int) {
		switch rest := toks[j:]; {
		case i < len(v.atoms) && len(rest) == 0 && !seen[i]:
			e.atoms, e.bad = append(e.atoms, &v.atoms[i]), false
		case i == len(v.atoms) && !seen[i] && v.tailTakes(rest):
			e.given, e.bad = rest, false
			for _, p := range v.tail {
				if p.Kind == KindFlags || !v.tailHas(rest, p) {
					e.tail = append(e.tail, p)
				}
			}
		default:
			return
		}
		seen[i] = true
	}
	m.try(0, 0)
	return e
}

// tailTakes reports whether all of the words belong to the tail.
func (v *Verb) tailTakes(toks []token) bool {
	return !slices.ContainsFunc(toks, func(t token) bool { p, _ := v.tailParam(t); return p == nil })
}

func (v *Verb) tailHas(toks []token, p *Param) bool {
	for _, t := range toks {
		if q, _ := v.tailParam(t); q == p {
			return true
		}
	}
	return false
}

// tailParam returns the parameter of the tail that a word belongs to; for an option also its value.
func (v *Verb) tailParam(t token) (*Param, token) {
	if t.quoted() {
		return nil, t
	}
	if key, value, ok := t.key(); ok {
		for _, p := range v.tail {
			if p.Kind == KindOption && p.Key == key {
				return p, value
			}
		}
		return nil, t
	}
	for _, p := range v.tail {
		if p.Kind == KindOption {
			continue
		}
		if len(p.Words) == 0 {
			return p, t
		}
		for _, w := range p.Words {
			if w.Name == t.raw {
				return p, t
			}
		}
	}
	return nil, t
}
