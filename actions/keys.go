package actions

import (
	"errors"
	"fmt"
	"strings"

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

// keyOf is a key argument as the kernel takes it: an int.
func (c *call) keyOf() int32 {
	key, _ := c.cmd.Number("key")
	return int32(key)
}

// ownKey is the key that the kernel took for execute-only memory, 0 where no mapping shows it.
func (e *evidence) ownKey() uint32 {
	m, _ := e.some(vmspace.Everything, func(m vmspace.Mapping) bool {
		return m.Perms&allLetters == vmspace.Exec && keyIn(m) != 0 && !e.hasKey(int32(keyIn(m)))
	})
	return keyIn(m)
}

// keyIn is the key of a mapping, as far as smaps was read.
func keyIn(m vmspace.Mapping) uint32 {
	if m.Smaps == nil {
		return 0
	}
	return m.Smaps.ProtectionKey
}

// forbidden finds a mapping of the range that the rights of the process do not allow to be accessed so.
func (e *evidence) forbidden(r vmspace.Range, access func(vmspace.Mapping) vmspace.Access) (vmspace.Mapping, bool) {
	return e.some(r, func(m vmspace.Mapping) bool {
		return e.keys.Known && m.Smaps != nil && e.keys.Forbid(keyIn(m), access(m))
	})
}

// keyedText says that pages of m cannot be brought in.
func (e *evidence) keyedText(m vmspace.Mapping, r vmspace.Range) string {
	return fmt.Sprintf("%s has protection key %d, and with the rights of %s (PKRU 0x%08x) it may be %s, so its pages cannot be brought in.",
		e.inside(m, r), keyIn(m), e.st.Process, e.keys.PKRU, history.KeyText(e.keys, keyIn(m)))
}

// shutOut says whether the rights of the process forbid what the kernel itself reads and writes for its
// calls: lent memory, which has key 0, and the text, where the path of an open stands.
func (e *evidence) shutOut() bool {
	at, _ := subject.Text()
	text, _ := e.before.MappingAt(at)
	return e.keys.Known && (e.keys.Forbid(0, vmspace.Store) || e.keys.Forbid(keyIn(text), vmspace.Load))
}

// keyless says whether this machine has no protection keys: smaps has a line for them where it has
// (show_smap in fs/proc/task_mmu.c).
func (e *evidence) keyless() bool {
	smaps := e.Contents("/proc/self/smaps")
	return smaps != "" && !strings.Contains(smaps, "\nProtectionKey:")
}

// noKeys is the row of a call on a machine without protection keys.
func noKeys(result, source string) reason {
	return reason{result, "no keys", source, (*evidence).keyless, sayNoKeys}
}

func sayNoKeys(*evidence) string {
	return "this processor has no protection keys, or the kernel does not use them."
}

// keysText lists the keys of the process that pkey_alloc gave it.
func (e *evidence) keysText() string {
	var own []string
	for key := int32(1); key < vmspace.KeyCount; key++ {
		if e.hasKey(key) {
			own = append(own, fmt.Sprint(key))
		}
	}
	text := fmt.Sprintf("%s has no key from pkey_alloc", e.st.Process)
	if len(own) > 0 {
		text = fmt.Sprintf("%s has %s from pkey_alloc", e.st.Process, strings.Join(own, ", "))
	}
	if k := e.ownKey(); k != 0 {
		text += fmt.Sprintf("; key %d is the kernel's own, for execute-only memory", k)
	}
	return text + "."
}

// keyChanges says which mappings got another key.
func keyChanges(st *history.Step) string {
	for _, ch := range changesOf(st.Changes, st.Process, vmspace.ChangeKey) {
		return fmt.Sprintf("%s: protection key %s → %s.", placeRange(st, ch), ch.From, ch.To)
	}
	return ""
}

// execOnlyText tells of the key that the kernel gives to memory with PROT_EXEC alone.
func execOnlyText(st *history.Step) string {
	p := st.After.Process(st.Process)
	if p == nil {
		return ""
	}
	m, ok := p.MappingAt(st.Focus.Start)
	if !ok || m.Perms&allLetters != vmspace.Exec || keyIn(m) == 0 {
		return ""
	}
	return fmt.Sprintf(" It may be executed and nothing else: the kernel gave it protection key %d, with which nobody may read or write.", keyIn(m))
}
