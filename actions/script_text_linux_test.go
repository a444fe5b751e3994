package actions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cowscope/actions/history"
)

// endless gives one line again and again.
type endless struct{ line string }

func (e endless) Read(b []byte) (int, error) {
	n := 0
	for n+len(e.line) <= len(b) {
		n += copy(b[n:], e.line)
	}
	return n, nil
}

// A script that cannot be read twice has a bound, and the mistake says which; not so a file.
func TestScriptTooLong(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	const line = "use p1\n"
	_, err := ReadScript("-", endless{line})
	var at *ScriptError
	if !errors.As(err, &at) || !strings.Contains(err.Error(), "64 MiB") || at.Line > maxCopy/len(line)+1 ||
		at.Line < (maxCopy-maxLine)/len(line) {
		t.Error(err)
	}
	_, err = ReadScript("-", io.MultiReader(strings.NewReader(line+"writ a\n"), endless{line}))
	if !errors.As(err, &at) || at.Line != 2 {
		t.Error("a mistake before the bound:", err)
	}
	_, err = ReadScript("-", io.MultiReader(strings.NewReader(line), endless{"#"}))
	if !errors.As(err, &at) || at.Line != 2 || !strings.Contains(err.Error(), "1 MiB") {
		t.Error("a line without an end:", err)
	}
	cut := errors.New("cut")
	_, err = ReadScript("-", io.MultiReader(strings.NewReader(line+"wri"), failing{cut}))
	if !errors.Is(err, cut) || errors.As(err, &at) && at.Line == 2 {
		t.Error("what a failure cut short is no line:", err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// A script is the same whatever it is read from, and of whatever length.
func TestScriptReadTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	var long strings.Builder
	long.WriteString("mmap 4p rw private anon\n\n# a comment\n")
	for i := range 3000 { // more lines than are remembered, and more bytes than are kept in memory
		fmt.Fprintf(&long, "write a %q\n", fmt.Sprintf("%040d", i))
	}
	name := filepath.Join(t.TempDir(), "long.cow")
	if err := os.WriteFile(name, []byte("nonsense\n"+long.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(int64(len("nonsense\n")), io.SeekStart); err != nil { // a shell may have read the head of its standard input
		t.Fatal(err)
	}
	for what, r := range map[string]io.Reader{"pipe": io.MultiReader(strings.NewReader(long.String())), "file": f,
		"text": strings.NewReader(long.String())} {
		sc, err := ReadScript(what, r)
		if err != nil {
			t.Fatal(err)
		}
		l := open(t)
		lines := 0
		rep, err := sc.Run(context.Background(), l.s, func(_ *history.Step, line int) error {
			lines += line
			return nil
		})
		if err != nil || rep.Steps != 3001 || sc.Len() != 3001 || lines != 1+(4+3003)*3000/2 {
			t.Errorf("%s: %+v, %v, %d commands", what, rep, err, sc.Len())
		}
		sc.Close()
	}
}

// Of a file that changes while it runs, what is added is no part of the script, and a new mistake
// is told.
func TestScriptChanged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "script.cow")
	text := strings.Repeat("# a comment\n", 10000) + "fork\n"
	if err := os.WriteFile(name, []byte("mmap 4p rw private anon\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc, err := ReadScript("script.cow", f)
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("nonsense\n"); err != nil {
		t.Fatal(err)
	}
	run := func() (Report, error) {
		l := open(t)
		return sc.Run(context.Background(), l.s, func(*history.Step, int) error { return nil })
	}
	if rep, err := run(); err != nil || rep.Steps != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
	if _, err := f.WriteAt([]byte("mmip"), 0); err != nil {
		t.Fatal(err)
	}
	var at *ScriptError
	if rep, err := run(); rep.Steps != 0 || !errors.As(err, &at) || at.Line != 1 || !strings.Contains(err.Error(), "was changed while it ran") {
		t.Errorf("%+v, %v", rep, err)
	}
}

// script runs a script in which every command ends well.
func (l *lab) script(text string) {
	l.Helper()
	sc, err := ReadFragment("script", strings.NewReader(text))
	if err != nil {
		l.Fatal(err)
	}
	if _, err := sc.Run(context.Background(), l.s, func(st *history.Step, line int) error {
		if !st.OK() {
			return fmt.Errorf("line %d: %s: %s: %s", line, st.Command, st.Result, st.Why)
		}
		return nil
	}); err != nil {
		l.Fatal(err)
	}
}
