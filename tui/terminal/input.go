// Input of a terminal, before the library reads it. A terminal sends keys, but whoever can write to
// it can make it send anything: a program that sends it queries, a paste, a bad line.
//
// Rules: what looks like a key, a mouse event or a terminal's answer passes unchanged, byte by byte
// and at once, so that a key is not delayed and a lone ESC is a key. The library's parser never
// sees a control sequence with more parameters than it has room for, an overlong control string or
// paste, 8-bit controls, invalid UTF-8, or anything for which it would wait in vain. A malformed
// sequence is ended where that is noticed, by a byte that makes the library drop it, and the rest
// is discarded. The state has a fixed size, whatever the input is.

package terminal

import (
	"time"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
)

// Limits of what passes.
const (
	// maxParams is separators in a control sequence; the library's parsers have room for 16
	// parameters in one, 32 in another.
	maxParams   = 14
	maxDigits   = 7 // of one parameter: a code point has seven
	maxIntermed = 2 // intermediate bytes
	// maxString is bytes of a control string; the answers that we request have less than a hundred.
	maxString = 1 << 10
	maxPaste  = 64 << 10
)

// How long a silence may last before an incomplete sequence counts as over.
const (
	escPause      = uv.DefaultEscTimeout // for the library: it takes what came so far as complete
	sequencePause = time.Second          // for the rest of a sequence, for which it no longer waits
	pastePause    = 5 * time.Second      // for the end of a paste
)

const (
	esc = 0x1b
	bel = 0x07
	can = 0x18 // cancels a control string
	sub = 0x1a // does so too
	// void is a final byte that no key and no answer uses.
	void = '}'

	pasteEnd = "\x1b[201~"
)

// inputState is what the next byte belongs to.
type inputState byte

const (
	ground      inputState = iota
	partialRune            // held
	afterESC
	inCSI
	inSS3
	dropCSI // the rest of a control sequence or of an SS3 is discarded
	inX10   // the three bytes of an old mouse report are held
	inDCS   // the head of a DCS; then it is a string
	inString
	stringESC  // an ESC that may end it is held
	dropString // the rest is discarded
	dropESC
)

// inputFilter is the state of the input. The zero inputFilter is the start.
type inputFilter struct {
	state, before inputState // before what is held
	kind          byte       // of a string: ] P _ ^ X
	begun         bool       // more followed than an introducer, which alone is a key with Alt
	escs          int        // ESCs in a row

	prefix, intermeds     byte
	params, digits, value int
	first                 int  // value of the first parameter
	length                int  // of a string
	bare                  bool // the last byte was the semicolon after a string's command
	held                  [4]byte
	nheld                 int
	pasting               bool
	// Bytes of a paste; matched bytes of the sequence that ends it; bytes dropped because it is too
	// long.
	pasted, matched, cutOff int
}

// pass appends to out the part of in that the library may see. That is at most twice as long as in
// and what was held.
func (f *inputFilter) pass(out, in []byte) []byte {
	for _, b := range in {
		out = f.step(out, b)
	}
	return out
}

func (f *inputFilter) step(out []byte, b byte) []byte {
	if f.pasting {
		return f.paste(out, b)
	}
	switch f.state {
	case partialRune:
		return f.continueRune(out, b)
	case afterESC:
		return f.escaped(out, b)
	case inCSI:
		return f.csi(out, b)
	case inSS3:
		return f.ss3(out, b)
	case dropCSI:
		return f.skip(out, b)
	case inX10:
		return f.x10(out, b)
	case inDCS:
		return f.dcs(out, b)
	case inString, stringESC:
		return f.text(out, b)
	case dropString, dropESC:
		return f.skipString(out, b)
	}
	return f.plain(out, b)
}

// plain processes a byte outside any sequence.
func (f *inputFilter) plain(out []byte, b byte) []byte {
	f.state = ground
	switch {
	case b == esc:
		f.state, f.escs = afterESC, 1
	case b >= utf8.RuneSelf:
		return f.beginRune(out, b)
	}
	return append(out, b)
}

