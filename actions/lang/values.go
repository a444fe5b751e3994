package lang

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// From a word to a value: one function for each kind. The canonical form of a value is its String
// method, or the function canonical below.

// Prot is a set of protection bits, as mmap takes them.
type Prot uint64

// The protections.
const (
	ProtRead  Prot = 1
	ProtWrite Prot = 2
	ProtExec  Prot = 4
)

// protLetters are the bits that have a letter.
const protLetters = ProtRead | ProtWrite | ProtExec

// Letters are the bits that have a letter; the others can only be given as a number.
func (p Prot) Letters() Prot { return p & protLetters }

// String is the letters that are set, or none; a number if there are other bits.
func (p Prot) String() string {
	if p != p.Letters() {
		return fmt.Sprintf("%#x", uint64(p))
	}
	var b strings.Builder
	for i, c := range "rwx" {
		if p&(1<<i) != 0 {
			b.WriteRune(c)
		}
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

func parseProt(t token) (Prot, *fault) {
	var p Prot
	bad := func() *fault { return t.fault(say(t.raw)+" is not a protection", protHint(t.raw)) }
	switch {
	case t.raw == "none":
		return 0, nil
	case t.raw == "" || t.quoted():
		return 0, bad()
	case isDigit(t.raw[0]):
		n, f := parseUnsigned(t, KindProt)
		return Prot(n), f
	}
	for i := range len(t.raw) {
		if t.raw[i] == '-' {
			continue
		}
		k := strings.IndexByte("rwx", t.raw[i])
		if k < 0 {
			return 0, bad()
		}
		if p&(1<<k) != 0 {
			return 0, t.part(i, i+1, say(t.raw[i:i+1])+" is given twice", "r, w and x once each: rw, r-x, rwx")
		}
		p |= 1 << k
	}
	if len(t.raw) > 3 {
		return 0, t.fault(say(t.raw)+" is not a protection", "at most three letters, such as r-x")
	}
	return p, nil
}

// protHint is the hint for a wrong protection; it recognises the spellings of C and of /proc.
func protHint(s string) string {
	var p Prot
	low := strings.ToLower(s)
	for w := range strings.SplitSeq(low, "|") {
		switch strings.TrimPrefix(w, "prot_") {
		case "read":
			p |= ProtRead
		case "write":
			p |= ProtWrite
		case "exec":
			p |= ProtExec
		case "none":
		default:
			if low != s && strings.Trim(low, "rwx-") == "" && len(low) <= 3 {
				return "did you mean " + low + "?"
			}
			return "letters of rwx (r, rw, r-x), or none"
		}
	}
	return "did you mean " + p.String() + "?"
}

func parsePerms(t token) (string, *fault) {
	const slots = "r-|w-|x-|ps"
	if len(t.raw) == 4 && !t.quoted() {
		ok := true
		for i, set := range strings.Split(slots, "|") {
			ok = ok && strings.IndexByte(set, t.raw[i]) >= 0
		}
		if ok {
			return t.raw, nil
		}
	}
	return "", t.fault(say(t.raw)+" are not the letters of a mapping", kinds[KindPerms].fits)
}

func parseByte(t token) (byte, *fault) {
	n, f := parseUnsigned(t, KindByte)
	if f == nil && n > math.MaxUint8 {
		f = t.fault(say(t.raw)+" is more than a byte holds", kinds[KindByte].fits)
	}
	return byte(n), f
}

// parseUnsigned reads a decimal or hexadecimal number.
func parseUnsigned(t token, k Kind) (uint64, *fault) {
	switch {
	case t.raw == "" || t.quoted() || !isDigit(t.raw[0]):
		return 0, t.fault(say(t.raw)+" is not a "+k.String(), kinds[k].fits)
	case strings.HasPrefix(t.raw, "0x"):
		return parseHex(t)
	case strings.Trim(t.raw, "0123456789") != "":
		return 0, t.fault(say(t.raw)+" is not a "+k.String(), kinds[k].fits)
	}
	return parseDecimal(t)
}

func parseNumber(t token, p *Param) (int64, *fault) {
	abs, minus := t, strings.HasPrefix(t.raw, "-")
	if minus {
		abs = token{t.pos + 1, t.end, t.raw[1:], -1, ""}
	}
	u, f := parseUnsigned(abs, KindNumber)
	if f != nil {
		return 0, f
	}
	if u > math.MaxInt64 {
		return 0, t.fault(say(t.raw)+" is too large", fmt.Sprintf("at most %d", int64(math.MaxInt64)))
	}
	n := int64(u)
	if minus {
		n = -n
	}
	return n, p.limit(t, n)
}

// limit returns an error for a number outside the limits of its parameter.
func (p *Param) limit(t token, n int64) *fault {
	if p.Min < p.Max && (n < p.Min || n > p.Max) {
		return t.fault(say(t.raw)+" is out of range", fmt.Sprintf("%d to %d", p.Min, p.Max))
	}
	return nil
}

func parseBits(t token, p *Param) (uint64, *fault) {
	n, f := parseUnsigned(t, KindBits)
	if f == nil {
		f = p.limit(t, int64(min(n, math.MaxInt64)))
	}
	return n, f
}

func parseVector(t token) (string, *fault) {
	if t.raw == "" || t.quoted() || strings.Trim(t.raw, "01") != "" {
		return "", t.fault(say(t.raw)+" is not a vector", kinds[KindVector].fits)
	}
	return t.raw, nil
}

// parseStatuses reads what move_pages answers for each page: a node or the name of an errno, or
// several of them with | between.
func parseStatuses(t token) (string, *fault) {
	for at := 0; ; {
		part, _, more := strings.Cut(t.raw[at:], ",")
		if i := strings.IndexByte(part, '|'); i >= 0 {
			part, more = part[:i], true
		}
		if node, ok := nodeNumber(part); t.quoted() || !(ok && node <= MaxNode) && !slices.Contains(errnos, part) {
			return "", t.part(at, at+len(part), say(part)+" is neither a node nor an errno", kinds[KindStatuses].fits)
		}
		if !more {
			return t.raw, nil
		}
		at += len(part) + 1
	}
}

func parseText(t token) ([]byte, *fault) {
	if !t.quoted() {
		if t.raw != "" && !isDigit(t.raw[0]) {
			return nil, t.fault("text is not in double quotes", "did you mean "+strconv.Quote(say(t.raw))+"?")
		}
		return nil, t.fault(say(t.raw)+" is not text", kinds[KindText].fits)
	}
	return []byte(t.str), nil
}

func parseProcess(t token) (string, *fault) {
	if !IsProcess(t.raw) {
		return "", t.fault(say(t.raw)+" is not a process", processHint(t.raw))
	}
	return t.raw, nil
}

func processHint(s string) string {
	if p := "p" + s; IsProcess(p) {
		return "did you mean " + p + "?"
	}
	return kinds[KindProcess].fits
}

func parseFile(t token) (string, *fault) {
	name := t.raw
	if t.quoted() {
		name = t.str
	}
	switch {
	case name == "":
		return "", t.fault("a file name is empty", kinds[KindFile].fits)
	case strings.IndexByte(name, 0) >= 0:
		return "", t.fault("a file name cannot contain a zero byte", "")
	}
	return name, nil
}

// fileText is a file name in a line: without quotes if possible.
func fileText(name string) string {
	for i := range len(name) {
		c := name[i]
		if !isLetter(c) && !isDigit(c) && strings.IndexByte("._/", c) < 0 && (i == 0 || strings.IndexByte("-+,:@%~", c) < 0) {
			return strconv.Quote(name)
		}
	}
	return name
}

// parseWord parses one word of a set; an empty set accepts any bare word.
func parseWord(t token, p *Param) (string, *fault) {
	if len(p.Words) > 0 {
		for _, w := range p.Words {
			if w.Name == t.raw {
				return t.raw, nil
			}
		}
		return "", t.fault("no "+strings.ReplaceAll(p.Name, "_", " ")+" "+say(t.raw), guess(t.raw, names(p.Words), "right here: "+oneOf(names(p.Words))))
	}
	if t.quote >= 0 || strings.IndexByte(t.raw, '=') >= 0 {
		return "", t.fault(say(t.raw)+" is not a bare word", kinds[p.Kind].fits)
	}
	return t.raw, nil
}

// parsers are the functions that read the values of each kind.
var parsers = [kindEnd]func(token, *Param) (any, *fault){
	KindQuantity: alone(parseQuantity), KindShift: alone(parseShift), KindProt: alone(parseProt), KindPerms: alone(parsePerms),
	KindPlace: with(parsePlace), KindRange: with(parsePlace),
	KindFlags: with(parseWord), KindChoice: with(parseWord), KindWord: with(parseWord), KindConstant: digitsOr(with(parseBits), with(parseWord)),
	KindText: alone(parseText), KindValue: digitsOr(alone(parseByte), alone(parseText)), KindContent: digitsOr(alone(parseQuantity), alone(parseText)),
	KindLimit: alone(parseLimit), KindByte: alone(parseByte), KindNumber: with(parseNumber), KindBits: with(parseBits),
	KindVector: alone(parseVector), KindCompare: alone(parseComparison), KindPercent: alone(parsePercent), KindNodes: alone(parseNodes),
	KindStatuses: alone(parseStatuses), KindSignal: alone(parseSignal), KindResult: alone(parseResult), KindProcess: alone(parseProcess), KindFile: alone(parseFile),
}

// alone and with adapt a parser that does not need the parameter, and one that does.
func alone[T any](parse func(token) (T, *fault)) func(token, *Param) (any, *fault) {
	return func(t token, _ *Param) (any, *fault) { return parse(t) }
}

func with[T any](parse func(token, *Param) (T, *fault)) func(token, *Param) (any, *fault) {
	return func(t token, p *Param) (any, *fault) { return parse(t, p) }
}

// digitsOr reads a word that begins with a digit in one way, and others in another.
func digitsOr(digits, others func(token, *Param) (any, *fault)) func(token, *Param) (any, *fault) {
	return func(t token, p *Param) (any, *fault) {
		if t.shape()&shDigit != 0 {
			return digits(t, p)
		}
		return others(t, p)
	}
}

// parseValue reads a value of kind k for parameter p. The value and its canonical text come back.
func parseValue(t token, p *Param, k Kind) (value any, text string, f *fault) {
	if t.quote > 0 {
		return nil, "", t.fault("a string begins in the middle of "+say(t.raw), "put the whole word in quotes")
	}
	if parse := parsers[k]; parse != nil {
		value, f = parse(t, p)
	}
	if f != nil {
		return nil, "", f
	}
	return value, canonical(t, k, value), nil
}

// canonical spells a value. Bytes and numbers keep the spelling they have.
func canonical(t token, k Kind, value any) string {
	switch v := value.(type) {
	case byte, int64, uint64:
		return t.raw
	case []byte:
		return strconv.Quote(string(v))
	case string:
		if k == KindFile {
			return fileText(v)
		}
		return v
	case fmt.Stringer:
		return v.String()
	}
	return t.raw
}
