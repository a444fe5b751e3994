package lang

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Quantities. The page size is known only where a command runs: pages and bytes are summed up
// separately and combined by Eval. A value that overflows even with the smallest page size (4 KiB)
// is refused when parsed, at its column. The spelling is kept: 64k stays 64k. Leading zeros are
// refused, because 010 means eight to many readers.

const smallestPage = 4096

// Quantity is a number of bytes and pages.
type Quantity struct {
	Pages, Bytes uint64
	Text         string // as it was written; empty for a quantity made by code
}

// OverflowError says that a value does not fit 64 bits.
type OverflowError struct{ Text string }

func (e *OverflowError) Error() string { return say(e.Text) + " does not fit 64 bits" }

// Eval returns the quantity in bytes.
func (q Quantity) Eval(pageSize uint64) (uint64, error) {
	hi, n := bits.Mul64(q.Pages, pageSize)
	sum, carry := bits.Add64(n, q.Bytes, 0)
	if hi != 0 || carry != 0 {
		return 0, &OverflowError{q.String()}
	}
	return sum, nil
}

func (q Quantity) String() string {
	switch {
	case q.Text != "":
		return q.Text
	case q.Pages == 0:
		return strconv.FormatUint(q.Bytes, 10)
	case q.Bytes == 0:
		return strconv.FormatUint(q.Pages, 10) + "p"
	}
	return fmt.Sprintf("%dp+%d", q.Pages, q.Bytes)
}

// Offset is a signed sum of quantities, as in a-1p+20.
type Offset struct{ Plus, Minus Quantity }

// IsZero reports whether nothing is added or subtracted.
func (o Offset) IsZero() bool {
	return o.Plus.Pages|o.Plus.Bytes|o.Minus.Pages|o.Minus.Bytes == 0
}

// Apply adds the offset to a base.
func (o Offset) Apply(base, pageSize uint64) (uint64, error) {
	up, err := o.Plus.Eval(pageSize)
	if err != nil {
		return 0, err
	}
	down, err := o.Minus.Eval(pageSize)
	if err != nil {
		return 0, err
	}
	if up >= down {
		sum, carry := bits.Add64(base, up-down, 0)
		if carry != 0 {
			return 0, &OverflowError{fmt.Sprintf("%#x+%d", base, up-down)}
		}
		return sum, nil
	}
	if down-up > base {
		return 0, &OverflowError{fmt.Sprintf("%#x-%d", base, down-up)}
	}
	return base - (down - up), nil
}

// add adds n units; it returns false if that overflows.
func (q *Quantity) add(n uint64, unit byte) bool {
	var carry uint64
	if unit == 'p' {
		q.Pages, carry = bits.Add64(q.Pages, n, 0)
	} else {
		hi, lo := bits.Mul64(n, unitBytes(unit))
		q.Bytes, carry = bits.Add64(q.Bytes, lo, 0)
		carry |= hi
	}
	_, err := Quantity{Pages: q.Pages, Bytes: q.Bytes}.Eval(smallestPage)
	return carry == 0 && err == nil
}

func unitBytes(unit byte) uint64 {
	switch unit {
	case 'k':
		return 1 << 10
	case 'm':
		return 1 << 20
	case 'g':
		return 1 << 30
	case 't':
		return 1 << 40
	}
	return 1
}

// ParseQuantity parses a quantity by itself, such as the value of a flag of the program, in bytes.
func ParseQuantity(text string, pageSize uint64) (uint64, error) {
	q, f := parseQuantity(token{raw: text, quote: -1})
	if f != nil {
		return 0, errors.New(strings.TrimSuffix(f.msg+"; "+f.hint, "; "))
	}
	return q.Eval(pageSize)
}

// parseQuantity parses a sum of terms.
func parseQuantity(t token) (Quantity, *fault) {
	var o Offset
	if t.raw == "" || t.quoted() || !isDigit(t.raw[0]) {
		return o.Plus, t.fault(say(t.raw)+" is not a quantity", kinds[KindQuantity].fits)
	}
	if f := o.parse(t, 0, false); f != nil {
		return o.Plus, f
	}
	o.Plus.Text = t.raw
	return o.Plus, nil
}

