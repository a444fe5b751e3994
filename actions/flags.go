package actions

import (
	"strings"

	"cowscope/actions/lang"
)

// constant is one word of the language that stands for a constant of the kernel's.
type constant struct {
	word  string
	name  string // as in the man page
	value uint64
	help  string
}

// words are the constants as a parameter takes them.
func words(table []constant) []lang.Word {
	var out []lang.Word
	for _, k := range table {
		out = append(out, lang.Word{Name: k.word, Help: k.help})
	}
	return out
}

// bits joins the constants whose words there are, as a value and as strace writes them.
func bitsOf(table []constant, has func(word string) bool) (value uint64, names string) {
	var parts []string
	for _, k := range table {
		if has(k.word) {
			value |= k.value
			parts = append(parts, k.name)
		}
	}
	if len(parts) == 0 {
		return 0, "0"
	}
	return value, strings.Join(parts, "|")
}
