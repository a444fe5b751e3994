//go:build amd64 || arm64

package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cowscope/actions/history"
	"cowscope/actions/trace"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	switch os.Getenv("COWSCOPE_ROLE") {
	case "touch":
		runtime.LockOSThread() // what it does is told of one thread
		touchPages()
		os.Exit(0)
	case "spawns": // as posix_spawn(3) does, by vfork
		if err := exec.Command("/bin/sh", "-c", "exit 0").Run(); err != nil {
			panic(err)
		}
		os.Exit(0)
	case "sleeps":
		sleepsAlone()
		os.Exit(0)
	case "work":
		os.Exit(worksAlone())
	case "calls":
		runtime.LockOSThread()
		makeCalls()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Of a child that a process made when it was killed is told after its end.
func TestLateOrphan(t *testing.T) {
	r, err := Open(trace.Config{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep 1000 & wait"}, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	child := 0
	for {
		st, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if st.Event == "fork" {
			child = int(st.Value)
			_ = unix.Kill(st.PID, unix.SIGKILL)
		}
		if st.Event == "exit" {
			break
		}
	}
	if _, err := r.Next(ctx); err != nil { // of the child alone
		t.Fatal(err)
	}
	st, err := r.tell(ctx, trace.Event{Kind: trace.Fork, PID: r.program.PID(), TID: r.program.PID(), Child: child, Value: uint64(child), Nr: unix.SYS_CLONE})
	if err != nil {
		t.Fatal(err)
	}
	if p := st.After.Process("p3"); st.Process != "p1" || p == nil || p.PID != child || p.Parent != "p1" || p.Mappings.Len() == 0 {
		t.Errorf("%s: %+v", st.Process, p)
	}
}

// oddPages is a size that no other mapping has.
const oddPages = 41

//go:noinline
func touchPages() {
	b, err := unix.Mmap(-1, 0, oddPages*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		panic(err)
	}
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	storeAt(b, 5)
}

//go:noinline
func storeAt(b []byte, i int) {
	b[i*os.Getpagesize()] = 1
	watched += int64(i)
}

var watched int64

// The functions of Go code are told, on every processor.
func TestGoFunctions(t *testing.T) {
	t.Setenv("COWSCOPE_ROLE", "touch")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	steps, r := all(t, self)
	size := uint64(oddPages * os.Getpagesize())
	i := slices.IndexFunc(steps, func(st *history.Step) bool {
		return st.Verb == "mmap" && strings.Contains(st.Call, fmt.Sprintf("mmap(NULL, %d, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)", size))
	})
	if i < 0 {
		t.Fatal("no mmap")
	}
	in := func(names []string, name string) bool {
		return slices.ContainsFunc(names, func(s string) bool { return strings.HasSuffix(s, name) })
	}
	if st := steps[i]; st.At == nil || !in(append(st.At.Callers, st.At.Function), "run.touchPages") {
		t.Errorf("%+v %+v, called by %q", st.At, st.At.Place, st.At.Callers)
	}
	if !slices.ContainsFunc(steps[i].Changes, func(c vmspace.Change) bool {
		return (c.Kind == vmspace.ChangeMapped || c.Kind == vmspace.ChangeGrown) && c.Range.Start == steps[i].Value
	}) {
		t.Errorf("%+v", steps[i].Changes)
	}
	if r.Untold() != nil {
		t.Skip("needs perf-faults: ", r.Untold())
	}
	at := steps[i].Value + 5*uint64(os.Getpagesize())
	for _, st := range steps[i:] {
		if st.Event == "fault" && st.Fault == at {
			if st.Happened != vmspace.ZeroFill || st.At == nil || !strings.HasSuffix(st.At.Function, "run.storeAt") || !in(st.At.Callers, "run.touchPages") {
				t.Errorf("%s %+v, called by %q", st.Happened, st.At, st.At.Callers)
			}
			return
		}
	}
	t.Error("the store is not told")
}

// all are the steps of a program to its end.
func all(t *testing.T, args ...string) (steps []*history.Step, r *Run) {
	t.Helper()
	return allTo(t, os.Environ(), nil, args...)
}

// allTo is all for a program with an environment, whose output is wanted; nil for none.
func allTo(t *testing.T, env []string, out *os.File, args ...string) (steps []*history.Step, r *Run) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if out == nil {
		out = null
	}
	r, err = Open(trace.Config{Path: args[0], Args: args, Env: env, Files: []*os.File{null, out, null}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		st, err := r.Next(ctx)
		if errors.Is(err, trace.ErrEnded) {
			return steps, r
		}
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, st)
	}
}

// What is read of an event is what it can have changed, and that is all that has changed.
func TestNothingIsLeftOut(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	programs := []struct {
		role string
		args []string
	}{{"touch", []string{self}}, {"spawns", []string{self}}, {"", []string{"/bin/sh", "-c", "x=$(exec /bin/sh -c 'echo a | (read b; exit 4)'); (exit 3); exit 2"}}}
	if testing.Short() {
		programs = programs[1:]
	}
	for _, p := range programs {
		args := p.args
		t.Setenv("COWSCOPE_ROLE", p.role)
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		r, err := Open(trace.Config{Path: args[0], Args: args, Env: os.Environ(), Files: []*os.File{null, null, null}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		n := 0
		for ; ; n++ {
			st, err := r.Next(ctx)
			if errors.Is(err, trace.ErrEnded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(r.program.Pending()) > 0 { // what these have changed is told with them
				continue
			}
			whole, err := observe.NewReader(observe.Options{}) // which has no file open yet
			if err != nil {
				t.Fatal(err)
			}
			all, err := whole.Observe(ctx, r.members, observe.Scope{})
			whole.Close()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range vmspace.Diff(st.After, all) {
				// A parent whose child of vfork has ended, or executes a program, goes on, and stops a moment later.
				if c.Kind == vmspace.ChangeState && (st.Event == trace.Exit.String() || st.Event == trace.Exec.String()) {
					continue
				}
				// Counters and VmFlags are those of the last whole reading. How often a frame is mapped, others
				// change, and the kernel writes dirty pages of files to the disk.
				if c.Kind != vmspace.ChangeFlags && c.Kind != vmspace.ChangeCount && c.Kind != vmspace.ChangeWord && (c.Kind != vmspace.ChangeAttrs || c.Attrs&^(vmspace.Dirty|vmspace.Referenced) != 0) {
					t.Errorf("%s: left out: %s %s 0x%x %d pages, %s to %s", Text(st), c.Process, c.Kind, c.Range.Start, c.Pages, c.From, c.To)
				}
			}
			if t.Failed() {
				return
			}
		}
		if n < 10 {
			t.Errorf("%d events of %q", n, args)
		}
	}
}

// foreignCalls is calls that a program makes at the pages from at on, and what is said of each.
var foreignCalls = []struct {
	nr   uintptr
	args func(at, page uintptr) [6]uintptr
	says string
}{
	{unix.SYS_MPROTECT, func(at, page uintptr) [6]uintptr { return [6]uintptr{at, page, 0} }, "rw-p → ---p. The frames stay where they are; only what is allowed has changed."},
	{unix.SYS_MMAP, func(at, page uintptr) [6]uintptr { return [6]uintptr{0, 0, 3, 0x22, ^uintptr(0), 0} }, "EINVAL: the length is 0. Nothing was mapped."},
	{unix.SYS_MMAP, func(at, page uintptr) [6]uintptr { return [6]uintptr{at, page, 3, 0x100022, ^uintptr(0), 0} }, "and fixed_noreplace replaces nothing. Nothing was mapped."},
	{unix.SYS_MMAP, func(at, page uintptr) [6]uintptr { return [6]uintptr{0, page, 1, 2, 77, 0} }, "EBADF: file descriptor 77 is not open in p1. Nothing was mapped."},
	{unix.SYS_MUNMAP, func(at, page uintptr) [6]uintptr { return [6]uintptr{at + 1, page} }, "is not a multiple of the page size"},
	{unix.SYS_MUNMAP, func(at, page uintptr) [6]uintptr { return [6]uintptr{at + 5*page, page} }, "1 page no longer mapped: the next touch is SIGSEGV/MAPERR."},
	{unix.SYS_MPROTECT, func(at, page uintptr) [6]uintptr { return [6]uintptr{at + 4*page, 3 * page, 1} }, "ENOMEM: the range has a hole: nothing is mapped at "},
	{unix.SYS_MADVISE, func(at, page uintptr) [6]uintptr { return [6]uintptr{at, page, 999} }, "EINVAL: this kernel does not know advice 0x3e7. Nothing has changed."},
	{unix.SYS_MADVISE, func(at, page uintptr) [6]uintptr { return [6]uintptr{at + 9*page, page, 4} }, "There was no page to drop."},
	{unix.SYS_MREMAP, func(at, page uintptr) [6]uintptr { return [6]uintptr{at + 9*page, page, 3 * page, 0} }, "ENOMEM: "},
	{unix.SYS_MSYNC, func(at, page uintptr) [6]uintptr { return [6]uintptr{at, page, 7} }, "EINVAL: sync waits and async does not; only one of them can be asked for."},
	{unix.SYS_MUNMAP, func(at, page uintptr) [6]uintptr { return [6]uintptr{at, oddPages * page} }, "no longer mapped: the next touch is SIGSEGV/MAPERR."},
}

//go:noinline
func makeCalls() {
	page := uintptr(os.Getpagesize())
	at, _, _ := unix.RawSyscall6(unix.SYS_MMAP, 0, oddPages*page, 3, 0x22, ^uintptr(0), 0)
	for _, c := range foreignCalls {
		a := c.args(at, page)
		_, _, _ = unix.RawSyscall6(c.nr, a[0], a[1], a[2], a[3], a[4], a[5])
	}
}

// A call that a program makes is explained as the lab explains its own.
func TestForeignCalls(t *testing.T) {
	t.Setenv("COWSCOPE_ROLE", "calls")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	steps, _ := all(t, self)
	steps = slices.DeleteFunc(steps, func(st *history.Step) bool { return st.Event != "call" })
	size := uint64(oddPages * os.Getpagesize())
	i := slices.IndexFunc(steps, func(st *history.Step) bool {
		return strings.HasPrefix(st.Call, fmt.Sprintf("mmap(NULL, %d, PROT_READ|PROT_WRITE, ", size))
	})
	if i < 0 || !strings.Contains(steps[i].Why, fmt.Sprintf("%d pages reserved, no memory yet", oddPages)) {
		t.Fatalf("call %d of %d", i, len(steps))
	}
	tid := steps[i].TID
	steps = slices.DeleteFunc(steps[i+1:], func(st *history.Step) bool { return st.TID != tid })
	if len(steps) < len(foreignCalls) {
		t.Fatalf("%d calls", len(steps))
	}
	for i, c := range foreignCalls {
		if st := steps[i]; !strings.Contains(st.Why, c.says) || strings.Contains(st.Why, "EINVAL") != strings.HasPrefix(st.Reason, st.Verb+" EINVAL") {
			t.Errorf("%s %s: %q, by the reason %q", st.Call, st.Answer(), st.Why, st.Reason)
		}
	}
}

// compile makes a program of a C file, by a compiler that need not be there.
func compile(t *testing.T, source string, flags ...string) string {
	t.Helper()
	cc := tool(t, "cc")
	out := filepath.Join(t.TempDir(), "program")
	if text, err := exec.Command(cc, append(flags, "-o", out, source)...).CombinedOutput(); err != nil {
		t.Skipf("needs cc that takes %s: %v: %s", flags, err, text)
	}
	return out
}

// Calls of the 32-bit table have names and arguments.
func TestCompatCalls(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("needs amd64: another processor has no such table beside its own")
	}
	source, err := filepath.Abs("testdata/compat.c")
	if err != nil {
		t.Fatal(err)
	}
	steps, r := all(t, compile(t, source, "-g", "-O0"))
	if r.Status() == 128+int(unix.SIGSEGV) {
		t.Skip("needs a kernel that knows 32-bit calls (CONFIG_IA32_EMULATION)")
	}
	var told []string
	for _, st := range steps {
		if strings.HasPrefix(st.Call, "32-bit ") {
			told = append(told, st.Told())
		}
	}
	want := []string{"32-bit munmap(0x10000, 4096) = 0", "32-bit mprotect(0x10001, 4096, PROT_READ) = -1 EINVAL"}
	if r.Status() != 3 || !slices.Equal(told, want) {
		t.Errorf("status %d, %q", r.Status(), told)
	}
}

// The comments of a program say which of its lines does what, and that is told of these lines.
func TestLines(t *testing.T) {
	source, err := filepath.Abs("testdata/lines.c")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"-g", "-O0"}, {"-g", "-O2"}, {"-g", "-O0", "-no-pie"}, {"-g", "-O1", "-static"}, {"-g", "-O2", "-fomit-frame-pointer", "-flto"}, {"-gdwarf-4", "-gz"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			steps, r := all(t, compile(t, source, flags...))
			if r.Untold() != nil {
				t.Skip("needs perf-faults: ", r.Untold())
			}
			got := map[int][]string{}
			for _, st := range steps {
				if st.At == nil || st.At.File != source {
					continue
				}
				what := st.Verb
				switch st.Event {
				case "fault":
					what = string(st.Happened)
					if st.Why == "" || !slices.ContainsFunc(st.At.Source, func(l string) bool { return strings.TrimSpace(l) == st.At.Text }) {
						t.Errorf("line %d: %q, because %q; around it %q", st.At.Line, st.At.Text, st.Why, st.At.Source)
					}
				case "signal":
					what = st.Result.String()
				}
				got[st.At.Line] = append(got[st.At.Line], what)
			}
			for i, line := range strings.Split(string(text), "\n")[1:] {
				_, want, ok := strings.Cut(line, "// ")
				if ok && strings.Contains(want, ", or ") && !steps[0].After.Frames {
					continue // without frame numbers nothing tells which
				}
				// The kernel copies also a page that has one owner, where something else refers to it for the moment.
				if ok && !slices.ContainsFunc(strings.Split(want, ", or "), func(w string) bool { return slices.Contains(got[i+2], w) }) {
					t.Errorf("line %d: %q: %q", i+2, line, got[i+2])
				}
			}
			if last := steps[len(steps)-1]; last.Event != "exit" || r.Status() != 128+11 {
				t.Errorf("%+v, status %d", last.Call, r.Status())
			}
		})
	}
}

// Callers are told through a library that calls back.
func TestCallers(t *testing.T) {
	source, _ := filepath.Abs("testdata/lines.c")
	steps, r := all(t, compile(t, source, "-g", "-O1"))
	if r.Untold() != nil {
		t.Skip("needs perf-faults: ", r.Untold())
	}
	for _, st := range steps {
		if st.At != nil && st.At.Function == "compare" && st.Event == "fault" {
			if !slices.Contains(st.At.Callers, "main") || st.At.Text != "whole[2 * page] = 3; // zero-fill" {
				t.Errorf("%+v", st.At)
			}
			return
		}
	}
	t.Error("the fault of compare is not told")
}

// Of a program nothing is lost: its page faults are those that the kernel counts.
func TestEveryFaultIsCounted(t *testing.T) {
	source, _ := filepath.Abs("testdata/lines.c")
	steps, r := all(t, compile(t, source, "-g", "-O1"))
	if r.Untold() != nil {
		t.Skip("needs perf-faults: ", r.Untold())
	}
	var told, counted uint64
	for i, st := range steps {
		if st.Process != "p1" {
			continue
		}
		told += st.Minor + st.Major
		if p := st.After.Process("p1"); p != nil && p.Alive() {
			counted = p.MinorFlt + p.MajorFlt
		}
		if i == 0 { // the kernel's own, while it made the program
			told = counted
		}
	}
	kernel := uint64(0) // also while its child had an event
	for _, st := range steps[1:] {
		was, is := st.Before.Process("p1"), st.After.Process("p1")
		if was == nil || is == nil || !is.Alive() {
			continue
		}
		kernel += is.MinorFlt + is.MajorFlt - was.MinorFlt - was.MajorFlt
		if st.Process == "p1" {
			kernel -= st.Minor + st.Major
		}
	}
	if told+kernel != counted {
		t.Errorf("%d told, %d taken by the kernel, %d counted", told, kernel, counted)
	}
	if kernel*2 > told {
		t.Errorf("%d of %d are the kernel's", kernel, counted)
	}
}
