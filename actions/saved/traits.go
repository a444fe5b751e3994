package saved

import (
	"fmt"
	"math"
	"slices"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// The traits of processes beside their memory: each is a list, which a line contains if it changed.

// traitJSON is one trait of one process.
type traitJSON[T any] interface {
	entry
	label() labelJSON
	real() T
}

// keysJSON are the rights of a process to protection keys.
type keysJSON struct {
	Process labelJSON `json:"process"`
	PKRU    *hex      `json:"pkru,omitempty"` // left out where it was not read
	Used    bool      `json:"used,omitempty"`
}

func (keysJSON) most() int { return maxProcesses }

func (k keysJSON) label() labelJSON { return k.Process }

func (k keysJSON) check() error {
	if k.PKRU != nil && *k.PKRU > math.MaxUint32 {
		return fmt.Errorf("the PKRU of %.40q has more than 32 bits", string(k.Process))
	}
	return k.Process.check()
}

func keysOf(process labelJSON, k vmspace.Keys) keysJSON {
	j := keysJSON{Process: process, Used: k.Used}
	if k.Known {
		pkru := hex(k.PKRU)
		j.PKRU = &pkru
	}
	return j
}

func (k keysJSON) real() vmspace.Keys {
	out := vmspace.Keys{Known: k.PKRU != nil, Used: k.Used}
	if k.PKRU != nil {
		out.PKRU = uint32(*k.PKRU)
	}
	return out
}

// limitsJSON are the limits of a process. An unlimited one is left out; if none is known, Unknown
// is set.
type limitsJSON struct {
	Process labelJSON `json:"process"`
	Unknown bool      `json:"unknown,omitempty"`
	Stack   *hex      `json:"stack,omitempty"`
	AS      *hex      `json:"as,omitempty"`
	Memlock *hex      `json:"memlock,omitempty"`
}

func (limitsJSON) most() int { return maxProcesses }

func (l limitsJSON) label() labelJSON { return l.Process }

func (l limitsJSON) check() error { return l.Process.check() }

func limitsOf(process labelJSON, l vmspace.Limits) limitsJSON {
	if !l.Known {
		return limitsJSON{Process: process, Unknown: true}
	}
	return limitsJSON{Process: process, Stack: limitOf(l.Stack), AS: limitOf(l.Space), Memlock: limitOf(l.Locked)}
}

func (l limitsJSON) real() vmspace.Limits {
	if l.Unknown {
		return vmspace.Limits{}
	}
	return vmspace.Limits{Known: true, Stack: limit(l.Stack), Space: limit(l.AS), Locked: limit(l.Memlock)}
}

// limitOf is the written form of a limit, nil if it is unlimited.
func limitOf(n uint64) *hex {
	if n == vmspace.Unlimited {
		return nil
	}
	h := hex(n)
	return &h
}

// limit is the limit that was written.
func limit(h *hex) uint64 {
	if h == nil {
		return vmspace.Unlimited
	}
	return uint64(*h)
}

// traitsOf is the list of a trait after a step where it is not the one of before, else nil.
func traitsOf[T comparable, J traitJSON[T]](before, after []history.Trait[T], write func(labelJSON, T) J) list[J] {
	if slices.Equal(before, after) {
		return nil
	}
	out := list[J]{}
	for _, t := range after {
		out = append(out, write(labelJSON(t.Process), t.Value))
	}
	return out
}

// traits is the list of a trait after a step, given the one of before.
func traits[T any, J traitJSON[T]](r *reader, before []history.Trait[T], written list[J]) (out []history.Trait[T]) {
	if written == nil {
		return before
	}
	for _, j := range written {
		out = append(out, history.Trait[T]{Process: r.intern(string(j.label())), Value: j.real()})
	}
	return out
}
