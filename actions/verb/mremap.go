package verb

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var sysMremap = number(25, 216)

// The MREMAP_ flags of mremap(2).
const (
	mremapMaymove   = 1
	mremapFixed     = 2
	mremapDontunmap = 4
)

var mremapAction = Action{
	Verb: lang.Verb{Name: "mremap", Summary: "change the size of a mapping, or move it", Params: []lang.Param{ParamRange,
		{Name: "size", Kind: lang.KindQuantity, Default: "8p", Help: "the new size"},
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Default: "maymove", Words: []lang.Word{{Name: "maymove", Help: "it may get another address"}, {Name: "dontunmap", Help: "the old range stays mapped, empty"}}},
		{Name: "fixed", Kind: lang.KindOption, Optional: true, Key: "fixed", Of: lang.KindPlace, Help: "move it exactly there, replacing what is there"}}},
	Calls: []uintptr{sysMremap},
	Run:   runMremap,
}

func runMremap(c *Call) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	size, err := c.Quantity("size", 0)
	if err != nil {
		return err
	}
	to, _, err := c.Place("fixed")
	if err != nil {
		return err
	}
	flags, names := mremapFlags(c)
	c.Call = fmt.Sprintf("mremap(0x%x, %d, %d, %s", r.Start, r.Len(), size, names)
	if c.Cmd.Given("fixed") {
		c.Call += fmt.Sprintf(", 0x%x", to)
	}
	c.Call += ")"
	if !c.mayMove(r) {
		return nil
	}
	c.focus(r)
	ret, ok, err := c.syscall(sysMremap, r.Start, r.Len(), size, flags, to)
	if err != nil || !ok {
		return err
	}
	c.Value, c.HasValue = ret, true
	ps := c.PageSize()
	now := vmspace.Range{Start: ret, End: ret + (size+ps-1)&^(ps-1)}
	c.touch(vmspace.Range{Start: min(r.Start, now.Start), End: min(r.Start, now.Start) + max(r.Len(), now.Len())})
	c.focus(now)
	// A name follows its range, as a pointer does that is set to what mremap returned.
	if name, b, found := c.Names.Of(c.P.Label, r.Start); found && b.Start == r.Start {
		c.bind(name, history.Binding{Range: now, Step: c.F.Next})
	}
	return nil
}

func mremapFlags(c *Call) (bits uint64, names string) {
	var parts []string
	for _, f := range []struct {
		given bool
		bit   uint64
		name  string
	}{
		{c.Cmd.Has("maymove"), mremapMaymove, "MREMAP_MAYMOVE"},
		{c.Cmd.Given("fixed"), mremapFixed, "MREMAP_FIXED"},
		{c.Cmd.Has("dontunmap"), mremapDontunmap, "MREMAP_DONTUNMAP"},
	} {
		if f.given {
			bits |= f.bit
			parts = append(parts, f.name)
		}
	}
	if len(parts) == 0 {
		return 0, "0"
	}
	return bits, strings.Join(parts, "|")
}
