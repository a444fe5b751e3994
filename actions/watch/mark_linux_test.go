package watch

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"cowscope/actions/feature"
	"cowscope/vmspace"

	"golang.org/x/sys/unix"
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
	mark, err := w.l.Mark(context.Background(), "p1", a, false)
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

// writer is the role of a process that maps pages, writes to all of them, and to those that it is told.
const writer, writerPages = "WATCH_WRITER", 64

func writes() {
	pg := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, writerPages*pg, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil { // it merges with no neighbour
		panic(err)
	}
	for i := range writerPages {
		b[i*pg] = 1
	}
	fmt.Println(uint64(uintptr(unsafe.Pointer(&b[0]))))
	var page int
	for {
		if n, _ := fmt.Scan(&page); n == 0 {
			os.Exit(0)
		}
		b[page*pg] = 1 // as it was
		fmt.Println(page)
	}
}

// An exact mark knows each page that was written to, though its bytes are as before; so do later marks,
// without another stop.
func TestMarkExact(t *testing.T) {
	if ok, why, err := feature.Available("uffd-async"); !ok {
		t.Skip("needs uffd-async:", why, err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), writer+"=1")
	in, err1 := cmd.StdinPipe()
	pipe, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil || cmd.Start() != nil {
		t.Fatal(err1, err2)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	out := bufio.NewScanner(pipe)
	var at uint64
	if out.Scan(); true {
		fmt.Sscan(out.Text(), &at)
	}
	write := func(pages ...int) {
		for _, page := range pages {
			fmt.Fprintln(in, page)
			out.Scan()
		}
	}
	l, err := Open(context.Background(), cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := watched{T: t, l: l}
	arena := vmspace.Range{Start: at, End: at + writerPages*uint64(os.Getpagesize())}
	written := func() (n uint64) {
		for _, r := range w.since("p1").Rows {
			if r.Mapping.Range == arena {
				n += r.Written
			}
		}
		return n
	}
	if _, err := l.Mark(context.Background(), "p1", arena, false); err != nil {
		t.Fatal(err)
	}
	write(1, 2)
	if n := written(); n != 0 || w.since("p1").Exact != Sampled {
		t.Errorf("the same bytes: %d written", n)
	}
	st, err := l.Mark(context.Background(), "p1", arena, true)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(st.Why, "it was stopped once") {
		t.Error(st.Why)
	}
	for i, pages := range [][]int{{3, 5, 5, 60}, {7}} {
		if n := written(); n != 0 {
			t.Errorf("mark %d, at once: %d written", i, n)
		}
		write(pages...)
		if n, want := written(), uint64(3-2*i); n != want {
			t.Errorf("mark %d: %d written, want %d", i, n, want)
		}
		if s := w.since("p1"); s.Exact != Exact || !strings.Contains(s.How, "userfaultfd") {
			t.Errorf("mark %d: %s, %s", i, s.Exact, s.How)
		}
		if _, err := l.Mark(context.Background(), "p1", arena, false); err != nil {
			t.Fatal(err)
		}
	}
	if marked, exact := l.Marked("p1"); !marked || !exact {
		t.Error("the mark is no longer exact")
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil || !strings.Contains(string(status), "TracerPid:\t0\n") {
		t.Errorf("%v: %s", err, status)
	}
}
