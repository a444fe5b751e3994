package verb

import (
	"math"
	"strings"

	"cowscope/actions/lang"
)

// Constant is one word of the language that stands for a constant of the kernel's.
type Constant struct {
	Word  string
	Name  string // as in the man page
	Value uint64
	Help  string
}

// words are the constants as a parameter takes them.
func words(table []Constant) []lang.Word {
	var out []lang.Word
	for _, k := range table {
		out = append(out, lang.Word{Name: k.Word, Help: k.Help})
	}
	return out
}

// paramBits is a number as an alternative to flags that are words; paramIntBits is the same for a
// call with int flags, of which the kernel sees 32 bits.
var paramBits, paramIntBits = bitsUpTo(0), bitsUpTo(math.MaxUint32)

func bitsUpTo(most int64) lang.Param {
	return lang.Param{Name: "bits", Kind: lang.KindOption, Optional: true, Key: "flags", Of: lang.KindBits, Max: most, Help: "a number that is or-ed with the words"}
}

// constantsIn returns the constants that a number stands for, and the bits that belong to none. The
// bits of a field stand together for one constant; if all bits are one field, the number itself
// does.
func constantsIn(table []Constant, fields []uint64, n uint64) (found []Constant, rest uint64) {
	rest = n
	for _, k := range table {
		mask := k.Value
		for _, f := range fields {
			if k.Value&f != 0 || f == math.MaxUint64 {
				mask |= f
			}
		}
		if n&mask == k.Value && mask != 0 {
			found, rest = append(found, k), rest&^k.Value
		}
	}
	return found, rest
}

// values are the numbers of the constants, as a first argument of a call.
func values(table []Constant) []uint32 {
	var out []uint32
	for _, k := range table {
		out = append(out, uint32(k.Value))
	}
	return out
}

// bitsOf combines the constants whose words were given: as a value, and as strace writes them.
func bitsOf(table []Constant, has func(word string) bool) (value uint64, names string) {
	var parts []string
	for _, k := range table {
		if has(k.Word) {
			value |= k.Value
			parts = append(parts, k.Name)
		}
	}
	if len(parts) == 0 {
		return 0, "0"
	}
	return value, strings.Join(parts, "|")
}
