package actions

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// killFromOutside kills a process and waits until it is dead.
func killFromOutside(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000); err != nil {
		t.Fatal(err)
	}
}

// What another program does to the subject is noticed by the poll and told, in a small address
// space and in a large one.
func TestPollNoticesWhatComesFromOutside(t *testing.T) {
	for _, pages := range []int{8, 800} {
		l := open(t)
		l.all(fmt.Sprintf("mmap %dp rw private anon", pages))
		for i := 1; i < pages; i += 2 { // a mapping a page
			l.all(fmt.Sprintf("mprotect a+%dp 1p r", i))
		}
		st := l.s.last()
		at := bound(st.Names, "p1", "a").Start + uint64(pages-2)*st.After.PageSize
		f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", st.PID), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{1}, int64(at)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		l.s.rhythm.Forget()
		st, err = l.s.Poll(context.Background())
		if err != nil || st == nil || !strings.Contains(st.Why, "from none to anon") {
			t.Fatalf("%d pages: %+v, %v", pages, st, err)
		}
		l.states("p1", "a", "none none")
		if got := l.page("p1", "a", uint64(pages-2)).State; got != vmspace.Anon {
			t.Errorf("%d pages: the page is %s", pages, got)
		}
	}
}
