package family

import (
	"errors"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// ReadKeys has the process read its rights. Where that fails they are not known.
func (f *Family) ReadKeys(m *Member) {
	if f.keyless {
		return
	}
	process := m.Subject()
	if process == nil {
		return
	}
	pkru, e, err := process.Rights()
	f.keyless = e.Signal != nil || errors.Is(err, subject.ErrNoRights)
	m.Keys.PKRU, m.Keys.Known = pkru, err == nil && e.OK()
}

// Reread is ReadKeys after what may have changed the rights without being asked to.
func (f *Family) Reread(m *Member) {
	was := m.Keys.PKRU
	if f.ReadKeys(m); m.Keys.PKRU != was {
		m.Keys.Used = true
	}
}

// ReadLimits reads the limits of a process that may have changed them.
func (f *Family) ReadLimits(m *Member) { m.Limits = kernel.LimitsOf(m.PID) }

// Rights are those of all processes that have any, given those of the step before.
func (f *Family) Rights(before []history.Trait[vmspace.Keys]) []history.Trait[vmspace.Keys] {
	return unusual(f, before, vmspace.Keys{}, func(m *Member) vmspace.Keys { return m.Keys })
}

// Changed are the limits of all processes that have others than the first subject was born with,
// given those of the step before.
func (f *Family) Changed(before []history.Trait[vmspace.Limits]) []history.Trait[vmspace.Limits] {
	return unusual(f, before, f.BornWith, func(m *Member) vmspace.Limits { return m.Limits })
}

// unusual lists a trait of all living processes where it is not the usual one, in order of birth:
// the list of the step before, where that says the same.
func unusual[T comparable](f *Family, before []history.Trait[T], usual T, trait func(*Member) T) []history.Trait[T] {
	all := func(yield func(history.Trait[T]) bool) {
		for _, m := range f.Members {
			if t := trait(m); m.Gone == "" && t != usual && !yield(history.Trait[T]{Process: m.Label, Value: t}) {
				return
			}
		}
	}
	n, same := 0, true
	for t := range all {
		same = same && n < len(before) && before[n] == t
		n++
	}
	if same && n == len(before) {
		return before
	}
	return slices.Collect(all)
}
