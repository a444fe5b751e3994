package actions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// A number does what its word does, and the log writes it so.
func TestNumbersAreWords(t *testing.T) {
	for _, c := range []struct{ setup, word, number string }{
		{"mmap 2p rw private anon; write a 1", "madvise a dontneed", "madvise a 4"},
		{"mmap 2p rw private anon", "madvise a normal", "madvise a 0"},
		{"mmap 2p rw private anon", "madvise a remove", "madvise a 0x9"},
		{"mmap 2p rw private anon", "madvise a guard_install", "madvise a 102"},
		{"mmap 2p rw private anon", "madvise a collapse", "madvise a 25"},
		{"mmap 2p rw private anon", "mprotect a r", "mprotect a 1"},
		{"mmap 2p rw private anon", "mprotect a none", "mprotect a 0x0"},
		{"mmap 2p rw private anon", "mremap a 8p maymove", "mremap a 8p flags=1"},
		{"mmap 2p rw private anon", "mremap a 8p maymove fixed=0x10000000", "mremap a 8p fixed=0x10000000 flags=0x1"},
		{"mmap 2p rw private anon", "mremap a 2p maymove dontunmap", "mremap a 2p maymove flags=4"},
		{"mmap 2p rw shared anon", "msync a sync", "msync a flags=4"},
		{"mmap 2p rw shared anon", "msync a sync async", "msync a async flags=4"},
		{"mmap 2p rw private anon", "mlock a onfault", "mlock a flags=1"},
		{"mmap 2p rw private anon", "mlockall current", "mlockall flags=1"},
		{"", "mmap 1p rw private anon populate", "mmap 1p 3 private anon flags=0x8000"},
		{"", "mmap 1p rw private anon", "mmap 1p rw flags=0x22"},
		{"", "mmap 1p rw shared_validate anon", "mmap 1p rw anon flags=3"},
		{"", "mmap 2m rw private anon hugetlb noreserve", "mmap 2m rw private anon flags=0x44000"},
		{"", "mmap 2m rw private anon hugetlb_2m noreserve", "mmap 2m rw private anon flags=0x54044000"},
		{"", "mmap 1g rw private anon hugetlb_1g noreserve", "mmap 1g rw private anon flags=0x78044000"},
	} {
		var steps [2]*history.Step
		for i, line := range []string{c.word, c.number} {
			l := open(t)
			for s := range strings.SplitSeq(c.setup, ";") {
				if s != "" {
					l.all(strings.TrimSpace(s))
				}
			}
			steps[i] = l.do(line)
		}
		word, number := steps[0], steps[1]
		if word.Call != number.Call || word.Result != number.Result || word.Value != number.Value || word.Why != number.Why || word.Reason != number.Reason {
			t.Errorf("%s\n%s %s %s\n%s\n%s %s %s", c.word, word.Call, word.Result, word.Why, c.number, number.Call, number.Result, number.Why)
		}
	}
}

// What takes frames away from the machine is not asked for, in whatever spelling.
func TestHarmByNumber(t *testing.T) {
	l := open(t)
	l.all("mmap 1p rw private anon", "write a 1")
	for _, n := range []string{"100", "101", "0x64", "0x65"} {
		if st := l.want("refused", "madvise a "+n); !strings.Contains(st.Why, "hwpoison (100) and soft_offline (101)") {
			t.Error(st.Why)
		}
	}
	// The kernel takes an int, so nothing may hide in the upper half.
	if _, err := l.s.Do(t.Context(), "madvise a 0x100000064"); err == nil || !strings.Contains(err.Error(), "0 to 4294967295") {
		t.Error(err)
	}
	l.states("p1", "a", "anon")
}

// PROT_GROWSDOWN goes down to where the mapping begins, and what is shown goes as far.
func TestGrowsDown(t *testing.T) {
	l := open(t)
	l.all("mmap 4p rw private anon growsdown", "mprotect a+2p 1p 0x1000001")
	p := l.s.last().After.Process("p1")
	at := bound(l.s.last().Names, "p1", "a").Start
	for i, want := range []string{"r--p", "r--p", "r--p", "rw-p"} {
		if m, _ := p.MappingAt(at + uint64(i)*ps); m.Perms.String() != want {
			t.Errorf("a+%dp is %s, want %s", i, m.Perms, want)
		}
	}
}

// A mapping that grows downwards without a limit reaches as far as the machine promises memory, and no
// prediction says more.
func TestGrowsFar(t *testing.T) {
	l := open(t)
	l.all("g = mmap 2m rw private anon growsdown", "setrlimit stack unlimited", "low = mmap 1p rw private anon addr=0x40000000")
	st, err := l.s.Do(context.Background(), "read low+300p")
	if err != nil || st.Happened == "" || !slices.Contains(st.Predicted, st.Happened) {
		t.Errorf("%v was predicted, and %s happened: %v", st.Predicted, st.Happened, err)
	}
}

