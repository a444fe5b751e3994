package actions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Every state on a live process: vmspace.Proofs names the tests.

// sure runs lines that end well, and holds each against its prediction and against the simple
// reader.
func (l *lab) sure(lines ...string) *history.Step {
	l.Helper()
	var st *history.Step
	for _, line := range lines {
		st = l.want("ok", line)
		for _, wrong := range []string{checkPrediction(st), checkSnapshot(st.After)} {
			if wrong != "" {
				l.Fatalf("%s: %s", line, wrong)
			}
		}
	}
	return st
}

// happens is sure for a line of which it is known what happens.
func (l *lab) happens(what vmspace.Happening, line string) *history.Step {
	l.Helper()
	st := l.sure(line)
	if st.Happened != what {
		l.Errorf("%s: %s happened, want %s", line, st.Happened, what)
	}
	return st
}

// grounds are those of page n of a name.
func (l *lab) grounds(label, name string, n uint64) vmspace.Grounds {
	l.Helper()
	r := l.page(label, name, n)
	s := l.s.last().After
	p := s.Process(label)
	m, _ := p.MappingAt(r.Start)
	return s.Grounds(p, m, r)
}

// certain wants the grounds of a page to name the evidence, and no doubt.
func (l *lab) certain(label, name string, n uint64, seen string) {
	l.Helper()
	if g := l.grounds(label, name, n); len(g.Inferred) > 0 || !strings.Contains(strings.Join(g.Seen, "; "), seen) {
		l.Errorf("%s %s+%dp rests on %q, want %q and no doubt", label, name, n, g, seen)
	}
}

// zeroProof is the best word that this kernel gives this user for the zero page.
func (l *lab) zeroProof() string {
	switch f := l.s.f.Reader.Features(); {
	case f.Scan:
		return "PFNZERO"
	case f.KPage:
		return "ZERO_PAGE"
	}
	return "EFAULT"
}

// doubted wants a doubt in the grounds of a page.
func (l *lab) doubted(label, name string, n uint64, why string) {
	l.Helper()
	if g := l.grounds(label, name, n); !strings.Contains(strings.Join(g.Inferred, "; "), why) {
		l.Errorf("%s %s+%dp rests on %q, want a doubt of %q", label, name, n, g, why)
	}
}

