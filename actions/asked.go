package actions

import (
	"cowscope/actions/explain"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// arguments gives what the command asks. What it names and is not there, the action complains about.
func (c *call) arguments() explain.Arguments {
	a := explain.Arguments{Verb: c.cmd.Verb.Name}
	for _, x := range c.cmd.Args {
		arg, kind := explain.Argument{Param: x.Param.Name}, x.Param.Kind
		if kind == lang.KindOption {
			kind = x.Param.Of
		}
		switch kind {
		case lang.KindFlags, lang.KindChoice:
			a.Words = append(a.Words, x.Text)
			continue
		case lang.KindRange:
			a.Given, _ = c.rangeOf(arg.Param)
			continue
		case lang.KindProt:
			p, _ := c.cmd.Prot(arg.Param)
			a.Prot = vmspace.Perms(p) // the same bits: PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4
			continue
		case lang.KindPlace:
			arg.Number, _, _ = c.place(arg.Param)
		case lang.KindQuantity:
			arg.Number, _ = c.quantity(arg.Param, 0)
		case lang.KindNumber:
			n, _ := c.cmd.Number(arg.Param)
			arg.Number = uint64(n)
		default:
			arg.Text, _ = c.cmd.Word(arg.Param)
		}
		a.Args = append(a.Args, arg)
	}
	a.Flags, a.Names = bitsOf(c.action.flags, c.cmd.Has)
	return a
}

// surroundings is what the session knows of a step that it has made.
func (s *Session) surroundings(st *history.Step, c *call) explain.Surroundings {
	program, _ := subject.Text()
	around := explain.Surroundings{Past: s.History(), File: c.opened, StoppedAt: c.ending.IP, Trapped: c.ending.Trap, Keys: c.P.Keys, Program: program,
		Allocated: c.P.Allocated, LocksFuture: c.P.LocksFuture, Child: c.child, Gone: c.P.Gone, Parent: c.P.Parent}
	if fd, given := c.cmd.Number("fd"); given && !st.OK() {
		around.File = explain.Descriptor(c.P.PID, fd)
	}
	return around
}
