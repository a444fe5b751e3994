package actions

import (
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// arguments are what a command or a system call was given, in numbers. Who asked does not matter.
type arguments struct {
	verb  string        // mmap
	words []string      // the flags and choices that were given
	flags uint64        // and what they are together
	names string        // and what strace would write
	args  []argument    // the other arguments
	prot  vmspace.Perms // the protection, as letters
	given vmspace.Range // the range as it was written
}

// argument is the value of one parameter: a size in bytes, an address, a descriptor, a protection key; or a text.
type argument struct {
	param  string
	number uint64
	text   string
}

// has says whether a flag or a choice was given.
func (a *arguments) has(word string) bool { return slices.Contains(a.words, word) }

// arg finds the argument of a parameter.
func (a *arguments) arg(param string) (argument, bool) {
	i := slices.IndexFunc(a.args, func(x argument) bool { return x.param == param })
	if i < 0 {
		return argument{}, false
	}
	return a.args[i], true
}

// passed says whether the parameter has an argument.
func (a *arguments) passed(param string) bool {
	_, ok := a.arg(param)
	return ok
}

// number is the argument of a parameter, 0 where there is none.
func (a *arguments) number(param string) uint64 {
	x, _ := a.arg(param)
	return x.number
}

// text is the argument of a parameter that takes a text, "" where there is none.
func (a *arguments) text(param string) string {
	x, _ := a.arg(param)
	return x.text
}

// key is the argument of that name, as the kernel takes it: an int.
func (a *arguments) key() int32 { return int32(a.number("key")) }

// arguments gives what the command asks. What it names and is not there, the action complains about.
func (c *call) arguments() arguments {
	a := arguments{verb: c.cmd.Verb.Name}
	for _, x := range c.cmd.Args {
		arg, kind := argument{param: x.Param.Name}, x.Param.Kind
		if kind == lang.KindOption {
			kind = x.Param.Of
		}
		switch kind {
		case lang.KindFlags, lang.KindChoice:
			a.words = append(a.words, x.Text)
			continue
		case lang.KindRange:
			a.given, _ = c.rangeOf(arg.param)
			continue
		case lang.KindProt:
			p, _ := c.cmd.Prot(arg.param)
			a.prot = vmspace.Perms(p) // the same bits: PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4
			continue
		case lang.KindPlace:
			arg.number, _, _ = c.place(arg.param)
		case lang.KindQuantity:
			arg.number, _ = c.quantity(arg.param, 0)
		case lang.KindNumber:
			n, _ := c.cmd.Number(arg.param)
			arg.number = uint64(n)
		default:
			arg.text, _ = c.cmd.Word(arg.param)
		}
		a.args = append(a.args, arg)
	}
	a.flags, a.names = bitsOf(c.action.flags, a.has)
	return a
}

// surroundings is what the session knows of a step that it has made.
func (c *call) surroundings(st *history.Step) surroundings {
	around := surroundings{past: c.s.History(), file: c.opened, stoppedAt: c.ending.IP, trapped: c.ending.Trap, keys: c.p.keys,
		allocated: c.p.allocated, locksFuture: c.p.locksFuture, child: c.child, gone: c.p.gone, parent: c.p.Parent}
	if !st.OK() && c.args.passed("fd") {
		around.file = openFileFacts(c.p.PID, int64(c.args.number("fd")))
	}
	return around
}
