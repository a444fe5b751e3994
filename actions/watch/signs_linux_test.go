package watch

import (
	"context"
	"testing"
)

// What changes the memory of a process changes its signs, as far as the kernel counts it; a process
// that rests shows none, and is read as seldom.
func TestSigns(t *testing.T) {
	w := open(t)
	w.do("a = mmap 4p rw private anon")
	for _, line := range []string{
		"b = mmap 2p r private anon", "write a 1", "touch a+1p read", "mprotect a+2p 1p r", "munmap b", "fork", "@p2 write a 2", "@p2 exit 1", "wait",
	} {
		before := signs(w.l.members)
		if again := signs(w.l.members); again != before {
			t.Fatalf("%q at rest, then %q", before, again)
		}
		st, err := w.s.Do(context.Background(), line)
		if err != nil || !st.OK() {
			t.Fatalf("%s: %+v, %v", line, st, err)
		}
		w.l.gather(w.l.last().After)
		if after := signs(w.l.members); after == before {
			t.Errorf("%s: no sign", line)
		}
		w.l.rhythm.Forget()
		if _, err := w.l.Poll(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
