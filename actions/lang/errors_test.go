package lang

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// errorCases: a line, what the complaint points at ("" for a place where something is missing), and
// its words.
var errorCases = []struct{ line, at, msg string }{
	// the head
	{"mmpa 4p rw", "mmpa", "col 1: no verb mmpa; did you mean mmap?"},
	{"MMAP 4p rw", "MMAP", "no verb MMAP; verbs are lower case: mmap"},
	{"frobnicate", "frobnicate", "the verbs are mmap, munmap"},
	{`"x"`, `"x"`, "a verb is missing before the string"},
	{"= mmap", "=", "a name is missing before ="},
	{"a =  # x", "", "col 4: a verb is missing"},
	{"@p2", "", "col 4: a verb is missing"},
	{"mbind a bind 0,x", "0,x", "are not node numbers; numbers of NUMA nodes, such as 0, 0,2 or 0-3"},
	{"mbind a bind 0,5-2", "5-2", "goes downwards; did you mean 2-5?"},
	{"mbind a bind 0-1024", "0-1024", "the largest number is 1023"},
	{"mbind a bind 1,99999999999999999999", "99999999999999999999", "no kernel has a node"},
	{"@2 fork", "@2", "did you mean p2?"},
	{"@p0 fork", "@p0", "is not a process"},
	{"a = @p2 mmap 4p rw", "@p2", "the process comes first"},
	{"p1 = mmap 4p rw", "p1", "is a process, so it cannot"},
	{"9a = mmap 4p rw", "9a", "is not a name"},
	{strings.Repeat("a", MaxName+1) + " = mmap 4p rw", strings.Repeat("a", MaxName+1), "is not a name"},
	{"a = read b", "a =", "read makes no range"},
	{"buf mmap 4p rw", "buf", "did you mean buf = mmap?"},
	{"expect", "", "expect needs a second word; result, page"},
	{"expect pag a none", "pag", "did you mean page?"},
	{"repeat", "", "col 7: repeat needs N; how often, 1 to 100000"},
	{"repeat 3", "", "col 9: a verb is missing"},
	{"repeat three fork", "three", "three is not a number"},
	{"repeat fork 3", "fork", "fork is not a number"},
	{"repeat 0 fork", "0", "col 8: 0 is out of range; 1 to 100000"},
	{"repeat -1 fork", "-1", "out of range; 1 to 100000"},
	{"repeat 100001 fork", "100001", "out of range; 1 to 100000"},
	{"repeat 99999999999999999999 fork", "99999999999999999999", "does not fit"},
	{"repeat 2 repeat 3 fork", "repeat", "col 10: repeat cannot contain another repeat"},
	{"@p2 repeat 3 fork", "repeat", "repeat comes first; repeat 3 @p2 …"},
	{"a = repeat 3 mmap 1p rw", "repeat", "repeat comes first"},
	{"repeat 3 mprotect a rz", "rz", "col 21: rz is not a protection"},
	{"repeat 3 a = read b", "a =", "col 10: read makes no range"},
	{"repaet 3 fork", "repaet", "did you mean repeat?"},
	{"REPEAT 3 fork", "REPEAT", "verbs are lower case: repeat"},
	{"prctl kms on", "kms", "did you mean ksm?"},
	// missing and surplus arguments
	{"mprotect", "", "col 9: mprotect needs RANGE"},
	{"mprotect a   # x", "", "col 11: mprotect needs PROT; letters of rwx, or none"},
	{"mprotect a 5p", "", "col 14: mprotect needs PROT"},
	{"mremap a maymove", "maymove", "Q is missing before maymove"},
	{"mmap 4p private anon", "private", "PROT is missing before private"},
	{"mmap 4p file=x rw", "file=x", "PROT is missing before file=x"},
	{"mprotect a rw x", "x", "one argument too many: x; the form is mprotect RANGE PROT"},
	{"mremap a 1p 2p 3p", "3p", "one argument too many"},
	{"fork now", "now", "fork takes no argument"},
	{"expect faults major=1", "", "needs minor=N"},
	{"needs", "", "needs FEATURE"},
	{"setrlimit as", "", "setrlimit needs Q|unlimited; so much, such as 64k or 4p, or unlimited"},
	{"setrlimit nproc 5", "nproc", "no resource nproc; right here: as, data, stack or memlock"},
	{"setrlimit as unlimitd", "unlimitd", "did you mean unlimited?"},
	{"setrlimit as none 4p", "none", "none is not a limit; so much"},
	{"setrlimit as 1m 2m 3m", "3m", "one argument too many"},
	// quantities
	{"mmap 4P rw", "P", "did you mean 4p?"},
	{"mmap 4kb rw", "kb", "did you mean 4k?"},
	{"mmap 100b rw", "b", "bytes have no unit"},
	{"mmap 1.5m rw", ".5m", "no fractions"},
	{"mmap 0X10 rw", "X10", "starts with 0x"},
	{"mmap 010 rw", "010", "does not start with 0; decimal 10"},
	{"mmap 000 rw", "000", "decimal 0,"},
	{"mmap 0x rw", "0x", "digits are missing"},
	{"mmap 0x10p rw", "p", "has no unit"},
	{"mmap 4p+ rw", "", "col 9: a quantity is missing after the sign"},
	{"mmap 4p-1 rw", "-1", "cannot contain -"},
	{"mmap 1p+99999999t rw", "99999999t", "does not fit 64 bits"},
	{"mmap 99999999999999999999 rw", "99999999999999999999", "does not fit 64 bits"},
	{"mmap 4503599627370496p rw", "4503599627370496p", "does not fit 64 bits"},
	{"mmap 1p+0xffffffffffffffff rw", "0xffffffffffffffff", "does not fit 64 bits"},
	{"mmap 0x10000000000000000 rw", "0x10000000000000000", "does not fit 64 bits"},
	{"mmap 1p rw offset=x", "x", "x is not a quantity"},
	// places
	{"munmap 7fff'f7fb'6000", "7fff'f7fb'6000", "an address is written 0x7ffff7fb6000"},
	{"munmap 0x7fff'f7fb'6000", "0x7fff'f7fb'6000", "an address is written 0x7ffff7fb6000"},
	{"munmap 100", "100", "is not a place"},
	{"munmap a+b", "b", "is not a quantity"},
	{"munmap a b", "b", "is not a quantity"},
	{"munmap p2", "p2", "a process, not a place"},
	{"munmap p2:a", "p2:", "put the process in front of the command: @p2"},
	{"munmap 0xffffffffffffffff+1", "0xffffffffffffffff+1", "beyond 64 bits"},
	{"expect same-frame q:a b", "q", "is not a process"},
	{"expect same-frame p1:p2 b", "p2", "such as p1:a"},
	{"brk 4p", "4p", "did you mean +4p?"},
	{"brk +x", "x", "is not a quantity"},
	// words
	{"mprotect a RW", "RW", "did you mean rw?"},
	{"mprotect a PROT_READ|PROT_WRITE", "PROT_READ|PROT_WRITE", "did you mean rw?"},
	{"mprotect a rrw", "r", "col 13: r is given twice"},
	{"mprotect a rwx-", "rwx-", "at most three"},
	{"mprotect a rz", "rz", "rz is not a protection"},
	{"mmap 4p rw privat", "privat", "did you mean private?"},
	{"mmap 4p rw MAP_PRIVATE|MAP_ANONYMOUS", "MAP_PRIVATE|MAP_ANONYMOUS", "did you mean private anon?"},
	{"mmap 4p rw xyzzy", "xyzzy", "right here: private, shared"},
	{"mmap 4p rw private private", "private", "col 20: private is given twice"},
	{"mmap 4p rw fil=x", "fil=", "did you mean file=?"},
	{"mmap 4p rw file= x", "file=", "has no value"},
	{"mmap 4p rw file = x", "file", "did you mean file=?"},
	{"mmap 4p rw file=x file=y", "file=y", "given twice"},
	{"madvise a MADV_DONTNEED", "MADV_DONTNEED", "did you mean dontneed?"},
	{"msync a sync async", "async", "only one of sync or async"},
	{"touch a foo", "foo", "or read or write"},
	{"expect page a nonne", "nonne", "did you mean none?"},
	// values
	{"write a hello", "hello", `did you mean "hello"?`},
	{"write a 256", "256", "more than a byte"},
	{"write a x=1", "x=1", "not in double quotes"},
	{"fwrite x 0 12", "12", "is not text"},
	{"exit x", "x", "is not a number"},
	{"exit 9223372036854775808", "9223372036854775808", "too large"},
	{"expect vmas a -1", "-1", "out of range; 0 to"},
	{"kill SIGTRM", "SIGTRM", "did you mean SIGTERM?"},
	{"kill 65", "65", "1 to 64"},
	{"use 2", "2", "did you mean p2?"},
	{`file "" 3`, `""`, "empty"},
	{`rm "a\x00b"`, `"a\x00b"`, "cannot contain a zero byte"},
	{"expect result einval", "einval", "did you mean EINVAL?"},
	{"expect result SIGSEGV/ACERR", "ACERR", "did you mean ACCERR?"},
	{"expect result EINVAL/X", "EINVAL", "no result"},
	{"expect result ok|SIGSEGV/ACERR", "ACERR", "did you mean ACCERR?"},
	{"expect result EINVAL|EINVAX", "EINVAX", "no result"},
	{"expect result EINVAL|", "", "no result"},
	{"expect perms a rw", "rw", "such as rw-p"},
	{"madvise a 0x1ffffffff", "0x1ffffffff", "out of range; 0 to 4294967295"},
	{"madvise a 0x6g", "g", "is not a number"},
	{"madvise a 010", "010", "does not start with 0"},
	{"madvise a 5p", "", "madvise needs ADVICE"},
	{"madvise a -1", "-1", "no advice -1"},
	{"mmap 1p 0x1p private anon", "p", "a hexadecimal number has no unit"},
	{"mmap 1p rw private anon flags=x", "x", "x is not a number"},
	{"mmap 1p rw private anon flags=0x10000000000000000", "0x10000000000000000", "does not fit 64 bits"},
	{"mmap 1p rw private anon 0x10", "0x10", "one argument too many: 0x10; did you mean flags=0x10?"},
	{"expect mincore 1121", "1121", "1121 is not a vector; a 1 or a 0 for each page"},
	{"expect mincore", "", "needs VECTOR"},
	{"expect move_pages 0,x,ENOENT", "x", "is neither a node nor an errno; a node or an errno for each page"},
	{"expect move_pages 0,,1", "", "is neither a node nor an errno"},
	{"expect move_pages ENOENT|EFALT,0", "EFALT", "is neither a node nor an errno"},
	{"expect move_pages 0,ENOENT|", "", "is neither a node nor an errno"},
	{"expect move_pages 1024", "1024", "is neither a node nor an errno"},
	{"expect rss a", "", "needs Q"},
	{"expect rss <8k", "<8k", "<8k is not a comparison; put a blank before 8k"},
	{"expect rss <> 8k", "<>", "<> is not a comparison; <, <=, > or >="},
	{"expect rss == 8k", "==", "is not"},
	{"expect rss <", "", "needs Q"},
	{"expect rss < a", "a", "a is not a quantity"},
	{"expect shared p1 p2 > 80", "80", "80 is not a percentage; did you mean 80%?"},
	{"expect shared p1 p2 > 101%", "101%", "101% is more than all; 0% to 100%"},
	{"expect shared p1 p2 > 99.5%", "99.5%", "a whole number and %"},
	{"expect shared p1 p2 > 080%", "080%", "a whole number and %"},
	{"expect shared p1 > 80%", ">", "> is not a process"},
	{"expect value -1", "-1", "-1 is not a number"},
	// strings and characters
	{`write a "x`, `"x`, "no end"},
	{`write a "x\"`, `"x\"`, "no end"},
	{`write a "x"y`, "y", "a blank is missing"},
	{`write a x"y"`, `"`, "middle of a word"},
	{`mmap 1p rw file=x="y"`, `"`, "middle of a word"},
	{`write a "é\q"`, `\q`, "no such escape"},
	{`write a "\x4"`, `\x`, "no such escape"},
	{"fo\x1b[2Jrk", "\x1b", "control character 0x1b"},
	{"write a \"\x00\"", "\x00", `as \x00`},
	{"write é \"\xff\"", "\xff", "0xff is not valid UTF-8"},
	{"mmap\u00a04p", "\u00a0", "U+00A0"},
	{"mmap 4p\nfork", "\n", "control character 0x0a"},
}

