package family

import (
	"errors"

	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// ReadKeys has the process read its rights. Where that fails they are not known.
func (f *Family) ReadKeys(m *Member) {
	if f.keyless {
		return
	}
	pkru, e, err := m.Proc.Rights()
	f.keyless = e.Signal != nil || errors.Is(err, subject.ErrNoRights)
	m.Keys.PKRU, m.Keys.Known = pkru, err == nil && e.OK()
}

// Reread is readKeys after what may have changed the rights without being asked to.
func (f *Family) Reread(m *Member) {
	was := m.Keys.PKRU
	if f.ReadKeys(m); m.Keys.PKRU != was {
		m.Keys.Used = true
	}
}

// Rights are those of all processes that have any, in order of birth: the list of the step before,
// where it says the same.
func (f *Family) Rights(before []history.KeyRights) []history.KeyRights {
	n, same := 0, true
	for _, m := range f.Members {
		if m.Gone != "" || m.Keys == (vmspace.Keys{}) {
			continue
		}
		same = same && n < len(before) && before[n] == history.KeyRights{Process: m.Label, Keys: m.Keys}
		n++
	}
	if same && n == len(before) {
		return before
	}
	var out []history.KeyRights
	for _, m := range f.Members {
		if m.Gone == "" && m.Keys != (vmspace.Keys{}) {
			out = append(out, history.KeyRights{Process: m.Label, Keys: m.Keys})
		}
	}
	return out
}
