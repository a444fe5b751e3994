package verb

import (
	"errors"
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

var (
	sysPkeyAlloc    = number(330, 289)
	sysPkeyFree     = number(331, 290)
	sysPkeyMprotect = number(329, 288)
)

// What the verbs of protection keys share (pkeys(7)).
//
// Rules: smaps shows the key of a mapping. Only the process itself can read the rights to its keys:
// it does so at its start, and after everything that may have changed them: the pkey_ verbs,
// foreign code, a fork, and memory with PROT_EXEC alone, for which the kernel allocates a key. No
// file shows which keys a process has allocated: its pkey_alloc and pkey_free do, because foreign
// code cannot call the kernel.

// keyRights are the rights that can be taken from a key (pkey_alloc(2)); PKRU has the same two
// bits.
var keyRights = []Constant{
	{"access", "PKEY_DISABLE_ACCESS", vmspace.KeyDisableAccess, "forbid loads and stores"},
	{"write", "PKEY_DISABLE_WRITE", vmspace.KeyDisableWrite, "forbid stores"},
}

var (
	paramKey       = lang.Param{Name: "key", Kind: lang.KindNumber, Show: "KEY", Default: "1", Help: "a protection key, as pkey_alloc gave it"}
	paramKeyRights = lang.Param{Name: "rights", Kind: lang.KindFlags, Optional: true, Words: words(keyRights), Help: "what is forbidden; without a word, nothing is"}
)

var pkeyAllocAction = Action{
	Verb:  lang.Verb{Name: "pkey_alloc", Summary: "get a protection key, and the rights that go with it", Params: []lang.Param{paramKeyRights}},
	Calls: []uintptr{sysPkeyAlloc},
	Flags: keyRights,
	Run: func(c *Call) error {
		c.Call = fmt.Sprintf("pkey_alloc(0, %s)", c.Args.Names)
		key, ok, err := c.syscall(sysPkeyAlloc, 0, c.Args.Flags)
		if err != nil || !ok {
			return err
		}
		c.Value, c.HasValue = key, true
		c.P.Allocated |= 1 << key
		c.P.Keys.Used = true
		c.F.ReadKeys(c.P)
		return nil
	},
}

var pkeyFreeAction = Action{
	Verb:  lang.Verb{Name: "pkey_free", Summary: "give a protection key back", Params: []lang.Param{paramKey}},
	Calls: []uintptr{sysPkeyFree},
	Run: func(c *Call) error {
		key := c.Args.Key()
		c.Call = fmt.Sprintf("pkey_free(%d)", key)
		_, ok, err := c.syscall(sysPkeyFree, uint64(key))
		if ok {
			c.P.Allocated &^= 1 << key
			c.P.Keys.Used = true
		}
		return err
	},
}

var pkeyMprotectAction = Action{
	Verb: lang.Verb{Name: "pkey_mprotect", Summary: "change what is allowed in a range, and its protection key",
		Params: []lang.Param{ParamRange, paramProt, paramKey}},
	Calls: []uintptr{sysPkeyMprotect},
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil {
			return err
		}
		prot, _ := c.Cmd.Prot("prot")
		key := c.Args.Key()
		c.Call = fmt.Sprintf("pkey_mprotect(0x%x, %d, %s, %d)", r.Start, r.Len(), protText(prot), key)
		c.focus(r)
		c.P.Keys.Used = true // a call that is refused can have come to a part of the range
		c.F.Reprotected = true
		_, _, err = c.syscall(sysPkeyMprotect, r.Start, r.Len(), uint64(prot), uint64(key))
		c.F.ReadKeys(c.P)
		return err
	},
}

// pkey_set is the C library's pkey_set(3), and no system call: the subject reads PKRU, changes the
// two bits of one key, and writes it.
var pkeySetAction = Action{
	Own: true,
	Verb: lang.Verb{Name: "pkey_set", Summary: "change the rights that go with a protection key", Params: []lang.Param{
		{Name: "key", Kind: lang.KindNumber, Show: "KEY", Default: "1", Max: vmspace.KeyCount - 1, Help: "a protection key, allocated or not"},
		paramKeyRights}},
	Flags: keyRights,
	Run:   runPkeySet,
}

func runPkeySet(c *Call) error {
	shift := 2 * c.Args.Key()
	c.Call = "RDPKRU"
	was, e, err := c.P.Subject().Rights()
	if errors.Is(err, subject.ErrNoRights) {
		c.Result, c.Note = history.Refused, "cowscope sets the rights to protection keys of x86-64 (PKRU) only, and this is another architecture."
		return nil
	}
	if err != nil || !e.OK() {
		return c.ended(e, err)
	}
	want := was&^(3<<shift) | uint32(c.Args.Flags)<<shift
	c.Call = fmt.Sprintf("WRPKRU 0x%08x → 0x%08x", was, want)
	e, err = c.P.Subject().SetRights(want)
	if err == nil && e.OK() {
		c.P.Keys = vmspace.Keys{PKRU: want, Known: true, Used: true}
	}
	return c.ended(e, err)
}
