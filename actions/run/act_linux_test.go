//go:build amd64 || arm64

package run

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"cowscope/actions/history"
	"cowscope/actions/trace"
	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// actor is the program of testdata/act.c, in one of its ways.
func actsAs(t *testing.T, args ...string) *walk {
	t.Helper()
	source, err := filepath.Abs("testdata/act.c")
	if err != nil {
		t.Fatal(err)
	}
	return walkAnyway(t, append([]string{compile(t, source, "-g", "-O1", "-pthread")}, args...)...)
}

// worksAlone is a program of Go's that notices what act.c notices: threads ask for memory again and again,
// and look after it.
func worksAlone() int {
	status := make(chan int)
	for range 3 {
		go func() {
			runtime.LockOSThread()
			sum, size := 0.0, os.Getpagesize()
			for i := 1; i <= 5; i++ {
				b, err := unix.Mmap(-1, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
				if err != nil {
					status <- 2
				}
				sum += 1 / float64(i)
				b[0], b[size] = byte(i), byte(i+1)
				sum -= 0.5 / float64(i)
				if b[0] != byte(i) || b[size] != byte(i+1) || b[1] != 0 {
					status <- 3
				}
				if unix.Munmap(b) != nil {
					status <- 4
				}
			}
			for i := 5; i >= 1; i-- {
				sum -= 0.5 / float64(i)
			}
			if math.Abs(sum) > 1e-9 {
				status <- 5
			}
			status <- 0
		}()
	}
	worst := 0
	for range 3 {
		worst = max(worst, <-status)
	}
	return worst
}

// alone walks through worksAlone.
func alone(t *testing.T) *walk {
	t.Helper()
	t.Setenv("COWSCOPE_ROLE", "work")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return walkAnyway(t, self)
}

// acts runs a command, with its result.
func (w *walk) acts(line, result string) *history.Step {
	w.Helper()
	st, err := w.Do(w.ctx, line)
	if err != nil {
		w.Fatalf("%s: %v", line, err)
	}
	if st.Result.String() != result {
		w.Fatalf("%s: %s, want %s: %s", line, st.Result, result, st.Why)
	}
	return st
}

// ends lets the program run to its end.
func (w *walk) ends(status int) {
	w.Helper()
	for range 100 {
		st, err := w.Do(w.ctx, Continue)
		if err != nil {
			w.Fatal(err)
		}
		if st.Event == trace.Exit.String() && st.Process == "p1" {
			break
		}
	}
	if got := w.run.Status(); got != status {
		w.Errorf("status %d, want %d", got, status)
	}
}

// A program does at its first line what a process of the lab does: the same commands have the same
// results, and predictions hold.
func TestActs(t *testing.T) {
	w := alone(t)
	for _, c := range []struct {
		line, result string
		happens      vmspace.Happening
	}{
		{"q = mmap 4p rw private anon", "ok", ""},
		{`write q "hello"`, "ok", vmspace.ZeroFill},
		{"read q 5", "ok", vmspace.NoFault},
		{"read q+1p", "ok", vmspace.ZeroMap},
		{"touch q+2p 2p write", "ok", vmspace.ZeroFill},
		{"mprotect q 1p r", "ok", ""},
		{"write q 1", "SIGSEGV/ACCERR", vmspace.AccErr},
		{"mprotect q 1p rw", "ok", ""},
		{"fill q 1p 0x41", "ok", vmspace.NoFault},
		{"madvise q+2p 1p dontneed", "ok", ""},
		{"mlock q 1p", "ok", ""},
		{"munlock q 1p", "ok", ""},
		{"mincore q 2p", "ok", ""},
		{"read 0xffff800000000000", "SIGSEGV/MAPERR", vmspace.MapErr},
		{"munmap q+3p 1p", "ok", ""},
		{"read q+3p", "SIGSEGV/MAPERR", vmspace.MapErr},
		{"mremap q+1p 1p 2p", "ENOMEM", ""},
		{"file f 2p", "ok", ""},
		{"g = mmap 2p rw shared file=f", "ok", ""},
		{"write g 7", "ok", ""},
		{"h = mmap 1p r private file=f", "ok", ""},
		{"read h", "ok", ""},
		{"mmap 1p r private fd=77", "EBADF", ""},
		{"read 0x100000", "SIGSEGV/MAPERR", vmspace.MapErr}, // where its code is for the moment
	} {
		if c.line == "read 0x100000" && runtime.GOARCH != "amd64" {
			continue // the program is there
		}
		st := w.acts(c.line, c.result)
		if c.happens != "" && st.Happened != c.happens {
			t.Errorf("%s: %q happened, and not %s", c.line, st.Happened, c.happens)
		}
		if len(st.Predicted) > 0 && st.Happened != "" && !strings.Contains(fmt.Sprint(st.Predicted), string(st.Happened)) {
			t.Errorf("%s: %v was predicted, and %s happened", c.line, st.Predicted, st.Happened)
		}
		if st.Why == "" || st.N != len(w.log.Steps())-1 {
			t.Errorf("%s: step %d: %q", c.line, st.N, st.Why)
		}
	}
	w.holds("expect page q 1p anon", "expect page q+1p 1p zero", "expect page q+2p 1p none", "expect page g 1p shared", "expect bytes g 7", "expect bytes h 7")
	w.refuses("restart", "no verb restart")
	w.refuses("write nowhere 1", "nothing is called nowhere in p1")
	w.ends(0)
}

// A call that fails has changed nothing, also where its instruction is the first one in that page of the
// vdso.
func TestActsFail(t *testing.T) {
	w := walkThrough(t, "/bin/sh", "-c", "exit 3")
	if st := w.acts("mmap 1p r private fd=77", "EBADF"); !strings.HasSuffix(st.Why, "Nothing was mapped.") {
		t.Error(st.Why)
	}
}

// A variable of the program is a place.
func TestActsOnVariables(t *testing.T) {
	w := actsAs(t)
	w.acts("write page+1 0x20", "ok") // 8192 and more, instead of 4096 and more
	w.holds("expect bytes page+1 0x20")
	w.ends(0)
}

// A fork where the program is stopped makes another one that goes on from there.
func TestActsFork(t *testing.T) {
	w := actsAs(t)
	w.acts("q = mmap 2p rw private anon", "ok")
	w.acts("write q 1", "ok")
	st := w.acts("fork", "ok")
	if p := st.After.Process("p2"); p == nil || p.PID != int(st.Value) || p.Parent != "p1" {
		t.Fatalf("%+v", p)
	}
	w.holds("expect page q 1p cow", "@p2 expect page q 1p cow")
	if got := w.acts("@p2 write q 2", "ok"); got.Happened != vmspace.Copy && got.Happened != "" {
		t.Errorf("%s happened", got.Happened)
	}
	w.holds("expect bytes q 1", "@p2 expect bytes q 2", "@p2 expect page q 1p anon")
	w.acts("use p2", "ok")
	w.acts("write q+1p 3", "ok")
	ended := map[string]int{}
	for len(ended) < 2 {
		st, err := w.Do(w.ctx, "step exit")
		if err != nil {
			t.Fatal(err)
		}
		if st.Event == "exit" {
			ended[st.Process]++
			// The first one has the terminal, and whoever is left there is told that it hangs up.
			if st, err := w.Do(w.ctx, "@"+st.Process+" write q 1"); len(ended) < 2 && (err != nil || st.Result != history.Exited || !strings.Contains(st.Why, "nothing can run in it any more")) {
				t.Errorf("%v %+v", err, st)
			}
			if st.Call != "exited 0" && !(ended["p1"] > 0 && st.Process == "p2" && st.Call == "killed by SIGHUP") {
				t.Errorf("%s: %s", st.Process, st.Call)
			}
		}
	}
}

// What was about to fail succeeds after it was mended; what was not mended fails again, and then ends.
func TestActsMend(t *testing.T) {
	w := actsAs(t, "mend")
	w.does(Continue, "signal", "mend")
	w.acts("mprotect 0x"+fmt.Sprintf("%x", w.log.Last().Fault)+" 1p rw", "ok")
	w.ends(0)
	if out := w.log.Last().Wrote; out != "mended: x\n" {
		t.Errorf("%q", out)
	}
	w = actsAs(t, "mend")
	w.does(Continue, "signal", "mend")
	w.acts("mmap 1p rw private anon", "ok")
	w.does(Continue, "signal", "mend")
	w.does(Continue, "exit", "")
	if w.run.Status() != 128+11 {
		t.Error(w.run.Status())
	}
}

// Nothing of what it is made to do reaches what a program can see of itself, at each of its events, in
// each of its processes and threads, and whatever it does with signals.
func TestActsUnnoticed(t *testing.T) {
	for _, c := range []struct {
		args  []string
		stops int // at least
	}{{[]string{"alone"}, 60}, {[]string{"work"}, 9}, {[]string{"both"}, 60}, {[]string{"threads"}, 30}, {[]string{"blocks"}, 3}, {[]string{"handles"}, 3}, {[]string{"vfork"}, 3}, {[]string{"exec"}, 9}} {
		t.Run(c.args[0], func(t *testing.T) {
			var w *walk
			if c.args[0] == "alone" {
				w = alone(t)
			} else {
				w = actsAs(t, c.args...)
			}
			seed := uint64(time.Now().UnixNano())
			random, stops, acted := rand.New(rand.NewPCG(seed, 0)), 0, 0
			for w.ended == nil {
			members:
				for _, m := range w.run.members {
					p := w.log.Last().After.Process(m.Label)
					if p == nil || !p.Alive() || random.IntN(3) == 0 {
						continue
					}
					before := map[int]any{}
					registers(w, before)
					for _, line := range []string{"q = mmap 2p rw private anon", "write q 1", "read q+1p", "mprotect q 1p none", "read q", "munmap q"}[:1+random.IntN(6)] {
						st, err := w.Do(w.ctx, "@"+m.Label+" "+line)
						if err != nil {
							t.Fatalf("seed %d: %s: %v", seed, line, err)
						}
						want := "ok"
						if line == "read q" {
							want = "SIGSEGV/ACCERR"
						}
						switch got := st.Result.String(); {
						case got == "refused" && strings.Contains(st.Why, "waits in vfork"):
							continue members // nor will it do what follows
						case got != want:
							t.Errorf("seed %d: step %d: %s %s: %s: %s", seed, st.N, m.Label, line, got, st.Why)
						default:
							acted++
						}
					}
					after := map[int]any{}
					registers(w, after)
					for tid, r := range before {
						if after[tid] != r {
							t.Errorf("seed %d: step %d: thread %d had %v, and now has %v", seed, w.log.Last().N, tid, r, after[tid])
						}
					}
				}
				if _, err := w.Do(w.ctx, Step); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if st := w.log.Last(); st.Event == "exit" && st.Process == "p1" {
					break
				}
				stops++
			}
			if w.run.Status() != 0 || stops < c.stops && w.Untold() == "" || 4*acted < stops {
				t.Errorf("seed %d: status %d after %d stops, it acted %d times", seed, w.run.Status(), stops, acted)
			}
		})
	}
}

// registers are those of the thread of the last event, if it is not in a call: then it goes on to the end of that.
func registers(w *walk, of map[int]any) {
	if e, ok := w.run.program.Where(); ok && e.TID == w.run.event.TID && w.run.event.Kind != trace.Fork && w.run.event.Kind != trace.Exec {
		if runtime.GOARCH == "arm64" {
			e.Regs[7] = 0 // hidden at a stop at a system call
		}
		of[e.TID] = e.Regs
	}
}

// sleepsAlone is what act.c does when it sleeps, on the first thread of a program of Go's.
func sleepsAlone() {
	begin, length := time.Now(), unix.NsecToTimespec(int64(3*time.Second))
	fmt.Println("asleep")
	_, _, e := unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&length)), 0, 0)
	slept := "a part of it"
	switch d := time.Since(begin); {
	case d >= 4200*time.Millisecond:
		slept = "more than that"
	case d >= 2950*time.Millisecond:
		slept = "all of it"
	}
	fmt.Println(int(e), "after", slept)
}

