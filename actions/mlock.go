package actions

import (
	"fmt"

	"cowscope/actions/lang"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

var wordOnfault = lang.Word{Name: "onfault", Help: "lock each page when it is first touched"}

var mlockAction = Action{
	Verb: lang.Verb{Name: "mlock", Summary: "fault a range in and keep it in memory", Params: []lang.Param{paramRange,
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Words: []lang.Word{wordOnfault}}}},
	calls: []uintptr{sysMlock, sysMlock2},
	run: func(c *call) error {
		r, err := c.rangeOf("range")
		if err != nil {
			return err
		}
		c.focus(r)
		if c.cmd.Has("onfault") {
			c.Call = fmt.Sprintf("mlock2(0x%x, %d, MLOCK_ONFAULT)", r.Start, r.Len())
			_, _, err = c.syscall(sysMlock2, r.Start, r.Len(), 1)
			return err
		}
		c.Call = fmt.Sprintf("mlock(0x%x, %d)", r.Start, r.Len())
		_, _, err = c.syscall(sysMlock, r.Start, r.Len())
		return err
	},
	why:     explainLock,
	reasons: mlockReasons,
}

var munlockAction = Action{
	Verb:  lang.Verb{Name: "munlock", Summary: "let a range be swapped out again", Params: []lang.Param{paramRange}},
	calls: []uintptr{sysMunlock},
	run: func(c *call) error {
		r, err := c.rangeOf("range")
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("munlock(0x%x, %d)", r.Start, r.Len())
		c.focus(r)
		_, _, err = c.syscall(sysMunlock, r.Start, r.Len())
		return err
	},
	why: func(*evidence) string {
		return "The pages stay where they are, and may be swapped out again."
	},
	reasons: munlockReasons,
}

// mlockallFlags are the MCL_ flags of mlockall(2).
var mlockallFlags = []constant{
	{"current", "MCL_CURRENT", 1, "what is mapped now"},
	{"future", "MCL_FUTURE", 2, "what will be mapped"},
	{wordOnfault.Name, "MCL_ONFAULT", 4, wordOnfault.Help},
}

var mlockallAction = Action{
	Verb: lang.Verb{Name: "mlockall", Summary: "lock the whole address space", Params: []lang.Param{
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Default: "current", Words: words(mlockallFlags)}}},
	calls: []uintptr{sysMlockall},
	flags: mlockallFlags,
	run: func(c *call) error {
		c.Call = fmt.Sprintf("mlockall(%s)", c.args.names)
		c.everything()
		_, ok, err := c.syscall(sysMlockall, c.args.flags)
		if ok {
			c.p.locksFuture = c.cmd.Has("future")
		}
		return err
	},
	why:     explainLock,
	reasons: mlockallReasons,
}

var munlockallAction = Action{
	Verb:  lang.Verb{Name: "munlockall", Summary: "unlock the whole address space"},
	calls: []uintptr{sysMunlockall},
	run: func(c *call) error {
		c.Call = "munlockall()"
		c.everything()
		_, ok, err := c.syscall(sysMunlockall)
		if ok {
			c.p.locksFuture = false
		}
		return err
	},
	why: func(*evidence) string { return "Nothing is locked any more." },
}

// explainLock says how many pages a lock brought in.
func explainLock(e *evidence) string {
	st := e.st
	n := uint64(0)
	for _, ch := range st.Changes {
		if ch.Process == st.Process && ch.Kind == vmspace.ChangePage && ch.Was == vmspace.None {
			n += ch.Pages
		}
	}
	switch {
	case e.has("onfault"):
		return "Each page is locked when it is first touched; none was brought in for it."
	case n > 0:
		return fmt.Sprintf("Locking means being there: %s faulted in at once, and will not be swapped out.", amount.Of(n, "page"))
	}
	return "The pages were there already, and will not be swapped out."
}