// parse parses terms from byte i of the word to its end. If signed, every term has a sign;
// otherwise the first has none and '-' is refused.
func (o *Offset) parse(t token, i int, signed bool) *fault {
	for first := !signed; i < len(t.raw); first = false {
		to := &o.Plus
		switch c := t.raw[i]; {
		case first:
		case c == '+':
			i++
		case c == '-' && signed:
			to, i = &o.Minus, i+1
		case c == '-':
			return t.part(i, len(t.raw), "a quantity cannot contain -", "quantities are added with +: 2p+20")
		}
		end := i
		for end < len(t.raw) && t.raw[end] != '+' && t.raw[end] != '-' {
			end++
		}
		n, unit, f := parseTerm(token{t.pos + i, t.pos + end, t.raw[i:end], -1, ""})
		if f != nil {
			return f
		}
		if !to.add(n, unit) {
			return t.part(i, end, say(t.raw)+" does not fit 64 bits", "the largest quantity is 0xffffffffffffffff")
		}
		i = end
	}
	return nil
}

// parseTerm parses one number with its unit.
func parseTerm(t token) (n uint64, unit byte, f *fault) {
	s := t.raw
	if s == "" {
		return 0, 0, t.fault("a quantity is missing after the sign", "such as +1p or +20")
	}
	if strings.HasPrefix(s, "0x") {
		n, f = parseHex(t)
		return n, 0, f
	}
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	switch rest := s[i:]; {
	case i == 0:
		return 0, 0, t.fault(say(s)+" is not a quantity", kinds[KindQuantity].fits)
	case rest == "":
	case len(rest) == 1 && strings.Contains("pkmgt", rest):
		unit = rest[0]
	default:
		return 0, 0, t.part(i, len(s), "no unit "+say(rest), unitHint(s[:i], rest))
	}
	n, f = parseDecimal(token{t.pos, t.pos + i, s[:i], -1, ""})
	return n, unit, f
}

func unitHint(number, rest string) string {
	low := strings.ToLower(rest)
	switch {
	case rest == "b" || low == "bytes":
		return "bytes have no unit: " + say(number)
	case rest[0] == '.':
		return "there are no fractions; add smaller units: 1m+512k"
	case low[0] == 'x':
		return "a hexadecimal number starts with 0x"
	case strings.IndexByte("pkmgt", low[0]) >= 0 && nearUnit(low):
		return "did you mean " + say(number) + low[:1] + "?"
	}
	return "the units are p (pages), k, m, g and t"
}

func nearUnit(low string) bool {
	switch low[1:] {
	case "", "b", "ib", "age", "ages":
		return true
	}
	return false
}

func parseDecimal(t token) (uint64, *fault) {
	s := t.raw
	if len(s) > 1 && s[0] == '0' {
		bare := strings.TrimLeft(s, "0")
		if bare == "" {
			bare = "0"
		}
		return 0, t.fault("a number does not start with 0", "decimal "+say(bare)+", or hexadecimal with 0x")
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, t.fault(say(s)+" does not fit 64 bits", fmt.Sprintf("the largest number is %d", uint64(math.MaxUint64)))
	}
	return n, nil
}

// parseHex parses 0x… to the end of the word.
func parseHex(t token) (uint64, *fault) {
	digits := t.raw[2:]
	for i := range len(digits) {
		if c := digits[i]; !isDigit(c) && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			hint := "hexadecimal digits are 0-9 and a-f"
			if i > 0 && len(digits) == i+1 && strings.IndexByte("pkmgt", c) >= 0 {
				hint = "a hexadecimal number has no unit"
			}
			return 0, t.part(2+i, len(t.raw), say(t.raw)+" is not a number", hint)
		}
	}
	if digits == "" {
		return 0, t.fault("digits are missing after 0x", "such as 0x1000")
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, t.fault(say(t.raw)+" does not fit 64 bits", "at most sixteen hexadecimal digits count")
	}
	return n, nil
}

// unlimited is the word for RLIM_INFINITY.
const unlimited = "unlimited"

// parseLimit parses a quantity, or the word unlimited, which is the largest number (RLIM_INFINITY).
func parseLimit(t token) (Quantity, *fault) {
	switch {
	case t.raw == unlimited:
		return Quantity{Bytes: math.MaxUint64, Text: unlimited}, nil
	case t.shape() == shLetter:
		return Quantity{}, t.fault(say(t.raw)+" is not a limit", guess(t.raw, []string{unlimited}, kinds[KindLimit].fits))
	}
	return parseQuantity(t)
}
