package actions

import (
	"errors"
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// pkey_set is the C library's pkey_set(3), and no system call: the subject reads PKRU, changes the two bits
// of one key, and writes it.
var pkeySetAction = Action{
	Verb: lang.Verb{Name: "pkey_set", Summary: "change the rights that go with a protection key", Params: []lang.Param{
		{Name: "key", Kind: lang.KindNumber, Show: "KEY", Default: "1", Max: vmspace.KeyCount - 1, Help: "a protection key, allocated or not"},
		paramKeyRights}},
	flags: keyRights,
	run:   runPkeySet,
}

func runPkeySet(c *call) error {
	shift := 2 * c.args.Key()
	c.Call = "RDPKRU"
	was, e, err := c.P.Proc.Rights()
	if errors.Is(err, subject.ErrNoRights) {
		c.Result, c.note = history.Refused, "cowscope sets the rights to protection keys of x86-64 (PKRU) only, and this is another architecture."
		return nil
	}
	if err != nil || !e.OK() {
		return c.ended(e, err)
	}
	want := was&^(3<<shift) | uint32(c.args.Flags)<<shift
	c.Call = fmt.Sprintf("WRPKRU 0x%08x → 0x%08x", was, want)
	e, err = c.P.Proc.SetRights(want)
	if err == nil && e.OK() {
		c.P.Keys = vmspace.Keys{PKRU: want, Known: true, Used: true}
	}
	return c.ended(e, err)
}
