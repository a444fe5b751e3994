package explain

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

var pkeyAllocSentences = sentences{
	why: func(e *evidence) string {
		key := uint32(e.st.Value)
		text := fmt.Sprintf("Key %d is %s's: memory that has it may be %s.", key, e.st.Process, history.KeyText(e.Keys, key))
		m, left := e.firstMapping(vmspace.Everything, func(m vmspace.Mapping) bool { return key != 0 && keyIn(m) == key })
		if left {
			return text + fmt.Sprintf(" %s has it already, from before it was freed.", place(e.st, m.Start))
		}
		return text + " No memory has it yet: pkey_mprotect gives it to a range."
	},
	reasons: []reason{
		noKeys("ENOSPC", "pkey_alloc(2)"),
		noKeys("EINVAL", "pkey_alloc(2)"), // its flags and rights are well
		{"ENOSPC", "none left", "pkey_alloc(2)", nil, func(e *evidence) string {
			return fmt.Sprintf("no key is left. The processor has %d, and key 0 is that of all memory without another; %s", vmspace.KeyCount, e.keysText())
		}},
	},
}

var pkeyFreeSentences = sentences{
	why: func(e *evidence) string {
		return fmt.Sprintf("pkey_alloc may hand key %d out again. Memory that has it keeps it, and the rights stay as they are.", e.Key())
	},
	reasons: []reason{
		noKeys("EINVAL", "pkeys(7)"),
		{"EINVAL", "not allocated", "pkey_free(2)", nil, func(e *evidence) string {
			return fmt.Sprintf("key %d is not allocated, so it cannot be freed: %s", e.Key(), e.keysText())
		}},
	},
}

var pkeyMprotectSentences = sentences{
	why: func(e *evidence) string {
		text := keyChanges(e.st)
		if text == "" {
			text = "The key was this one already."
		}
		if key := e.Key(); key >= 0 {
			text += fmt.Sprintf(" With the rights that %s has now, memory with key %d may be %s, as far as its letters allow.",
				e.st.Process, key, history.KeyText(e.Keys, uint32(key)))
		}
		if len(changesOf(e.st.Changes, e.st.Process, vmspace.ChangePerms)) > 0 {
			return text + " " + explainMprotect(e)
		}
		return text + e.splitText()
	},
	reasons: slices.Concat([]reason{
		misaligned("pkey_mprotect(2)"),
		{"EINVAL", "no keys", "pkeys(7)", func(e *evidence) bool { return e.givesKey() && e.noProtectionKeys() }, sayNoKeys},
		{"EINVAL", "not allocated", "pkey_mprotect(2)", func(e *evidence) bool { return e.givesKey() && !e.hasKey(e.Key()) },
			func(e *evidence) string {
				return fmt.Sprintf("key %d is not allocated, so it cannot be given to memory: %s", e.Key(), e.keysText())
			}},
	}, mprotectReasons[1:]),
}

var pkeySetSentences = sentences{
	why: func(e *evidence) string {
		key := uint32(e.Key())
		return fmt.Sprintf("In %s, memory with key %d may be %s from now on. The rights are in a register of the processor: "+
			"no call of the kernel was needed, and no page table has changed.", e.st.Process, key, history.KeyText(e.Keys, key))
	},
}

// execOnlyKey is the key that the kernel allocated for execute-only memory, 0 if no mapping shows
// it.
func (e *evidence) execOnlyKey() uint32 {
	m, _ := e.firstMapping(vmspace.Everything, func(m vmspace.Mapping) bool {
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

// forbids says whether the rights of the process forbid an access to m.
func (e *evidence) forbids(m vmspace.Mapping, access vmspace.Access) bool {
	return e.Keys.Known && m.Smaps != nil && e.Keys.Forbid(keyIn(m), access)
}

// keyedText says that pages of m cannot be brought in.
func (e *evidence) keyedText(m vmspace.Mapping, r vmspace.Range) string {
	return fmt.Sprintf("%s has protection key %d, and with the rights of %s (PKRU 0x%08x) it may be %s, so its pages cannot be brought in.",
		e.mappingNameIn(m, r), keyIn(m), e.st.Process, e.Keys.PKRU, history.KeyText(e.Keys, keyIn(m)))
}

// kernelAccessForbidden says whether the rights of the process forbid what the kernel itself reads
// and writes for its calls: lent memory, which has key 0, and the text of the program, which
// contains the path of an open.
func (e *evidence) kernelAccessForbidden() bool {
	text, _ := e.before.MappingAt(e.Program)
	return e.Keys.Known && (e.Keys.Forbid(0, vmspace.Store) || e.Keys.Forbid(keyIn(text), vmspace.Load))
}

// noProtectionKeys says whether this machine has no protection keys: if it has, smaps has a line
// for them (show_smap in fs/proc/task_mmu.c).
func (e *evidence) noProtectionKeys() bool {
	smaps := e.Contents("/proc/self/smaps")
	return smaps != "" && !strings.Contains(smaps, "\nProtectionKey:")
}

// noKeys is the row of a call on a machine without protection keys.
func noKeys(result, source string) reason {
	return reason{result, "no keys", source, (*evidence).noProtectionKeys, sayNoKeys}
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
	if k := e.execOnlyKey(); k != 0 {
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

// execOnlyText explains the key that the kernel gives to memory with PROT_EXEC alone.
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

// givesKey says whether the kernel checks the key. It does not for an empty range, nor for -1,
// which leaves the keys as they are (do_mprotect_pkey in mm/mprotect.c).
func (e *evidence) givesKey() bool { return e.Key() != -1 && !e.Given.Empty() }
