package actions

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"

	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Every attribute on a live process: vmspace.Proofs names the tests.

// hugePage maps two huge pages, of which the first is written to, and the second untouched.
func hugePage(t *testing.T) *lab {
	l := open(t)
	require(t, "thp", "collapse")
	l.sure("a = mmap "+blocks(2)+" rw private anon"+onBlock, "madvise a hugepage", "write a 1")
	if l.attrs("p1", "a", 0)&vmspace.Huge == 0 { // none was to be had at once: one is made
		l.sure("madvise a " + blocks(1) + " collapse")
	}
	if l.attrs("p1", "a", 0)&vmspace.Huge == 0 {
		t.Fatal("there is no huge page")
	}
	return l
}

// whole wants pages of a mapping in one state and huge, or not.
func (l *lab) whole(label, name string, from, to uint64, state vmspace.State, huge bool) {
	l.Helper()
	for i := from; i < to; i++ {
		if r := l.page(label, name, i); r.State != state || (r.Attrs&vmspace.Huge != 0) != huge {
			l.Errorf("%s %s+%dp is %s %q, want %s, huge %v", label, name, i, r.State, r.Attrs.Names(), state, huge)
			return
		}
	}
}

// After fork and a write of the child one process maps the huge page by one entry and the other by
// many. What they say of the small pages that both still have must not disagree.
func TestHugePageOfAFamily(t *testing.T) {
	l := hugePage(t)
	l.whole("p1", "a", 0, inBlock, vmspace.Anon, true)
	if l.s.f.Reader.Features().Scan {
		l.certain("p1", "a", 0, "HUGE: one entry maps it")
	} else {
		l.certain("p1", "a", 0, "AnonHugePages counts all that is resident")
	}
	l.sure("fork")
	l.whole("p1", "a", 0, inBlock, vmspace.COW, true)
	l.whole("p2", "a", 0, inBlock, vmspace.COW, true)
	l.sure("@p2 write a 2")
	l.states("p2", "a", "anon cow")
	l.whole("p2", "a", 1, inBlock, vmspace.COW, false)
	l.whole("p1", "a", 1, inBlock, vmspace.COW, true)
	if l.frames() {
		l.certain("p1", "a", 5, "a relative's frame")
		if l.frame("p1", "a", 5) != l.frame("p2", "a", 5) || l.frame("p1", "a", 0) == l.frame("p2", "a", 0) {
			t.Error("the frames are not what the states say")
		}
	} else if l.page("p1", "a", 5).Word&vmspace.WordExclusive != 0 {
		l.doubted("p1", "a", 5, "bit 56 of a huge page is that of its first small page, and says exclusive; but p2")
		l.certain("p1", "a", 0, "56 exclusive")
	} else { // Linux 6.12 looks at each small page
		l.doubted("p1", "a", 5, "bit 56 is clear here and in p2")
	}
	l.sure("@p2 write a+7p 2", "@p1 write a+3p 3", "@p1 write a 3")
	l.states("p1", "a", "anon cow cow anon cow")
	l.sure("@p2 exit", "@p1 write a+9p 1")
}

// The words of a page that one entry maps all have the bit of the first small page. Whichever page
// the child copies, no page that it still has copy-on-write is the parent's alone.
func TestHugePageSpeaksOfItsFirst(t *testing.T) {
	for _, first := range []string{"a", "a+5p", fmt.Sprintf("a+%dp", inBlock-1)} {
		l := hugePage(t)
		l.sure("fork", "@p2 write "+first+" 2")
		words := map[uint64]int{}
		for i := range inBlock {
			mine, theirs := l.page("p1", "a", i), l.page("p2", "a", i)
			words[mine.Word&vmspace.WordExclusive>>56]++
			if (theirs.State == vmspace.COW) && mine.State != vmspace.COW {
				t.Fatalf("p1 a+%dp is %s, and p2's is %s", i, mine.State, theirs.State)
			}
		}
		t.Logf("a write to %s: %d pages of the parent say exclusive, %d do not", first, words[1], words[0])
		l.sure("@p1 write a+5p 3", "@p1 write a 3", "@p1 write a+9p 3")
	}
}

