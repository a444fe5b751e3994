package actions

import (
	"fmt"

	"cowscope/actions/lang"
)

var pkeyAllocAction = Action{
	Verb:  lang.Verb{Name: "pkey_alloc", Summary: "get a protection key, and the rights that go with it", Params: []lang.Param{paramKeyRights}},
	calls: []uintptr{sysPkeyAlloc},
	flags: keyRights,
	run: func(c *call) error {
		c.Call = fmt.Sprintf("pkey_alloc(0, %s)", c.args.Names)
		key, ok, err := c.syscall(sysPkeyAlloc, 0, c.args.Flags)
		if err != nil || !ok {
			return err
		}
		c.Value, c.HasValue = key, true
		c.P.Allocated |= 1 << key
		c.P.Keys.Used = true
		c.f.ReadKeys(c.P)
		return nil
	},
}