// TestErrors: every complaint says what is wrong, where, and what would be right.
func TestErrors(t *testing.T) {
	g := sampleGrammar(t)
	for _, c := range errorCases {
		_, err := g.Parse(c.line)
		var e *SyntaxError
		if !errors.As(err, &e) {
			t.Errorf("%q: no error", c.line)
			continue
		}
		if !strings.Contains(e.Error(), c.msg) {
			t.Errorf("%q\n got %v\nwant %s", c.line, e, c.msg)
		}
		if got := cut(c.line, e.Col-1, e.Len); got != c.at {
			t.Errorf("%q points at %q (col %d), not at %q", c.line, got, e.Col, c.at)
		}
		if strings.ContainsAny(e.Error(), "\x00\x1b\n") {
			t.Errorf("%q: the message holds control characters", c.line)
		}
	}
}

// cut takes n characters of a string, an invalid byte being one.
func cut(s string, from, n int) string {
	return s[byteAt(s, from):byteAt(s, from+n)]
}

func TestUsageInErrors(t *testing.T) {
	g := sampleGrammar(t)
	_, err := g.Parse("mprotect a")
	if e := err.(*SyntaxError); e.Usage != "mprotect RANGE PROT" {
		t.Error(e.Usage)
	}
}

func TestCaret(t *testing.T) {
	g := sampleGrammar(t)
	for line, want := range map[string]string{
		"mmpa 4p rw":                "mmpa 4p rw\n^^^^",
		"mprotect a":                "mprotect a\n          ^",
		"mprotect a  # x":           "mprotect a  # x\n          ^",
		"\tmprotect a zz":           " mprotect a zz\n            ^^",
		`fwrite "漢字" 0 zz`:          "fwrite \"漢字\" 0 zz\n                ^^",
		"a\x1b[2J":                  "a\\x1b[2J\n ^^^^",
		"rm \"e\u0301\" x":          "rm \"e\u0301\" x\n       ^",
		"mprotect a # \x1b]0;x\x07": "mprotect a # \\x1b]0;x\\a\n          ^",
	} {
		_, err := g.Parse(line)
		if err == nil {
			t.Errorf("%q: no error", line)
		} else if got := err.(*SyntaxError).Caret(); got != "| "+strings.Replace(want, "\n", "\n| ", 1) {
			t.Errorf("%q\n got %q\nwant %q", line, got, want)
		}
	}
	_, err := g.Parse("mmap 4p rw private " + strings.Repeat("x", 500) + " anon")
	for s := range strings.SplitSeq(err.(*SyntaxError).Caret(), "\n") {
		if n := utf8.RuneCountInString(s); n > caretWidth+2+len("| ") {
			t.Errorf("%d cells wide", n)
		}
	}
}

