package actions

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace/amount"
)

// What is said of a mapping that was cut, replaced or mapped a second time is what became of it.
func TestExplainReplaced(t *testing.T) {
	l := open(t)
	for _, c := range []struct{ line, want, not string }{
		{"a = mmap 4p rw private anon addr=0x10000000", "no memory yet", "gone"},
		{"munmap a 1", "1 page no longer mapped", "hole"},
		{"munmap a+3p 1p", "1 page no longer mapped", "hole"},
		{"munmap a+3p 1p", "hole is not an error", "no longer"},
		{"fill a+1p 2p 1", "zero", ""},
		{"mmap 1p r private anon fixed addr=a+1p", "What was mapped there before is gone", "faulted in"},
		{"mmap 1p rw private anon fixed populate addr=a+1p", "1 of them faulted in at once. What was mapped there before is gone", ""},
		{"b = mmap 1p rw shared anon addr=0x20000000", "no memory yet", "gone"},
		{"mremap b 0 1p maymove fixed=0x30000000", "a second mapping", "The pages moved"},
		{"mremap b 1p maymove fixed=0x40000000", "The mapping moved", "second"},
	} {
		why := l.want("ok", c.line).Why
		if !strings.Contains(why, c.want) || c.not != "" && strings.Contains(why, c.not) {
			t.Errorf("%s: %q, want %q and not %q", c.line, why, c.want, c.not)
		}
	}
}

// What is said of a call that went well is so: of pages that were there or not, of ranges in which
// there was nothing to do, of a child, of the heap.
func TestExplainWhatCameOfIt(t *testing.T) {
	l := open(t)
	for _, c := range []struct{ line, want, not string }{
		{"a = mmap 4p rw private anon addr=0x10000000", "no memory yet", ""},
		{"read a 2p", "shared page of zeros", ""},
		{"mlock a", "2 pages were brought in at once, and 2 pages that it shared are its own now", "there already"},
		{"mlock a", "there already", "brought in"},
		{"munlock a", "stay where they are", ""},
		{"r = mmap 2p r private anon addr=0x16000000", "", ""},
		{"mlock r", "2 pages were brought in at once", "its own"},
		{"mprotect r rw", "locked memory that may be written now: 2 pages that it shared are its own", "stay where"},
		{"mprotect r r", "The frames stay where they are", "brought in"},
		{"mremap r 2p", "there was nothing to do", "touched"},
		{"mlock a 0", "nothing to do", "there already"},
		{"mlock vvar", "Nothing of it can be locked", "there already"},
		{"mlockall future", "Every new mapping will be locked", "there already"},
		{"mmap 1p rw private anon addr=0x18000000", "1 of them faulted in at once", ""},
		{"munlockall", "Nothing is locked any more", ""},
		{"b = mmap 4p rw private anon addr=0x20000000", "", ""},
		{"write b 1", "", ""},
		{"mlockall current onfault", "each other page is locked when it is first touched", "brought in"},
		{"munlockall", "", ""},
		{"mprotect a 0 r", "nothing to do", "these already"},
		{"madvise a 0 dontneed", "nothing to do", "note"},
		{"msync a", "nothing to write", "on its way"},
		{"file data \"text\"", "", ""},
		{"c = mmap 1p rw shared file=data addr=0x30000000", "", ""},
		{"write c 1", "", ""},
		{"msync c", "nothing was written", "on its way"},
		{"msync c async", "starts nothing", "waited"},
		{"msync c sync", "waited for it", "nothing"},
		{"brk +0", "takes the same pages as before", "moved"},
		{"brk +1p", "The heap begins: 1 page", "grew"},
		{"mprotect heap r", "", ""},
		{"brk +1p", "grew by 1 page, in a mapping of its own", "begins"},
		{"brk -1p", "gave 1 page back", ""},
		{"brk +2p", "in a mapping of its own", "begins"},
		{"write heap+1p 1", "heap+1p: none → anon", "heap+0"},
		{"brk -3p", "gave 3 pages back", ""},
		{"brk +1p", "The heap begins: 1 page", "grew"},
		{"mprotect heap r", "", ""},
		{"madvise b+1p 1p dontfork", "A child will not get this range", ""},
		{"fork", "1 page was left for its first touch: the kernel finds them again in a file, in shared memory", "page table entries"},
		{"@p2 exit", "", ""},
		{"wait", "", ""},
		{"touch b 1p write", "still write-protected since the fork, but nobody else has it", "changed no page"},
		{"madvise b nohugepage", "those that are there stay", ""},
		{"madvise b willneed", "no file to read from", "being read."},
		{"madvise b free", "may be dropped", ""},
		{"madvise b+2p 1p free", "no page of its own", "may be dropped"},
		{"madvise b dontneed", "1 page was dropped", "note"},
		{"madvise b dontneed", "no page to drop", "note"},
		{"munmap stack 1p", "the stack grows down to it again", "SIGSEGV"},
		{"munmap b 1p", "SIGSEGV/MAPERR", "grows"},
		{"mmap 2p none private anon", "none gets a frame until mprotect allows an access", "first touched"},
		{"d = mmap 4p rw private anon addr=0x40000000", "", ""},
		{"write d+1p 1", "", ""},
		{"touch d write", "The same happened to 2 pages more", ""},
		{"s = mmap 2p rw shared anon", "", ""},
		{"touch s write", "", ""},
		{"fork", "", ""},
		{"@p3 touch s write", "", ""},
		{"madvise s remove", "2 pages were dropped: the next touch brings in zeros, or what the file holds. It is the same memory in p3, where 2 pages were dropped with it", "note"},
		{"p = mmap 3p rw private anon", "", ""},
		{"fill p 1", "", ""},
		{"fork", "", ""},
		{"madvise p dontneed", "Of what it shared with p4, 3 pages are now p4's alone", "the same memory"},
		{"lazy = mmap 2p rw private anon addr=0x50000000", "", ""},
		{"fill lazy 1", "", ""},
		{"madvise lazy free", "may be dropped", ""},
		{"madvise lazy pageout", "", "brings them back"},
		{"truncate data 100", "data has 100 bytes now", "attrs at"},
		{`fwrite data 0 "x"`, "Done from outside", "attrs at"},
	} {
		why := l.want("ok", c.line).Why
		if !strings.Contains(why, c.want) || c.not != "" && strings.Contains(why, c.not) {
			t.Errorf("%s: %q, want %q and not %q", c.line, why, c.want, c.not)
		}
	}
	if wrong := checkClaims(l.s.last()); wrong != "" {
		t.Error(wrong)
	}
}

