package lang

// Kinds of argument. Each row of the table says how a kind is called in usage lines, what fits
// there in words, and by which shapes of a word it is recognised. Shapes are coarse on purpose:
// they only decide which parameter a word is meant for, so that a misspelt word is reported as a
// bad value of that parameter rather than as a surplus one.

// Kind is the kind of value a parameter takes.
type Kind int

// The kinds. In a usage line they appear as shown behind them.
const (
	KindNone     Kind = iota
	KindQuantity      // Q: 100, 4p, 64k, 0x1000, 2p+20
	KindPlace         // PLACE: a, a+1p, a-8, 0x7f0000
	KindRange         // RANGE: a place and an optional quantity, two words
	KindShift         // +Q|-Q|PLACE: what brk takes
	KindProt          // PROT: rw, r-x, none
	KindPerms         // PERMS: rw-p, the letters of /proc/PID/maps
	KindFlags         // any number of words of a set; a nil set takes any word
	KindChoice        // one word of a set
	KindWord          // WORD: one bare word
	KindText          // "text"
	KindValue         // VALUE: "text" or a byte
	KindContent       // Q|"text": so many bytes, or these
	KindByte          // BYTE: 0 to 255
	KindNumber        // N: a whole number
	KindSignal        // SIGNAL: SIGTERM, TERM, term or 15
	KindResult        // RESULT: ok, EINVAL, SIGSEGV/ACCERR, timeout, exited, refused; alternatives with |
	KindProcess       // PROCESS: p2
	KindFile          // NAME: a bare word or a string
	KindOption        // KEY=VALUE, the value being of kind Param.Of
	kindEnd
)

type shape uint

const (
	shLetter shape = 1 << iota
	shDigit
	shMinus
	shPlus
	shString
	shOption // holds an '='
	shOther
	shAny = shLetter | shDigit | shMinus | shPlus | shString | shOption | shOther
)

type kindInfo struct {
	name   string // for messages about tables
	label  string // in usage lines
	fits   string // what is right there
	shapes shape
}

var kinds = [kindEnd]kindInfo{
	KindQuantity: {"quantity", "Q", "100 bytes, 4p pages, 64k, 2m, 1g, 1t, 0x1000, or a sum such as 2p+20", shDigit},
	KindPlace:    {"place", "PLACE", "a name (a, a+1p, a-8) or an address (0x7f0000, 0x7f0000+1p)", shLetter | shDigit},
	KindRange:    {"range", "RANGE", "a place, then how much of it if not all: a, a+1p 2p, 0x7f0000 1p", shLetter | shDigit},
	KindShift:    {"shift", "+Q|-Q|PLACE", "+Q to grow, -Q to shrink, or a place: +4p, -1p, heap+8p", shLetter | shDigit | shPlus | shMinus},
	KindProt:     {"protection", "PROT", "letters of rwx, or none", shLetter | shMinus},
	KindPerms:    {"perms", "PERMS", "four letters as in /proc/PID/maps, such as rw-p or r-xs", shLetter | shMinus},
	KindFlags:    {"flags", "WORD", "one word or more", shLetter},
	KindChoice:   {"choice", "WORD", "one word", shLetter},
	KindWord:     {"word", "WORD", "a word", shLetter | shDigit | shMinus | shOther},
	KindText:     {"text", `"text"`, `a string in double quotes, such as "hello\n"`, shString},
	KindValue:    {"value", "VALUE", `"text", or a byte such as 0x41 or 65`, shString | shDigit},
	KindContent:  {"content", `Q|"text"`, `a size such as 4p, or "text"`, shString | shDigit},
	KindByte:     {"byte", "BYTE", "0 to 255, or 0x00 to 0xff", shDigit},
	KindNumber:   {"number", "N", "a whole number, such as 3 or 0x10", shDigit | shMinus},
	KindSignal:   {"signal", "SIGNAL", "SIGTERM, TERM or 15", shLetter | shDigit},
	KindResult:   {"result", "RESULT", "ok, an errno (EINVAL), a signal (SIGSEGV, SIGSEGV/ACCERR), timeout, exited or refused; alternatives with | between them", shLetter},
	KindProcess:  {"process", "PROCESS", "p1 for the first process, p2, p3… for its children", shLetter},
	KindFile:     {"file name", "NAME", "a file name, in double quotes if it holds blanks", shAny},
	KindOption:   {"option", "KEY=VALUE", "KEY=VALUE", shOption},
}

func (k Kind) String() string {
	if k <= KindNone || k >= kindEnd {
		return "nothing"
	}
	return kinds[k].name
}

// takes says whether a word of this form is meant for a parameter of kind k.
func (k Kind) takes(t token) bool { return kinds[k].shapes&t.shape() != 0 }

// inTail says whether the parameter stands in the unordered tail of a command.
func (p *Param) inTail() bool {
	return p.Kind == KindFlags || p.Kind == KindOption || p.Kind == KindChoice && p.Optional
}
