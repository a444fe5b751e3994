package actions

import (
	"errors"

	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// readKeys has the process read its rights. Where that fails they are not known.
func (f *Family) readKeys(m *member) {
	if f.keyless {
		return
	}
	pkru, e, err := m.proc.Rights()
	f.keyless = e.Signal != nil || errors.Is(err, subject.ErrNoRights)
	m.keys.PKRU, m.keys.Known = pkru, err == nil && e.OK()
}

// reread is readKeys after what may have changed the rights without being asked to.
func (f *Family) reread(m *member) {
	was := m.keys.PKRU
	if f.readKeys(m); m.keys.PKRU != was {
		m.keys.Used = true
	}
}

// rights are those of all processes that have any, in order of birth: the list of the step before, where
// it says the same.
func (f *Family) rights(before []history.KeyRights) []history.KeyRights {
	n, same := 0, true
	for _, m := range f.members {
		if m.gone != "" || m.keys == (vmspace.Keys{}) {
			continue
		}
		same = same && n < len(before) && before[n] == history.KeyRights{Process: m.Label, Keys: m.keys}
		n++
	}
	if same && n == len(before) {
		return before
	}
	var out []history.KeyRights
	for _, m := range f.members {
		if m.gone == "" && m.keys != (vmspace.Keys{}) {
			out = append(out, history.KeyRights{Process: m.Label, Keys: m.keys})
		}
	}
	return out
}
