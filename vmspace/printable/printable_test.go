package printable

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// hostile is one of every kind of what a terminal obeys, reorders or hides.
var hostile = []struct{ text, inLine, written string }{
	{"\x1b]0;PWN\x07", `\x1b]0;PWN\a`, `\u001b]0;PWN\u0007`},
	{"\x1b[31m", `\x1b[31m`, `\u001b[31m`},
	{"\x9b31m", `\x9b31m`, `\ufffd31m`},
	{"\u009b31m", `\u009b31m`, `\u009b31m`},
	{"\x00", `\x00`, `\u0000`},
	{"\r", `\r`, `\u000d`},
	{"\x7f", `\x7f`, `\u007f`},
	{"\u202e", `\u202e`, `\u202e`},
	{"\u2066", `\u2066`, `\u2066`},
	{"\u2028\u2029", `\u2028\u2029`, `\u2028\u2029`},
	{"\u200b\ufeff\u00ad", `\u200b\ufeff\u00ad`, `\u200b\ufeff\u00ad`},
	{"\u00a0\u3000", `\u00a0\u3000`, `\u00a0\u3000`},
	{"\ue000\U000f0000", `\ue000\U000f0000`, `\ue000\udb80\udc00`},
	{"\U000e0041", `\U000e0041`, `\udb40\udc41`},
	{"\U0010ffff\ufffe", `\U0010ffff\ufffe`, `\udbff\udfff\ufffe`},
	{"\xff\xed\xa0\x80", `\xff\xed\xa0\x80`, `\ufffd\ufffd\ufffd\ufffd`},
	{"\n", `\n`, "\n"},
	{"\t", `\t`, "\t"},
	{`a "b" \n`, `a "b" \n`, `a "b" \n`},
	{"é 漢字 😀 → \ufffd", "é 漢字 😀 → \ufffd", "é 漢字 😀 → \ufffd"},
	{"", "", ""},
}

func TestForms(t *testing.T) {
	for _, c := range hostile {
		if got := Line("<" + c.text + ">"); got != "<"+c.inLine+">" {
			t.Errorf("the line of %q is %s, want %s", c.text, got, c.inLine)
		}
		name := Name(c.text)
		if back, err := strconv.Unquote(name); name != c.text && (err != nil || back != c.text) {
			t.Errorf("the name of %q is %s", c.text, name)
		}
		if plain := strings.IndexFunc(c.inLine, func(r rune) bool { return r == '\\' || r == '"' }) < 0; (name == c.text) != plain {
			t.Errorf("the name of %q is %s", c.text, name)
		}
		var b bytes.Buffer
		if n, err := NewWriter(&b).Write([]byte(c.text)); n != len(c.text) || err != nil || b.String() != c.written {
			t.Errorf("%q is written as %s, want %s: %d, %v", c.text, &b, c.written, n, err)
		}
	}
}

// All characters there are: each is either printable or escaped, and in JSON it stays the character
// that it was.
func TestEveryCharacter(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	var b bytes.Buffer
	w := NewWriter(&b)
	for r := range unicode.MaxRune + 1 {
		if !utf8.ValidRune(r) {
			continue
		}
		b.Reset()
		s := string(r)
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		passes := b.String() == s
		if want := unicode.IsPrint(r) || r == '\n' || r == '\t'; passes != want {
			t.Fatalf("%U: %q", r, &b)
		}
		if passes && unicode.In(r, unicode.C, unicode.Bidi_Control, unicode.Zl, unicode.Zp) && r != '\n' && r != '\t' {
			t.Fatalf("%U passes", r)
		}
		if passes != (Line(s) == s) && r != '\n' && r != '\t' {
			t.Fatalf("%U: the line is %q", r, Line(s))
		}
		if passes {
			continue
		}
		var back string
		if err := json.Unmarshal([]byte(`"`+b.String()+`"`), &back); err != nil || back != s {
			t.Fatalf("%U: %s is %q, %v", r, &b, back, err)
		}
	}
}

