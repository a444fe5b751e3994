package lang

import "slices"

// Kinds of arguments. Each row of the table has the name of a kind in usage lines, a description of
// its values, and the shapes of a word by which it is recognised. Shapes are coarse on purpose:
// they only decide which parameter a word belongs to, so that a misspelt word is reported as a bad
// value of that parameter and not as an extra word.

// Kind is the kind of value a parameter takes.
type Kind int

// The kinds, each with its form in a usage line.
const (
	KindNone     Kind = iota
	KindQuantity      // Q: 100, 4p, 64k, 0x1000, 2p+20
	KindPlace         // PLACE: a, a+1p, a-8, 0x7f0000
	KindRange         // RANGE: a place and an optional quantity, two words
	KindShift         // +Q|-Q|PLACE: the argument of brk
	KindProt          // PROT: rw, r-x, none, 0x1000001
	KindPerms         // PERMS: rw-p, the letters of /proc/PID/maps
	KindFlags         // any number of words of a set; a nil set takes any word
	KindChoice        // one word of a set
	KindConstant      // ADVICE: one word of a set, or a number instead
	KindWord          // WORD: one bare word
	KindText          // "text"
	KindValue         // VALUE: "text" or a byte
	KindContent       // Q|"text": so many bytes, or these
	KindLimit         // Q|unlimited: a resource limit
	KindByte          // BYTE: 0 to 255
	KindNumber        // N: a whole number
	KindBits          // N: a number of the kernel: 0x65, 101
	KindVector        // VECTOR: 1101, a digit per page
	KindCompare       // <, <=, > or >=
	KindPercent       // PERCENT: 80%
	KindNodes         // NODES: 0, 0,2 or 0-3
	KindStatuses      // STATUSES: 0,0,ENOENT, one a page
	KindSignal        // SIGNAL: SIGTERM, TERM, term or 15
	// RESULT: ok, EINVAL, SIGSEGV/ACCERR, timeout, exited, refused; alternatives with |.
	KindResult
	KindProcess // PROCESS: p2
	KindFile    // NAME: a bare word or a string
	KindOption  // KEY=VALUE, the value is of kind Param.Of
	kindEnd
)

type shape uint

const (
	shLetter shape = 1 << iota
	shNumber       // digits alone: 17, 0x65
	shDigits       // a digit first: 4p, 2p+20
	shMinus
	shPlus
	shString
	shOption  // contains an '='
	shCompare // < or > first
	shOther
	shDigit = shNumber | shDigits
	shAny   = shLetter | shDigit | shMinus | shPlus | shString | shOption | shCompare | shOther
)

type kindInfo struct {
	name   string // for messages about tables
	label  string // in usage lines
	fits   string // description of the values
	shapes shape
}

var kinds = [kindEnd]kindInfo{
	KindQuantity: {"quantity", "Q", "100 bytes, 4p pages, 64k, 2m, 1g, 1t, 0x1000, or a sum such as 2p+20", shDigit},
	KindPlace:    {"place", "PLACE", "a name (a, a+1p, a-8) or an address (0x7f0000, 0x7f0000+1p)", shLetter | shDigit},
	KindRange:    {"range", "RANGE", "a place, then how much of it if not all: a, a+1p 2p, 0x7f0000 1p", shLetter | shDigit},
	KindShift:    {"shift", "+Q|-Q|PLACE", "+Q to grow, -Q to shrink, or a place: +4p, -1p, heap+8p", shLetter | shDigit | shPlus | shMinus},
	KindProt:     {"protection", "PROT", "letters of rwx, or none, or a number such as 0x8", shLetter | shMinus | shNumber},
	KindPerms:    {"perms", "PERMS", "four letters as in /proc/PID/maps, such as rw-p or r-xs", shLetter | shMinus},
	KindFlags:    {"flags", "WORD", "one word or more", shLetter},
	KindChoice:   {"choice", "WORD", "one word", shLetter},
	KindConstant: {"constant", "ADVICE", "one word, or a number such as 17 or 0x65", shLetter | shNumber},
	KindWord:     {"word", "WORD", "a word", shLetter | shDigit | shMinus | shCompare | shOther},
	KindText:     {"text", `"text"`, `a string in double quotes, such as "hello\n"`, shString},
	KindValue:    {"value", "VALUE", `"text", or a byte such as 0x41 or 65`, shString | shDigit},
	KindContent:  {"content", `Q|"text"`, `a size such as 4p, or "text"`, shString | shDigit},
	KindLimit:    {"limit", "Q|unlimited", "so much, such as 64k or 4p, or unlimited", shLetter | shDigit},
	KindByte:     {"byte", "BYTE", "0 to 255, or 0x00 to 0xff", shDigit},
	KindNumber:   {"number", "N", "a whole number, such as 3 or 0x10", shDigit | shMinus},
	KindBits:     {"number", "N", "a number of at most 64 bits, such as 3 or 0x1000", shDigit},
	KindVector:   {"vector", "VECTOR", "a 1 or a 0 for each page, such as 1101", shDigit},
	KindCompare:  {"comparison", "<|<=|>|>=", "<, <=, > or >=, with a blank behind it", shCompare},
	KindPercent:  {"percentage", "PERCENT", "a whole number and %, such as 80%", shDigit},
	KindNodes:    {"node numbers", "NODES", "numbers of NUMA nodes, such as 0, 0,2 or 0-3", shDigit},
	KindStatuses: {"statuses", "STATUSES", "a node or an errno for each page, such as 0,0,ENOENT; alternatives with | between them", shLetter | shDigit},
	KindSignal:   {"signal", "SIGNAL", "SIGTERM, TERM or 15", shLetter | shDigit},
	KindResult:   {"result", "RESULT", "ok, an errno (EINVAL), a signal (SIGSEGV, SIGSEGV/ACCERR), timeout, exited or refused; alternatives with | between them", shLetter},
	KindProcess:  {"process", "PROCESS", "p1 for the first process, p2, p3… for its children", shLetter},
	KindFile:     {"file name", "NAME", "a file name, in double quotes if it holds blanks", shAny},
	KindOption:   {"option", "KEY=VALUE", "KEY=VALUE", shOption},
}

// Kinds lists the names of kinds in usage lines, each with a description of its values.
func Kinds() (all []Word) {
	for _, k := range kinds[KindNone+1:] {
		known := slices.ContainsFunc(all, func(w Word) bool { return w.Name == k.label })
		if !known && k.label != kinds[KindWord].label && k.label != kinds[KindOption].label {
			all = append(all, Word{k.label, k.fits})
		}
	}
	return all
}

func (k Kind) String() string {
	if k <= KindNone || k >= kindEnd {
		return "nothing"
	}
	return kinds[k].name
}

// takes reports whether a word of this form belongs to a parameter of kind k.
func (k Kind) takes(t token) bool { return kinds[k].shapes&t.shape() != 0 }

// inTail reports whether the parameter belongs to the unordered tail of a command.
func (p *Param) inTail() bool {
	return p.Kind == KindFlags || p.Kind == KindOption || p.Kind == KindChoice && p.Optional
}
