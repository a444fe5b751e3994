package actions

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/feature/machinetest"
	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Sessions on the real kernel, through the language. The stories themselves are scripts: see
// testdata/stories.

// lab is a session under test.
type lab struct {
	*testing.T
	s *Session
}

func open(t *testing.T) *lab {
	t.Helper()
	return opened(t)
}

// opened is a lab whose subjects may make more system calls than the verbs do, with any arguments.
// Nobody changes the machine's settings as long as it is there.
func opened(t *testing.T, more ...uintptr) *lab {
	t.Helper()
	machinetest.Hold(t)
	first := firstArguments()
	maps.DeleteFunc(first, func(nr uintptr, _ []uint32) bool { return slices.Contains(more, nr) })
	s, err := openWith(Options{}, append(systemCalls(), more...), first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &lab{t, s}
}

// do runs a line that must be understood.
func (l *lab) do(line string) *history.Step {
	l.Helper()
	st, err := l.s.Do(context.Background(), line)
	if err != nil {
		l.Fatalf("%s: %v", line, err)
	}
	return st
}

// want runs a line that must end in result.
func (l *lab) want(result, line string) *history.Step {
	l.Helper()
	st := l.do(line)
	if st.Result.String() != result {
		l.Fatalf("%s: %s (%s), want %s", line, st.Result, st.Why, result)
	}
	if st.Why == "" {
		l.Errorf("%s: nothing is said of why", line)
	}
	return st
}

// all runs lines that must end well.
func (l *lab) all(lines ...string) {
	l.Helper()
	for _, line := range lines {
		l.want("ok", line)
	}
}

// run finds the page number n of a name in a process.
// bound is what a name stands for, nothing where it does not exist.
func bound(n history.Names, label, name string) history.Binding {
	b, _ := n.Get(label, name)
	return b
}

func (l *lab) page(label, name string, n uint64) vmspace.Run {
	l.Helper()
	st := l.s.last()
	b, ok := st.Names.Get(label, name)
	if !ok {
		l.Fatalf("%s has no name %s", label, name)
	}
	return st.After.Process(label).PageAt(b.Start+n*st.After.PageSize, st.After.PageSize)
}

func (l *lab) frame(label, name string, n uint64) uint64 {
	l.Helper()
	r := l.page(label, name, n)
	at := bound(l.s.last().Names, label, name).Start + n*l.s.last().After.PageSize
	return r.FrameOf((at - r.Start) / l.s.last().After.PageSize)
}

// states checks the states of a name's first pages, one letter word each: "anon none".
func (l *lab) states(label, name, want string) {
	l.Helper()
	for i, w := range strings.Fields(want) {
		if got := l.page(label, name, uint64(i)).State.String(); got != w {
			l.Errorf("%s %s+%dp is %s, want %s", label, name, i, got, w)
		}
	}
}

// vmas counts the mappings that overlap a name's range.
func (l *lab) vmas(label, name string, want int) {
	l.Helper()
	st := l.s.last()
	lo, hi := st.After.Process(label).Mappings.Overlap(bound(st.Names, label, name).Range)
	if hi-lo != want {
		l.Errorf("%s: %d mappings overlap %s, want %d", label, hi-lo, name, want)
	}
}

func (l *lab) reads(line string, want ...byte) {
	l.Helper()
	if st := l.want("ok", line); !bytes.Equal(st.Bytes, want) {
		l.Errorf("%s: % x, want % x", line, st.Bytes, want)
	}
}

// frames says whether frame numbers are visible here.
func (l *lab) frames() bool { return l.s.last().After.Frames }

// code is machine code as strings of the language: return; exit(0) and return; jump to itself; a
// breakpoint; put a 1 at the address 64 KiB behind the code, and return.
var code = map[string]struct{ ret, exit, loop, trap, store string }{
	"amd64": {`"\xc3"`, `"\xb8\x3c\x00\x00\x00\x0f\x05\xc3"`, `"\xeb\xfe"`, `"\xcc"`, `"\xc6\x05\xf9\xff\x00\x00\x01\xc3"`},
	"arm64": {`"\xc0\x03\x5f\xd6"`, `"\xa8\x0b\x80\xd2\x01\x00\x00\xd4\xc0\x03\x5f\xd6"`, `"\x00\x00\x00\x14"`, `"\x00\x00\x20\xd4"`,
		`"\x21\x00\x80\x52\xe0\xff\x07\x10\x01\x00\x00\x39\xc0\x03\x5f\xd6"`},
}[runtime.GOARCH]

func TestStoryS9MachineCode(t *testing.T) {
	l := open(t)
	l.all("mmap 1p rw private anon", "write a "+code.ret)
	l.want("SIGSEGV/ACCERR", "exec a")
	l.all("mprotect a rx", "exec a")
	l.want("SIGSEGV/ACCERR", "write a "+code.ret)
	// Code of one's own makes no system call, and a loop is stopped. Each has a page: on arm64
	// the caches need not notice that code changed.
	for name, text := range map[string]string{"exit": code.exit, "loop": code.loop, "trap": code.trap} {
		l.all(name+" = mmap 1p rw private anon", "write "+name+" "+text, "mprotect "+name+" rx")
	}
	l.want("refused", "exec exit")
	l.want("timeout", "exec loop")
	if st := l.want("ok", "exec trap"); !strings.Contains(st.Why, "ran to a trap at trap,") {
		t.Error(st.Why)
	}
	l.all("mprotect a rw", "write a 1")
}

func TestStoryS16CopyOnWrite(t *testing.T) {
	l := open(t)
	l.all("mmap 1p rw private anon", "write a 1", "fork", "fork")
	l.states("p1", "a", "cow")
	l.states("p2", "a", "cow")
	l.states("p3", "a", "cow")
	if l.frames() && (l.frame("p1", "a", 0) != l.frame("p2", "a", 0) || l.frame("p1", "a", 0) != l.frame("p3", "a", 0)) {
		t.Error("three sharers, not one frame")
	}
	old := l.frame("p1", "a", 0)
	st := l.want("ok", "@p2 write a 2")
	l.states("p2", "a", "anon")
	l.states("p1", "a", "cow")
	if l.frames() {
		if l.frame("p2", "a", 0) == old || l.frame("p1", "a", 0) != old {
			t.Error("the writer did not get a frame of its own")
		}
		if !strings.Contains(st.Why, "copied") || !strings.Contains(st.Why, "p1 and p3") {
			t.Errorf("why: %s", st.Why)
		}
	}
	l.all("@p3 write a 3")
	l.states("p1", "a", "anon") // the last one owns it again
	l.all("write a 4")          // and keeps or copies it
	l.states("p1", "a", "anon")
	l.reads("@p2 read a", 2)
	l.reads("@p3 read a", 3)
	l.reads("read a", 4)
}

func TestStoryS24Reserve(t *testing.T) {
	require(t, "overcommit")
	l := open(t)
	l.all("mmap 1t rw private anon noreserve")
	l.do("madvise a nohugepage") // EINVAL where there are none
	l.all("write a+100g 1")
	p := l.s.last().After.Process("p1")
	if p.RSS > 1<<20 {
		t.Errorf("rss is %d", p.RSS)
	}
	if n := p.Resident(bound(l.s.last().Names, "p1", "a").Range); n != 1 {
		t.Errorf("%d pages of the mapping are there", n)
	}
}

// Errors of the language: nothing runs, and the message points and helps.
func TestMistakes(t *testing.T) {
	l := open(t)
	for _, c := range []struct{ line, want string }{
		{"mmpa 4p rw private anon", "mmap"},
		{"mmap 4x rw private anon", "no unit x"},
		{"write b 1", "nothing is called b"},
		{"@p9 fork", "there is no process p9"},
		{"use p9", "there is no process p9"},
		{"mprotect text q", "q"},
	} {
		steps := len(l.s.History())
		_, err := l.s.Do(context.Background(), c.line)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something of %q", c.line, err, c.want)
		}
		if len(l.s.History()) != steps {
			t.Errorf("%s: a step was made", c.line)
		}
	}
	if st, err := l.s.Do(context.Background(), "  # nothing"); st != nil || err != nil {
		t.Error("a comment did something", st, err)
	}
}