func init() {
	if os.Getenv("COWSCOPE_ROLE") == "sleeps" {
		runtime.LockOSThread() // main runs on the first thread
	}
}

// A call in which a thread sleeps goes on as after any stop: for the rest of its time, or, where it ends with a
// stop, from its beginning. If a signal has ended it, it has ended.
func TestActsAsleep(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		how, says string
		signal    unix.Signal
	}{{"alone", "0 after all of it", 0}, {"nanosleep", "0 after all of it", 0}, {"epoll", "0 after more than that", 0}, {"epoll", "4 after a part of it", unix.SIGUSR1}} {
		t.Run(fmt.Sprint(c.how, " ", c.signal), func(t *testing.T) {
			t.Parallel()
			var w *walk
			if c.how == "alone" {
				w = walkWith(t, append(os.Environ(), "COWSCOPE_ROLE=sleeps", "GODEBUG=asyncpreemptoff=1"), self)
			} else {
				w = actsAs(t, "sleeps", c.how)
			}
			done := make(chan error, 1)
			go func() {
				_, err := w.Do(w.ctx, Continue)
				done <- err
			}()
			for !strings.Contains(w.term.peek(), "asleep") {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(2 * time.Second) // of the three that it sleeps
			if _, err := w.Do(w.ctx, Stop); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if c.signal != 0 {
				if err := unix.Kill(w.run.program.PID(), c.signal); err != nil {
					t.Fatal(err)
				}
			}
			w.acts("q = mmap 1p rw private anon", "ok")
			w.acts("write q 1", "ok")
			w.ends(0)
			said := ""
			for _, st := range w.History() {
				said += st.Wrote
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("%q, want %q", said, c.says)
			}
		})
	}
}

