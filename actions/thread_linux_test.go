package actions

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"cowscope/actions/family"
	"cowscope/vmspace"
)

// Several threads of one process.

func TestThreadsShareTheMemory(t *testing.T) {
	l := open(t)
	l.all("a = mmap 2p rw private anon", "write a 1")
	st := l.want("ok", "thread")
	p := st.After.Process("p2")
	if st.Value != uint64(p.PID) || !p.Thread || p.Parent != "p1" || !strings.Contains(st.Why, "p2 is a thread of p1: one process, one address space") {
		t.Errorf("%s = %d: %s; %+v", st.Call, st.Value, st.Why, p.Member)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", st.After.Process("p1").PID, p.PID)); err != nil {
		t.Error(err)
	}
	if wrong := checkClaims(st); wrong != "" {
		t.Error(wrong)
	}
	l.shares("p2 p1")
	if !l.oneSpace("p1", "p2") {
		t.Error("the kernel says that the address spaces differ")
	}
	for _, line := range []string{"@p2 write a 2", "@p2 write a+1p 3", "@p2 b = mmap 1p rw shared anon", "@p2 write b 4", "@p2 mprotect a+1p 1p r", "write b 5", "c = mmap 1p rw private anon", "@p2 write c 6"} {
		st := l.want("ok", line)
		for _, c := range st.Changes {
			if c.Process != st.Process {
				t.Errorf("%s: a change is told of %s: %+v", line, c.Process, c)
			}
		}
		if wrong := notOne(st.After.Process("p1"), st.After.Process("p2")); wrong != "" {
			t.Errorf("%s: %s", line, wrong)
		}
	}
	// Whose access brought the page in is the same to both: the second one takes no fault.
	if st := l.want("ok", "read c"); st.Minor != 0 || st.Happened != vmspace.NoFault {
		t.Errorf("%d faults, %v", st.Minor, st.Happened)
	}
	st = l.want("ok", "@p2 thread_exit")
	if !strings.Contains(st.Why, "The thread p2 has ended, and nobody has to wait for it. Its memory stays: it is that of p1 too.") {
		t.Error(st.Why)
	}
	l.shares()
	l.reads("read a", 2)
	l.want("ECHILD", "wait")
	if st := l.want("refused", "thread_exit"); !strings.Contains(st.Why, "exit ends the process, with all its threads") {
		t.Error(st.Why)
	}
	l.want("exited", "@p2 read a")
}

// A fork by one of several copies that one alone, and either may wait for the child.
func TestForkAmongThreads(t *testing.T) {
	l := open(t)
	l.all("a = mmap 1p rw private anon", "write a 1", "thread")
	st := l.want("ok", "@p2 fork")
	if p := st.After.Process("p3"); p.Parent != "p1" || p.Thread || !strings.Contains(st.Why, "It has one thread, the copy of p2: fork copies no other.") {
		t.Errorf("%+v: %s", p.Member, st.Why)
	}
	if wrong := checkClaims(st); wrong != "" {
		t.Error(wrong)
	}
	for _, p := range []string{"p1", "p2", "p3"} {
		l.states(p, "a", "cow")
	}
	l.all("@p3 thread", "@p4 write a 9")
	l.states("p1", "a", "anon")
	l.reads("@p3 read a", 9)
	if st := l.want("ok", "@p4 exit 5"); !strings.Contains(st.Why, "p4 exited with 5. p3 ended with it: the threads of a process end together.") {
		t.Error(st.Why)
	}
	l.all("expect exited p3 5")
	l.want("ok", "wait")
	l.reads("@p2 read a", 1)
	if st := l.want("ok", "thread"); strings.Contains(st.Why, "fork") {
		t.Error(st.Why)
	}
}

// Whoever ends, and whatever ends it: all threads of a process end with it, and are known to have.
func TestThreadsEndTogether(t *testing.T) {
	for line, says := range map[string]string{
		"exit 3":            "p1 exited with 3. p2 and p3 ended with it: the threads of a process end together.",
		"@p3 exit 3":        "p3 exited with 3. p1 and p2 ended with it",
		"kill":              "p1 was killed by SIGKILL. p2 and p3 ended with it",
		"@p2 kill SIGTERM":  "p2 was killed by SIGTERM. p1 and p3 ended with it",
		"@p3 kill SIGWINCH": "SIGWINCH did not end p3",
	} {
		t.Run(line, func(t *testing.T) {
			l := open(t)
			l.all("a = mmap 1p rw private anon", "thread", "@p2 thread")
			if st := l.want("ok", line); !strings.Contains(st.Why, says) {
				t.Error(st.Why)
			}
			for _, p := range []string{"p1", "p2", "p3"} {
				if strings.Contains(line, "WINCH") {
					l.want("ok", "@"+p+" write a 1")
					continue
				}
				l.want("exited", "@"+p+" write a 1")
				if l.s.f.Member(p).Gone == "" {
					t.Errorf("%s is not known to be gone", p)
				}
			}
			l.all("restart", "a = mmap 1p rw private anon", "write a 1")
		})
	}
}

