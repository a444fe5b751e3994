package saved

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"cowscope/actions"
)

// Recordings without a screen.

// WriteList writes a line for each step: its number, the process, the command or what happened by itself, and how that ended.
func (rec *Recording) WriteList(w io.Writer) error {
	out := bufio.NewWriter(w)
	width := len(strconv.Itoa(rec.Steps[len(rec.Steps)-1].N))
	for _, st := range rec.Steps {
		fmt.Fprintf(out, "%*d  %s  %s\n", width, st.N, plain(st.Process), plain(listed(st)))
	}
	return out.Flush()
}

func listed(st *actions.Step) string {
	if st.Command == "" {
		return "(" + st.Event + ")"
	}
	ended := st.Answer()
	if f := st.Faulted(); f != "" {
		ended += ", " + f
	}
	return st.Command + "  " + ended
}

// plain is a text of a file that may come from anywhere, with Go's escapes where a terminal could take it for a command.
func plain(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

// WriteJSON writes a line for each step, as exec --json does.
func (rec *Recording) WriteJSON(w io.Writer) error {
	var b bytes.Buffer
	for i, st := range rec.Steps {
		b.Reset()
		if err := st.WriteJSON(&b, rec.Lines[i]); err != nil {
			return err
		}
		if _, err := w.Write(plainJSON(b.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

// plainJSON escapes what JSON allows in a string and a terminal may obey: DEL, and U+0080 to U+009F, which are C2 80 to C2 9F in UTF-8.
func plainJSON(b []byte) []byte {
	if bytes.IndexByte(b, 0x7f) < 0 && bytes.IndexByte(b, 0xc2) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+64)
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == 0x7f:
			out = append(out, `\u007f`...)
		case b[i] == 0xc2 && i+1 < len(b) && b[i+1] < 0xa0:
			out = fmt.Appendf(out, `\u00%02x`, b[i+1])
			i++
		default:
			out = append(out, b[i])
		}
	}
	return out
}
