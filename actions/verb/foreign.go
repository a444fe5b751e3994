package verb

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Foreign is a system call that a program made, with its arguments as the kernel got them.
type Foreign struct {
	Name string // as in the man pages
	Text string // as strace writes it, without the result
	// Touches is where it may have changed mappings or pages of the process; vmspace.Everything if
	// that is not known.
	Touches []vmspace.Range
	// Gives says that what it returns is an address.
	Gives bool
}

// A shape is how the arguments of one call are written.
type shape struct {
	nr    uintptr
	name  string
	args  []argument
	gives bool
	spans func(args [6]uint64, value uint64) []vmspace.Range // nil: everything
}

// argument writes one argument.
type argument func(n uint64) string

func asAddress(n uint64) string {
	if n == 0 {
		return "NULL"
	}
	return fmt.Sprintf("0x%x", n)
}

func asNumber(n uint64) string { return fmt.Sprint(n) }
func asInt(n uint64) string    { return fmt.Sprint(int32(n)) }
func asBits(n uint64) string   { return fmt.Sprintf("%#x", n) }
func asProt(n uint64) string   { return protText(lang.Prot(n)) }

// asFlags writes a number as the names of the constants in it.
func asFlags(table []Constant, fields ...uint64) argument {
	return func(n uint64) string {
		found, rest := constantsIn(table, fields, n)
		var names []string
		for _, k := range found {
			names = append(names, k.Name)
		}
		if rest != 0 || len(names) == 0 {
			names = append(names, fmt.Sprintf("%#x", rest))
		}
		if n == 0 && len(found) == 0 {
			return "0"
		}
		return strings.Join(names, "|")
	}
}

// theRange is where a call with a start and a length as its first arguments does something.
func theRange(a [6]uint64, _ uint64) []vmspace.Range { return spans(a[0], a[1]) }

func nowhere([6]uint64, uint64) []vmspace.Range { return []vmspace.Range{} }

// spans is the range of whole pages; the pages beside it are those of mappings that are split or
// merged there.
func spans(start, length uint64) []vmspace.Range {
	const most = 1 << 16 // the largest page size
	start &^= most - 1
	end := (start + length + 2*most - 1) &^ (most - 1)
	if end <= start {
		return []vmspace.Range{vmspace.Everything}
	}
	return []vmspace.Range{{Start: start, End: end}}
}

// foreign is the calls about memory and processes, as programs make them.
var foreign = []shape{
	{sysMmap, "mmap", []argument{asAddress, asNumber, asProt, asFlags(mmapFlags, mmapAction.Fields...), asInt, asNumber}, true,
		func(a [6]uint64, value uint64) []vmspace.Range { return spans(value, a[1]) }},
	{sysMunmap, "munmap", []argument{asAddress, asNumber}, false, theRange},
	{sysMprotect, "mprotect", []argument{asAddress, asNumber, asProt}, false, theRange},
	{sysMremap, "mremap", []argument{asAddress, asNumber, asNumber, asFlags(mremapAction.Flags), asAddress}, true,
		func(a [6]uint64, value uint64) []vmspace.Range {
			return append(spans(a[0], max(a[1], a[2])), spans(value, a[2])...)
		}},
	{sysMadvise, "madvise", []argument{asAddress, asNumber, asFlags(Advices, madviseAction.Fields...)}, false, theRange},
	{sysBrk, "brk", []argument{asAddress}, true, nil},
	{sysMsync, "msync", []argument{asAddress, asNumber, asFlags(msyncFlags)}, false, theRange},
	{sysMlock, "mlock", []argument{asAddress, asNumber}, false, theRange},
	{sysMlock2, "mlock2", []argument{asAddress, asNumber, asFlags(mlockFlags)}, false, theRange},
	{sysMunlock, "munlock", []argument{asAddress, asNumber}, false, theRange},
	{sysMlockall, "mlockall", []argument{asFlags(mlockallFlags)}, false, nil},
	{sysMunlockall, "munlockall", nil, false, nil},
	{sysMincore, "mincore", []argument{asAddress, asNumber, asAddress}, false, nowhere},
	{sysMseal, "mseal", []argument{asAddress, asNumber, asBits}, false, theRange},
	{number(237, 235), "mbind", []argument{asAddress, asNumber, asInt, asAddress, asNumber, asBits}, false, theRange},
	{number(279, 239), "move_pages", []argument{asInt, asNumber, asAddress, asAddress, asAddress, asBits}, false, nil},
	{number(216, 234), "remap_file_pages", []argument{asAddress, asNumber, asProt, asNumber, asBits}, false, theRange},
	{number(30, 196), "shmat", []argument{asInt, asAddress, asBits}, true, nil},
	{number(67, 197), "shmdt", []argument{asAddress}, false, nil},
	{number(319, 279), "memfd_create", []argument{asAddress, asFlags(append([]Constant{{"", "MFD_CLOEXEC", 1, ""}}, memfdFlags...))}, false, nowhere},
	{number(447, 447), "memfd_secret", []argument{asBits}, false, nowhere},
	{number(323, 282), "userfaultfd", []argument{asBits}, false, nowhere},
	{number(440, 440), "process_madvise", []argument{asInt, asAddress, asNumber, asFlags(Advices, madviseAction.Fields...), asBits}, false, nil},
	{number(330, 289), "pkey_alloc", []argument{asBits, asFlags(keyRights)}, false, nowhere},
	{number(331, 290), "pkey_free", []argument{asInt}, false, nowhere},
	{number(329, 288), "pkey_mprotect", []argument{asAddress, asNumber, asProt, asInt}, false, theRange},
	{number(56, 220), "clone", []argument{asBits}, false, nil},
	{number(435, 435), "clone3", []argument{asAddress, asNumber}, false, nil},
	{number(57, none), "fork", nil, false, nil},
	{number(58, none), "vfork", nil, false, nil},
	{number(59, 221), "execve", []argument{asAddress, asAddress, asAddress}, false, nil},
	{number(322, 281), "execveat", []argument{asInt, asAddress, asAddress, asAddress, asBits}, false, nil},
	{number(231, 94), "exit_group", []argument{asInt}, false, nil},
}

// none is the number of a call that an architecture has not.
const none = ^uintptr(0)

// ForeignNames are the calls that ForeignCall knows on this processor.
func ForeignNames() (names []string) {
	for _, s := range foreign {
		if s.nr != none {
			names = append(names, s.name)
		}
	}
	return names
}

// ForeignCall describes a call of the native table, by its number, its arguments and what it
// returned.
func ForeignCall(nr uint64, args [6]uint64, value uint64) Foreign {
	i := slices.IndexFunc(foreign, func(s shape) bool { return uint64(s.nr) == nr })
	if i < 0 {
		return Foreign{Name: fmt.Sprintf("syscall_%d", nr), Text: fmt.Sprintf("syscall_%d()", nr), Touches: []vmspace.Range{vmspace.Everything}}
	}
	s := foreign[i]
	f := Foreign{Name: s.name, Gives: s.gives, Touches: []vmspace.Range{vmspace.Everything}}
	var parts []string
	for k, write := range s.args {
		parts = append(parts, write(args[k]))
	}
	f.Text = s.name + "(" + strings.Join(parts, ", ") + ")"
	if s.spans != nil {
		f.Touches = s.spans(args, value)
	}
	return f
}