// beginRune holds a byte that may begin a character; any other is dropped, including 8-bit
// controls. A dropped byte does not change the state: to the library, an ESC before it is one
// before what follows.
func (f *inputFilter) beginRune(out []byte, b byte) []byte {
	if utf8.RuneStart(b) {
		f.before, f.state, f.held[0], f.nheld = f.state, partialRune, b, 1
	}
	return out
}

// continueRune passes a character when it is complete. U+FFFD is dropped because the library takes
// it for an error, and the controls from U+0080 to U+009F because they are not keys.
func (f *inputFilter) continueRune(out []byte, b byte) []byte {
	f.state = f.before
	if utf8.RuneStart(b) {
		return f.step(out, b)
	}
	f.held[f.nheld] = b
	f.nheld++
	r, size := utf8.DecodeRune(f.held[:f.nheld])
	switch {
	case r == utf8.RuneError && size == 1 && f.nheld < utf8.UTFMax && !utf8.FullRune(f.held[:f.nheld]):
		f.state = partialRune
	case r != utf8.RuneError && r >= 0xa0:
		f.state = ground
		return append(out, f.held[:f.nheld]...)
	}
	return out
}

func (f *inputFilter) escaped(out []byte, b byte) []byte {
	f.begun = false
	switch b {
	case esc:
		// ESC ESC is the key with Alt; more of them are that again.
		if f.escs++; f.escs > 2 {
			return out
		}
		return append(out, b)
	case '[':
		f.state = inCSI
	case 'O':
		f.state = inSS3
	case 'P':
		f.state = inDCS
	case ']', '_', '^', 'X':
		f.state = inString
	default: // a key with Alt
		if b >= utf8.RuneSelf {
			return f.beginRune(out, b)
		}
		return f.plain(out, b)
	}
	f.kind, f.length, f.bare = b, 0, false
	f.prefix, f.intermeds, f.params, f.digits, f.value, f.first = 0, 0, 0, 0, 0, 0
	return append(out, b)
}

// header processes a byte before the final byte, and reports whether it is valid. uv.EventDecoder
// and ansi.DecodeSequence count differently at their limits, so the limits here are below both.
func (f *inputFilter) header(b byte) bool {
	was := f.begun
	f.begun = true
	switch {
	case b >= '0' && b <= '9' && f.intermeds == 0:
		f.digits++
		if f.value = f.value*10 + int(b-'0'); f.params == 0 {
			f.first = f.value
		}
		return f.digits <= maxDigits
	case (b == ';' || b == ':') && f.intermeds == 0:
		f.params++
		f.digits, f.value = 0, 0
		return f.params <= maxParams
	case b >= '<' && b <= '?' && !was:
		f.prefix = b
		return true
	case b >= ' ' && b <= '/':
		f.intermeds++
		return f.intermeds <= maxIntermed
	}
	return false
}

// final reports whether a byte ends a control sequence.
func final(b byte) bool { return b >= '@' && b <= '~' }

func (f *inputFilter) csi(out []byte, b byte) []byte {
	plain := f.prefix == 0 && f.intermeds == 0
	switch {
	case !final(b):
		if f.header(b) {
			return append(out, b)
		}
		return f.skip(append(out, void), b)
	case b == 'M' && plain && f.begun, b == '_':
		// A mouse report in a mode that is not requested; Windows' keys, which can request 65,535
		// repeats.
		b = void
	case b == 'M' && plain:
		f.state, f.held[0], f.nheld = inX10, b, 1
		return out
	case b == '~' && plain && (f.first == 200 || f.first == 201):
		if f.params > 0 || f.first == 201 {
			b = void
			break
		}
		f.pasting, f.pasted, f.matched, f.cutOff = true, 0, 0, 0
	}
	f.state = ground
	return append(out, b)
}

