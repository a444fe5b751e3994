package verb

import (
	"cowscope/actions/explain"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Arguments gives what the command asks. What it names and is not there, the action complains
// about.
func (c *Call) Arguments() explain.Arguments {
	a := explain.Arguments{Verb: c.Cmd.Verb.Name}
	for _, x := range c.Cmd.Args {
		arg, kind := explain.Argument{Param: x.Param.Name}, x.Param.Kind
		if kind == lang.KindOption {
			kind = x.Param.Of
		}
		switch kind {
		case lang.KindFlags, lang.KindChoice:
			a.Words = append(a.Words, x.Text)
			continue
		case lang.KindRange:
			a.Given, _ = c.RangeOf(arg.Param)
			continue
		case lang.KindProt:
			p, _ := c.Cmd.Prot(arg.Param)
			a.Prot = vmspace.Perms(p) // the same bits: PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4
			continue
		case lang.KindPlace:
			arg.Number, _, _ = c.Place(arg.Param)
		case lang.KindQuantity:
			arg.Number, _ = c.Quantity(arg.Param, 0)
		case lang.KindNumber:
			n, _ := c.Cmd.Number(arg.Param)
			arg.Number = uint64(n)
		default:
			arg.Text, _ = c.Cmd.Word(arg.Param)
		}
		a.Args = append(a.Args, arg)
	}
	a.Flags, a.Names = bitsOf(c.Action.Flags, c.Cmd.Has)
	return a
}
