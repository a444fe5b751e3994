package actions

import (
	"errors"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// What the verbs of protection keys share (pkeys(7)).
//
// Rules: which key a mapping has, smaps tells. Which rights go with a key, only the process itself can
// read: it does so at its start, and after everything that can have changed them: the pkey_ verbs, foreign
// code, a fork, and memory with PROT_EXEC alone, for which the kernel takes a key of its own. Which keys a
// process has, no file tells either: its own pkey_alloc and pkey_free do, since foreign code cannot call
// the kernel.

// keyRights are the rights that can be taken from a key (pkey_alloc(2)); PKRU has the same two bits.
var keyRights = []constant{
	{"access", "PKEY_DISABLE_ACCESS", vmspace.KeyDisableAccess, "forbid loads and stores"},
	{"write", "PKEY_DISABLE_WRITE", vmspace.KeyDisableWrite, "forbid stores"},
}

var (
	paramKey       = lang.Param{Name: "key", Kind: lang.KindNumber, Show: "KEY", Default: "1", Help: "a protection key, as pkey_alloc gave it"}
	paramKeyRights = lang.Param{Name: "rights", Kind: lang.KindFlags, Optional: true, Words: words(keyRights), Help: "what is forbidden; without a word, nothing is"}
)

// readKeys has the process read its rights. Where that fails they are not known.
func (s *Session) readKeys(m *member) {
	if s.keyless {
		return
	}
	pkru, e, err := m.proc.Rights()
	s.keyless = e.Signal != nil || errors.Is(err, subject.ErrNoRights)
	m.keys.PKRU, m.keys.Known = pkru, err == nil && e.OK()
}

// reread is readKeys after what may have changed the rights without being asked to.
func (s *Session) reread(m *member) {
	was := m.keys.PKRU
	if s.readKeys(m); m.keys.PKRU != was {
		m.keys.Used = true
	}
}

// rights are those of all processes that have any, in order of birth: the list of the step before, where
// it says the same.
func (s *Session) rights(before []history.KeyRights) []history.KeyRights {
	n, same := 0, true
	for _, m := range s.members {
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
	for _, m := range s.members {
		if m.gone == "" && m.keys != (vmspace.Keys{}) {
			out = append(out, history.KeyRights{Process: m.Label, Keys: m.keys})
		}
	}
	return out
}
