package actions

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cowscope/actions/family"
	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Two processes in one address space.

// oneSpace asks the kernel whether two processes have one address space (kcmp(2)).
func (l *lab) oneSpace(p, q string) bool {
	l.Helper()
	const kcmpVM = 1
	after := l.s.last().After
	r, _, e := unix.Syscall6(unix.SYS_KCMP, uintptr(after.Process(p).PID), uintptr(after.Process(q).PID), kcmpVM, 0, 0, 0)
	if e != 0 {
		l.Skipf("needs kcmp: %v", e)
	}
	return r == 0
}

// shares checks whose memory each process runs in: "p2 p1" says that p2 does in that of p1.
func (l *lab) shares(want ...string) {
	l.Helper()
	var got []string
	for _, p := range l.s.last().After.Processes {
		if p.Shares != "" {
			got = append(got, p.Label+" "+p.Shares)
		}
	}
	if !slices.Equal(got, want) {
		l.Errorf("%q share, want %q", got, want)
	}
}

func TestVforkSharesTheMemory(t *testing.T) {
	l := open(t)
	l.all("a = mmap 2p rw private anon", "write a 1")
	st := l.want("ok", "vfork")
	if st.Call != "vfork()" || st.Value != uint64(st.After.Process("p2").PID) || !strings.Contains(st.Why, "p1 waits in the kernel until p2 exits") {
		t.Errorf("%s = %d: %s", st.Call, st.Value, st.Why)
	}
	if wrong := checkClaims(st); wrong != "" {
		t.Error(wrong)
	}
	if !st.Facts.NeverForked {
		t.Error("nothing was write-protected, and the facts do not say so")
	}
	l.shares("p2 p1")
	l.states("p1", "a", "anon none")
	l.states("p2", "a", "anon none")
	if !l.oneSpace("p1", "p2") {
		t.Error("the kernel says that the address spaces differ")
	}

	// What the child does is told once, as its own, and the parent has it.
	for _, line := range []string{"@p2 write a 2", "@p2 write a+1p 3", "@p2 b = mmap 1p rw shared anon", "@p2 write b 4", "@p2 mprotect a+1p 1p r", "@p2 mlock b"} {
		st := l.want("ok", line)
		for _, c := range st.Changes {
			if c.Process != "p2" {
				t.Errorf("%s: a change is told of %s: %+v", line, c.Process, c)
			}
		}
		if wrong := notOne(st.After.Process("p1"), st.After.Process("p2")); wrong != "" {
			t.Errorf("%s: %s", line, wrong)
		}
	}
	l.vmas("p1", "a", 2)
	if l.page("p1", "b", 0).State != vmspace.Shared {
		t.Error("a mapping of the child has no name in the parent")
	}
	st = l.want("ok", "@p2 exit")
	if !strings.Contains(st.Why, "Its memory stays: it is that of p1 too. p1, which waited for that, goes on. A zombie remains until p1 waits for it.") {
		t.Error(st.Why)
	}
	l.shares()
	l.reads("read a", 2)
	l.reads("read b", 4)
	l.all("wait", "munmap b")
}

// The faults of an access of the child to a name that the child of a copy has, too.
func TestVforkAmongCopies(t *testing.T) {
	l := open(t)
	l.all("a = mmap 1p rw private anon", "write a 1", "vfork", "@p2 fork")
	l.shares("p2 p1")
	for _, p := range []string{"p1", "p2", "p3"} {
		l.states(p, "a", "cow")
	}
	st := l.want("ok", "@p2 write a 2")
	if l.frames() && !strings.Contains(st.Why, "The frame was shared with p3; the kernel copied it") {
		t.Error(st.Why)
	}
	l.states("p1", "a", "anon")
	l.reads("@p3 read a", 1)
	l.all("@p2 exit")
	l.reads("read a", 2)
}

