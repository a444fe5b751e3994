package actions

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// In a large space a look reads everything now and then only, also after one that saw what is not
// worth telling.
func TestPollOfALargeSpaceIsCheap(t *testing.T) {
	l := open(t)
	l.all("a = mmap 25000p rw private anon", "madvise a nohugepage", "touch a write", "fork")
	look := func() int {
		if _, err := l.s.Poll(context.Background()); err != nil {
			t.Fatal(err)
		}
		return l.s.f.Reader.Cost().Calls
	}
	whole := look()
	// What root sees and nobody is told: the pages are no longer marked as referenced
	// (proc_pid_clear_refs(5)).
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", l.s.last().PID), []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	l.s.fullLook = time.Time{}
	look()
	for range 5 {
		if calls := look(); calls*3 > whole {
			t.Errorf("%d calls, a look at everything takes %d", calls, whole)
		}
	}
	st := l.want("ok", "write a 7")
	if calls := l.s.f.Reader.Cost().Calls; calls*3 > whole {
		t.Errorf("a write read with %d calls, a look at everything takes %d", calls, whole)
	}
	if fmt.Sprint(st.Happened) != "copy" {
		t.Errorf("it was a %s", st.Happened)
	}
}
