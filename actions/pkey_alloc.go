package actions

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var pkeyAllocAction = Action{
	Verb:  lang.Verb{Name: "pkey_alloc", Summary: "get a protection key, and the rights that go with it", Params: []lang.Param{paramKeyRights}},
	calls: []uintptr{sysPkeyAlloc},
	flags: keyRights,
	run: func(c *call) error {
		c.Call = fmt.Sprintf("pkey_alloc(0, %s)", c.args.names)
		key, ok, err := c.syscall(sysPkeyAlloc, 0, c.args.flags)
		if err != nil || !ok {
			return err
		}
		c.Value, c.HasValue = key, true
		c.p.allocated |= 1 << key
		c.p.keys.Used = true
		c.s.readKeys(c.p)
		return nil
	},
	why: func(e *evidence) string {
		key := uint32(e.st.Value)
		text := fmt.Sprintf("Key %d is %s's: memory that has it may be %s.", key, e.st.Process, history.KeyText(e.keys, key))
		m, left := e.some(vmspace.Everything, func(m vmspace.Mapping) bool { return key != 0 && keyIn(m) == key })
		if left {
			return text + fmt.Sprintf(" %s has it already, from before it was freed.", place(e.st, m.Start))
		}
		return text + " None has it yet: pkey_mprotect gives it to a range."
	},
	reasons: []reason{
		noKeys("ENOSPC", "pkey_alloc(2)"),
		noKeys("EINVAL", "pkey_alloc(2)"), // its flags and rights are well
		{"ENOSPC", "none left", "pkey_alloc(2)", nil, func(e *evidence) string {
			return fmt.Sprintf("no key is left. The processor has %d, and key 0 is that of all memory without another; %s", vmspace.KeyCount, e.keysText())
		}},
	},
}
