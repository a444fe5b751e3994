package watch

import (
	"context"
	"fmt"
	"testing"

	"cowscope/vmspace"
)

// arena is the mapping that a command of the session made.
func (w watched) arena(name string) vmspace.Range {
	w.Helper()
	h := w.s.History()
	b, ok := h[len(h)-1].Names.Get("p1", name)
	if !ok {
		w.Fatalf("%s is not there", name)
	}
	return b.Range
}

func (w watched) since(label string) *Since {
	w.Helper()
	s, err := w.l.Since(context.Background(), label)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// row is what became of one mapping.
func (s *Since) row(r vmspace.Range) string {
	for _, x := range s.Rows {
		if x.Mapping.Range == r {
			return fmt.Sprint("written ", x.Written, " copied ", x.Copied, " appeared ", x.Appeared, " gone ", x.Gone)
		}
	}
	return ""
}

// What a family did since the mark is counted, and how exact that is, is said.
func TestMark(t *testing.T) {
	w := open(t)
	if _, err := w.l.Since(context.Background(), "p1"); err == nil {
		t.Error("there is something since no mark")
	}
	w.do("a = mmap 16p rw private anon")
	a := w.arena("a")
	w.do("fill a 1")
	w.do("madvise a+12p 4p dontneed")
	w.do("fork")
	mark, err := w.l.Mark(context.Background(), "p1", a)
	if err != nil {
		t.Fatal(err)
	}
	if s := w.since("p1"); len(s.Rows) != 0 || s.Exact != Sampled {
		t.Errorf("at once: %+v", s)
	}
	for _, line := range []string{"@p1 write a 2", "@p2 write a+1p 2", "@p1 write a+12p 3", "@p1 madvise a+5p 2p dontneed", "fork"} {
		w.do(line)
	}
	s := w.since("p1")
	// Page 0 was copied; where frame numbers are hidden, only its bytes say that it was written to.
	copied := 0
	if w.l.last().After.Frames {
		copied = 1
	}
	if got, want := s.row(a), fmt.Sprint("written 1 copied ", copied, " appeared 1 gone 2"); got != want {
		t.Errorf("p1: %q, want %q", got, want)
	}
	if pg := int64(s.PageSize); s.All.RSS > 2*pg || s.All.RSS < -pg || !s.All.PSSKnown {
		t.Errorf("p1: %+v", s.All)
	}
	// The bytes of p2 were not read.
	if got, want := w.since("p2").row(a), fmt.Sprint("written ", copied, " copied ", copied, " appeared 0 gone 0"); got != want {
		t.Errorf("p2: %q, want %q", got, want)
	}
	if s := w.since("p3"); s.Exact != Unknown || s.How != "p3 came after the mark" {
		t.Errorf("p3: %+v", s)
	}
	if st := w.l.History()[mark.N]; st != mark || st.Before == nil {
		t.Error("the mark is not in the history")
	}
}
