package verb

import (
	"math"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Places and ranges become addresses here. A name that does not exist is a mistake in the line,
// found before anything runs.

// owner is the label of the process whose memory the places are in: the one that acts, if no
// argument names another.
func (c *Call) owner() string {
	if label, named := c.Cmd.Word("process"); named {
		return label
	}
	return c.P.Label
}

// bindingOf finds the range of a name in the owner: one that a command bound, or else a fixed name, or
// one that the program has.
func (c *Call) bindingOf(name string) (history.Binding, bool) {
	if b, ok := c.Names.Get(c.owner(), name); ok {
		return b, true
	}
	p := c.Space()
	if p == nil {
		return history.Binding{}, false
	}
	if m, ok := history.Fixed(p, name); ok || c.F.Named == nil {
		return history.Binding{Range: m.Range}, ok
	}
	r, ok := c.F.Named(p.Label, name)
	return history.Binding{Range: r}, ok
}

// Space is the owner as it was read last, nil where it is gone.
func (c *Call) Space() *vmspace.Process { return c.F.Now.Process(c.owner()) }

// PageSize is the size of a page, in bytes.
func (c *Call) PageSize() uint64 { return c.F.Now.PageSize }

// Place gives the address of a place argument, and the binding that it names.
func (c *Call) Place(param string) (addr uint64, b history.Binding, err error) {
	pl, ok := c.Cmd.Place(param)
	if !ok {
		return 0, b, nil
	}
	return c.locate(param, pl)
}

// locate returns the address of a place, and the binding that it names; param is for errors.
func (c *Call) locate(param string, pl lang.Place) (addr uint64, b history.Binding, err error) {
	if pl.IsName() {
		var ok bool
		if b, ok = c.bindingOf(pl.Name); !ok {
			hint := "there is no name yet: m maps memory and names it"
			if known := c.Names.Known(c.Space()); len(known) > 0 {
				hint = "there are: " + strings.Join(known[:min(len(known), 12)], ", ")
			}
			return 0, b, c.Cmd.ErrorIn(param, "nothing is called "+pl.Name+" in "+c.owner(), hint)
		}
	}
	addr, err = pl.Resolve(b.Start, c.PageSize())
	if err != nil {
		return 0, b, c.Cmd.ErrorIn(param, err.Error(), "addresses have 64 bits")
	}
	return addr, b, nil
}

// RangeOf returns the range of a range argument. Without a size it reaches to the end of the range
// of its name, or over one page. One that reaches past the last address wraps around 0, as for the
// kernel, which has an answer for it.
func (c *Call) RangeOf(param string) (vmspace.Range, error) {
	addr, b, err := c.Place(param)
	if err != nil {
		return vmspace.Range{}, err
	}
	r, _ := c.Cmd.Range(param)
	size := c.PageSize()
	switch {
	case r.HasSize:
		if size, err = r.Size.Eval(c.PageSize()); err != nil {
			return vmspace.Range{}, c.Cmd.ErrorIn(param, err.Error(), "")
		}
	case b.Contains(addr):
		size = b.End - addr
	}
	return vmspace.Range{Start: addr, End: addr + size}, nil
}

// Addresses is RangeOf for a caller that visits the addresses itself: it ends at the last one.
func (c *Call) Addresses(param string) (vmspace.Range, error) {
	r, err := c.RangeOf(param)
	if r.End < r.Start {
		r.End = math.MaxUint64
	}
	return r, err
}

// Quantity gives a quantity in bytes; otherwise is what it is when not given.
func (c *Call) Quantity(param string, otherwise uint64) (uint64, error) {
	q, ok := c.Cmd.Quantity(param)
	if !ok {
		return otherwise, nil
	}
	n, err := q.Eval(c.PageSize())
	if err != nil {
		return 0, c.Cmd.ErrorIn(param, err.Error(), "")
	}
	return n, nil
}

// Params that several verbs have.
var (
	ParamRange = lang.Param{Name: "range", Kind: lang.KindRange, Help: "which addresses: a name, or a place and how much of it"}
	ParamPlace = lang.Param{Name: "place", Kind: lang.KindPlace, Help: "where: a name with an offset, or an address"}
	paramProt  = lang.Param{Name: "prot", Kind: lang.KindProt, Default: "rw", Help: "what is allowed there"}
)
