package verb

import (
	"fmt"

	"cowscope/actions/lang"
)

var (
	sysMlock      = number(149, 228)
	sysMlock2     = number(325, 284)
	sysMunlock    = number(150, 229)
	sysMlockall   = number(151, 230)
	sysMunlockall = number(152, 231)
)

// mlockFlags are the MLOCK_ flags of mlock2(2); mlock has none.
var mlockFlags = []Constant{{wordOnfault.Name, "MLOCK_ONFAULT", 1, wordOnfault.Help}}

var wordOnfault = lang.Word{Name: "onfault", Help: "lock each page when it is first touched"}

var mlockAction = Action{
	Verb: lang.Verb{Name: "mlock", Summary: "fault a range in and keep it in memory", Params: []lang.Param{ParamRange,
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Words: words(mlockFlags)}, paramIntBits}},
	Calls: []uintptr{sysMlock, sysMlock2},
	Flags: mlockFlags,
	Run: func(c *Call) error {
		if c.Cmd.Has("onfault") || c.Cmd.Given("bits") {
			return withFlags("mlock2", sysMlock2)(c)
		}
		return c.onRange("mlock", sysMlock, "")
	},
}

var munlockAction = Action{
	Verb:  lang.Verb{Name: "munlock", Summary: "let a range be swapped out again", Params: []lang.Param{ParamRange}},
	Calls: []uintptr{sysMunlock},
	Run:   func(c *Call) error { return c.onRange("munlock", sysMunlock, "") },
}

const mclFuture = 2

// mlockallFlags are the MCL_ flags of mlockall(2).
var mlockallFlags = []Constant{
	{"current", "MCL_CURRENT", 1, "what is mapped now"},
	{"future", "MCL_FUTURE", mclFuture, "what will be mapped"},
	{wordOnfault.Name, "MCL_ONFAULT", 4, wordOnfault.Help},
}

var mlockallAction = Action{
	Verb: lang.Verb{Name: "mlockall", Summary: "lock the whole address space", Params: []lang.Param{
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Default: "current", Words: words(mlockallFlags)}, paramIntBits}},
	Calls: []uintptr{sysMlockall},
	Flags: mlockallFlags,
	Run: func(c *Call) error {
		c.Call = fmt.Sprintf("mlockall(%s)", c.Args.Names)
		c.everything()
		_, ok, err := c.syscall(sysMlockall, c.Args.Flags)
		if ok {
			c.P.LocksFuture = c.Args.Flags&mclFuture != 0
		}
		return err
	},
}

var munlockallAction = Action{
	Verb:  lang.Verb{Name: "munlockall", Summary: "unlock the whole address space"},
	Calls: []uintptr{sysMunlockall},
	Run: func(c *Call) error {
		c.Call = "munlockall()"
		c.everything()
		_, ok, err := c.syscall(sysMunlockall)
		if ok {
			c.P.LocksFuture = false
		}
		return err
	},
}
