package lang

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Fuzz targets. Their corpora lie under testdata/fuzz and run with every test.

var seeds = []string{
	"", "# x", "fork", "@p2 buf = mmap 2p+20 rwx private anon file=\"a b\" fd=-1 offset=1p addr=a-1p+20 # x", "mremap a 1p 4p fixed=0x1000",
	"write a \"h\\x00\\u00e9\"", "expect page a+1p 2p cow huge", "expect same-frame p1:a p2:b", "expect result SIGSEGV/ACCERR",
	"kill term", "brk -2p+20", "cat x 0 4p", "file x \"\"", "touch a read", "needs frames thp", "a=mmap 4p", "mmap 0X10", "munmap 7fff'f000",
	"repeat 3 @p2 a = mmap 4p 0x8 flags=0x10", "repeat", "repeat 0 fork", "repeat 2 repeat 2 fork", "repeat = mmap 4p rw", "madvise a 0x65", "expect rss a 8k",
	"expect mincore 1101", "expect move_pages 0,ENOENT", "\xff\x1b", "write a \"\\q", "@@", "= = =", "mprotect a 99999999999999999999p rw", "rm \\", "expect", "msync a sync async",
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	g := sampleGrammar(f)
	f.Fuzz(func(t *testing.T, line string) { checkLine(t, g, line) })
}

func FuzzComplete(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, len(s)-i%3)
	}
	g := sampleGrammar(f)
	f.Fuzz(func(t *testing.T, line string, cursor int) {
		if len(line) > 2000 {
			return
		}
		n := utf8.RuneCountInString(line)
		for _, c := range g.Complete(line, cursor, sampleEnv) {
			if c.Text == "" || c.Start < 0 || c.Start > c.End || c.End > n || c.Start > max(cursor, 0) {
				t.Fatalf("%q at %d: %+v of %d", line, cursor, c, n)
			}
			done := line[:byteAt(line, c.Start)] + c.Text + line[byteAt(line, c.End):]
			checkLine(t, g, done)
		}
		if hint := g.Hint(line); strings.ContainsAny(hint, "\n\x1b") || !utf8.ValidString(hint) {
			t.Fatalf("%q: hint %q", line, hint)
		}
	})
}