// A line that repeats is as many lines: as many steps, names and expectations.
func TestRepeat(t *testing.T) {
	out, failed, err := runText(t, "repeat 3 mmap 1p r shared anon\nwrite c 1\nrepeat 2 expect result SIGSEGV\nrepeat 2 x = mmap 1p rw private anon\nrepeat 3 expect result EINVAL\nread x\n")
	if err != nil || failed != 3 || strings.Count(out, "mmap 1p r shared anon") != 3 || strings.Count(out, "p1: x = mmap") != 2 ||
		strings.Count(out, "FAILED, line 5") != 3 || strings.Contains(out, "repeat") {
		t.Errorf("%d failed, %v\n%s", failed, err, out)
	}
	for text, want := range map[string]string{
		"repeat 2 mmap 1p rw private anon\nread c\n":                   "test:2:6: nothing is called c here",
		"fork\nrepeat 2 writ a 1\n":                                    "test:2:10: no verb writ",
		"repeat 2 repeat 2 fork\n":                                     "test:1:10: repeat cannot contain another repeat",
		"repeat 100001 fork\n":                                         "1 to 100000",
		"mmap 1p rw private anon\nmunmap stack\nrepeat 3 read stack\n": "test:3:15: nothing is called stack",
	} {
		if _, _, err := runText(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// In a session a line that repeats gives the last step, and ends with the first that makes no sense.
func TestRepeatInASession(t *testing.T) {
	l := open(t)
	st := l.want("ok", "repeat 5 mmap 1p rw shared anon")
	if n := len(l.s.History()); n != 6 || st.N != 5 || st.Command != "mmap 1p rw shared anon" {
		t.Errorf("%d steps, and the last is %d, %s", n, st.N, st.Command)
	}
	l.vmas("p1", "e", 1)
	if _, err := l.s.Do(t.Context(), "repeat 5 @p2 write a 1"); err == nil {
		t.Error("there is a p2")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.s.Do(ctx, "repeat 100000 read a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := len(l.s.History()); n != 6 {
		t.Errorf("%d steps", n)
	}
	if st, err := l.s.Ask(t.Context(), "repeat 3 expect page a none"); err != nil || st.Result != history.OK {
		t.Error(st, err)
	}
}

// What repeats costs no memory before it runs.
func TestRepeatIsKeptOnce(t *testing.T) {
	text := strings.Repeat("repeat 100000 mmap 1p rw private anon\n", 1000)
	n := testing.AllocsPerRun(1, func() {
		sc, err := ReadScript("test", strings.NewReader(text))
		if err != nil || sc.Len() != 100_000_000 {
			t.Fatal(err)
		}
		sc.Close()
	})
	if n > 20000 {
		t.Errorf("%v allocations", n)
	}
}

// Resident memory of a range is what smaps says of its mapping, page state by page state.
func TestRSSIsThatOfSmaps(t *testing.T) {
	l := open(t)
	l.all("file f 8p", "a = mmap 8p rw private anon", "write a 1", "touch a+1p 2p read", "b = mmap 8p rw shared anon", "touch b 3p write",
		"c = mmap 8p r private file=f", "read c", "d = mmap 8p rw private file=f", "write d 1", "mmap 2p rw private anon locked", "fork", "write a+1p 1")
	for _, label := range []string{"p1", "p2"} {
		total := uint64(0)
		for _, m := range l.s.last().After.Process(label).Mappings.All() {
			if m.Smaps == nil {
				t.Fatal("the counters were not read")
			}
			total += m.Smaps.Rss
			if m.Kind() != vmspace.KindSpecial && m.Kind() != vmspace.KindStack {
				l.want("ok", fmt.Sprintf("@%s expect rss 0x%x %d %d", label, m.Start, m.Len(), m.Smaps.Rss))
			}
		}
		l.want("ok", fmt.Sprintf("@%s expect rss %d", label, total))
	}
	l.want("ok", "expect vmlck 2p")
	l.want("ok", "@p2 expect vmlck 0")
}

// Looking changes nothing: neither pages nor fault counters.
func TestNewExpectationsTouchNothing(t *testing.T) {
	l := open(t)
	l.all("file f 100", "mmap 4p rw private anon", "write a 1", "mincore a")
	before := l.s.last().After
	l.all("expect rss a 1p", "expect vmlck 0", "expect size f 100", "expect value 0", "expect mincore 1000")
	l.do("expect rss 0")
	if l.s.last().After != before {
		t.Error("another snapshot")
	}
	l.look()
	if p := l.s.last().After.Process("p1"); p.MinorFlt != before.Process("p1").MinorFlt {
		t.Errorf("%d faults, and there were %d", p.MinorFlt, before.Process("p1").MinorFlt)
	}
	l.states("p1", "a", "anon none none none")
}

// Every spelling of a result's alternatives and of absent attributes that the language has holds
// when it should.
func TestAlternatives(t *testing.T) {
	l := open(t)
	l.all("mmap 2p rw private anon", "write a 1", "expect result EINVAL|ok", "expect page a 1p anon !locked !huge", "repeat 2 expect page a 1p anon !ksm")
	l.want("EINVAL", "munmap a+1")
	l.all("expect result ENOMEM|EINVAL|SIGSEGV/MAPERR")
	l.want("failed", "expect result ok|ENOMEM")
	var syn *lang.SyntaxError
	if _, err := l.s.Do(t.Context(), "expect page a anon huge !hug"); !errors.As(err, &syn) || syn.Col != 25 {
		t.Error(err)
	}
}
