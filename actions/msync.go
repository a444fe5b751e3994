package actions

import (
	"fmt"
	"strings"

	"cowscope/actions/lang"
)

var msyncAction = Action{
	Verb: lang.Verb{Name: "msync", Summary: "write a shared file mapping back to its file", Params: []lang.Param{paramRange,
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Default: "sync", Words: []lang.Word{
			{Name: "sync", Help: "wait until it is written"}, {Name: "async", Help: "only schedule it"}, {Name: "invalidate", Help: "other mappings of the file must read anew"}}}}},
	run: func(c *call) error {
		r, err := c.rangeOf("range")
		if err != nil {
			return err
		}
		bits, parts := uint64(0), []string{}
		for _, f := range []struct {
			word, constant string
			bit            uint64
		}{{"async", "MS_ASYNC", 1}, {"invalidate", "MS_INVALIDATE", 2}, {"sync", "MS_SYNC", 4}} {
			if c.cmd.Has(f.word) {
				bits |= f.bit
				parts = append(parts, f.constant)
			}
		}
		if len(parts) == 0 {
			parts = []string{"0"}
		}
		c.Call = fmt.Sprintf("msync(0x%x, %d, %s)", r.Start, r.Len(), strings.Join(parts, "|"))
		c.focus(r)
		_, _, err = c.syscall(sysMsync, r.Start, r.Len(), bits)
		return err
	},
	why: func(st *Step, _ *call) string {
		return "What was changed in a shared file mapping is on its way to the file; other readers saw it before. Elsewhere there is nothing to write."
	},
	errnos: map[string]string{
		"EINVAL": "the address is not a multiple of the page size, or sync and async were asked for both",
		"ENOMEM": "part of the range is not mapped",
		"EBUSY":  "invalidate was asked for, and part of the range is locked",
	},
}