// However a text is cut into writes, what comes out is the same, and JSON stays the JSON that it
// was.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.SampledFrom(append(strings.Split("\x1b é 漢 😀 \u202e \U000e0041 \xff \xf0\x9f \xe2\x80 a \n \\ \"", " "), " "))).Draw(t, "text")
		all := strings.Join(text, "")
		var whole, pieces bytes.Buffer
		w := NewWriter(&whole)
		write := func(w *Writer, s string) {
			if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
				t.Fatal(n, err)
			}
		}
		write(w, all)
		err := w.Flush()
		w = NewWriter(&pieces)
		for rest := all; rest != ""; {
			n := rapid.IntRange(0, len(rest)).Draw(t, "piece")
			write(w, rest[:n])
			rest = rest[n:]
		}
		if err = errors.Join(err, w.Flush(), w.Flush()); err != nil {
			t.Fatal(err)
		}
		if whole.String() != pieces.String() {
			t.Fatalf("%q\n%q", &whole, &pieces)
		}
		object, err := json.Marshal(map[string]string{"x": all})
		if err != nil {
			t.Fatal(err)
		}
		escaped, rest := Append(nil, object)
		var was, is map[string]string
		if err := errors.Join(json.Unmarshal(object, &was), json.Unmarshal(escaped, &is)); err != nil || was["x"] != is["x"] || len(rest) > 0 {
			t.Fatalf("%s became %s: %v", object, escaped, err)
		}
	})
}

// Every byte at each of eight places, among neighbours at the edges.
func TestPrintableASCII(t *testing.T) {
	for _, beside := range []byte{' ', '~', 'a'} {
		for at := range 8 {
			for c := range 256 {
				b := bytes.Repeat([]byte{beside}, 8)
				b[at] = byte(c)
				if got := printableASCII(binary.NativeEndian.Uint64(b)); got != (' ' <= c && c <= '~') {
					t.Fatalf("%q: %v", b, got)
				}
			}
		}
	}
}

// Whoever writes learns that nothing more can be written.
func TestWriterFails(t *testing.T) {
	for _, text := range []string{"plain", "\x1b"} {
		w := NewWriter(failing{})
		if n, err := w.Write([]byte(text)); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestControl(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Control("\r\x1b[K")
	if b.String() != "\r\x1b[K" {
		t.Errorf("%q", &b)
	}
}

// A path in an error of package os fakes no line, and what kind of error it is stays known.
func TestError(t *testing.T) {
	_, err := os.Open("/nonexistent/a\nb")
	if got := Error(err); got.Error() != `open "/nonexistent/a\nb": no such file or directory` || !errors.Is(got, fs.ErrNotExist) {
		t.Error(got)
	}
	err = os.Rename("/nonexistent/a\nb", "/nonexistent/\x1b")
	if got := Error(err); got.Error() != `rename "/nonexistent/a\nb" "/nonexistent/\x1b": no such file or directory` || !errors.Is(got, fs.ErrNotExist) {
		t.Error(got)
	}
	if Error(nil) != nil || Error(io.EOF) != io.EOF {
		t.Error("another error is changed")
	}
}

// What is printable costs a look at each byte and no memory, what is not no memory either once
// there is room.
func TestWriterAllocatesNothing(t *testing.T) {
	for _, text := range []string{"p1: write a 0x01\n    store 0x01 → 0x7ffff7fb6000 ok\n", "\x1b]0;PWN\a 漢\u202e"} {
		w := NewWriter(io.Discard)
		b := []byte(text)
		if n := testing.AllocsPerRun(100, func() { w.Write(b) }); n > 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	text := []byte("p1: write a 0x01\n    store 0x01 → 0x7ffff7fb6000 ok\n    predicted no fault\n    The page is there already: no fault, the CPU went straight to memory.\n")
	w := NewWriter(io.Discard)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		w.Write(text)
	}
}
