package verb

import (
	"fmt"
	"slices"

	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var sysMremap = number(25, 216)

// mremapFlags are the MREMAP_ flags of mremap(2) that are words; fixed= stands for the third.
var (
	mremapFlags = []Constant{
		{"maymove", "MREMAP_MAYMOVE", 1, "it may get another address"},
		{"dontunmap", "MREMAP_DONTUNMAP", 4, "the old range stays mapped, empty"},
	}
	mremapFixed = Constant{"fixed", "MREMAP_FIXED", 2, ""}
)

var mremapAction = Action{
	Verb: lang.Verb{Name: "mremap", Summary: "change the size of a mapping, or move it", Params: []lang.Param{ParamRange,
		{Name: "size", Kind: lang.KindQuantity, Default: "8p", Help: "the new size"},
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Default: "maymove", Words: words(mremapFlags)},
		{Name: "fixed", Kind: lang.KindOption, Optional: true, Key: "fixed", Of: lang.KindPlace, Help: "move it exactly there, replacing what is there"},
		paramBits}},
	Calls: []uintptr{sysMremap},
	Flags: slices.Insert(slices.Clone(mremapFlags), 1, mremapFixed),
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
	c.Call = fmt.Sprintf("mremap(0x%x, %d, %d, %s", r.Start, r.Len(), size, c.Args.Names)
	if c.Args.Flags&mremapFixed.Value != 0 {
		c.Call += fmt.Sprintf(", 0x%x", to)
	}
	c.Call += ")"
	if !c.mayMove(r) {
		return nil
	}
	c.focus(r)
	c.F.ProtectedMoved = c.F.ProtectedMoved || c.F.WriteTracked && c.tracked(r)
	ret, ok, err := c.syscall(sysMremap, r.Start, r.Len(), size, c.Args.Flags, to)
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
		c.bind(name, now, c.Names.Given(c.P.Label, name))
	}
	return nil
}

// tracked reports whether some of the range is registered with userfaultfd, or may be where smaps
// was not read. Memory that was registered for write protection, and then for missing pages alone,
// keeps the protection.
func (c *Call) tracked(r vmspace.Range) bool {
	p := c.Space()
	if p == nil {
		return true
	}
	lo, hi := p.Mappings.Overlap(r)
	return slices.ContainsFunc(p.Mappings.Slice(lo, hi), func(m vmspace.Mapping) bool {
		return m.Smaps == nil || m.Smaps.HasFlag("um") || m.Smaps.HasFlag("uw") || m.Smaps.HasFlag("ui")
	})
}
