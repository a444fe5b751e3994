package actions

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// checked holds a process against a checklist, and gives the transcript and how many lines failed.
func checked(t *testing.T, pid int, text string) (string, int, error) {
	t.Helper()
	l, err := ReadChecklist("test", strings.NewReader(text))
	if err != nil {
		return "", 0, err
	}
	defer l.Close()
	var out strings.Builder
	rep, err := l.Run(t.Context(), pid, func(st *history.Step, line int) error { return st.WriteText(&out, line) })
	return out.String(), rep.Failed, err
}

// What a fork shares and a write parts is counted by frames; where those are hidden it is unknown.
// A script and a check from outside find the same.
func TestExpectShared(t *testing.T) {
	l := open(t)
	l.all("a = mmap 100p rw private anon", "madvise a nohugepage", "fill a 1", "b = mmap 10p rw shared anon", "touch b write", "fork")
	frames := l.s.last().After.Frames
	pid := l.s.last().After.Process("p1").PID
	holds := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			st, err := l.s.Do(t.Context(), line)
			if err != nil {
				t.Fatal(err)
			}
			out, failed, err := checked(t, pid, line)
			if err != nil || st.OK() != frames || (failed == 0) != frames || !frames && (!strings.Contains(out, "unknown: frame numbers are hidden") || !strings.Contains(st.Got, "unknown")) {
				t.Errorf("%s: %s, %s, %v\n%s", line, st.Result, st.Got, err, out)
			}
		}
	}
	holds("expect shared p1 p2 > 95%", "expect shared p2 p1 > 95%", "expect shared p1 p1 100%")
	l.all("@p2 touch a 30p write")
	holds("expect shared p1 p2 > 65%", "expect shared p1 p2 <= 71%", "expect shared p2 p1 < 72%")
	l.all("@p1 touch a+30p 20p write")
	holds("expect shared p1 p2 >= 45%", "expect shared p1 p2 < 51%")
	l.all("@p2 munmap a", "@p2 munmap stack")
	if st, err := l.s.Do(t.Context(), "expect shared p1 p2 0%"); err != nil || st.OK() || st.Got != "p2 has no private anonymous page" {
		t.Errorf("%v %v %s", err, st.Result, st.Got)
	}
	l.all("@p2 kill")
	if st, err := l.s.Do(t.Context(), "expect shared p1 p2 0%"); err != nil || st.OK() || st.Got != "p2 is gone" {
		t.Errorf("%v %v %s", err, st.Result, st.Got)
	}
	var syn *lang.SyntaxError
	if _, err := l.s.Do(t.Context(), "expect shared p1 p9 0%"); !errors.As(err, &syn) || syn.Col != 18 {
		t.Error(err)
	}
}

// Amounts are compared, of the process and of a range, in a script and from outside.
func TestComparisons(t *testing.T) {
	l := open(t)
	l.all("a = mmap 8p rw private anon", "touch a 5p write", "b = mmap 2p rw private anon locked")
	pid := l.s.last().After.Process("p1").PID
	a, _ := l.s.last().Names.Get("p1", "a")
	for line, holds := range map[string]bool{
		"expect rss a 5p": true, "expect rss a < 5p": false, "expect rss a <= 5p": true, "expect rss a > 5p": false, "expect rss a >= 5p": true, "expect rss a > 4p": true, "expect rss a < 6p": true,
		"expect rss > 5p": true, "expect rss < 5p": false, "expect pss >= 7p": true, "expect pss < 7p": false, "expect uss >= 7p": true, "expect uss < 7p": false, "expect uss > 1g": false,
		"expect vmlck 2p": true, "expect vmlck < 2p": false, "expect vmas a 1": true, "expect vmas a < 2": true, "expect vmas a >= 2": false,
	} {
		st, err := l.s.Do(t.Context(), line)
		if err != nil || st.OK() != holds {
			t.Errorf("%s: %v %v %s", line, err, st.Result, st.Got)
		}
		outside := strings.ReplaceAll(line, " a ", fmt.Sprintf(" 0x%x %d ", a.Start, a.Len()))
		if out, failed, err := checked(t, pid, outside); err != nil || (failed == 0) != holds {
			t.Errorf("%s: %v\n%s", outside, err, out)
		}
	}
}

// Every form that can be asked of any process answers the same in a script and from outside, and
// touches nothing.
func TestCheckTouchesNothing(t *testing.T) {
	l := open(t)
	l.all("a = mmap 8p rw private anon", "write a \"hello\"", "mlock a+1p 1p", "fork", "@p2 write a 2")
	before := l.s.last().After
	a, _ := l.s.last().Names.Get("p1", "a")
	script := strings.ReplaceAll(`expect page A 1p anon !huge
@p2 expect page A+2p none
expect page A+1p cow locked
expect perms A rw-p
expect perms text r-xp
expect mapped A 8p
expect unmapped 0x1000
expect vmas A 8p 3
expect bytes A "hello"
@p2 expect bytes A+2p 0
expect rss A 8p 2p
expect vmlck 1p
expect mapped vdso
repeat 2 expect mapped stack
`, "A", fmt.Sprintf("0x%x", a.Start))
	out, failed, err := checked(t, before.Process("p1").PID, script)
	if err != nil || failed != 1 || !strings.Contains(out, "p2: FAILED, line 10: @p2 expect bytes") || strings.Count(out, "expect mapped stack") != 2 {
		t.Errorf("%d failed, %v\n%s", failed, err, out)
	}
	l.look()
	after := l.s.last().After
	for _, label := range []string{"p1", "p2"} {
		if x, y := before.Process(label), after.Process(label); x.MinorFlt != y.MinorFlt || x.MajorFlt != y.MajorFlt {
			t.Errorf("%s took a fault", label)
		}
	}
	l.states("p2", "a", "anon cow none none none none none none")
}

// A process that is gone is no process to check, and one that dies takes nobody along.
func TestCheckOfTheDead(t *testing.T) {
	l := open(t)
	l.all("fork")
	p1, p2 := l.s.last().After.Process("p1").PID, l.s.last().After.Process("p2").PID
	l.all("@p2 kill")
	var unreadable *UnreadableError
	if out, _, err := checked(t, p2, "expect unmapped 0x1000"); !errors.As(err, &unreadable) || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
	if out, _, err := checked(t, p1, "expect unmapped 0x1000\n@p2 expect unmapped 0x1000"); err == nil || strings.Contains(out, "p2: ok") {
		t.Errorf("%v\n%s", err, out)
	}
}