// skip discards the rest of a sequence.
func (f *inputFilter) skip(out []byte, b byte) []byte {
	switch {
	case b >= ' ' && b <= '?':
		f.state = dropCSI
		return out
	case final(b):
		f.state = ground
		return out
	}
	return f.plain(out, b)
}

func (f *inputFilter) ss3(out []byte, b byte) []byte {
	switch {
	case b >= '0' && b <= '9' && f.digits < 2:
		f.digits++
		f.begun = true
		return append(out, b)
	case b >= '0' && b <= '9':
		return f.skip(append(out, void), b)
	case b > ' ' && b <= '~':
		f.state = ground
		return append(out, b)
	}
	return f.plain(append(out, void), b)
}

// x10 passes an old mouse report as a whole. One with coordinates above 95 has bytes that would be
// 8-bit controls, and is dropped.
func (f *inputFilter) x10(out []byte, b byte) []byte {
	f.held[f.nheld] = b
	if f.nheld++; f.nheld < len(f.held) {
		return out
	}
	f.state = ground
	for _, b := range f.held[1:] {
		if b < ' ' || b >= utf8.RuneSelf {
			return append(out, void)
		}
	}
	return append(out, f.held[:]...)
}

func (f *inputFilter) dcs(out []byte, b byte) []byte {
	if final(b) {
		f.state, f.begun = inString, true
		return append(out, b)
	}
	if b != esc && f.header(b) {
		return append(out, b)
	}
	return f.spoil(append(out, void), b)
}

// text processes a byte of a control string, which is ASCII.
func (f *inputFilter) text(out []byte, b byte) []byte {
	ends := b == bel && f.kind == ']' || f.state == stringESC && b == '\\'
	switch {
	case ends && f.bare: // the library would wait for more
		f.state = ground
		return append(out, can)
	case ends:
		if f.state = ground; b == bel {
			return append(out, b)
		}
		return append(out, esc, b)
	case f.state == stringESC:
		f.state = afterESC
		return f.escaped(append(f.cancel(out), esc), b)
	case b == esc:
		f.state, f.escs = stringESC, 1
		return out
	case b < ' ' || b >= 0x7f || f.length >= maxString:
		return f.spoil(out, b)
	}
	f.begun = true
	f.bare = f.kind == ']' && b == ';' && f.params == 0
	if b == ';' {
		f.params = 1
	}
	f.length++
	return append(out, b)
}

// cancel ends a string for the library: nothing cancels a DCS, but an unknown one has no effect.
func (f *inputFilter) cancel(out []byte) []byte {
	if f.kind == 'P' {
		return append(out, esc, '\\')
	}
	return append(out, can)
}

// spoil ends a string for the library, and discards the rest.
func (f *inputFilter) spoil(out []byte, b byte) []byte {
	out = f.cancel(out)
	f.state = dropString
	return f.skipString(out, b)
}

func (f *inputFilter) skipString(out []byte, b byte) []byte {
	switch {
	case f.state == dropESC && b == '\\', b == bel, b == can, b == sub:
		f.state = ground
	case f.state == dropESC:
		f.state, f.escs = afterESC, 1
		return f.escaped(append(out, esc), b)
	case b == esc:
		f.state = dropESC
	}
	return out
}

// pause reports a silence of length d before the next bytes.
func (f *inputFilter) pause(out []byte, d time.Duration) []byte {
	switch {
	case f.pasting && d > pastePause: // its end is lost: keys are keys again
		f.pasting, f.matched, f.state = false, 0, ground
		return append(out, pasteEnd...)
	case f.pasting || d <= escPause:
		return out
	}
	// The library has taken what it had as complete.
	switch f.state {
	case partialRune, afterESC, inX10:
		f.state = ground
	case inCSI, inSS3:
		f.state = dropCSI
	case inDCS, inString, stringESC:
		f.state = dropString
	}
	if !f.begun || d > sequencePause {
		f.state = ground
	}
	return out
}