// A signal that is about to end the program ends it afterwards as well.
func TestActsSignal(t *testing.T) {
	w := actsAs(t, "term")
	w.does(Continue, "signal", "")
	w.acts("q = mmap 1p rw private anon", "ok")
	w.acts("write q 1", "ok")
	w.does(Continue, "exit", "")
	if w.run.Status() != 128+15 {
		t.Error(w.run.Status())
	}
}

// Who cannot act says why, and goes on as before.
func TestActsRefused(t *testing.T) {
	w := actsAs(t, "filter")
	w.does("until work", "reached", "work")
	if st := w.acts("mmap 1p rw private anon", "refused"); !strings.Contains(st.Why, "has a filter of system calls of its own") {
		t.Error(st.Why)
	}
	w.ends(0)
	w = actsAs(t)
	w.acts("mprotect vdso none", "ok")
	if st := w.acts("mmap 1p rw private anon", "refused"); !strings.Contains(st.Why, "no vdso that may be executed") {
		t.Error(st.Why)
	}
	w = actsAs(t, "ignores")
	w.does("until work", "reached", "work")
	w.acts("q = mmap 1p rw private anon", "ok")
	if st := w.acts("write q 1", "refused"); !strings.Contains(st.Why, "ignores SIGSEGV or SIGBUS") {
		t.Error(st.Why)
	}
	w.ends(0)
}

