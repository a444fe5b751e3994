package verb

import (
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

// bits joins the constants whose words there are, as a value and as strace writes them.
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
