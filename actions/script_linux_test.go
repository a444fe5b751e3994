package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
)

func runText(t *testing.T, text string) (string, int, error) {
	t.Helper()
	sc, err := ReadScript("test", strings.NewReader(text))
	if err != nil {
		return "", 0, err
	}
	provide(t, sc)
	l := open(t)
	var out strings.Builder
	rep, err := sc.Run(context.Background(), l.s, func(st *history.Step, line int) error {
		if !st.Check && st.Why == "" {
			t.Errorf("line %d: %s: nothing is said of why", line, st.Command)
		}
		if len(st.Predicted) > 0 && st.Happened != "" && !slices.Contains(st.Predicted, st.Happened) {
			t.Errorf("line %d: %s: predicted %v, and %s happened", line, st.Command, st.Predicted, st.Happened)
		}
		return st.WriteText(&out, line)
	})
	return out.String(), rep.Failed, err
}

// Every story is a script that holds here, or names the feature that is missing.
func TestStoryScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.cow")
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 24; n++ {
		if !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), fmt.Sprintf("s%02d-", n)) }) {
			t.Errorf("S%d is not told", n)
		}
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".cow"), func(t *testing.T) {
			holds(t, f)
		})
	}
}

// holds runs a script of a file, in which every expectation holds, and gives its text.
func holds(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out, failed, err := runText(t, string(b)); err != nil || failed > 0 {
		if strings.Contains(out, "ENOMEM: no huge page is free") {
			t.Skip("needs a huge page that is free: the memory of this machine is in pieces too small")
		}
		t.Errorf("%d failed, %v\n%s", failed, err, out)
	}
	return string(b)
}

// Every form of expect fails where it must, and says what it found.
func TestExpectFails(t *testing.T) {
	const before = "mmap 4p rw private anon\nwrite a 1\nfork\n@p2 kill\n@p1 write a+1p \"x\"\n"
	for line, found := range map[string]string{
		"expect result EINVAL":                   "found: ok",
		"expect page a none":                     "a is anon",
		"expect page a 1p anon locked":           "a is anon",
		"mlock a\nexpect page a 1p anon !locked": "a is anon locked",
		"expect page 0x1000 none":                "is not mapped",
		"expect perms a r--p":                    "found: rw-p",
		"expect perms 0x1000 r--p":               "found: not mapped",
		"expect mapped 0x1000 2p":                fmt.Sprintf("0 of %d bytes", 2*ps),
		"expect unmapped a":                      fmt.Sprintf("%d of %d bytes", 4*ps, 4*ps),
		"expect vmas a 2":                        "1 mapping",
		"expect bytes a 2":                       "found: 01",
		"expect bytes a+2p 0":                    "not present",
		"expect same-frame a a+2p":               "found: ",
		"expect other-frame p1:a p1:a":           "found: ",
		"expect faults minor=9":                  "1 minor, 0 major",
		"expect exited p2 0":                     "was killed by SIGKILL",
		"expect signaled p2 SIGTERM":             "was killed by SIGKILL",
		"expect signaled p1 SIGTERM":             "p1 lives",
		"@p2 expect page a anon":                 "not mapped",
		"munmap a\nexpect page a none":           "is not mapped",
		"expect result EINVAL|ENOMEM|SIGSEGV":    "found: ok",
		"expect page a 1p anon !locked huge":     "a is anon",
		"expect value 0":                         "found: no value",
		"munmap a\nexpect value 1":               "found: 0\n",
		"munmap a+1\nexpect value 0":             "found: -1 EINVAL",
		"expect mincore 1":                       "the last command is another",
		"mincore a\nexpect mincore 1101":         "found: 1100",
		"mincore a\nexpect mincore 110":          "found: 1100",
		"mincore 0x100000\nexpect mincore 0":     "found: ENOMEM",
		"expect move_pages 0":                    "the last command is another",
		"move_pages a 2p\nexpect move_pages 1,0": "found: 0,0",
		"expect rss a 1p":                        fmt.Sprintf("found: %d bytes", 2*ps),
		"expect rss a+1p 2p 0":                   fmt.Sprintf("found: %d bytes", ps),
		"expect rss 0":                           "smaps_rollup",
		"@p2 expect rss 0":                       "found: p2 is gone",
		"@p2 expect rss a 0":                     "found: p2 is gone",
		"mlock a 1p\nexpect vmlck 0":             fmt.Sprintf("found: %d bytes", ps),
		"@p2 expect vmlck 0":                     "found: p2 is gone",
		"file x 5000\nexpect size x 5k":          "found: 5000 bytes",
		"munmap a+1p 1p\nexpect page a anon":     "is not mapped",
	} {
		out, failed, err := runText(t, before+line+"\n")
		if err != nil || failed != 1 || !strings.Contains(out, found) {
			t.Errorf("%s: %d failed, %v\n%s", line, failed, err, out)
		}
	}
}