// Of several mappings on which a call fails, the first is the reason.
func TestExplainTheFirstThatFails(t *testing.T) {
	l := open(t)
	behind := fmt.Sprintf("0x%x", 0x10000000+2*ps)
	l.all("s = mmap 2p rw shared anon addr=0x10000000", "p = mmap 2p rw private anon addr="+behind, "mlock p",
		"n = mmap 4p rw private anon addr=0x20000000", "mprotect n+2p none")
	for _, c := range []struct{ result, line, want string }{
		{"EINVAL", "madvise 0x10000000 4p free", "s is not private anonymous memory"},
		{"EINVAL", "madvise " + behind + " 2p free", "p is locked"},
		{"ENOMEM", "mlock n", "n+2p allows no access"},
	} {
		if why := l.want(c.result, c.line).Why; !strings.Contains(why, c.want) {
			t.Errorf("%s: %q, want %q", c.line, why, c.want)
		}
	}
}

// A range past the last address is the kernel's to answer, and where nothing is mapped any more the
// step is named that took it away.
func TestExplainWhatIsNotThere(t *testing.T) {
	l := open(t)
	l.all("a = mmap 4p rw private anon addr=0x10000000", "fill a 1", "munmap a+1p 1p", "munmap a+2p 1p", "munmap stack+2p")
	for _, c := range []struct{ result, line, want string }{
		{"SIGSEGV/MAPERR", "write a+1p 1", "step 3 (munmap a+1p 1p)"},
		{"SIGSEGV/MAPERR", "write a+2p 1", "step 4 (munmap a+2p 1p)"},
		{"EINVAL", "munmap 0xffffffffffff0000 32p", "past"},
		{"ENOMEM", "mprotect 0xffffffffffff0000 64p r", "past the last address"},
		{"EINVAL", "madvise 0xffffffffffff0000 64p dontneed", "past the last address"},
		{"SIGSEGV/MAPERR", "fill 0xffffffffffff0000 64p 1", "the kernel's"},
	} {
		if why := l.want(c.result, c.line).Why; !strings.Contains(why, c.want) {
			t.Errorf("%s: %q, want %q", c.line, why, c.want)
		}
	}
	if why := l.s.History()[5].Why; !strings.Contains(why, "no longer mapped") || strings.Contains(why, "33 pages") {
		t.Errorf("munmap stack+2p: %q", why)
	}
}

