//go:build amd64 || arm64

package trace

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() { roles["stores"] = stores }

var stored uint64

// storeOne never has to grow its stack: then it would begin twice.
//
//go:noinline
//go:nosplit
//go:norace
func storeOne(n uint64) {
	stored = n
}

// stores writes to a variable: in its first thread, in another one, in a child, and after an exec. Its
// status says how often, where that went well.
func stores(args []string) {
	runtime.LockOSThread()
	if len(args) > 0 { // after the exec
		storeOne(9)
		os.Exit(int(stored))
	}
	storeOne(1)
	storeOne(2)
	done := make(chan bool)
	go func() {
		runtime.LockOSThread()
		if os.Getenv("COWSCOPE_DEBUG_REGISTERS") != "" { // which a thread that is born with SIGTRAP blocked has from its first stop on
			unix.RawSyscall(unix.SYS_MADVISE, 0, 0, 0)
		}
		storeOne(3)
		close(done)
	}()
	<-done
	self, _ := os.Executable()
	cmd := exec.Command(self, "again")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 9 {
		panic(err)
	}
	os.Exit(int(stored))
}

// A breakpoint is told each time that it is reached, in every thread, until an execve, and the program
// does what it does alone; also where the kernel gives no events.
func TestBreakpoints(t *testing.T) {
	t.Setenv("GODEBUG", "asyncpreemptoff=1") // a goroutine that is preempted comes to the instruction a second time
	given := openEvent
	for _, refused := range []unix.Errno{0, unix.EACCES, unix.ENOSYS} {
		t.Run(fmt.Sprint(refused), func(t *testing.T) {
			defer func() { openEvent = given }()
			if refused != 0 {
				openEvent = func(*unix.PerfEventAttr, int, int, int, int) (int, error) { return -1, refused }
				t.Setenv("COWSCOPE_DEBUG_REGISTERS", "1")
			}
			p := run(t, "stores")
			if refused == 0 && p.Faultless() != nil {
				t.Skip("needs perf-faults: ", p.Faultless())
			}
			code, word := uint64(reflect.ValueOf(storeOne).Pointer()), uint64(uintptr(unsafe.Pointer(&stored)))
			breaks := []Breakpoint{{Addr: code}, {Addr: word, Written: 8}}
			if err := p.Break(breaks[:1]); err != nil {
				t.Fatal(err)
			}
			first := Event{}
			for first.Kind != Reached {
				var err error
				if first, err = p.Next(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(p.Break(nil), p.Break(breaks)); err != nil {
				t.Fatal(err)
			}
			told := []string{first.Kind.String()}
			events := all(t, p)
			for _, e := range events {
				switch {
				case e.Kind == Reached && e.Addr == code && e.IP() == code, e.Kind == Written && e.Addr == word:
					told = append(told, e.Kind.String())
				case e.Kind == Reached || e.Kind == Written:
					t.Errorf("%+v", e)
				}
			}
			if want := slices.Repeat([]string{"reached", "write"}, 3); !slices.Equal(told, want) {
				t.Errorf("%q, want %q", told, want)
			}
			if e := events[len(events)-1]; e.Kind != Exit || e.Status != 3 {
				t.Errorf("the last is %+v", e)
			}
		})
	}
}

// A thread that is born with all signals blocked stops at breakpoints too, and who waited in vfork when they
// were changed has those that there are now.
func TestBreakpointsOfThreadsAndVfork(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs cc: ", err)
	}
	program := filepath.Join(t.TempDir(), "breaks")
	if text, err := exec.Command(cc, "-O1", "-no-pie", "-pthread", "-o", program, "testdata/breaks.c").CombinedOutput(); err != nil {
		t.Skipf("needs cc that takes -no-pie: %v: %s", err, text)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == "marked" })
	if err != nil || i < 0 {
		t.Fatal("no function marked", err)
	}
	given := openEvent
	for _, refused := range []unix.Errno{0, unix.EACCES} {
		for away := range 4 { // after how many the breakpoint is taken away; 0: it stays
			t.Run(fmt.Sprint(refused, " ", away), func(t *testing.T) {
				defer func() { openEvent = given }()
				if refused != 0 {
					openEvent = func(*unix.PerfEventAttr, int, int, int, int) (int, error) { return -1, refused }
				}
				p, err := Start(Config{Path: program, Args: []string{program}, Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				if refused == 0 && p.Faultless() != nil {
					t.Skip("needs perf-faults: ", p.Faultless())
				}
				if err := p.Break([]Breakpoint{{Addr: symbols[i].Value}}); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				n, status := 0, Event{}
				for {
					e, err := p.Next(ctx)
					if errors.Is(err, ErrEnded) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					if e.Kind == Reached {
						if n++; n == away {
							if err := p.Break(nil); err != nil {
								t.Fatal(err)
							}
						}
					}
					if e.Kind == Exit && e.PID == p.PID() {
						status = e
					}
				}
				want := away
				if want == 0 {
					want = 3
				}
				if n != want || status.Status != 3 || status.Signal != 0 {
					t.Errorf("reached %d times, want %d; %+v", n, want, status)
				}
			})
		}
	}
}

// A breakpoint that was reached and taken away leaves nothing: the program goes on to its end.
func TestBreakpointsTakenAway(t *testing.T) {
	given := openEvent
	for _, refused := range []unix.Errno{0, unix.EACCES} {
		t.Run(fmt.Sprint(refused), func(t *testing.T) {
			defer func() { openEvent = given }()
			if refused != 0 {
				openEvent = func(*unix.PerfEventAttr, int, int, int, int) (int, error) { return -1, refused }
				t.Setenv("COWSCOPE_DEBUG_REGISTERS", "1")
			}
			p := run(t, "stores")
			if refused == 0 && p.Faultless() != nil {
				t.Skip("needs perf-faults: ", p.Faultless())
			}
			for _, b := range []Breakpoint{{Addr: uint64(reflect.ValueOf(storeOne).Pointer())}, {Addr: uint64(uintptr(unsafe.Pointer(&stored))), Written: 8}} {
				if err := p.Break([]Breakpoint{b}); err != nil {
					t.Fatal(err)
				}
				for e := (Event{}); e.Kind != Reached && e.Kind != Written; {
					var err error
					if e, err = p.Next(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.Break(nil); err != nil {
					t.Fatal(err)
				}
			}
			events := all(t, p)
			if e := events[len(events)-1]; e.Kind != Exit || e.Status != 3 {
				t.Errorf("the last is %+v", e)
			}
		})
	}
}

// A process that was attached to gets no breakpoint of the debug registers, and goes on.
func TestBreakpointsAreLetGo(t *testing.T) {
	given := openEvent
	defer func() { openEvent = given }()
	openEvent = func(*unix.PerfEventAttr, int, int, int, int) (int, error) { return -1, unix.EACCES }
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd := exec.Command(self)
	cmd.Env, cmd.Stdin = append(os.Environ(), "COWSCOPE_ROLE=storeswhenread"), r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	p, err := Start(Config{PID: cmd.Process.Pid})
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Skip("needs ptrace of a process that is not a child: ", err)
	}
	if err := p.Break([]Breakpoint{{Addr: uint64(reflect.ValueOf(storeOne).Pointer())}}); err != unix.EACCES {
		t.Error(err)
	}
	p.Close()
	w.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
	}
	if status := cmd.ProcessState.ExitCode(); status != 4 {
		t.Errorf("status %d: %s", status, cmd.ProcessState)
	}
}

func init() {
	roles["storeswhenread"] = func([]string) {
		var b [1]byte
		_, _ = os.Stdin.Read(b[:])
		storeOne(4)
		os.Exit(int(stored))
	}
}
