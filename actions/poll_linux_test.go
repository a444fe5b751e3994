package actions

import (
	"context"
	"fmt"
	"os"
	"testing"
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
	l.s.rhythm.Forget()
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

// TestReadingTheCommandLine reads that of a subject which has a fresh mapping where its arguments
// were: the kernel loads the page for the reader, and a look tells of it.
func TestReadingTheCommandLine(t *testing.T) {
	l := open(t)
	ps := l.s.last().After.PageSize
	at := commandLine(l.s.last().After.Processes[0].PID)[0] &^ (ps - 1)
	st := l.want("ok", fmt.Sprintf("new = mmap 1p rw private anon fixed addr=0x%x", at))
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", st.PID)); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	st, err := l.s.Poll(context.Background())
	if err != nil || st == nil {
		t.Fatalf("%v, %v", st, err)
	}
	if len(st.Changes) != 1 || !commandLineRead(st.After.Processes[0], st.Changes[0]) || st.Changes[0].To != "zero" {
		t.Errorf("%v", st.Changes)
	}
	l.want("ok", "expect page new zero")
}
