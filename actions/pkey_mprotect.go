package actions

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var pkeyMprotectAction = Action{
	Verb: lang.Verb{Name: "pkey_mprotect", Summary: "change what is allowed in a range, and its protection key",
		Params: []lang.Param{paramRange, paramProt, paramKey}},
	calls: []uintptr{sysPkeyMprotect},
	run: func(c *call) error {
		r, err := c.rangeOf("range")
		if err != nil {
			return err
		}
		prot, _ := c.cmd.Prot("prot")
		key := c.keyOf()
		c.Call = fmt.Sprintf("pkey_mprotect(0x%x, %d, %s, %d)", r.Start, r.Len(), protText(prot), key)
		c.focus(r)
		c.p.keys.Used = true // a call that is refused can have come to a part of the range
		_, _, err = c.syscall(sysPkeyMprotect, r.Start, r.Len(), uint64(prot), uint64(key))
		c.s.readKeys(c.p)
		return err
	},
	why: func(e *evidence) string {
		text := keyChanges(e.st)
		if text == "" {
			text = "The key was this one already."
		}
		if key := e.key(); key >= 0 {
			text += fmt.Sprintf(" With the rights that %s has now, memory with key %d may be %s, as far as its letters allow.",
				e.st.Process, key, history.KeyText(e.keys, uint32(key)))
		}
		if len(changesOf(e.st.Changes, e.st.Process, vmspace.ChangePerms)) > 0 {
			return text + " " + explainMprotect(e)
		}
		return text + splitText(e.st)
	},
	reasons: slices.Concat([]reason{
		misaligned("pkey_mprotect(2)"),
		{"EINVAL", "no keys", "pkeys(7)", func(e *evidence) bool { return e.givesKey() && e.keyless() }, sayNoKeys},
		{"EINVAL", "not allocated", "pkey_mprotect(2)", func(e *evidence) bool { return e.givesKey() && !e.hasKey(e.key()) },
			func(e *evidence) string {
				return fmt.Sprintf("key %d is not one to give to memory: %s", e.key(), e.keysText())
			}},
	}, mprotectReasons[1:]), // all that mprotect refuses, but for what is misaligned
}

// givesKey says whether the kernel looks at the key: not where there is nothing to change, nor at -1, which leaves
// the keys as they are (do_mprotect_pkey in mm/mprotect.c).
func (e *evidence) givesKey() bool { return e.key() != -1 && !e.given.Empty() }