// A program that is killed while it acts has ended, and nothing else.
func TestActsKilled(t *testing.T) {
	w := actsAs(t)
	_ = unix.Kill(w.run.program.PID(), unix.SIGKILL)
	if st := w.acts("mmap 1p rw private anon", "exited"); !strings.Contains(st.Why, "killed by SIGKILL") {
		t.Error(st.Why)
	}
	w.does(Continue, "exit", "")
	if w.run.Status() != 128+9 {
		t.Error(w.run.Status())
	}
	if _, err := w.Do(context.Background(), "mmap 1p rw private anon"); err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing is left") {
		t.Error(err)
	}
}

// A process that was attached to acts where it was stopped, in the middle of a call too, and is let go as it
// was found.
func TestActsAttached(t *testing.T) {
	sh := exec.Command("/bin/sh", "-c", "while read line; do echo $line; done; exit 5")
	in, err1 := sh.StdinPipe()
	out, err2 := sh.StdoutPipe()
	if err := errors.Join(err1, err2, sh.Start()); err != nil {
		t.Fatal(err)
	}
	defer sh.Wait()
	defer in.Close()
	lines := bufio.NewScanner(out)
	echo := func(word string) {
		t.Helper()
		fmt.Fprintln(in, word)
		if !lines.Scan() || lines.Text() != word {
			t.Errorf("%q instead of %q", lines.Text(), word)
		}
	}
	echo("before")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := OpenLab(ctx, trace.Config{PID: sh.Process.Pid})
	if attach := (*trace.AttachError)(nil); errors.As(err, &attach) {
		t.Skip("needs ptrace of a process that is not a child: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := &walk{t, l, ctx}
	mask := procfs.StatusField(sh.Process.Pid, "SigBlk:")
	w.acts("q = mmap 4p rw private anon", "ok")
	w.acts("write q+1p 1", "ok")
	w.acts("mprotect q+1p 1p none", "ok")
	w.acts("read q+1p", "SIGSEGV/ACCERR")
	w.holds("expect page q 1p none")
	w.acts("munmap q", "ok")
	l.Close()
	if now := procfs.StatusField(sh.Process.Pid, "SigBlk:"); now != mask || procfs.StatusField(sh.Process.Pid, "TracerPid:") != "0" {
		t.Errorf("it blocks %s, and not %s", now, mask)
	}
	echo("after")
	in.Close()
	if err := sh.Wait(); sh.ProcessState.ExitCode() != 5 {
		t.Error(err)
	}
}

// peek gives what take will, and leaves it there.
func (t *terminal) peek() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.said)
}
