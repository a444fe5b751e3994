package printable

import (
	"encoding/binary"
	"io"
	"sync"
	"unicode/utf8"
)

// Writer passes on printable characters, newlines and tabs. Anything else becomes a JSON escape,
// \u001b, which is right both in text for people and in a JSON string, so that one Writer serves
// both. It is the last line of defence: whoever writes a field escapes first what must not appear
// there. Several goroutines may use it.
type Writer struct {
	mu  sync.Mutex
	to  io.Writer
	cut []byte // an incomplete character at the end of the last Write
	out []byte // buffer for text with escapes
}

// NewWriter returns a Writer to a terminal, or to whatever replaces it.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write writes b. A character cut by the end of b is held until the rest of it is written.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.cut) == 0 && shown(b) == len(b) {
		return w.to.Write(b)
	}
	rest := b
	if len(w.cut) > 0 {
		rest = append(w.cut, b...)
	}
	out := w.out[:0]
	out, rest = Append(out, rest)
	w.cut, w.out = append(w.cut[:0], rest...), out
	if len(out) == 0 {
		return len(b), nil
	}
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Control writes a control sequence of the program itself.
func (w *Writer) Control(sequence string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := io.WriteString(w.to, sequence)
	return err
}

// Flush writes a held incomplete character, whose rest will not come.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.cut) == 0 {
		return nil
	}
	w.cut = w.cut[:0]
	_, err := w.to.Write(appendEscape(nil, utf8.RuneError))
	return err
}

// Append appends text to b as a Writer writes it. rest is an incomplete character at the end of
// text.
func Append(b, text []byte) (out, rest []byte) {
	for {
		n := shown(text)
		b, text = append(b, text[:n]...), text[n:]
		if !utf8.FullRune(text) {
			return b, text
		}
		r, size := utf8.DecodeRune(text)
		b, text = appendEscape(b, r), text[size:]
	}
}

// shown is the number of bytes at the start of b that a Writer passes on unchanged.
func shown(b []byte) int {
	for i := 0; i < len(b); {
		if len(b)-i >= 8 && printableASCII(binary.NativeEndian.Uint64(b[i:])) {
			i += 8
			continue
		}
		c := b[i]
		if c-' ' < 0x7f-' ' || c == '\n' || c == '\t' {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			return i
		}
		r, n := utf8.DecodeRune(b[i:])
		if !shows(r, n) {
			return i
		}
		i += n
	}
	return len(b)
}

// printableASCII reports whether all eight bytes of x are from 0x20 to 0x7e. A byte carries into
// the next only if it is itself not printable.
func printableASCII(x uint64) bool {
	const each = 0x0101010101010101
	return (x|(x-each*' ')|(x+each))&(each*0x80) == 0
}

// appendEscape writes a character as JSON does: a surrogate pair for more than 16 bits (RFC 8259,
// section 7).
func appendEscape(b []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		return appendEscape(appendEscape(b, 0xd800|r>>10), 0xdc00|r&0x3ff)
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