// The kernel's errors are steps.
func TestErrnos(t *testing.T) {
	l := open(t)
	l.want("EINVAL", "mmap 0 rw private anon")
	l.want("EINVAL", "mmap 4p rw anon")
	l.want("EBADF", "mmap 4p rw private fd=99")
	l.want("EINVAL", "mmap 4p rw private anon offset=1")
	l.want("ENOMEM", "mmap 100000t rw private anon noreserve")
	l.all("mmap 4p rw private anon")
	l.want("EEXIST", "mmap 1p rw private anon fixed_noreplace addr=a")
	l.all("b = mmap 1p r private anon fixed addr=a+1p")
	l.vmas("p1", "a", 3)
	l.want("ENOMEM", "mprotect 0x10000 1p rw")
	l.want("EINVAL", "munmap a+1 1p")
}

// What was done before a fault in the middle is told.
func TestFaultInTheMiddle(t *testing.T) {
	l := open(t)
	l.all("mmap 2p rw private anon", "mprotect a+1p 1p r")
	st := l.want("SIGSEGV/ACCERR", fmt.Sprintf(`write a+%d "0123456789"`, ps-6))
	if st.Done != 6 || !strings.Contains(st.Why, "6 bytes") {
		t.Errorf("done %d: %s", st.Done, st.Why)
	}
	l.reads(fmt.Sprintf("read a+%d 6", ps-6), []byte("012345")...)
	st = l.want("SIGSEGV/ACCERR", "touch a write")
	if st.Done != 1 || !strings.Contains(st.Why, "1 page ") {
		t.Errorf("done %d: %s", st.Done, st.Why)
	}
}

