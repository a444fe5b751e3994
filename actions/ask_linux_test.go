package actions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// Questions are answered as Do would, and leave no trace in the history.
func TestAsk(t *testing.T) {
	l := open(t)
	l.all("mmap 2p rw private anon", "write a 1")
	before := len(l.s.History())
	for line, want := range map[string]history.Result{
		"expect page a 1p anon":    history.OK,
		"expect faults minor=1":    history.OK,
		"expect page a+1p 1p anon": history.Failed,
		"expect result EINVAL":     history.Failed,
	} {
		st, err := l.s.Ask(context.Background(), line)
		if err != nil || st.Result != want || want == history.Failed && (st.Want == "" || st.Got == "") {
			t.Errorf("%s: %+v, %v", line, st, err)
		}
	}
	for line, want := range map[string]string{
		"fork":                  "only expectations are asked",
		"expect page b anon":    "nothing is called b",
		"@p2 expect page a cow": "there is no process p2",
	} {
		var syn *lang.SyntaxError
		if _, err := l.s.Ask(context.Background(), line); !errors.As(err, &syn) || !strings.Contains(syn.Msg, want) {
			t.Errorf("%s: %v, want something of %q", line, err, want)
		}
	}
	if n := len(l.s.History()); n != before {
		t.Errorf("the history has %d steps, %d before", n, before)
	}
}

// What is foreseen is what the step then was held against.
func TestForesee(t *testing.T) {
	l := open(t)
	l.all("mmap 3p rw private anon", "mprotect a+2p 1p none")
	for _, line := range []string{"read a", "write a 1", "write a 2", "touch a+1p 1p write", "fill a+2p 7", "exec a", "read 0x10"} {
		p, err := l.s.Foresee(context.Background(), line)
		if err != nil {
			t.Fatal(err)
		}
		if st := l.do(line); !slices.Equal(p.Can, st.Predicted) || !slices.Contains(p.Can, st.Happened) {
			t.Errorf("%s: foreseen %v, predicted %v, and %s happened", line, p.Can, st.Predicted, st.Happened)
		}
	}
	l.all("fork")
	if p, err := l.s.Foresee(context.Background(), "@p2 write a 1"); err != nil || p.Can[0] != vmspace.Copy {
		t.Errorf("%v, %v", p, err)
	}
	for line, want := range map[string]string{"fork": "does not access memory", "read nowhere": "nothing is called nowhere", "@p9 read a": "there is no process p9"} {
		if _, err := l.s.Foresee(context.Background(), line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something of %q", line, err, want)
		}
	}
}

// What happened is said only where something did, and without frame numbers too where it must have
// been so.
func TestHappened(t *testing.T) {
	l := open(t)
	l.all("file data 1p", "a = mmap 1p rw shared file=data", "read a")
	first := vmspace.NoFault // memory files let clean pages be written; others want to know of the first write (vma_wants_writenotify in mm/mmap.c)
	if why, err := verb.Missing([]string{"disk"}); err != nil || why == "" {
		first = vmspace.Reuse
	}
	for line, want := range map[string]vmspace.Happening{`write 0x10 ""`: "", "touch a 0": "", "write a 1": first} {
		if st := l.do(line); st.Happened != want {
			t.Errorf("%s: %q happened, want %q", line, st.Happened, want)
		}
	}
}
