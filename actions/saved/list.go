package saved

import (
	"bytes"
	digits "encoding/hex"
	"encoding/json"
	"fmt"

	"cowscope/vmspace"
)

// The element types of the lines.

// hex is a number in the form that cowscope's JSON uses for addresses and words.
type hex = vmspace.Hex

// entry is an element of a list.
type entry interface {
	check() error // an error about this element by itself
	most() int    // how many of them a list may contain
}

// list is an array whose entries are checked one by one while they are parsed, so that an array of
// invalid entries takes hardly any memory.
type list[T entry] []T

// UnmarshalJSON parses an array up to its first invalid entry.
func (l *list[T]) UnmarshalJSON(b []byte) error {
	if *l = nil; string(b) == "null" {
		return nil
	}
	*l = list[T]{} // empty is not absent
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return fmt.Errorf("%.20q where a list belongs", b)
	}
	for d.More() {
		var x T
		if err := d.Decode(&x); err != nil {
			return err
		}
		if err := x.check(); err != nil {
			return err
		}
		if len(*l) == x.most() {
			return fmt.Errorf("a list of more than %d", x.most())
		}
		*l = append(*l, x)
	}
	return nil
}

// word is a short text in a list.
type word string

func (w word) check() error {
	if len(w) == 0 || len(w) > 32 {
		return fmt.Errorf("a word of %d bytes: it must have 1 to 32", len(w))
	}
	return nil
}

func (word) most() int { return 256 }

func wordsOf[S ~string](texts []S) list[word] {
	out := make(list[word], 0, len(texts))
	for _, t := range texts {
		out = append(out, word(t))
	}
	return out
}

// bytesOf parses pairs of hexadecimal digits.
func bytesOf(text string) ([]byte, error) {
	b, err := digits.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%.40q are not bytes in hexadecimal", text)
	}
	return b, nil
}