// Every way a process of the family can go.
func TestDeaths(t *testing.T) {
	l := open(t)
	l.all("mmap 1p rw private anon", "write a 1", "fork", "@p2 fork", "@p3 kill")
	if p := l.s.last().After.Process("p3"); p == nil || p.State != vmspace.Zombie {
		t.Errorf("p3 is %+v, want a zombie", p)
	}
	l.want("exited", "@p3 read a")
	l.all("@p2 exit 3", "write a 2")
	l.all("kill SIGTERM")
	l.want("exited", "write a 2")
	l.all("restart", "mmap 1p rw private anon", "write a 9")
	l.reads("read a", 9)
}

// The subject killed from outside is a shown event.
func TestKilledFromOutside(t *testing.T) {
	l := open(t)
	pid := l.s.last().PID
	killFromOutside(t, pid)
	st, err := l.s.Poll(context.Background())
	if err != nil || st == nil || !strings.Contains(st.Event, "SIGKILL") {
		t.Fatalf("%+v, %v", st, err)
	}
	l.want("exited", "fork")
	l.all("restart", "fork")
}

// Watching and polling make no steps where nothing happens.
func TestPollIsQuiet(t *testing.T) {
	l := open(t)
	l.all("mmap 4p rw private anon", "write a 1", "fork")
	before := l.s.last()
	for range 20 {
		if st, err := l.s.Poll(context.Background()); st != nil || err != nil {
			t.Fatalf("%+v, %v", st, err)
		}
		if _, err := l.s.Peek(context.Background(), "p1", bound(before.Names, "p1", "a").Start); err != nil {
			t.Fatal(err)
		}
		if b, err := l.s.Peek(context.Background(), "p1", bound(before.Names, "p1", "a").Start+ps); err != nil || len(b) != 0 {
			t.Fatal("bytes of an absent page", b, err)
		}
	}
	l.states("p1", "a", "cow none none none")
}

// Taking away the stubs ends what cowscope can do in a process, and is said.
func TestStubsGone(t *testing.T) {
	l := open(t)
	l.all("munmap text")
	l.want("exited", "fork")
	// Zeros in the place of the stubs are instructions: what they do is not what the jump led to.
	l.all("restart", "mmap 1p x private anon fixed addr=text")
	l.want("exited", "exec stack+30p")
	l.all("restart", "mmap 1p rw private anon")
}

// Unmapping, writing over, or protecting whatever else is there leaves the lab usable.
func TestHostileLines(t *testing.T) {
	for _, line := range []string{"munmap stack", "munmap vdso", "mprotect text none", "mprotect text rwx", "fill stack 0xff", "munmap 0x0 0x7ffffffff000", "kill SIGSTOP", "kill SIGCHLD"} {
		t.Run(line, func(t *testing.T) {
			l := open(t)
			l.do(line)
			l.do("mmap 1p rw private anon")
			l.do("fork")
			l.all("restart", "mmap 1p rw private anon", "write a 1", "fork")
		})
	}
}

// What is said of accesses that are easily mistaken for others.
func TestExplanations(t *testing.T) {
	l := open(t)
	l.all("file data 1p", "own = mmap 1p rw private file=data")
	if st := l.want("ok", `write own "mine"`); !strings.Contains(st.Why, "copied the file's page") {
		t.Error("a first write to a private file page:", st.Why)
	}
	l.all("jit = mmap 128k rw private anon", "write jit "+code.store, "mprotect jit 64k rx")
	page := fmt.Sprintf("jit+%dp: none → anon", 64<<10/l.s.last().After.PageSize)
	if st := l.want("ok", "exec jit"); !strings.Contains(st.Why, page) || st.Minor != 1 {
		t.Error("code that touches another page:", st.Minor, st.Why)
	}
}