// A relative that is not read is seen in the count of a huge page, and where that is hidden the
// state is inferred.
func TestHugePageOfAStranger(t *testing.T) {
	l := hugePage(t)
	l.sure("fork", "@p2 write a 2")
	r, err := observe.NewReader(observe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	st := l.s.last()
	s, err := r.Observe(t.Context(), []vmspace.Member{{Label: "p1", PID: st.After.Process("p1").PID}}, observe.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	p, at := s.Processes[0], bound(st.Names, "p1", "a").Start+5*s.PageSize
	m, _ := p.MappingAt(at)
	run := p.PageAt(at, s.PageSize)
	g := s.Grounds(p, m, run)
	counted, exclusive := run.Mapcount > 0, run.Word&vmspace.WordExclusive != 0
	if (counted || !exclusive) != (run.State == vmspace.COW) || counted != (len(g.Inferred) == 0) {
		t.Errorf("%+v rests on %q", run, g)
	}
}

// A child that unmaps a part of the huge page has no page there: the parent's are its own again.
func TestHugePageAloneAgain(t *testing.T) {
	l := hugePage(t)
	l.sure("fork", "@p2 munmap a+4p 8p", "@p1 write a+5p 1")
	l.states("p1", "a", "cow cow cow cow anon anon")
	l.sure("@p2 kill", "@p1 write a 1", "@p1 write a+1p 1")
	l.states("p1", "a", "anon anon")
}

func TestHugePageCollapse(t *testing.T) {
	l := open(t)
	require(t, "collapse")
	l.sure("a = mmap "+blocks(1)+" rw private anon"+onBlock, "write a 1", "write a+9p 1", "read a+1p")
	l.sure("madvise a collapse")
	l.whole("p1", "a", 0, inBlock, vmspace.Anon, true)
	l.sure("expect bytes a+9p 1")
}

// The huge zero page has bit 61 as a page of a file has, and is none.
func TestHugeZeroPage(t *testing.T) {
	l := hugePage(t)
	if on, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/use_zero_page"); err != nil || on[0] != '1' {
		t.Skip("needs use_zero_page: switched off in /sys/kernel/mm/transparent_hugepage")
	}
	f := l.s.f.Reader.Features()
	huge := f.Scan || f.KPage // smaps counts no zero page
	l.happens(vmspace.ZeroMap, "read a+"+blocks(1))
	l.whole("p1", "a", inBlock, 2*inBlock, vmspace.Zero, huge)
	if l.page("p1", "a", inBlock+88).Word&vmspace.WordFile == 0 {
		t.Log("bit 61 is clear: this kernel tells the huge zero page from a page of a file")
	}
	l.certain("p1", "a", inBlock+88, l.zeroProof())
	l.sure("fork")
	l.whole("p2", "a", inBlock, 2*inBlock, vmspace.Zero, huge)
	l.happens(vmspace.ZeroFill, "@p1 write a+"+blocks(1)+" 1")
	l.whole("p2", "a", inBlock, 2*inBlock, vmspace.Zero, huge)
	// Cut, it is no longer there: the small one is, in another frame.
	l.all("@p2 b = mmap 1p rw private anon")
	for _, line := range []string{"@p2 mprotect a+%s 1p r", "@p2 mremap a+%s 1p 1p maymove fixed=b"} {
		st := l.want("ok", fmt.Sprintf(line, blocks(1)))
		if said := strings.Contains(st.Why, "The huge zero page was split"); said != (huge && strings.Contains(line, "mprotect")) {
			t.Errorf("%s: %s", st.Command, st.Why)
		}
		if wrong := checkClaims(st); wrong != "" {
			t.Error(wrong)
		}
	}
	l.whole("p2", "a", inBlock+1, 2*inBlock, vmspace.Zero, false)
}

func TestAttrKSM(t *testing.T) {
	require(t, "ksm", "kpage")
	l := open(t)
	own := fmt.Sprintf(" %q", rand.Text()) // else a page of a stranger may be equal, and merged with them
	l.sure("a = mmap 3p rw private anon", "write a"+own, "write a+1p"+own, "write a+2p"+own)
	l.all("madvise a mergeable") // they may be merged before anybody looks
	merged := func() bool {
		for i := range uint64(3) {
			if l.attrs("p1", "a", i)&vmspace.KSM == 0 {
				return false
			}
		}
		return true
	}
	l.soon("merged", merged)
	l.states("p1", "a", "cow cow cow")
	bit := "21 KSM"
	if why := strings.Join(l.s.f.Reader.Features().Distrusted, "; "); strings.Contains(why, "KSM") {
		bit = "KSM counts all that is resident"
	}
	l.certain("p1", "a", 1, bit)
	if l.frame("p1", "a", 0) != l.frame("p1", "a", 2) || l.page("p1", "a", 0).Mapcount != 3 {
		t.Errorf("%+v and %+v", l.page("p1", "a", 0), l.page("p1", "a", 2))
	}
	l.happens(vmspace.Copy, "write a 1")
	l.states("p1", "a", "anon cow cow")
	l.happens(vmspace.Copy, "write a+1p 2") // other values: equal pages would be merged again
	// The last one: mapped once, and copied all the same.
	if bit == "21 KSM" && l.attrs("p1", "a", 2)&vmspace.KSM != 0 {
		l.states("p1", "a", "anon anon cow")
		l.happens(vmspace.Copy, "write a+2p 3")
	}
	l.states("p1", "a", "anon anon anon")
}

// KSM merges equal pages of a process that asked for it, without advice: in memory that is there, in
// mappings to come, and in those of a child. It parts them when it is asked for that.
func TestKSMOfProcess(t *testing.T) {
	require(t, "ksm", "ksm-process", "kpage")
	l := open(t)
	own := fmt.Sprintf(" %q", rand.Text()) // else a page of a stranger may be equal, and merged with them
	merged := func(label, name string) func() bool {
		return func() bool { return l.attrs(label, name, 0)&l.attrs(label, name, 1)&vmspace.KSM != 0 }
	}
	l.sure("a = mmap 2p rw private anon", "write a"+own, "write a+1p"+own)
	l.want("ok", "prctl ksm on")
	l.soon("merged", merged("p1", "a"))
	// From here on ksmd may merge a page at any moment, also between a picture and a look at its words.
	for _, line := range []string{"b = mmap 2p rw private anon", "write b" + own, "write b+1p" + own} {
		l.want("ok", line)
	}
	l.soon("merged in a new mapping", merged("p1", "b"))
	l.states("p1", "a", "cow cow")
	if l.frame("p1", "a", 0) != l.frame("p1", "b", 1) {
		t.Errorf("%+v and %+v", l.page("p1", "a", 0), l.page("p1", "b", 1))
	}
	for _, line := range []string{"fork", "use p2", "c = mmap 2p rw private anon", "write c" + own, "write c+1p" + own} {
		l.want("ok", line)
	}
	l.soon("merged in a child", merged("p2", "c"))
	l.sure("@p2 kill", "use p1")
	l.happens(vmspace.Copy, `write a "another"`)
	l.states("p1", "a", "anon cow")
	st := l.want("ok", "prctl ksm off")
	if !strings.Contains(st.Why, "what was merged is separate") {
		t.Error(st.Why)
	}
	l.states("p1", "a", "anon anon")
	l.states("p1", "b", "anon anon")
	for _, name := range []string{"a", "b"} {
		for i := range uint64(2) {
			if l.attrs("p1", name, i)&vmspace.KSM != 0 && l.s.f.Reader.Features().Distrusted == nil {
				t.Errorf("%s+%dp is of KSM still", name, i)
			}
		}
	}
	l.sure("expect bytes b"+own, "expect bytes b+1p"+own)
}

func TestAttrLocked(t *testing.T) {
	require(t, "mlock")
	l := open(t)
	l.sure("a = mmap 2p rw private anon", "mlock a 1p")
	if l.attrs("p1", "a", 0)&vmspace.Locked == 0 || l.attrs("p1", "a", 1)&vmspace.Locked != 0 {
		t.Error("not the one page that was locked")
	}
	l.states("p1", "a", "anon none")
	l.certain("p1", "a", 0, "VmFlags lo")
}

// MADV_FREE leaves the words of a page as they were. The kernel's flags show it to root, once the
// page has left the list of the CPU that marked it, which MADV_COLLAPSE empties; and they show a
// page that was written to since as they do the others. smaps knows how many, not which.
func TestAttrLazyFree(t *testing.T) {
	require(t, "lazyfree", "collapse")
	l := open(t)
	l.sure("a = mmap 4p rw private anon", "fill a 0x11", "madvise a+1p 2p free")
	l.states("p1", "a", "anon anon anon anon")
	l.sure("c = mmap "+blocks(1)+" rw private anon"+onBlock, "write c 1", "madvise c collapse")
	free := func() uint64 {
		m, _ := l.s.last().After.Process("p1").MappingAt(l.page("p1", "a", 0).Start)
		return m.Smaps.LazyFree / l.s.last().After.PageSize
	}
	if free() != 2 {
		t.Fatalf("smaps counts %d pages", free())
	}
	marked := func() (out string) {
		for i := range uint64(4) {
			out += map[bool]string{true: "f", false: "."}[l.attrs("p1", "a", i)&vmspace.LazyFree != 0]
		}
		return out
	}
	want, doubt := ".ff.", "smaps counts "+pages(2)+" of this mapping as freed lazily (MADV_FREE); which pages, only root"
	if l.frames() {
		l.certain("p1", "a", 1, "14 SWAPBACKED clear")
		l.certain("p1", "a", 0, "56 exclusive")
	} else {
		want = "...."
		l.doubted("p1", "a", 0, doubt)
	}
	if marked() != want {
		t.Errorf("marked are %s, want %s", marked(), want)
	}
	l.happens(vmspace.NoFault, "write a+1p 9")
	if l.frames() {
		if free() == 1 && marked() == ".ff." {
			l.doubted("p1", "a", 1, pages(2)+" of this mapping are marked, and smaps counts "+pages(1))
			l.doubted("p1", "a", 2, "one that was written to since looks the same")
			l.certain("p1", "a", 0, "56 exclusive")
		} else {
			t.Errorf("smaps counts %d, marked are %s", free(), marked())
		}
	}
	l.sure("write a+2p 9")
	if marked() != "...." || free() != 0 {
		t.Errorf("smaps counts %d, marked are %s", free(), marked())
	}
}

// The kernel notes that a page is dirty in the page table; its own flags have it when that entry
// goes, as with a huge page that is split.
func TestAttrDirty(t *testing.T) {
	require(t, "kpage")
	l := hugePage(t)
	// Of the small pages of a huge one, kernels before 6.12 tell the flag of the first one only
	// (fs/proc/page.c).
	if l.attrs("p1", "a", 0)&vmspace.Dirty != 0 {
		t.Error("dirty before its time")
	}
	l.sure("mprotect a+4p 1p r")
	if l.attrs("p1", "a", 0)&vmspace.Dirty == 0 {
		t.Error("not dirty")
	}
	l.certain("p1", "a", 0, "4 DIRTY")
}

// Looking at a page's bytes sets the kernel's flag for "referenced", so it is not told: watching
// would show itself.
func TestAttrReferenced(t *testing.T) {
	l := open(t)
	l.sure("a = mmap 1p rw private anon", "write a 1", "read a", "expect bytes a 1", "snapshot")
	if l.attrs("p1", "a", 0)&vmspace.Referenced != 0 || l.page("p1", "a", 0).KFlags&vmspace.KReferenced != 0 {
		t.Error("it is told")
	}
}

func TestAttrSoftDirty(t *testing.T) {
	require(t, "soft-dirty")
	l := open(t)
	l.sure("a = mmap 2p rw private anon", "fill a 1")
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", l.s.last().PID), []byte("4"), 0); err != nil {
		t.Fatal(err)
	}
	l.all("write a 2") // a fault or none: what another program clears no prediction knows
	if l.attrs("p1", "a", 0)&vmspace.SoftDirty == 0 || l.attrs("p1", "a", 1)&vmspace.SoftDirty != 0 {
		t.Error("not the one page that was written")
	}
}
