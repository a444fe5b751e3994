package terminal

import "unicode/utf8"

// paste processes a byte of a paste: tabs and line ends pass, other control characters do not.
func (f *inputFilter) paste(out []byte, b byte) []byte {
	if b == pasteEnd[f.matched] {
		f.state = ground
		if f.matched++; f.matched < len(pasteEnd) {
			return out
		}
		f.pasting, f.matched = false, 0
		return append(out, pasteEnd...)
	}
	if n := f.matched; n > 0 {
		f.matched = 0
		for _, b := range []byte(pasteEnd[1:n]) {
			out = f.content(out, b)
		}
		return f.paste(out, b)
	}
	if f.state != partialRune && b < utf8.RuneSelf {
		return f.content(out, b)
	}
	n := len(out)
	if f.state == partialRune {
		if utf8.RuneStart(b) {
			f.state = ground
			return f.paste(out, b)
		}
		out = f.continueRune(out, b)
	} else {
		out = f.beginRune(out, b)
	}
	return f.measure(out, n)
}

func (f *inputFilter) content(out []byte, b byte) []byte {
	if (b < ' ' && b != '\t' && b != '\n' && b != '\r') || b == 0x7f {
		return out
	}
	return f.measure(append(out, b), len(out))
}

// measure removes what was appended to out after n if the paste is too long for it.
func (f *inputFilter) measure(out []byte, n int) []byte {
	added := len(out) - n
	if f.cutOff > 0 || f.pasted+added > maxPaste {
		f.cutOff += added
		return out[:n]
	}
	f.pasted += added
	return out
}
