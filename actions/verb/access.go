package verb

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// Loads and stores, executed by the subject itself, so that permission checks and faults are the
// CPU's.

var readAction = Action{
	Verb: lang.Verb{Name: "read", Summary: "the subject loads bytes, one by one", Params: []lang.Param{ParamPlace,
		{Name: "length", Kind: lang.KindQuantity, Optional: true, Default: "16", Help: "how many bytes; one if left out"}}},
	Access: always(vmspace.Load),
	Reach:  reaches(ReachPages),
	Run:    runRead,
}

// readLimit bounds how many bytes a read shows; the loads are done all the same.
const readLimit = 4096

func runRead(c *Call) error {
	addr, _, err := c.Place("place")
	if err != nil {
		return err
	}
	n, err := c.Quantity("length", 1)
	if err != nil {
		return err
	}
	r := vmspace.Range{Start: addr, End: max(addr+n, addr)}
	c.Call = fmt.Sprintf("load %s ← 0x%x", amount.Bytes(n), addr)
	c.focus(r)
	e, err := c.P.Proc.Load(addr, n)
	if err != nil {
		return err
	}
	c.settle(e)
	if e.Done > 0 {
		if c.Bytes, err = c.F.Present(c.P, addr, min(e.Done, readLimit)); err != nil {
			return fmt.Errorf("the bytes that %s loaded cannot be shown: %w", c.P.Label, err)
		}
	}
	return nil
}

var writeAction = Action{
	Verb: lang.Verb{Name: "write", Summary: "the subject stores a text or a byte", Params: []lang.Param{ParamPlace,
		{Name: "value", Kind: lang.KindValue, Default: `"hello"`, Help: `a "text", or a byte: 0x41 or 65`}}},
	Access: always(vmspace.Store),
	Reach:  reaches(ReachPages),
	Run: func(c *Call) error {
		addr, _, err := c.Place("place")
		if err != nil {
			return err
		}
		b, _ := c.Cmd.Bytes("value")
		c.Call = fmt.Sprintf("store %s → 0x%x", valueText(b), addr)
		c.focus(vmspace.Range{Start: addr, End: addr + max(uint64(len(b)), 1)})
		e, err := c.P.Proc.Store(addr, b)
		return c.ended(e, err)
	},
}

var touchAction = Action{
	Verb: lang.Verb{Name: "touch", Summary: "one access to each page; a write access keeps the data", Params: []lang.Param{ParamRange,
		{Name: "access", Kind: lang.KindChoice, Optional: true, Words: []lang.Word{{Name: "read", Help: "load a byte of each page (default)"}, {Name: "write", Help: "write-access each page, keeping its bytes"}}}}},
	Access: func(cmd *lang.Command) vmspace.Access {
		if cmd.Has("write") {
			return vmspace.Store
		}
		return vmspace.Load
	},
	LoadsFirst: true,
	Reach:      reaches(ReachPages),
	Run: func(c *Call) error {
		r, err := c.Addresses("range")
		if err != nil {
			return err
		}
		write := c.Cmd.Has("write")
		word := map[bool]string{false: "load", true: "store"}[write]
		c.Call = fmt.Sprintf("%s 1 byte in each page, %s from 0x%x", word, amount.Of(r.Pages(c.PageSize()), "page"), r.Start)
		c.focus(r)
		if r.Empty() {
			c.Result = history.OK
			return nil
		}
		e, err := c.P.Proc.Touch(r.Start, r.Pages(c.PageSize()), c.PageSize(), write)
		return c.ended(e, err)
	},
}

var fillAction = Action{
	Verb: lang.Verb{Name: "fill", Summary: "the subject stores one byte over a whole range", Params: []lang.Param{ParamRange,
		{Name: "byte", Kind: lang.KindByte, Default: "0xff", Help: "0 to 255"}}},
	Access: always(vmspace.Store),
	Reach:  reaches(ReachPages),
	Run: func(c *Call) error {
		r, err := c.Addresses("range")
		if err != nil {
			return err
		}
		b, _ := c.Cmd.Byte("byte")
		c.Call = fmt.Sprintf("store 0x%02x → 0x%x, %s", b, r.Start, amount.Bytes(r.Len()))
		c.focus(r)
		e, err := c.P.Proc.Fill(r.Start, r.Len(), b)
		return c.ended(e, err)
	},
}

func (c *Call) ended(e subject.Ending, err error) error {
	if err == nil {
		c.settle(e)
	}
	return err
}

// valueText writes a stored value: 0x02, "hello", or the beginning of a long text.
func valueText(b []byte) string {
	switch {
	case len(b) == 1:
		return fmt.Sprintf("0x%02x", b[0])
	case len(b) > 32:
		return fmt.Sprintf("%q… (%d bytes)", b[:24], len(b))
	}
	return fmt.Sprintf("%q", b)
}