// Of a stack that is cut, the part has the name that the program started with, also where it is the
// smallest one, until the parts are one again.
func TestExplainStackParts(t *testing.T) {
	for line, cut := range map[string]bool{
		"mlock stack+2p 1p": true, "mlock stack 1p": true, "mlock stack+2p": true, "mprotect stack+2p 1p r": true,
		"madvise stack+2p 1p dontfork": true, "munmap stack+2p 1p": true, "mmap 1p rw private anon fixed addr=stack+2p": true,
		"munmap stack 2p": false, "mlock stack": false, "mprotect stack r": false,
	} {
		l := open(t)
		st := l.want("ok", line)
		is, _ := history.Fixed(st.After.Process("p1"), "stack")
		want := fmt.Sprintf(" The name stack now stands for the part where the program's stack began: %s from 0x%x on.",
			amount.Of(is.Pages(ps), "page"), is.Start)
		if strings.Contains(st.Why, "The name stack") != cut || cut && !strings.HasSuffix(st.Why, want) {
			t.Errorf("%s: %s\nwant %q", line, st.Why, want)
		}
		const startStack = 28 // proc_pid_stat(5)
		if began, _ := (&kernel.Settings{PID: st.PID}).Stat(startStack); began < is.Start || began > is.End {
			t.Errorf("%s: the stack began at 0x%x, which is not in %s", line, began, is.Range)
		}
	}
	l := open(t)
	whole, _ := history.Fixed(l.s.last().After.Process("p1"), "stack")
	l.all("mlock stack+2p 1p", "munlock stack-1p 1p")
	if is, _ := history.Fixed(l.s.last().After.Process("p1"), "stack"); is.Range != whole.Range {
		t.Errorf("the parts are one again, and stack is %s, not %s", is.Range, whole.Range)
	}
}

// A touch that writes takes one fault for a page that is not there, and two where the instruction
// loads first, which is said then.
func TestExplainLoadsFirst(t *testing.T) {
	l := open(t)
	l.all("a = mmap 4p rw private anon", "madvise a nohugepage", "touch a+3p 1p read")
	twice := runtime.GOARCH == "arm64"
	for _, c := range []struct {
		line         string
		pages, twice uint64
	}{{"touch a 2p write", 2, 2}, {"touch a+2p+5 1 write", 1, 1}, {"touch a+3p 1p write", 1, 0}, {"touch a write", 0, 0}} {
		st, want := l.want("ok", c.line), c.pages
		if twice {
			want += c.twice
		}
		if said := strings.Contains(st.Why, "took two faults"); st.Minor != want || said != (twice && c.twice > 0) {
			t.Errorf("%s: %d faults, want %d: %s", c.line, st.Minor, want, st.Why)
		}
	}
}

// From Linux 6.18 on a collapse takes what older kernels refuse: pages that may not be written.
func TestExplainCollapseOfProtected(t *testing.T) {
	require(t, "thp-2m", "collapse")
	if kernel.CollapsesWritable() {
		t.Skip("needs Linux 6.18: the cases of reasons see what older ones refuse")
	}
	for _, lines := range []string{"write a 1; mprotect a r", "write a 1; fork", "write a 1; fork; @p2 kill", "write a 1; touch a+1p read; madvise a 1p dontneed"} {
		l := open(t)
		for line := range strings.SplitSeq(inSmallPages(lines), "; ") {
			l.want("ok", line)
		}
		l.want("ok", "madvise a collapse")
	}
}

// A huge page whose small pages are shared is put together anew, as its own of the one who asks.
func TestExplainCollapse(t *testing.T) {
	require(t, "thp-2m", "collapse", "populate-advice")
	l := open(t)
	l.all("mmap 2m rw private anon fixed addr=0x40000000", "madvise a hugepage", "madvise a populate_write", "madvise a collapse")
	if st := l.want("ok", "madvise a collapse"); st.Why != "The pages were in huge ones already." {
		t.Error(st.Why)
	}
	l.all("mprotect a+1p 1p r", "mprotect a+1p 1p rw", "fork")
	result := "ok"
	if kernel.CollapsesWritable() { // no page may be written without a copy
		result = "EINVAL"
	}
	st := l.want(result, "madvise a collapse")
	if result != "ok" {
		return
	}
	if want := "The pages were put together in huge ones"; !strings.HasPrefix(st.Why, want) {
		t.Errorf("%q, want %q", st.Why, want)
	}
}
