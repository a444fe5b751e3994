package actions

import (
	"strings"
	"testing"
)

// What is said of a mapping that was cut, replaced or mapped a second time is what became of it.
func TestExplainReplaced(t *testing.T) {
	l := open(t)
	for _, c := range []struct{ line, want, not string }{
		{"a = mmap 4p rw private anon addr=0x10000000", "no memory yet", "gone"},
		{"munmap a 1", "1 page no longer mapped", "hole"},
		{"munmap a+3p 1p", "1 page no longer mapped", "hole"},
		{"munmap a+3p 1p", "hole is no error", "no longer"},
		{"fill a+1p 2p 1", "zero", ""},
		{"mmap 1p r private anon fixed addr=a+1p", "What was mapped there before is gone", "faulted in"},
		{"mmap 1p rw private anon fixed populate addr=a+1p", "1 of them faulted in at once. What was mapped there before is gone", ""},
		{"b = mmap 1p rw shared anon addr=0x20000000", "no memory yet", "gone"},
		{"mremap b 0 1p maymove fixed=0x30000000", "a second mapping", "The pages moved"},
		{"mremap b 1p maymove fixed=0x40000000", "The pages moved", "second"},
	} {
		why := l.want("ok", c.line).Why
		if !strings.Contains(why, c.want) || c.not != "" && strings.Contains(why, c.not) {
			t.Errorf("%s: %q, want %q and not %q", c.line, why, c.want, c.not)
		}
	}
}
