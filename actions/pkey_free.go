package actions

import (
	"fmt"

	"cowscope/actions/lang"
)

var pkeyFreeAction = Action{
	Verb:  lang.Verb{Name: "pkey_free", Summary: "give a protection key back", Params: []lang.Param{paramKey}},
	calls: []uintptr{sysPkeyFree},
	run: func(c *call) error {
		key := c.args.Key()
		c.Call = fmt.Sprintf("pkey_free(%d)", key)
		_, ok, err := c.syscall(sysPkeyFree, uint64(key))
		if ok {
			c.P.Allocated &^= 1 << key
			c.P.Keys.Used = true
		}
		return err
	},
}
