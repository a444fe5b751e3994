package verb

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"cowscope/actions/explain"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Arguments returns what the command asks for. A name that does not exist is an error of the action
// itself.
func (c *Call) Arguments() explain.Arguments {
	a := explain.Arguments{Verb: c.Cmd.Verb.Name}
	number, numbered := uint64(0), false
	if access := c.Action.Access; access != nil {
		a.Accesses, a.Access = true, access(c.Cmd)
		a.LoadsFirst = runtime.GOARCH == "arm64" && c.Action.LoadsFirst && a.Access == vmspace.Store
	}
	for _, x := range c.Cmd.Args {
		arg, kind := explain.Argument{Param: x.Param.Name}, x.Param.Kind
		if kind == lang.KindOption {
			kind = x.Param.Of
		}
		switch kind {
		case lang.KindFlags, lang.KindChoice:
			a.Words = append(a.Words, x.Text)
			continue
		case lang.KindConstant, lang.KindBits:
			n, isNumber := c.Cmd.Bits(arg.Param)
			if !isNumber {
				a.Words = append(a.Words, x.Text)
			}
			number, numbered = n, numbered || isNumber
			continue
		case lang.KindRange:
			a.Given, _ = c.RangeOf(arg.Param)
			continue
		case lang.KindProt:
			p, _ := c.Cmd.Prot(arg.Param)
			// The bits are the same: PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4.
			a.Prot = vmspace.Perms(p.Letters())
			arg.Number = uint64(p)
		case lang.KindPlace:
			arg.Number, _, _ = c.Place(arg.Param)
		case lang.KindQuantity, lang.KindContent, lang.KindLimit:
			arg.Number, _ = c.Quantity(arg.Param, 0)
		case lang.KindNodes:
			arg.Text = x.Text
		case lang.KindNumber:
			n, _ := c.Cmd.Number(arg.Param)
			arg.Number = uint64(n)
		case lang.KindText:
			text, _ := c.Cmd.Bytes(arg.Param)
			arg.Text = string(text)
		default:
			arg.Text, _ = c.Cmd.Word(arg.Param)
		}
		a.Args = append(a.Args, arg)
	}
	// An option can stand for a flag, as fixed= of mremap does.
	a.Flags, a.Names = bitsOf(c.Action.Flags, func(word string) bool { return c.Cmd.Has(word) || c.Cmd.Given(word) })
	var names []string
	found, rest := constantsIn(c.Action.Flags, c.Action.Fields, a.Flags|number)
	for _, k := range found {
		names = append(names, k.Name)
		if (numbered || c.Cmd.Given(k.Word)) && !slices.Contains(a.Words, k.Word) {
			a.Words = append(a.Words, k.Word)
		}
	}
	if !numbered {
		return a
	}
	if rest != 0 {
		names = append(names, fmt.Sprintf("%#x", rest))
	}
	a.Flags, a.Rest, a.Names = a.Flags|number, rest, cmp.Or(strings.Join(names, "|"), "0")
	return a
}