// A mistake anywhere keeps the whole script from running, and is pointed at.
func TestScriptMistakes(t *testing.T) {
	out, _, err := runText(t, "mmap 4p rw private anon\n\n  writ a 1\n")
	var se *ScriptError
	var syn *lang.SyntaxError
	if out != "" || !errors.As(err, &se) || se.Line != 3 || !errors.As(err, &syn) || syn.Col != 3 || !strings.Contains(err.Error(), "test:3:3: ") {
		t.Errorf("%q, %v", out, err)
	}
	for text, line := range map[string]int{
		"mmap 4p rw private anon\nwrite nowhere 1\n":                           2,
		"mmap 4p rw private anon\nread b\n":                                    2,
		"x = mmap 1p rw private anon\nmmap 1p rw private anon\nmprotect c r\n": 3,
	} {
		out, _, err = runText(t, text)
		if !errors.As(err, &se) || se.Line != line || out != "" || !strings.Contains(err.Error(), "nothing is called") {
			t.Errorf("%q: %q, %v", text, out, err)
		}
	}
	// What only the kernel's answer tells is found when it is there.
	out, _, err = runText(t, "mmap 4p rw private anon\nmunmap stack\nwrite stack 1\nfork\n")
	if !errors.As(err, &se) || se.Line != 3 || strings.Contains(out, "fork") || !strings.Contains(out, "mmap") {
		t.Errorf("%q, %v", out, err)
	}
}

// An expectation looks and changes nothing: the step after it starts from the same snapshot.
func TestExpectTouchesNothing(t *testing.T) {
	l := open(t)
	l.all("mmap 4p rw private anon", "write a 1")
	before := l.s.last().After
	l.all("expect bytes a 1", "expect page a+1p none", "expect vmas a 1")
	if l.s.last().After != before {
		t.Error("another snapshot")
	}
	l.states("p1", "a", "anon none none none")
}

// wordsOf lists what a table offers: each verb, and each word of its flags and choices as "verb
// word".
func wordsOf(table []*verb.Action) []string {
	var out []string
	for _, a := range table {
		out = append(out, a.Name)
		for _, p := range a.Params {
			if p.Name != "state" && p.Name != "attr" && p.Name != "feature" { // the states have tests of their own
				for _, w := range p.Words {
					out = append(out, a.Name+" "+w.Name)
				}
			}
			if p.Kind == lang.KindOption {
				out = append(out, a.Name+" "+p.Key+"=")
			}
		}
	}
	return out
}

// Every verb, flag, advice and option is written in one script, which runs to its end.
func TestEveryWord(t *testing.T) {
	b, err := os.ReadFile("testdata/every.cow")
	if err != nil {
		t.Fatal(err)
	}
	g, err := Grammar()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		cmd, err := g.Parse(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		if cmd == nil {
			continue
		}
		used[cmd.Verb.Name] = true
		for _, a := range cmd.Args {
			used[cmd.Verb.Name+" "+a.Text] = true
			used[cmd.Verb.Name+" "+a.Param.Key+"="] = true
		}
	}
	for _, w := range wordsOf(verb.All) {
		if !used[w] && w != "needs" && w != "expect same-frame" && w != "expect other-frame" {
			t.Errorf("%q does not occur in testdata/every.cow", w)
		}
	}
	if out, failed, err := runText(t, string(b)); err != nil || failed > 0 {
		t.Errorf("%d failed, %v\n%s", failed, err, out)
	}
}
