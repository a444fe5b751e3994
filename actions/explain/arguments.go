package explain

import (
	"slices"

	"cowscope/vmspace"
)

// Arguments are the arguments of a command or a system call, as numbers, whoever made it.
type Arguments struct {
	Verb  string        // mmap
	Words []string      // the flags and choices that were given
	Flags uint64        // and their value
	Names string        // and their names as strace writes them
	Rest  uint64        // the bits of Flags without a word
	Args  []Argument    // the other arguments
	Prot  vmspace.Perms // the protection, as letters
	Given vmspace.Range // the range as given
	// Accesses says that an instruction of the process made an access, of kind Access.
	Accesses bool
	Access   vmspace.Access
	// LoadsFirst says that the instruction that stores loads the byte before: that can be a fault
	// of its own.
	LoadsFirst bool
}

// Argument is the value of one parameter: a size in bytes, an address, a descriptor, a protection
// key; or a text.
type Argument struct {
	Param  string
	Number uint64
	Text   string
}

// has says whether a flag or a choice was given.
func (a *Arguments) has(word string) bool { return slices.Contains(a.Words, word) }

// arg finds the argument of a parameter.
func (a *Arguments) arg(param string) (Argument, bool) {
	i := slices.IndexFunc(a.Args, func(x Argument) bool { return x.Param == param })
	if i < 0 {
		return Argument{}, false
	}
	return a.Args[i], true
}

// passed says whether the parameter has an argument.
func (a *Arguments) passed(param string) bool {
	_, ok := a.arg(param)
	return ok
}

// number is the argument of a parameter, 0 where there is none.
func (a *Arguments) number(param string) uint64 {
	x, _ := a.arg(param)
	return x.Number
}

// text is the argument of a parameter that takes a text, "" where there is none.
func (a *Arguments) text(param string) string {
	x, _ := a.arg(param)
	return x.Text
}

// Key is the argument of that name, as the kernel takes it: an int.
func (a *Arguments) Key() int32 { return int32(a.number("key")) }
