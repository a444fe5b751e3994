package verb

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
)

var sysPrctl = number(157, 167)

// The options of prctl(2) that are about memory (include/uapi/linux/prctl.h). Each is a verb of two
// words; the subject cannot use others.
const (
	prSetTHPDisable  = 41
	prSetMDWE        = 65
	prSetMemoryMerge = 67
)

func paramSwitch(on, off string) lang.Param {
	return lang.Param{Name: "switch", Kind: lang.KindChoice, Default: "on", Help: "on or off", Words: []lang.Word{{Name: "on", Help: on}, {Name: "off", Help: off}}}
}

var prctlKSMAction = Action{
	Verb: lang.Verb{Name: "prctl ksm", Summary: "let KSM merge equal pages of all memory of the process", Params: []lang.Param{
		paramSwitch("as if all of it were advised mergeable", "separate what was merged")}},
	Calls: []uintptr{sysPrctl},
	Only:  []uint32{prSetMemoryMerge},
	Run: func(c *Call) error {
		c.everything()
		ok, err := c.prctl(prSetMemoryMerge, c.switchValue("on"), fmt.Sprintf("PR_SET_MEMORY_MERGE, %d", c.switchValue("on")))
		if ok {
			c.P.Merges = c.Cmd.Has("on")
		}
		return err
	},
}

// The switch of the kernel is inverted: PR_SET_THP_DISABLE.
var prctlTHPAction = Action{
	Verb: lang.Verb{Name: "prctl thp", Summary: "let the process have transparent huge pages, or none", Params: []lang.Param{
		paramSwitch("huge pages, as the machine and madvise allow", "no more huge pages, whatever madvise asks for")}},
	Calls: []uintptr{sysPrctl},
	Only:  []uint32{prSetTHPDisable},
	Run: func(c *Call) error {
		_, err := c.prctl(prSetTHPDisable, c.switchValue("off"), fmt.Sprintf("PR_SET_THP_DISABLE, %d", c.switchValue("off")))
		return err
	},
}

// mdweFlags are the bits of PR_SET_MDWE. The first is always given, and has no word.
var mdweFlags = []Constant{
	{"", "PR_MDWE_REFUSE_EXEC_GAIN", history.MDWERefuseExecGain, ""},
	{"no_inherit", "PR_MDWE_NO_INHERIT", history.MDWENoInherit, "children do not inherit it"},
}

var prctlMDWEAction = Action{
	Verb: lang.Verb{Name: "prctl mdwe", Summary: "forbid for ever that memory becomes executable (memory-deny-write-execute)", Params: []lang.Param{
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Words: words(mdweFlags[1:])}}},
	Calls: []uintptr{sysPrctl},
	Only:  []uint32{prSetMDWE},
	Run: func(c *Call) error {
		bits, names := bitsOf(mdweFlags, func(word string) bool { return word == "" || c.Cmd.Has(word) })
		ok, err := c.prctl(prSetMDWE, bits, "PR_SET_MDWE, "+names)
		if ok {
			c.P.MDWE = bits
		}
		return err
	},
}

// prctl makes a call whose only argument is a number. The kernel wants the others to be 0.
func (c *Call) prctl(option, value uint64, shown string) (ok bool, err error) {
	c.Call = fmt.Sprintf("prctl(%s, 0, 0, 0)", shown)
	_, ok, err = c.syscall(sysPrctl, option, value, 0, 0, 0)
	return ok, err
}

// switchValue is 1 if the word was given, else 0.
func (c *Call) switchValue(word string) uint64 {
	if c.Cmd.Has(word) {
		return 1
	}
	return 0
}