// A command to a process that waits is refused, and what is done from outside is not.
func TestVforkWaits(t *testing.T) {
	l := open(t)
	l.all("a = mmap 1p rw private anon", "write a 7", "file data 1p", "vfork")
	for _, line := range []string{"write a 1", "mmap 1p rw private anon", "fork", "vfork", "exit", "wait", "munmap a", "exec a", "mincore a", "mmap 1p rw shared file=data"} {
		if st := l.want("refused", line); st.Why != "p1 waits in vfork until p2 exits." || len(st.Changes) > 0 || st.Call != "" {
			t.Errorf("%s: %s %q %v", line, st.Call, st.Why, st.Changes)
		}
	}
	l.all("expect bytes a 7", "snapshot", "fwrite data 0 \"x\"", "use p2", "write a 8", "use p1", "expect bytes a 8")
	pid := l.s.last().After.Process("p1").PID
	if state := procState(t, pid); state != 'D' {
		t.Errorf("p1 is in state %c", state)
	}
	l.all("@p2 exit 3")
	if state := procState(t, pid); state != 't' {
		t.Errorf("afterwards p1 is in state %c", state)
	}
	l.all("expect exited p2 3", "wait", "write a 1", "vfork", "@p3 exit", "write a 2")
}

func procState(t *testing.T, pid int) byte {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(b), ") ")
	if err != nil || !ok {
		t.Fatal(err)
	}
	return rest[0]
}

// Each of three in a row waits for the next one. When the one in the middle is killed two are left
// that act in one address space, and each one's changes are told as its own.
func TestVforkInVfork(t *testing.T) {
	l := open(t)
	l.all("a = mmap 4p rw private anon", "vfork", "@p2 vfork")
	l.shares("p2 p1", "p3 p1")
	if st := l.want("refused", "@p2 write a 1"); st.Why != "p2 waits in vfork until p3 exits." {
		t.Error(st.Why)
	}
	st := l.want("ok", "@p2 kill")
	if !strings.Contains(st.Why, "Its memory stays: it is that of p1 and p3 too. p1, which waited for that, goes on.") {
		t.Error(st.Why)
	}
	if wrong := checkClaims(st); wrong != "" {
		t.Error(wrong)
	}
	l.shares("p3 p1")
	for i, line := range []string{"@p1 write a 1", "@p3 write a+1p 1", "@p1 b = mmap 1p rw private anon", "@p3 write b 1", "@p3 munmap b"} {
		st := l.want("ok", line)
		if c := st.Changes; len(c) == 0 || c[0].Process != st.Process {
			t.Errorf("line %d: %v", i, c)
		}
	}
	if st := l.want("SIGSEGV/MAPERR", "@p1 read b"); !strings.Contains(st.Why, "(@p3 munmap b) removed the mapping") {
		t.Error(st.Why)
	}
	l.all("@p1 exit") // the first of them: the memory is that of p3 alone
	l.shares()
	l.reads("@p3 read a", 1)
	l.all("@p3 exit")
}

// What a signal does to a process that waits in vfork: SIGKILL ends it, and its child lives on; any
// other one comes when it goes on.
func TestVforkSignals(t *testing.T) {
	l := open(t)
	l.all("a = mmap 1p rw private anon", "write a 5", "vfork")
	if st := l.want("ok", "kill"); !strings.Contains(st.Why, "p1 was killed by SIGKILL. Its memory stays: it is that of p2 too.") {
		t.Error(st.Why)
	}
	l.shares()
	l.reads("@p2 read a", 5)
	l.want("exited", "read a")
	l.all("@p2 exit", "restart")

	l.all("a = mmap 1p rw private anon", "vfork")
	if st := l.want("ok", "kill SIGTERM"); !strings.Contains(st.Why, "SIGTERM comes when p2 has exited") {
		t.Error(st.Why)
	}
	l.want("refused", "read a")
	l.all("@p2 write a 1", "@p2 exit")
	if st := l.want("exited", "read a"); !strings.Contains(st.Why, "SIGTERM") {
		t.Error(st.Why)
	}
	l.all("restart", "vfork", "kill SIGSTOP", "@p2 exit", "mmap 1p rw private anon")
}

