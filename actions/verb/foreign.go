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
	// Own is what it is about, in the bytes that it was given; of mremap, the range before and after.
	Own []vmspace.Range
	// Touches is where it may have changed mappings or pages of the process; vmspace.Everything if
	// that is not known.
	Touches []vmspace.Range
	// Gives says that what it returns is an address.
	Gives bool
	// Line is the command of the lab that makes the same call; "" where there is none.
	Line string
}

// A shape is how the arguments of one call are written.
type shape struct {
	nr    uintptr
	name  string
	args  []argument
	gives bool
	own   func(args [6]uint64, value uint64) []vmspace.Range // nil: not known
	line  func(args [6]uint64) string                        // nil: the lab has no such command
}

// lineOf is the line of a command whose first arguments are a start and a length: more is how the
// other arguments are written, in turn.
func lineOf(verb string, more ...string) func([6]uint64) string {
	return func(a [6]uint64) string {
		line := fmt.Sprintf("%s %#x %d", verb, a[0], a[1])
		for i, format := range more {
			line += " " + fmt.Sprintf(format, a[2+i])
		}
		return line
	}
}

// mmapLine leaves out what is not given, as a person does.
func mmapLine(a [6]uint64) string {
	line := fmt.Sprintf("mmap %d %#x flags=%#x", a[1], a[2], a[3])
	if a[0] != 0 {
		line += fmt.Sprintf(" addr=%#x", a[0])
	}
	if int32(a[4]) >= 0 && a[3]&mapAnonymous == 0 {
		line += fmt.Sprintf(" fd=%d", int32(a[4]))
	}
	if a[5] != 0 {
		line += fmt.Sprintf(" offset=%d", a[5])
	}
	return line
}

func mremapLine(a [6]uint64) string {
	line := fmt.Sprintf("mremap %#x %d %d flags=%#x", a[0], a[1], a[2], a[3])
	if a[3]&mremapFixed.Value != 0 {
		line += fmt.Sprintf(" fixed=%#x", a[4])
	}
	return line
}

const mapAnonymous = 0x20 // MAP_ANONYMOUS (mmap(2))

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

// theRange is what a call with a start and a length as its first arguments is about.
func theRange(a [6]uint64, _ uint64) []vmspace.Range { return bytesAt(a[0], a[1]) }

func nowhere([6]uint64, uint64) []vmspace.Range { return []vmspace.Range{} }

func bytesAt(start, length uint64) []vmspace.Range {
	if start == 0 || start+length < start {
		return []vmspace.Range{}
	}
	return []vmspace.Range{{Start: start, End: start + length}}
}

// around is whole pages, and the pages beside them: those of mappings that are split or merged there.
func around(r vmspace.Range) vmspace.Range {
	const most = 1 << 16 // the largest page size
	start, end := r.Start&^(most-1), (r.End+2*most-1)&^(most-1)
	if end <= start {
		return vmspace.Everything
	}
	return vmspace.Range{Start: start, End: end}
}

