//go:build amd64 || arm64

package run

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/trace"
)

// walk is a program that is walked through.
type walk struct {
	*testing.T
	*Lab
	ctx context.Context
}

// walkThrough walks through a program whose page faults are told.
func walkThrough(t *testing.T, args ...string) *walk {
	t.Helper()
	w := walkAnyway(t, args...)
	if w.Untold() != "" {
		t.Skip("needs perf-faults: ", w.Untold())
	}
	return w
}

func walkAnyway(t *testing.T, args ...string) *walk {
	t.Helper()
	return walkWith(t, os.Environ(), args...)
}

func walkWith(t *testing.T, env []string, args ...string) *walk {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	l, err := OpenLab(ctx, trace.Config{Path: args[0], Args: args, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &walk{t, l, ctx}
}

// does runs a line, after which the program is in a function, and has had an event.
func (w *walk) does(line, event, function string) *history.Step {
	w.Helper()
	st, err := w.Do(w.ctx, line)
	if err != nil {
		w.Fatalf("%s: %v", line, err)
	}
	at := ""
	if st.At != nil {
		at = st.At.Function
	}
	if st.Event != event || function != "" && at != function && !strings.HasSuffix(at, "."+function) {
		w.Fatalf("%s: %s", line, Text(st))
	}
	return st
}

func (w *walk) holds(lines ...string) {
	w.Helper()
	for _, line := range lines {
		if st, err := w.Do(w.ctx, line); err != nil || !st.OK() {
			w.Errorf("%s: %v %+v", line, err, st)
		}
	}
}

// refuses runs a line that is wrong: nothing happens.
func (w *walk) refuses(line, says string) {
	w.Helper()
	before := w.log.Last()
	_, err := w.Do(w.ctx, line)
	if wrong := (*lang.SyntaxError)(nil); !errors.As(err, &wrong) || !strings.Contains(wrong.Error(), says) || w.log.Last() != before {
		w.Errorf("%s: %v", line, err)
	}
}

// A walk through a program of Go's: it needs no compiler.
func TestWalk(t *testing.T) {
	t.Setenv("COWSCOPE_ROLE", "touch")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := walkThrough(t, self)
	if st := w.log.Last(); st.Event != "reached" || st.At == nil || st.At.Function != "main.main" {
		t.Fatalf("it begins at %s", Text(st))
	}
	w.does("until run.touchPages", "reached", "touchPages")
	st := w.does("until call mmap", "call", "")
	w.holds("expect result ok", fmt.Sprintf("expect mapped 0x%x %dp", st.Value, oddPages))
	w.does("until run.storeAt", "reached", "storeAt")
	fault := w.does(fmt.Sprintf("until fault in 0x%x", st.Value), "fault", "storeAt")
	w.holds("expect faults minor=1 major=0", fmt.Sprintf("expect page 0x%x 1p anon", fault.Focus.Start))
	if fixedAddresses(t, self) {
		at := fmt.Sprintf("0x%x", uintptr(unsafe.Pointer(&watched)))
		wrote := w.does("until write to "+at, "write", "storeAt")
		if want := map[bool]string{true: "The value there is now 5 (8 bytes).", false: "The value there has been 0 (8 bytes)."}[trace.WrittenBehind]; !strings.HasPrefix(wrote.Why, want) { // what other threads did may follow
			t.Errorf("%q", wrote.Why)
		}
	}
	w.does("finish", "reached", "touchPages")
	w.refuses("until run.nowhere", "no function is called run.nowhere")
	w.refuses("until words.go:0", "0 is no number of a line")
	w.refuses("until 0x10", "0x10 is no code")
	w.refuses("until call getpid", "getpid is no call that stops the program")
	w.refuses("until write from a", "until does not know")
	w.refuses("until write to nowhere", "nothing is called nowhere in p1")
	w.refuses("until fault in 8k", "8k is no place")
	w.refuses("restart", "no verb restart")
	w.refuses("expect page nowhere anon", "nothing is called nowhere in p1")
	w.does("step exit", "exit", "")
	w.holds("expect exited p1 0")
	if _, err := w.Do(w.ctx, "step"); err == nil || !strings.Contains(err.Error(), "nothing is left of the program") {
		t.Errorf("%v", err)
	}
	if st, err := w.Do(w.ctx, "stop"); st != nil || err != nil {
		t.Errorf("%v %v", st, err)
	}
}

// A walk begins at main, and goes to functions, also where no page faults are told.
func TestBeginsAtMain(t *testing.T) {
	t.Setenv("COWSCOPE_ROLE", "touch")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := walkAnyway(t, self)
	if st := w.log.Last(); st.Event != "reached" || st.At == nil || st.At.Function != "main.main" {
		t.Fatalf("it begins at %s", Text(st))
	}
	w.does("until run.touchPages", "reached", "touchPages")
}

// fixedAddresses reports whether a program has its variables at the same addresses in each process.
func fixedAddresses(t *testing.T, path string) bool {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Type == elf.ET_EXEC
}

// What is not reached is said at the end.
func TestWalkToTheEnd(t *testing.T) {
	w := walkThrough(t, "/bin/sh", "-c", "exit 3")
	st, err := w.Do(w.ctx, "until call userfaultfd")
	if err != nil || st.Event != "exit" || !strings.Contains(st.Why, `The program ended before "until call userfaultfd" was reached.`) {
		t.Errorf("%v %+v", err, st)
	}
	w.holds("expect exited p1 3")
}

// A walk through a program of C's, with its lines and its variables.
func TestWalkInC(t *testing.T) {
	source, err := filepath.Abs("testdata/walk.c")
	if err != nil {
		t.Fatal(err)
	}
	path := compile(t, source, "-g", "-O0")
	w := walkThrough(t, path)
	if st := w.log.Last(); st.Event != "reached" || st.At.Function != "main" || st.At.Line != 15 {
		t.Fatalf("it begins at %s", Text(st))
	}
	line := func(st *history.Step, n int) {
		t.Helper()
		if st.At == nil || st.At.Line != n {
			t.Errorf("not line %d: %s", n, Text(st))
		}
	}
	w.does("until call mmap", "call", "")
	line(w.does("step fault", "fault", "main"), 18)
	if st := w.log.Last(); !strings.HasPrefix(st.Why, "memory+2p: none → anon.") {
		t.Errorf("what its address is stored in gives a mapping its name: %q", st.Why)
	}
	w.holds("expect page memory+2p 1p anon", fmt.Sprintf("expect vmas memory %dp 1", oddPages))
	line(w.does("until write to seen", "write", "main"), 20)
	w.refuses("until write to memory", "are too many: the processor watches 4 words of 8")
	if w.log.Last().Names.Has("text") {
		t.Error("a mapping is called text, which is the name of a program's code")
	}
	line(w.does("until fault in &table", "fault", "main"), 21)
	w.holds("expect page table+65536 1 anon")
	line(w.does("until add", "reached", "add"), 10)
	for want := 3; want >= 2; want-- {
		line(w.does("until write to &counter", "write", "add"), 11)
	}
	w.does("finish", "reached", "add")
	w.does("finish", "reached", "main")
	line(w.does("until walk.c:26", "reached", "main"), 26)
	w.holds("@p2 expect page table+65536 1 anon")
	if w.log.Last().After.Frames {
		w.holds("expect other-frame p1:table+65536 p2:table+65536")
	}
	w.does("step exit", "exit", "")
	w.does("continue", "exit", "")
	w.holds("expect exited p2 4", "expect exited p1 3")
}

// A mapping is called after a variable that is in a register, by the list of where it is when; and not
// after the parameter of a function that was given its address.
func TestNamesInRegisters(t *testing.T) {
	source, err := filepath.Abs("testdata/kept.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"-O2", "-gdwarf-4"}, {"-O2", "-gdwarf-5"}, {"-O1", "-g"}, {"-O3", "-g", "-fomit-frame-pointer"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			w := walkThrough(t, compile(t, source, flags...))
			if w.run.Untold() != nil {
				t.Skip("needs perf-faults: ", w.run.Untold())
			}
			st := w.does("until call mmap", "call", "")
			st = w.does(fmt.Sprintf("until fault in 0x%x", st.Value), "fault", "")
			if !strings.HasPrefix(st.Why, "rows+0") {
				t.Errorf("%s: %s", Text(st), st.Why)
			}
			w.holds("expect vmas rows 8p 1")
			w.does("until call munmap", "call", "")
			w.holds("expect vmas kept 4p 1")
			w.refuses("until write to &kept", "kept is not in memory here")
		})
	}
}
