package vmspace

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rules of this file: it parses the words that the JSON and saved sessions use. Their text may come
// from anybody; an error quotes at most 40 characters of it.

// ParseState parses the name of a state of a page.
func ParseState(name string) (State, error) {
	i := slices.IndexFunc(States[:], func(s StateInfo) bool { return s.Name == name })
	if i < 0 {
		return Unknown, fmt.Errorf("unknown state of a page %.40q", name)
	}
	return State(i), nil
}

// ParseAttr parses the name of one attribute of a page.
func ParseAttr(name string) (Attrs, error) {
	i := slices.Index(AttrNames[:], name)
	if i < 0 {
		return 0, fmt.Errorf("unknown attribute of a page %.40q: there are %s", name, strings.Join(AttrNames[:], ", "))
	}
	return 1 << i, nil
}

// ParseProcState parses the word for the state of a process.
func ParseProcState(word string) (ProcState, error) {
	i := slices.Index(procStates[:], word)
	if i < 0 {
		return Gone, fmt.Errorf("unknown state of a process %.40q: there are %s", word, strings.Join(procStates[:], ", "))
	}
	return ProcState(i), nil
}

// ParseDevice parses a device number as /proc/PID/maps has it: 08:01.
func ParseDevice(text string) (major, minor uint32, err error) {
	a, b, _ := strings.Cut(text, ":")
	x, err1 := strconv.ParseUint(a, 16, 32)
	y, err2 := strconv.ParseUint(b, 16, 32)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("the device is %.40q: a number such as 08:01 was expected", text)
	}
	return uint32(x), uint32(y), nil
}

// Hex is a number that JSON contains as a string in hexadecimal, because not every JSON reader
// keeps 64 bits of a number.
type Hex uint64

// MarshalText writes 0x….
func (h Hex) MarshalText() ([]byte, error) {
	return strconv.AppendUint([]byte("0x"), uint64(h), 16), nil
}

// UnmarshalText parses the output of MarshalText.
func (h *Hex) UnmarshalText(b []byte) error {
	digits, ok := bytes.CutPrefix(b, []byte("0x"))
	n, err := strconv.ParseUint(string(digits), 16, 64)
	if !ok || err != nil {
		return fmt.Errorf("%.40q is not a hexadecimal number of 64 bits, such as 0x1f", b)
	}
	*h = Hex(n)
	return nil
}