// foreign is the calls about memory and processes, as programs make them.
var foreign = []shape{
	{sysMmap, "mmap", []argument{asAddress, asNumber, asProt, asFlags(mmapFlags, mmapAction.Fields...), asInt, asNumber}, true,
		func(a [6]uint64, value uint64) []vmspace.Range { return bytesAt(value, a[1]) }, mmapLine},
	{sysMunmap, "munmap", []argument{asAddress, asNumber}, false, theRange, lineOf("munmap")},
	{sysMprotect, "mprotect", []argument{asAddress, asNumber, asProt}, false, theRange, lineOf("mprotect", "%#x")},
	{sysMremap, "mremap", []argument{asAddress, asNumber, asNumber, asFlags(mremapAction.Flags), asAddress}, true,
		func(a [6]uint64, value uint64) []vmspace.Range {
			return append(bytesAt(a[0], max(a[1], a[2])), bytesAt(value, a[2])...)
		}, mremapLine},
	{sysMadvise, "madvise", []argument{asAddress, asNumber, asFlags(Advices, madviseAction.Fields...)}, false, theRange, lineOf("madvise", "%d")},
	{sysBrk, "brk", []argument{asAddress}, true, nil, nil},
	{sysMsync, "msync", []argument{asAddress, asNumber, asFlags(msyncFlags)}, false, theRange, lineOf("msync", "flags=%d")},
	{sysMlock, "mlock", []argument{asAddress, asNumber}, false, theRange, lineOf("mlock")},
	{sysMlock2, "mlock2", []argument{asAddress, asNumber, asFlags(mlockFlags)}, false, theRange, lineOf("mlock", "flags=%d")},
	{sysMunlock, "munlock", []argument{asAddress, asNumber}, false, theRange, lineOf("munlock")},
	{sysMlockall, "mlockall", []argument{asFlags(mlockallFlags)}, false, nil, nil},
	{sysMunlockall, "munlockall", nil, false, nil, nil},
	{sysMincore, "mincore", []argument{asAddress, asNumber, asAddress}, false, nowhere, nil},
	{sysMseal, "mseal", []argument{asAddress, asNumber, asBits}, false, theRange, nil},
	{number(237, 235), "mbind", []argument{asAddress, asNumber, asInt, asAddress, asNumber, asBits}, false, theRange, nil},
	{number(279, 239), "move_pages", []argument{asInt, asNumber, asAddress, asAddress, asAddress, asBits}, false, nil, nil},
	{number(216, 234), "remap_file_pages", []argument{asAddress, asNumber, asProt, asNumber, asBits}, false, theRange, nil},
	{number(30, 196), "shmat", []argument{asInt, asAddress, asBits}, true, nil, nil},
	{number(67, 197), "shmdt", []argument{asAddress}, false, nil, nil},
	{number(319, 279), "memfd_create", []argument{asAddress, asFlags(append([]Constant{{"", "MFD_CLOEXEC", 1, ""}}, memfdFlags...))}, false, nowhere, nil},
	{number(447, 447), "memfd_secret", []argument{asBits}, false, nowhere, nil},
	{number(323, 282), "userfaultfd", []argument{asBits}, false, nowhere, nil},
	{number(440, 440), "process_madvise", []argument{asInt, asAddress, asNumber, asFlags(Advices, madviseAction.Fields...), asBits}, false, nil, nil},
	{number(330, 289), "pkey_alloc", []argument{asBits, asFlags(keyRights)}, false, nowhere, nil},
	{number(331, 290), "pkey_free", []argument{asInt}, false, nowhere, nil},
	{number(329, 288), "pkey_mprotect", []argument{asAddress, asNumber, asProt, asInt}, false, theRange, nil},
	{number(56, 220), "clone", []argument{asBits}, false, nil, nil},
	{number(435, 435), "clone3", []argument{asAddress, asNumber}, false, nil, nil},
	{number(57, none), "fork", nil, false, nil, nil},
	{number(58, none), "vfork", nil, false, nil, nil},
	{number(59, 221), "execve", []argument{asAddress, asAddress, asAddress}, false, nil, nil},
	{number(322, 281), "execveat", []argument{asInt, asAddress, asAddress, asAddress, asBits}, false, nil, nil},
	{number(231, 94), "exit_group", []argument{asInt}, false, nil, nil},
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
	if s.own != nil {
		f.Own, f.Touches = s.own(args, value), nil
		for _, r := range f.Own {
			f.Touches = append(f.Touches, around(r))
		}
	}
	if s.line != nil {
		f.Line = s.line(args)
	}
	return f
}

// compat is the calls of the 32-bit table of an amd64 kernel that programs are stopped at
// (arch/x86/entry/syscalls/syscall_32.tbl), by their numbers.
var compat = map[uint64]string{
	90: "mmap", 192: "mmap2", 91: "munmap", 125: "mprotect", 163: "mremap", 219: "madvise", 45: "brk", 144: "msync", 150: "mlock", 376: "mlock2",
	151: "munlock", 152: "mlockall", 153: "munlockall", 218: "mincore", 274: "mbind", 317: "move_pages", 257: "remap_file_pages", 117: "ipc",
	397: "shmat", 398: "shmdt", 356: "memfd_create", 447: "memfd_secret", 374: "userfaultfd", 440: "process_madvise", 381: "pkey_alloc",
	382: "pkey_free", 380: "pkey_mprotect", 462: "mseal", 120: "clone", 435: "clone3", 2: "fork", 190: "vfork", 11: "execve", 358: "execveat", 252: "exit_group",
}

// CompatCall describes a call of the 32-bit table. The old mmap takes one pointer to all its arguments,
// mmap2 counts its offset in units of 4096 bytes, and ipc is shmat and shmdt among others: of these
// three the arguments are numbers.
func CompatCall(nr uint64, args [6]uint64) Foreign {
	everything := []vmspace.Range{vmspace.Everything}
	name, known := compat[nr]
	if !known {
		return Foreign{Name: fmt.Sprintf("syscall_%d", nr), Text: fmt.Sprintf("32-bit syscall_%d()", nr), Touches: everything}
	}
	shapes := map[string][]argument{"mmap": {asAddress}, "mmap2": {asAddress, asNumber, asProt, asFlags(mmapFlags, mmapAction.Fields...), asInt, asNumber},
		"ipc": {asNumber, asNumber, asNumber, asNumber, asAddress}}
	write, own := shapes[name]
	if i := slices.IndexFunc(foreign, func(s shape) bool { return s.name == name }); !own && i >= 0 {
		write = foreign[i].args
	}
	var parts []string
	for k, w := range write {
		parts = append(parts, w(args[k]))
	}
	return Foreign{Name: name, Text: "32-bit " + name + "(" + strings.Join(parts, ", ") + ")", Touches: everything}
}
