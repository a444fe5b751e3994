package actions

import (
	"runtime"
	"strings"
	"testing"

	"cowscope/actions/kernel"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// The calls that act on what is mapped already.

func TestStoryS13PopulateAndLock(t *testing.T) {
	l := open(t)
	l.all("a = mmap 8p rw private anon", "touch a+2p 3p write")
	l.states("p1", "a", "none none anon anon anon none none none")
	st := l.want("ok", "b = mmap 8p rw private anon populate")
	l.states("p1", "b", "anon anon anon anon anon anon anon anon")
	if !strings.Contains(st.Why, "8 of them") {
		t.Error(st.Why)
	}
	l.all("mlock a")
	l.states("p1", "a", "anon anon anon anon anon anon anon anon")
	if l.page("p1", "a", 0).Attrs&vmspace.Locked == 0 {
		t.Error("the page is not locked")
	}
	l.all("munlock a")
	if l.page("p1", "a", 0).Attrs&vmspace.Locked != 0 {
		t.Error("the page is still locked")
	}
	l.all("c = mmap 2p rw private anon", "mlock c onfault")
	l.states("p1", "c", "none none")
	l.all("munlockall", "mlockall future", "d = mmap 2p rw private anon")
	l.states("p1", "d", "anon anon")
}

func TestStoryS19Dontneed(t *testing.T) {
	l := open(t)
	l.all("a = mmap 2p rw private anon", "write a 5", "madvise a dontneed")
	l.states("p1", "a", "none none")
	l.reads("read a", 0)
	l.all("b = mmap 2p rw shared anon", "write b 5", "madvise b dontneed")
	l.reads("read b", 5)
	l.want("EINVAL", "madvise a+1 1p dontneed")
	l.all("mlock a")
	l.want("EINVAL", "madvise a dontneed") // locked pages are not dropped
	l.all("madvise a dontneed_locked")
}

func TestStoryS20Mremap(t *testing.T) {
	l := open(t)
	l.all("b = mmap 1p r private anon", "a = mmap 2p rw private anon", "write a 5")
	before, frame := bound(l.s.last().Names, "p1", "a"), l.frame("p1", "a", 0)
	l.want("ENOMEM", "mremap a 4p") // b lies right above it
	if st := l.want("ok", "mremap a 4p maymove"); !strings.Contains(st.Why, "moved to another address") {
		t.Error(st.Why)
	}
	now := bound(l.s.last().Names, "p1", "a")
	if now.Start == before.Start || now.Pages(ps) != 4 {
		t.Errorf("a went from %v to %v", before, now)
	}
	if l.frame("p1", "a", 0) != frame {
		t.Error("the frame did not move along")
	}
	l.reads("read a", 5)
	if st := l.want("ok", "mremap a 4p maymove dontunmap"); !strings.Contains(st.Why, "still mapped, and empty") {
		t.Error(st.Why)
	}
	l.reads("read a", 5)
	l.all("mremap a 1p")
	if n := bound(l.s.last().Names, "p1", "a").Pages(ps); n != 1 {
		t.Errorf("a has %d pages", n)
	}
	l.all("mremap a 1p maymove fixed=0x500000000000")
	if bound(l.s.last().Names, "p1", "a").Start != 0x500000000000 {
		t.Error("it is not where it was put")
	}
	l.want("EINVAL", "mremap a 1p fixed=0x500000000000")
}

// Memory from a pool is whole huge pages, and so is what the name stands for, and what counts.
func TestMmapOfThePool(t *testing.T) {
	own, _ := (&kernel.Settings{}).Meminfo("Hugepagesize")
	for flag, size := range map[string]uint64{"hugetlb": own, "hugetlb_2m": 2 << 20} {
		l := open(t)
		st := l.want("ok", "a = mmap 1p rw private anon noreserve "+flag)
		if n := bound(st.Names, "p1", "a").Len(); n != size || !strings.Contains(st.Why, "a mapping consists of whole huge pages of "+amount.Size(size)) ||
			strings.Contains(st.Why, "neighbour") {
			t.Errorf("%s: %d bytes: %s", flag, n, st.Why)
		}
		l.want("ok", "munmap a")
	}
}

func TestStoryS21Brk(t *testing.T) {
	l := open(t)
	l.all("brk +2p", "write heap 5")
	l.reads("read heap", 5)
	st := l.want("ok", "brk +1p")
	if !strings.Contains(st.Why, "grew by 1 page") {
		t.Error(st.Why)
	}
	l.all("brk -3p")
	l.want("ENOMEM", "brk 0x1000")
}

func TestStoryS22GuardAndSeal(t *testing.T) {
	require(t, "guard", "mseal")
	l := open(t)
	l.all("a = mmap 4p rw private anon", "write a 5", "madvise a+1p 1p guard_install")
	l.states("p1", "a", "anon guard none none")
	if st := l.want("SIGSEGV/MAPERR", "read a+1p"); !strings.Contains(st.Why, "guard") {
		t.Error(st.Why)
	}
	l.all("fork")
	l.states("p2", "a", "cow guard none none")
	l.all("madvise a guard_remove", "read a+1p", "mseal a")
	l.want("EPERM", "munmap a")
	l.want("EPERM", "mprotect a none")
	l.want("EPERM", "mremap a 8p maymove")
	l.all("write a 6")
}

// A touch that writes to what may not be written, past the end of a file: the store alone is
// refused for the letters, and on arm64 a load comes first.
func TestTouchPastTheEnd(t *testing.T) {
	l := open(t)
	l.all("file data 1p", "a = mmap 2p r private file=data")
	want := map[string]string{"amd64": "SIGSEGV/ACCERR", "arm64": "SIGBUS/ADRERR"}[runtime.GOARCH]
	if wrong := checkPrediction(l.want(want, "touch a+1p write")); wrong != "" {
		t.Error(wrong)
	}
}

func TestWait(t *testing.T) {
	l := open(t)
	l.want("ECHILD", "wait")
	l.all("fork")
	if st := l.want("ok", "wait"); st.Value != 0 {
		t.Errorf("%+v", st.Outcome)
	}
	l.all("@p2 exit 3")
	if st := l.want("ok", "wait"); !strings.Contains(st.Why, "p2 exited with 3") {
		t.Error(st.Why)
	}
	if p := l.s.last().After.Process("p2"); p != nil && p.State == vmspace.Zombie {
		t.Error("p2 is still a zombie")
	}
}

// Every advice runs: it ends well, or with an errno that has its sentence.
func TestEveryAdvice(t *testing.T) {
	l := open(t)
	for _, a := range verb.Advices {
		l.all("a = mmap 4p rw private anon", "write a 1")
		st := l.do("madvise a " + a.Word)
		if !st.OK() && st.Reason == "" {
			t.Errorf("%s: %s has no sentence", a.Word, st.Result)
		}
		l.all("munmap a")
	}
}