// Killed from outside, one or the other, noticed by looking or by a command.
func TestThreadKilledFromOutside(t *testing.T) {
	for _, victim := range []string{"p1", "p2"} {
		for _, notice := range []string{"poll", "command"} {
			t.Run(victim+" "+notice, func(t *testing.T) {
				l := open(t)
				l.all("a = mmap 1p rw private anon", "write a 5", "thread")
				if err := syscall.Kill(l.s.last().After.Process(victim).PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				if notice == "poll" {
					for {
						st, err := l.s.Poll(context.Background())
						if err != nil {
							t.Fatal(err)
						}
						if st != nil && st.Event == "p1 was killed by SIGKILL, p2 was killed by SIGKILL" {
							break
						}
						// A zombie may be seen before its end is reported.
						if st != nil && !strings.HasPrefix(st.Event, "something changed") {
							t.Fatalf("%q", st.Event)
						}
					}
				}
				l.want("exited", "@p2 read a")
				l.want("exited", "read a")
				l.all("restart", "mmap 1p rw private anon")
			})
		}
	}
}

// What belongs to the process is the same for all of its threads; what belongs to a thread is not.
func TestThreadsWhatIsShared(t *testing.T) {
	l := open(t)
	l.all("thread", "@p2 setrlimit stack 1m")
	if st := l.s.last(); len(st.Limits) != 2 {
		t.Errorf("limits: %+v", st.Limits)
	}
	l.all("@p2 thread_exit", "fork", "use p3")
	if st := l.s.last(); len(st.Limits) != 2 || st.Limits[1].Process != "p3" {
		t.Errorf("limits: %+v", st.Limits)
	}
	if hasFeature("mdwe")() == nil {
		l.all("thread", "prctl mdwe")
		if st := l.want("EACCES", "@p4 mmap 1p rwx private anon"); st.Reason != "mmap EACCES mdwe" {
			t.Error(st.Reason, st.Why)
		}
	}
	l.all("restart", "u = mmap 2p rw private anon", "thread")
	if hasFeature("uffd")() == nil {
		l.all("@p2 uffd_register u missing", "uffd_zeropage u 1p", "@p2 read u", "uffd_unregister u")
	}
	if hasFeature("pkeys")() == nil {
		l.all("@p2 pkey_alloc", "@p2 pkey_mprotect u rw 1", "@p2 write u 1")
		l.want("SIGSEGV/PKUERR", "read u") // the key is p1's too, the right to it is not
		l.all("pkey_set 1", "read u", "thread", "@p3 read u", "pkey_set 1 access", "@p3 write u 2")
		l.want("SIGSEGV/PKUERR", "read u")
	}
}

// The thread that waits in vfork keeps no other one.
func TestVforkAmongThreads(t *testing.T) {
	l := open(t)
	l.all("a = mmap 1p rw private anon", "thread", "@p2 vfork")
	if st := l.want("refused", "@p2 write a 1"); st.Why != "p2 waits in vfork until p3 exits." {
		t.Error(st.Why)
	}
	l.all("write a 1")
	l.reads("@p3 read a", 1)
	l.all("@p3 exit", "@p2 write a 2", "wait", "vfork")
	if st := l.want("ok", "@p2 exit 2"); !strings.Contains(st.Why, "p1 ended with it") || !strings.Contains(st.Why, "Its memory stays: it is that of p4 too.") {
		t.Error(st.Why)
	}
	l.reads("@p4 read a", 2)
}

// The memory of one address space counts once; threads count as processes do.
func TestThreadLimits(t *testing.T) {
	s, err := Open(Options{Limits: family.Limits{Processes: 4, Memory: 32 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	l.all("a = mmap 12m rw private anon", "madvise a nohugepage", "fill a 1", "thread", "@p2 thread", "@p3 thread")
	if st := l.want("refused", "@p4 thread"); !strings.Contains(st.Why, "--max-processes") {
		t.Error(st.Why)
	}
	if took := s.f.Taken(true); took > 16<<20 {
		t.Errorf("%d bytes are counted", took)
	}
	l.all("@p4 c = mmap 200m rw private anon", "@p4 madvise c nohugepage")
	if st := l.want("exited", "@p4 fill c 1"); !strings.Contains(st.Why, "p4 was killed. --max-memory raises the limit.") {
		t.Error(st.Why)
	}
	l.want("exited", "@p1 read a")
	l.all("restart", "a = mmap 1p rw private anon", "write a 1")
	for range 300 {
		st := l.want("ok", "thread")
		l.all(fmt.Sprintf("@%s thread_exit", st.After.Processes[len(st.After.Processes)-1].Label))
	}
	if n := len(s.f.Members); n > family.MostDead+1 {
		t.Errorf("%d are kept", n)
	}
}