// soon looks again and again until the pages are as wanted: what the kernel does in its own time.
// On a machine with much to do that may be long: ksmd, which is nice, was seen to need a minute.
func (l *lab) soon(what string, holds func() bool) {
	l.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	for !holds() {
		if ctx.Err() != nil {
			l.Fatalf("after five minutes, not %s", what)
		}
		if _, err := l.s.Poll(ctx); err != nil && ctx.Err() == nil {
			l.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // who brings it about, such as ksmd, may run at a lower priority
	}
}

func (l *lab) attrs(label, name string, n uint64) vmspace.Attrs { return l.page(label, name, n).Attrs }

// PROT_NONE takes no page away, and fork gives the child no page table entries of shared memory.
func TestStateNone(t *testing.T) {
	l := open(t)
	l.sure("a = mmap 3p rw private anon", "write a 1", "read a+1p", "b = mmap 1p rw shared anon", "write b 1", "fork")
	l.states("p1", "a", "cow zero none")
	l.states("p2", "b", "none")
	l.certain("p2", "b", 0, "63 and 62 clear")
	l.sure("mprotect a none")
	if !l.frames() && blindToNone() {
		l.states("p1", "a", "unknown unknown none")
		l.doubted("p1", "a", 0, "look alike here")
	} else {
		l.states("p1", "a", "cow zero none")
	}
	if st := l.want("SIGSEGV/ACCERR", "read a"); checkPrediction(st) != "" {
		t.Error(checkPrediction(st))
	}
}

// Where a mapping may only be written to and userfaultfd takes that right from a page, nothing is
// left of its rights.
func TestStateWithoutRights(t *testing.T) {
	if err := hasFeature("uffd-wp")(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	l.sure("a = mmap 2p w private anon", "write a 1", "fork", "uffd_register a wp", "uffd_wp a 1p")
	if !l.frames() && blindToNone() {
		l.states("p1", "a", "unknown none")
		l.doubted("p1", "a", 0, "look alike here")
	} else {
		l.states("p1", "a", "cow none")
	}
}

func TestStateZero(t *testing.T) {
	l := open(t)
	l.sure("a = mmap 2p rw private anon")
	l.happens(vmspace.ZeroMap, "read a")
	l.states("p1", "a", "zero none")
	l.certain("p1", "a", 0, l.zeroProof())
	if r := l.page("p1", "a", 0); r.Mapcount > 0 || r.Word&vmspace.WordExclusive != 0 {
		t.Errorf("the zero page is counted: %+v", r)
	}
	l.happens(vmspace.ZeroFill, "write a 1")
	l.states("p1", "a", "anon none")
}

func TestStateAnon(t *testing.T) {
	l := open(t)
	l.sure("a = mmap 1p rw private anon")
	l.happens(vmspace.ZeroFill, "write a 1")
	l.states("p1", "a", "anon")
	l.certain("p1", "a", 0, "56 exclusive")
	l.sure("fork", "@p2 exit")
	l.states("p1", "a", "anon") // alone again
	l.sure("write a 2")
}

func TestStateCOW(t *testing.T) {
	l := open(t)
	l.sure("a = mmap 1p rw private anon", "write a 1", "fork")
	l.states("p1", "a", "cow")
	l.states("p2", "a", "cow")
	if l.frames() {
		l.certain("p1", "a", 0, "a relative's frame")
		if a, b := l.frame("p1", "a", 0), l.frame("p2", "a", 0); a == 0 || a != b {
			t.Errorf("the frames are 0x%x and 0x%x", a, b)
		}
		if n := l.page("p1", "a", 0).Mapcount; n != 2 {
			t.Errorf("mapped %d times", n)
		}
	} else {
		l.doubted("p1", "a", 0, "bit 56 is clear here and in p2")
	}
	l.happens(vmspace.Copy, "@p2 write a 2")
	l.states("p1", "a", "anon")
	l.states("p2", "a", "anon")
}

// A relative that is not shown has the frame: what is certain then is less.
func TestStateCOWWithAStranger(t *testing.T) {
	l := open(t)
	l.sure("a = mmap 1p rw private anon", "write a 1", "fork")
	s := *l.s.last().After
	s.Processes = s.Processes[:1]
	p, r := s.Processes[0], l.page("p1", "a", 0)
	m, _ := p.MappingAt(r.Start)
	g := s.Grounds(p, m, r)
	if l.frames() && len(g.Inferred) > 0 { // the count says that it is mapped twice
		t.Errorf("%q", g)
	}
	if !l.frames() && !strings.Contains(fmt.Sprint(g.Inferred), "may be mapped elsewhere too, since a fork") {
		t.Errorf("%q", g)
	}
}

// folders are those where the files of a test can lie, by file system, as far as they are here.
func folders(t *testing.T) map[string]string {
	out := map[string]string{"scratch": t.TempDir()}
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		dir, err := os.MkdirTemp("/dev/shm", "cowscope-test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		out["tmpfs"] = dir
	}
	return out
}

// onFiles runs a test with a file of four pages on each file system.
func onFiles(t *testing.T, test func(l *lab, file string)) {
	for name, dir := range folders(t) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "f")
			if err := os.WriteFile(file, []byte(strings.Repeat("x", 4*os.Getpagesize())), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(Options{AllowPaths: []string{dir}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			test(&lab{t, s}, file)
		})
	}
}

func TestStateFile(t *testing.T) {
	onFiles(t, func(l *lab, file string) {
		l.sure("a = mmap 4p rw private file=" + file)
		l.happens(vmspace.MapPage, "read a")
		if got := l.page("p1", "a", 0).State; got != vmspace.File {
			l.Errorf("it is %s", got)
		}
		l.certain("p1", "a", 0, "61 file; maps p")
		l.happens(vmspace.Copy, "write a 1")
		l.states("p1", "a", "anon")
	})
}

func TestStateShared(t *testing.T) {
	onFiles(t, func(l *lab, file string) {
		l.sure("a = mmap 4p rw shared file=" + file)
		l.happens(vmspace.MapPage, "write a 1")
		if got := l.page("p1", "a", 0).State; got != vmspace.Shared {
			l.Errorf("it is %s", got)
		}
		l.certain("p1", "a", 0, "maps s")
		l.sure("fork", "@p2 write a 2", "@p1 read a")
		if l.frames() && l.frame("p1", "a", 0) != l.frame("p2", "a", 0) {
			l.Error("two frames of one page of a file")
		}
	})
}

func TestStateGuard(t *testing.T) {
	l := open(t)
	require(t, "guard", "guard-bit")
	l.sure("a = mmap 2p rw private anon", "write a 1", "madvise a guard_install")
	l.states("p1", "a", "guard guard")
	l.certain("p1", "a", 0, "58 guard")
	if st := l.want("SIGSEGV/MAPERR", "read a"); checkPrediction(st) != "" {
		t.Error(checkPrediction(st))
	}
	l.sure("madvise a guard_remove")
	l.states("p1", "a", "none none")
}

func TestStateSwapped(t *testing.T) {
	require(t, "swap")
	l := open(t)
	l.sure("a = mmap 2p rw private anon", "fill a 0x55", "madvise a pageout")
	l.states("p1", "a", "swapped swapped")
	l.certain("p1", "a", 0, "62 swapped")
	l.happens(vmspace.SwapIn, "read a")
	l.happens(vmspace.SwapIn, "write a+1p 1")
	l.states("p1", "a", "anon anon")
	l.sure("expect bytes a 0x55", "expect bytes a+1p 1")
}

// Of a page of shared memory that is swapped out no page table entry is left: it is none, and comes
// back by a major fault or from the swap cache.
func TestStateSwappedShared(t *testing.T) {
	require(t, "swap")
	l := open(t)
	l.sure("a = mmap 1p rw shared anon", "fill a 0x55", "madvise a pageout")
	l.states("p1", "a", "none")
	r := l.page("p1", "a", 0)
	if m, _ := l.s.last().After.Process("p1").MappingAt(r.Start); m.Smaps.Swap != l.s.last().After.PageSize {
		t.Errorf("smaps counts %d bytes in swap", m.Smaps.Swap)
	}
	l.happens(vmspace.MapPage, "read a")
	l.states("p1", "a", "shared")
	l.sure("expect bytes a 0x55")
}

func TestStateHugetlb(t *testing.T) {
	require(t, "hugetlb")
	l := open(t)
	l.sure("a = mmap 2m rw private anon hugetlb", "write a 1", "b = mmap 2m rw shared anon hugetlb", "write b 1")
	l.states("p1", "a", "anon anon")
	l.states("p1", "b", "shared shared")
	for _, name := range []string{"a", "b"} {
		if l.attrs("p1", name, 5)&vmspace.Huge == 0 {
			t.Errorf("%s is not huge", name)
		}
	}
	l.sure("fork", "read a", "@p2 read a")
	l.states("p1", "a", "cow")
}

// Of the kernel's data pages pagemap says nothing, before and after they are read: they are special
// and never none.
func TestStateSpecial(t *testing.T) {
	l := open(t)
	l.all("expect page vvar special")
	if st := l.want("ok", "read vvar"); st.Minor == 0 {
		t.Error("the first read took no fault")
	}
	l.all("expect page vvar special")
	if st := l.want("ok", "read vvar"); st.Minor != 0 {
		t.Error("the page that was read was not there")
	}
	l.all("expect page vdso none", "read vdso", "expect page vdso 1p special")
}

// Where frames are hidden, nobody can say whether a write after a fork kept the frame: as root, the
// kernel is seen to do both.
func TestHiddenFramesAreNotSaidToBeKept(t *testing.T) {
	l := open(t)
	l.all("a = mmap 1p rw private anon", "write a 1", "fork", "@p2 write a 2")
	st := l.want("ok", "@p1 write a 3")
	if kept := strings.Contains(st.Why, "and it was kept"); !l.frames() && (kept || st.Minor == 1 && !strings.Contains(st.Why, "hidden")) {
		t.Error(st.Why)
	} else if l.frames() && kept != (st.Happened == vmspace.Reuse) {
		t.Errorf("%s: %s", st.Happened, st.Why)
	}
}
