package terminal

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
)

// What the library's own decoder makes of what passes the filter.

// pieces is a reader that gives one piece at a time.
type pieces [][]byte

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; len((*p)[0]) == 0 {
		*p = (*p)[1:]
	}
	return n, nil
}

// events are what the library's reader makes of pieces that come one after the other without a
// pause.
func events(t testing.TB, in ...[]byte) []uv.Event {
	t.Helper()
	p := pieces(in)
	c := make(chan uv.Event, 4*len(bytes.Join(in, nil))+16)
	d := uv.NewTerminalReader(&p, "xterm-256color")
	if err := d.StreamEvents(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	close(c)
	var out []uv.Event
	for e := range c {
		out = append(out, e)
	}
	return out
}

// filtered is what passes of pieces, piece by piece.
func filtered(in ...[]byte) [][]byte {
	var f inputFilter
	var out [][]byte
	for _, b := range in {
		if p := f.pass(nil, b); len(p) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// wellFormed is what keyboards, mice and terminals send.
var wellFormed = []struct{ name, seq string }{
	{"letters", "aZ5 ~"}, {"umlaut", "ä"}, {"ideograph", "漢"}, {"emoji of several", "👩‍👩‍👧"}, {"combining", "e\u0301"},
	{"controls", "\x00\x01\x08\t\r\n\x1a\x1c\x1f\x7f"},
	{"ESC", "\x1b"}, {"Alt+ESC", "\x1b\x1b"}, {"Alt+a", "\x1ba"}, {"Alt+ä", "\x1bä"}, {"Alt+Enter", "\x1b\r"}, {"Alt+[", "\x1b["}, {"Alt+O", "\x1bO"},
	{"Alt+]", "\x1b]"}, {"Alt+P", "\x1bP"}, {"Alt+X", "\x1bX"}, {"Alt+^", "\x1b^"}, {"Alt+_", "\x1b_"},
	{"arrows", "\x1b[A\x1b[B\x1b[C\x1b[D"}, {"application arrows", "\x1bOA\x1bOB\x1bOC\x1bOD"}, {"Alt+up of rxvt", "\x1b\x1b[A"},
	{"home, end, delete", "\x1b[H\x1b[F\x1b[3~\x1b[1~\x1b[4~"}, {"F1 to F12", "\x1bOP\x1bOQ\x1bOR\x1bOS\x1b[15~\x1b[17~\x1b[24~"},
	{"Shift+Tab", "\x1b[Z"}, {"Ctrl+Shift+right", "\x1b[1;6C"}, {"Shift+F3", "\x1b[1;2R"}, {"keypad", "\x1bOM\x1bOj\x1bOy"}, {"SS3 with modifier", "\x1bO5A"},
	{"rxvt Ctrl+delete", "\x1b[3^\x1b[3@"}, {"rxvt Shift+delete", "\x1b[3$"}, {"Linux F1", "\x1b[[A"},
	{"kitty a", "\x1b[97u"}, {"kitty Ctrl+a", "\x1b[97;5u"}, {"kitty repeat, release", "\x1b[97;1:2u\x1b[97;1:3u"},
	{"kitty all", "\x1b[97:65:99;2:1;65:66u"}, {"kitty up", "\x1b[1;1:3A"}, {"kitty functional", "\x1b[57441;2u"}, {"kitty largest", "\x1b[1114111;1u"},
	{"kitty flags", "\x1b[?1u"}, {"modifyOtherKeys", "\x1b[27;5;13~"}, {"modifyOtherKeys mode", "\x1b[>4;2m"},
	{"mouse", "\x1b[<0;12;34M\x1b[<0;12;34m\x1b[<65;1000;500M"}, {"old mouse", "\x1b[M !!\x1b[M#*~"},
	{"focus", "\x1b[I\x1b[O"}, {"paste", "\x1b[200~two\r\nlines\tä漢\x1b[201~"}, {"empty paste", "\x1b[200~\x1b[201~"},
	{"key, paste, key", "a\x1b[200~b\x1b[201~c"}, {"paste that looks like its end", "\x1b[200~x[201~ [2\x1b[201~"},
	{"size in band", "\x1b[48;40;120;800;1200t"}, {"size", "\x1b[8;40;120t\x1b[4;800;1200t\x1b[6;20;10t"}, {"window state", "\x1b[1t\x1b[3;1;2t"},
	{"colours", "\x1b]10;rgb:ffff/ffff/ffff\x07\x1b]11;rgb:0000/0000/0000\x1b\\\x1b]12;#ffffff\x1b\\"}, {"palette", "\x1b]4;1;rgb:ff/00/00\x1b\\"},
	{"clipboard", "\x1b]52;c;aGVsbG8=\x1b\\"}, {"DA1", "\x1b[?65;1;2;4;6;9;15;16;17;18;21;22c"}, {"DA2", "\x1b[>41;380;0c"}, {"DA3", "\x1bP!|7E565445\x1b\\"},
	{"XTVERSION", "\x1bP>|XTerm(380)\x1b\\"}, {"termcap", "\x1bP1+r5463=3234\x1b\\\x1bP0+r\x1b\\"}, {"DECRPM", "\x1b[?2026;2$y\x1b[?2027;0$y\x1b[4;1$y"},
	{"DECRQSS", "\x1bP1$r0m\x1b\\"}, {"cursor", "\x1b[12;40R\x1b[?12;40;1R"}, {"light, dark", "\x1b[?997;1n\x1b[?997;2n"}, {"status", "\x1b[0n"},
	{"kitty graphics", "\x1b_Gi=1;OK\x1b\\"},
}

// What is well formed passes unchanged, however it comes in, and so means the same.
func TestInputPasses(t *testing.T) {
	var all strings.Builder
	for _, x := range wellFormed {
		in := []byte(x.seq)
		if got := bytes.Join(filtered(in), nil); !bytes.Equal(got, in) {
			t.Errorf("%s: %q became %q", x.name, in, got)
		}
		want := events(t, in)
		for i := range in {
			if got := events(t, filtered(in[:i], in[i:])...); !reflect.DeepEqual(got, want) && !reflect.DeepEqual(got, events(t, in[:i], in[i:])) {
				t.Errorf("%s cut at %d: %v, want %v", x.name, i, got, want)
			}
		}
		if !strings.HasPrefix(x.name, "Alt+") && x.name != "ESC" && x.name != "rxvt Shift+delete" { // complete only by silence
			all.WriteString(x.seq)
		}
	}
	if got, want := events(t, filtered([]byte(all.String()))...), events(t, []byte(all.String())); !reflect.DeepEqual(got, want) {
		t.Errorf("all in a row: %v, want %v", got, want)
	}
}

// What a filter makes of what is not well formed.
func TestInputBounds(t *testing.T) {
	params := func(n int, c string) string { return strings.Repeat("1"+c, n) }
	for _, x := range []struct{ name, in, out string }{
		{"33 parameters", "\x1b[" + params(33, ";") + "mq", "\x1b[" + params(14, ";") + "1}q"},
		{"33 subparameters", "\x1b[" + params(33, ":") + "uq", "\x1b[" + params(14, ":") + "1}q"},
		{"33 parameters in a paste", "\x1b[200~\x1b[" + params(33, ";") + "m\x1b[201~q", "\x1b[200~[" + params(33, ";") + "m\x1b[201~q"},
		{"33 parameters of a DCS", "\x1bP" + params(33, ";") + "qx\x1b\\q", "\x1bP" + params(14, ";") + "1}\x1b\\q"},
		{"33 parameters after an 8-bit CSI", "\x9b" + params(2, ";") + "m", "1;1;m"},
		{"8-bit introducers in an old mouse report", "\x1b[M\x9b\x9b\x9bq", "\x1b[}q"},
		{"a long parameter", "\x1b[123456789Aq", "\x1b[1234567}q"},
		{"Windows' keys", "\x1b[65;0;97;1;0;65535_q", "\x1b[65;0;97;1;0;65535}q"},
		{"a control in a sequence", "\x1b[1\rq", "\x1b[1}\rq"},
		{"a sequence in a sequence", "\x1b[1\x1b[A", "\x1b[1}\x1b[A"},
		{"intermediates", "\x1b[1$$$$yq", "\x1b[1$$}q"},
		{"a parameter after an intermediate", "\x1b[1$1yq", "\x1b[1$}q"},
		{"a control in an SS3", "\x1bO\rq", "\x1bO}\rq"},
		{"a long SS3", "\x1bO123Pq", "\x1bO12}q"},
		{"a string without content", "\x1b]11;\x07q\x1b]11;\x1b\\q", "\x1b]11;\x18q\x1b]11;\x18q"},
		{"a long string", "\x1b]11;" + strings.Repeat("x", 5000) + "\x07q", "\x1b]11;" + strings.Repeat("x", maxString-3) + "\x18q"},
		{"a string that is cut", "\x1b]11;rgb\x1b[A", "\x1b]11;rgb\x18\x1b[A"},
		{"a DCS that is cut", "\x1bP>|X\x1b[A", "\x1bP>|X\x1b\\\x1b[A"},
		{"a string in UTF-8", "\x1b]2;\u201cx\u201d\x07q", "\x1b]2;\x18q"},
		{"many ESCs", strings.Repeat("\x1b", 5000) + "[A", "\x1b\x1b[A"},
		{"broken UTF-8 after ESC", "\x1b\x8c[" + params(33, ";") + "m\x1b\xc3[A\x1b\ufffd[A", "\x1b[" + params(14, ";") + "1}\x1b[A\x1b[A"},
		{"broken UTF-8", "\xc3q\xff\xed\xa0\x80\xf5\x80q\xe2\x82q", "qqq"},
		{"the replacement character", "\ufffdq", "q"},
		{"controls of two bytes", "\u009b1mq", "1mq"},
		{"controls in a paste", "\x1b[200~a\x00\x1b\x07\x7f\u009bb\x1b[20x\x1b[201~", "\x1b[200~ab[20x\x1b[201~"},
		{"a long paste", "\x1b[200~" + strings.Repeat("ä", maxPaste) + "\x1b[201~q", "\x1b[200~" + strings.Repeat("ä", maxPaste/2) + "\x1b[201~q"},
		{"the end of no paste", "\x1b[201~q", "\x1b[201}q"},
	} {
		if got := string(bytes.Join(filtered([]byte(x.in)), nil)); got != x.out {
			t.Errorf("%s: %.90q became %.90q, want %.90q", x.name, x.in, got, x.out)
		}
		single := make([][]byte, 0, len(x.in))
		for _, b := range []byte(x.in) {
			single = append(single, []byte{b})
		}
		if got := string(bytes.Join(filtered(single...), nil)); got != x.out {
			t.Errorf("%s, byte by byte: %.90q, want %.90q", x.name, got, x.out)
		}
	}
}

// What silence means for what has begun.
func TestInputPauses(t *testing.T) {
	const short, long, longer = 2 * escPause, 2 * sequencePause, 2 * pastePause
	for _, x := range []struct {
		name, first string
		pause       time.Duration
		then, out   string // what passes of the rest
	}{
		{"ESC", "\x1b", short, "[A", "[A"},
		{"Alt+[", "\x1b[", short, "q", "q"},
		{"Alt+]", "\x1b]", short, "q", "q"},
		{"Alt+O", "\x1bO", short, "q", "q"},
		{"an answer that is late", "\x1b]11;rgb:ff", short, "ff/ffff/ffff\x07q", "q"},
		{"an answer that never ends", "\x1b]11;rgb:ff", long, "ff", "ff"},
		{"a report that is late", "\x1b[48;40", short, ";120;1;1tq", "q"},
		{"a report that never ends", "\x1b[48;40", long, "q", "q"},
		{"half a character", "\xc3", short, "q", "q"},
		{"a paste that goes on", "\x1b[200~a", long, "f\x1b[201~q", "f\x1b[201~q"},
		{"a paste without end", "\x1b[200~a", longer, "q", "\x1b[201~q"},
		{"nothing", "a", longer, "q", "q"},
	} {
		var f inputFilter
		f.pass(nil, []byte(x.first))
		if got := f.pass(f.pause(nil, x.pause), []byte(x.then)); string(got) != x.out {
			t.Errorf("%s: %q, want %q", x.name, got, x.out)
		}
	}
}

// Whatever comes, however cut: the library's reader does not panic, never waits with more than a
// bound, and no event is larger than that.
func FuzzInput(f *testing.F) {
	for _, x := range wellFormed {
		f.Add([]byte(x.seq), uint16(1))
	}
	for _, s := range []string{"\x1b[" + strings.Repeat("1;", 33) + "m", "\x1b[200~\x1b[" + strings.Repeat("1;", 33) + "m\x1b[201~", "\x1bP" + strings.Repeat(":", 40) + "q",
		"\x9b" + strings.Repeat(";", 40) + "m", "\x1b[M\x9b\x9b\x9b" + strings.Repeat("1;", 40) + "m", "\x1b[0;0;97;1;0;65535_", "\x1b]11;\x07\x1b]11;\x18",
		strings.Repeat("\x1b", 300) + "[I", "\x1b]52;c;" + strings.Repeat("A", 3000) + "\x1b\\", "\x1b[200~" + strings.Repeat("e\u0301", 900), "\x1b[48;65535;65535;1;1t",
		"\x1b_G;;;\x1b\\", "\x1bP1+r5463=;;=\x1b\\", "\x1b[99999999999999999999u", "\x1b[:::;:::;:::u", "\x1b[<;;M", "\xf0\x9f\x91\xa9\xe2\x80\x8d", "\x1bX0\x1b\x1bO0 0"} {
		f.Add([]byte(s), uint16(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint16) {
		n := int(size)%len(append(in, 0)) + 1
		var cut [][]byte
		for rest := in; len(rest) > 0; rest = rest[min(n, len(rest)):] {
			cut = append(cut, rest[:min(n, len(rest))])
		}
		out := filtered(cut...)
		var passed []byte
		for _, b := range out {
			passed = append(passed, b...)
			waits(t, passed)
		}
		if len(passed) > 2*len(in) {
			t.Errorf("%d bytes became %d", len(in), len(passed))
		}
		if !bytes.Equal(passed, bytes.Join(filtered(in), nil)) {
			t.Errorf("what passes depends on how it comes")
		}
		all := events(t, out...)
		if len(all) > 2*len(passed)+2 {
			t.Errorf("%d bytes became %d events", len(passed), len(all))
		}
	})
}

// waits checks that the library can take all of what passed but a short end.
func waits(t *testing.T, b []byte) {
	t.Helper()
	var d uv.EventDecoder
	for len(b) > 0 {
		n, e := d.Decode(b)
		if _, ok := e.(uv.UnknownEvent); ok && n < len(b) {
			t.Fatalf("the library waits at %q before %q", b[:n], b[n:])
		}
		if n == 0 {
			t.Fatalf("the library is stuck at %q", b)
		}
		b = b[n:]
	}
}

// A key costs nothing that could be felt, and no memory.
func BenchmarkInput(b *testing.B) {
	for _, x := range []struct{ name, seq string }{{"letter", "a"}, {"arrow", "\x1b[1;5A"}, {"mouse", "\x1b[<35;120;40M"}, {"4 KiB", strings.Repeat("a\x1b[Aä\x1b[<0;1;1M", 256)}} {
		b.Run(x.name, func(b *testing.B) {
			var f inputFilter
			in, out := []byte(x.seq), make([]byte, 0, 8<<10)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				out = f.pass(f.pause(out[:0], 0), in)
			}
		})
	}
}

// A flood of anything takes no more memory than its bounds.
func TestInputMemory(t *testing.T) {
	var f inputFilter
	out := make([]byte, 0, 64<<10)
	var before, after runtime.MemStats
	flood := []byte(strings.Repeat("\x1b[200~\x1b]1;ä\x1b[1;\x9b", 1000))
	runtime.ReadMemStats(&before)
	for range 100 {
		out = f.pass(out[:0], flood)
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > 10 {
		t.Errorf("%d allocations", n)
	}
}