// TestHostile: nothing a line can hold makes more than an error.
func TestHostile(t *testing.T) {
	g := sampleGrammar(t)
	big := strings.Repeat("x", 1<<20)
	for _, line := range []string{big, "mmap " + big, "# " + big, strings.Repeat(" ", 1<<20), strings.Repeat("\xff", MaxLine+1)} {
		_, err := g.Parse(line)
		e, ok := err.(*SyntaxError)
		if !ok || !strings.Contains(e.Msg, "bytes") || e.Col != MaxLine+1 {
			t.Errorf("a line of %d bytes: %.80v", len(line), err)
		} else if len(e.Caret()) > 1000 || len(e.Error()) > 200 {
			t.Error("a long answer to a long line")
		}
		g.Complete(line, len(line), Env{Names: []string{"x"}})
		g.Hint(line)
	}
	deep := "mmap 1" + strings.Repeat("+1", MaxLine/2-10) + " rw"
	c, err := g.Parse(deep)
	if err != nil {
		t.Fatalf("a deep sum: %.100v", err)
	}
	if q, _ := c.Quantity("size"); q.Bytes != uint64(MaxLine/2-9) {
		t.Error("a deep sum is", q.Bytes)
	}
	if _, err := g.Parse("mmap 4p rw " + strings.Repeat("private ", 400)); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("%.100v", err)
	}
	if _, err := g.Parse("needs " + strings.Repeat("a ", 30000)); err == nil {
		t.Error("needs a a")
	}
	var many strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&many, " a%d", i)
	}
	if _, err := g.Parse("needs" + many.String()); err == nil || !strings.Contains(err.Error(), "too many words") {
		t.Errorf("%.100v", err)
	}
	grows := "fwrite " + strings.Repeat(`\`, MaxLine-20) + ` 0 "x"`
	if _, err := g.Parse(grows); err == nil || !strings.Contains(err.Error(), "canonical") {
		t.Errorf("%.100v", err)
	}
}

func TestNearest(t *testing.T) {
	verbs := []string{"mmap", "munmap", "mlock", "fork"}
	for word, want := range map[string]string{"mmpa": "mmap", "mmapp": "mmap", "munmpa": "munmap", "MLOCK": "mlock", "x": "", "zzzz": "",
		"for": "fork", "": "", strings.Repeat("m", 1000): ""} {
		if got := Nearest(word, verbs); got != want {
			t.Errorf("Nearest(%.20s) = %q, want %q", word, got, want)
		}
	}
}

// BenchmarkHostile: the slowest lines known stay far below what a person would notice.
func BenchmarkHostile(b *testing.B) {
	g := sampleGrammar(b)
	var words strings.Builder
	words.WriteString("needs")
	for i := range MaxWords - 1 {
		fmt.Fprintf(&words, " %s%d", strings.Repeat("a", 120), i)
	}
	for name, line := range map[string]string{
		"usual": "buf = mmap 4p rw private anon",
		"words": words.String(),
		"sum":   "mmap 1" + strings.Repeat("+1", MaxLine/2-10) + " rw",
		"wrong": "mmap 4p rw " + strings.Repeat("|private", MaxLine/8-10),
		"text":  `write a "` + strings.Repeat(`\x41`, MaxLine/4-10) + `"`,
		"minus": "munmap a" + strings.Repeat("-1+1p", MaxLine/5-10),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if c, err := g.Parse(line); err == nil {
					_ = c.String()
				}
			}
		})
		b.Run(name+"/hint", func(b *testing.B) {
			for b.Loop() {
				g.Hint(line)
			}
		})
	}
}