// Killed from outside, one or the other, noticed by looking or by a command.
func TestVforkKilledFromOutside(t *testing.T) {
	for _, c := range []struct{ victim, notice, lives string }{
		{"p2", "poll", "p1"}, {"p2", "command", "p1"}, {"p1", "poll", "p2"}, {"p1", "command", "p2"},
	} {
		t.Run(c.victim+" "+c.notice, func(t *testing.T) {
			l := open(t)
			l.all("a = mmap 1p rw private anon", "write a 5", "vfork")
			killFromOutside(t, l.s.last().After.Process(c.victim).PID)
			if c.notice == "poll" {
				st, err := l.s.Poll(context.Background())
				if err != nil || st == nil || !strings.Contains(st.Event, c.victim+" was killed by SIGKILL") {
					t.Fatalf("%+v, %v", st, err)
				}
				l.shares()
			}
			l.reads("@"+c.lives+" read a", 5)
			l.want("exited", "@"+c.victim+" read a")
			l.shares()
			l.all("@"+c.lives+" write a 6", "@"+c.lives+" vfork", "restart", "mmap 1p rw private anon")
		})
	}
}

// A session that ends, or starts anew, with processes that wait leaves nothing behind.
func TestVforkLeavesNothing(t *testing.T) {
	var pids []int
	for _, end := range []string{"close", "restart"} {
		s, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := &lab{t, s}
		l.all("vfork", "@p2 vfork", "@p3 fork", "@p4 vfork")
		for _, p := range s.last().After.Processes {
			pids = append(pids, p.PID)
		}
		if end == "restart" {
			l.all("restart")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d: %v", pid, err)
		}
	}
}

// The session is closed while the child runs code that never ends.
func TestVforkClosedInALoop(t *testing.T) {
	s, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t, s}
	l.all("a = mmap 1p rwx private anon", "write a "+code.loop, "vfork")
	if st := l.want("timeout", "@p2 exec a"); !strings.Contains(st.Why, "deadline") {
		t.Error(st.Why)
	}
	pid, done := s.last().After.Process("p2").PID, make(chan error)
	go func() {
		_, err := s.Do(context.Background(), "@p2 exec a")
		done <- err
	}()
	for began := time.Now(); procState(t, pid) != 'R' && time.Since(began) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-done
}

// What belongs to the address space is the same for both; what belongs to the process is not.
func TestVforkWhatIsShared(t *testing.T) {
	l := open(t)
	l.all("vfork", "@p2 setrlimit stack 1m", "@p2 exit")
	if st := l.s.last(); len(st.Limits) > 0 {
		t.Errorf("the limits of the child are left: %+v", st.Limits)
	}
	if hasFeature("mdwe")() == nil {
		l.all("vfork", "@p3 prctl mdwe", "@p3 exit")
		if st := l.want("EACCES", "mmap 1p rwx private anon"); st.Reason != "mmap EACCES mdwe" {
			t.Error(st.Reason, st.Why)
		}
	}
	if hasFeature("pkeys")() != nil {
		return
	}
	l.all("restart", "a = mmap 1p rw private anon", "vfork", "@p2 pkey_alloc", "@p2 pkey_mprotect a rw 1", "@p2 write a 1", "@p2 exit")
	l.want("SIGSEGV/PKUERR", "read a") // the key is one of p1 too, the right to it is not
	l.all("pkey_set 1", "read a", "pkey_free 1")
	if st := l.want("EINVAL", "pkey_free 1"); st.Reason != "pkey_free EINVAL not allocated" {
		t.Error(st.Reason)
	}
}

// The memory of one address space counts once, and only processes count against their limit.
func TestVforkLimits(t *testing.T) {
	s, err := Open(Options{Limits: family.Limits{Processes: 4, Memory: 32 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	l.all("a = mmap 12m rw private anon", "madvise a nohugepage", "fill a 1", "vfork", "@p2 vfork", "@p3 vfork")
	if st := l.want("refused", "@p4 vfork"); !strings.Contains(st.Why, "--max-processes") {
		t.Error(st.Why)
	}
	l.all("@p4 b = mmap 8m rw private anon", "@p4 madvise b nohugepage", "@p4 fill b 1")
	if took := s.f.Taken(true); took > 24<<20 {
		t.Errorf("%d bytes are counted", took)
	}
	// All of them have what one of them takes too much.
	l.all("@p4 c = mmap 200m rw private anon", "@p4 madvise c nohugepage")
	if st := l.want("exited", "@p4 fill c 1"); !strings.Contains(st.Why, "p4 was killed. --max-memory raises the limit. With it went p3 and p2 and p1, in the same memory.") {
		t.Error(st.Why)
	}
	l.want("exited", "@p1 read a")
	l.all("restart", "a = mmap 1p rw private anon", "write a 1")
}
