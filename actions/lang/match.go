package lang

// Which word is meant for which parameter. The positional parameters are flattened into atoms, one
// word each: a range is a place and an optional quantity. Atoms are served in order; an optional
// one takes a word of its shape unless a required one behind it would go without. Words behind the
// last atom belong to the tail.

type atom struct {
	param    *Param
	kind     Kind
	optional bool
	size     bool // the second half of a range; stands only behind its place
}

// label names the atom in a message.
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

// leads says whether b can only be given if a is: the size behind its place, the second of [Q [Q]].
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
	got   []int // word of each atom, -1 for none
	used  int   // how many words the atoms took

	// Where it failed, furthest along the line: the atom that found no word, and what the ones
	// before it took.
	failTok, failAtom int
	failGot           []int
}

func match(atoms []atom, toks []token) (*matcher, bool) {
	m := &matcher{atoms: atoms, toks: toks, got: make([]int, len(atoms)), failTok: -1}
	return m, m.try(0, 0)
}

func (m *matcher) try(i, j int) bool {
	if i == len(m.atoms) {
		m.used = j
		return true
	}
	a := &m.atoms[i]
	if a.size && m.got[i-1] < 0 { // no place, no size
		m.got[i] = -1
		return m.try(i+1, j)
	}
	if j < len(m.toks) && a.kind.takes(m.toks[j]) {
		m.got[i] = j
		if m.try(i+1, j+1) {
			return true
		}
	}
	m.got[i] = -1
	if a.optional {
		return m.try(i+1, j)
	}
	if j > m.failTok {
		m.failTok, m.failAtom = j, i
		m.failGot = append([]int(nil), m.got[:i]...)
	}
	return false
}

// expected is what may come next behind some words: atoms, and the words and keys of the tail not
// given yet.
type expected struct {
	atoms []*atom
	tail  []*Param
	given []token // the words of the tail so far
	bad   bool    // a word fits nowhere
}

func (v *Verb) expect(toks []token) expected {
	at := v.closure([]int{0})
	for j, t := range toks {
		var next []int
		for _, i := range at {
			if i < len(v.atoms) && v.atoms[i].kind.takes(t) {
				next = append(next, i+1)
			}
		}
		if len(next) == 0 {
			return v.expectTail(at, toks[j:])
		}
		at = v.closure(next)
	}
	var e expected
	for _, i := range at {
		if i < len(v.atoms) {
			e.atoms = append(e.atoms, &v.atoms[i])
		} else {
			e.tail = v.tail
		}
	}
	return e
}

// closure adds the atoms that can be reached by leaving optional ones out.
func (v *Verb) closure(at []int) []int {
	seen := make([]bool, len(v.atoms)+2)
	var out []int
	var add func(i int)
	add = func(i int) {
		if i > len(v.atoms) || seen[i] {
			return
		}
		seen[i] = true
		out = append(out, i)
		if i < len(v.atoms) && v.atoms[i].optional {
			next := i + 1
			for next < len(v.atoms) && v.atoms[i].leads(&v.atoms[next]) {
				next++
			}
			add(next)
		}
	}
	for _, i := range at {
		add(i)
	}
	return out
}

func (v *Verb) expectTail(at []int, toks []token) expected {
	e := expected{given: toks, bad: true}
	for _, i := range at {
		if i == len(v.atoms) {
			e.bad = false
		}
	}
	if e.bad {
		return e
	}
	for _, t := range toks {
		if p, _ := v.tailParam(t); p == nil {
			e.bad = true
			return e
		}
	}
	for _, p := range v.tail {
		if p.Kind == KindFlags || !v.tailHas(toks, p) {
			e.tail = append(e.tail, p)
		}
	}
	return e
}

func (v *Verb) tailHas(toks []token, p *Param) bool {
	for _, t := range toks {
		if q, _ := v.tailParam(t); q == p {
			return true
		}
	}
	return false
}

// tailParam finds the parameter of the tail that a word belongs to; for an option also its value.
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
