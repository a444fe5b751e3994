//go:build amd64 || arm64

package trace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rules of this file: the programs that are run are this test binary, in roles. A role leads its
// own threads and processes; what it is asked for it takes from its arguments.

var roles = map[string]func(args []string){
	"touch":     touch,
	"processes": processes,
	"threads":   threads,
	"fault":     fault,
	"waits":     waits,
	"untraced":  untraced,
	"forks":     forks,
	"lives":     lives,
	"deaf":      deaf,
	"attaches":  attaches,
	"nothing":   func([]string) {},
}

func TestMain(m *testing.M) {
	if role := os.Getenv("COWSCOPE_ROLE"); role != "" {
		roles[role](os.Args[1:])
		os.Exit(7)
	}
	os.Exit(m.Run())
}

// touch maps pages, and writes to each.
func touch(args []string) {
	n, _ := strconv.Atoi(args[0])
	page := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, n*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		panic(err)
	}
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	for i := range n {
		b[i*page] = 1
	}
	_ = unix.Munmap(b)
}

// untraced has two children that ask not to be traced: each maps a page, and its status says whether
// that went well. Its status is what did not.
func untraced([]string) {
	flags := uint64(cloneUntraced)
	arguments := [11]uint64{flags, 0, 0, 0, uint64(unix.SIGCHLD)} // struct clone_args (clone3(2))
	for i, pid := range []uintptr{
		bearOne(unix.SYS_CLONE, uintptr(cloneUntraced|unix.SIGCHLD), 0),
		bearOne(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&arguments)), unsafe.Sizeof(arguments)),
	} {
		var ws unix.WaitStatus
		if _, err := unix.Wait4(int(pid), &ws, unix.WALL, nil); err != nil || ws.ExitStatus() != 0 {
			os.Exit(20 + i)
		}
	}
	if arguments[0] != flags {
		os.Exit(22)
	}
}

// bearOne makes a child that maps a page and ends.
//
//go:norace
//go:noinline
func bearOne(nr, a, b uintptr) uintptr {
	pid, _, e := unix.RawSyscall6(nr, a, b, 0, 0, 0, 0)
	if e != 0 {
		os.Exit(30)
	}
	if pid == 0 {
		_, _, e := unix.RawSyscall6(unix.SYS_MMAP, 0, 65536, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
		unix.RawSyscall(unix.SYS_EXIT, uintptr(e), 0, 0) // which is not in the filter: it ends also where the call above does not work
	}
	return pid
}

// forks has children, each of which ends at once, until it is killed.
func forks([]string) {
	for {
		pid := bearOne(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0)
		_, _ = unix.Wait4(int(pid), nil, unix.WALL, nil)
	}
}

// A program may be killed when it has a child, and before its own word of that is heard. The child is
// told of all the same, and both end.
func TestKilledBeforeItsWord(t *testing.T) {
	p := run(t, "forks")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var unheard int
	var forked, ended []int
	told := func(e Event) {
		switch {
		case e.Kind == Fork && !e.Thread:
			forked = append(forked, e.Child)
		case e.Kind == Exit:
			ended = append(ended, e.PID)
		}
	}
	p.do(func() {
		for ctx.Err() == nil {
			for _, e := range p.queue {
				told(e)
			}
			p.queue = nil
			for _, t := range p.tasks {
				p.goOn(t)
			}
			for begin := time.Now(); unheard == 0 && time.Since(begin) < time.Millisecond; {
				unheard = p.unheardOf(forked)
			}
			if unheard != 0 {
				break
			}
			tid, st, err := waitAny(0)
			if err != nil {
				t.Error(err)
				return
			}
			p.heed(tid, st)
		}
		_ = unix.Kill(p.pid, unix.SIGKILL)
	})
	for _, e := range all(t, p) {
		told(e)
	}
	if !slices.Contains(forked, unheard) || !slices.Contains(ended, unheard) || !slices.Contains(ended, p.PID()) {
		t.Errorf("%d is the child: forked %v, ended %v", unheard, forked, ended)
	}
}

// unheardOf is a child that is not one of those.
func (p *Program) unheardOf(forked []int) (pid int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.pid))
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(b)) {
			if pid, _ := strconv.Atoi(child); !slices.Contains(forked, pid) {
				return pid
			}
		}
	}
	return 0
}

// A child that asks not to be traced is traced all the same, and finds its calls as they are.
func TestUntraced(t *testing.T) {
	events := all(t, run(t, "untraced"))
	forks := 0
	for _, e := range events {
		if e.Kind == Fork && !e.Thread {
			forks++
		}
	}
	if e := events[len(events)-1]; e.Kind != Exit || e.Status != 7 || forks != 2 {
		t.Errorf("the last is %+v, after %d children", e, forks)
	}
}

func run(t *testing.T, role string, args ...string) *Program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(Config{Path: self, Args: append([]string{filepath.Base(self)}, args...), Env: append(os.Environ(), "COWSCOPE_ROLE="+role, "GOGC=off"), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// all are the events of a program to its end.
func all(t *testing.T, p *Program) []Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var events []Event
	for {
		e, err := p.Next(ctx)
		if errors.Is(err, ErrEnded) {
			return events
		}
		if err != nil {
			t.Fatal(err, len(events))
		}
		events = append(events, e)
	}
}

func TestTouches(t *testing.T) {
	p := run(t, "touch", "53")
	events := all(t, p)
	page := uint64(os.Getpagesize())
	if e := events[0]; e.Kind != Exec || e.PID != p.PID() {
		t.Errorf("the first is %+v", e)
	}
	if e := events[len(events)-1]; e.Kind != Exit || e.Status != 7 || e.PID != p.PID() {
		t.Errorf("the last is %+v", e)
	}
	i := slices.IndexFunc(events, func(e Event) bool {
		return e.Kind == Call && e.Nr == unix.SYS_MMAP && e.Args[1] == 53*page
	})
	if i < 0 {
		t.Fatal("no mmap")
	}
	begin := events[i].Value
	var faults []uint64
	for _, e := range events[i:] {
		if e.Kind == Fault && e.Addr >= begin && e.Addr < begin+53*page {
			faults = append(faults, (e.Addr-begin)/page)
		}
	}
	if p.Faultless() != nil {
		t.Skip("needs perf-faults: ", p.Faultless())
	}
	if len(faults) != 53 || !slices.IsSorted(faults) {
		t.Errorf("%v", faults)
	}
	if !slices.ContainsFunc(events[i:], func(e Event) bool {
		return e.Kind == Call && e.Nr == unix.SYS_MUNMAP && e.Args[0] == begin && e.Errno == 0
	}) {
		t.Error("no munmap")
	}
}

func TestStartFails(t *testing.T) {
	for path, want := range map[string]syscall.Errno{"/nonexistent": unix.ENOENT, "/": unix.EACCES} {
		_, err := Start(Config{Path: path, Args: []string{"x"}})
		var no *StartError
		if !errors.As(err, &no) || no.Call != "execve" || no.Errno != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// processes starts another program, as most do: by a child that runs in its memory until it executes.
func processes([]string) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=nothing")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 7 {
		panic(err)
	}
}

// oddPages is a size that no other mapping has.
const oddPages = 37

// threads has each of several threads write to a page of its own.
func threads([]string) {
	page := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, oddPages*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		panic(err)
	}
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	var all, ready sync.WaitGroup
	ready.Add(4)
	for i := range 4 {
		all.Go(func() {
			runtime.LockOSThread()
			ready.Done()
			ready.Wait()
			b[i*page] = 1
		})
	}
	all.Wait()
	_ = unix.Munmap(b)
}

// fault reads where nothing is mapped, and lives.
func fault([]string) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }()
	b, err := unix.Mmap(-1, 0, oddPages*os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		panic(err)
	}
	at := unsafe.SliceData(b)
	_ = unix.Munmap(b)
	fmt.Println(*at)
}

// waits waits for its standard input to end.
func waits([]string) { _, _ = os.Stdin.Read(make([]byte, 1)) }

// own counts the events of a kind.
func count(events []Event, match func(Event) bool) (n int) {
	for _, e := range events {
		if match(e) {
			n++
		}
	}
	return n
}

func TestProcesses(t *testing.T) {
	p := run(t, "processes")
	events := all(t, p)
	i := slices.IndexFunc(events[1:], func(e Event) bool { return e.Kind == Exec }) + 1
	if i == 0 {
		t.Fatal("no program is executed")
	}
	child := events[i].PID
	i = slices.IndexFunc(events, func(e Event) bool { return e.Kind == Fork && e.Child == child })
	if i < 0 {
		t.Fatal("no fork")
	}
	if !events[i].Shared || events[i].PID != p.PID() {
		t.Errorf("%+v", events[i])
	}
	rest := events[i:]
	executed := slices.IndexFunc(rest, func(e Event) bool { return e.Kind == Exec && e.PID == child })
	ended := slices.IndexFunc(rest, func(e Event) bool { return e.Kind == Exit && e.PID == child && e.Status == 7 })
	last := slices.IndexFunc(rest, func(e Event) bool { return e.Kind == Exit && e.PID == p.PID() && e.Status == 7 })
	if executed < 0 || ended < executed || last < ended || last != len(rest)-1 {
		t.Errorf("executed %d, ended %d, last %d of %d", executed, ended, last, len(rest))
	}
	if p.Faultless() == nil && count(rest[executed:ended], func(e Event) bool { return e.Kind == Fault && e.PID == child }) == 0 {
		t.Error("no page fault of the child is told")
	}
}

func TestThreads(t *testing.T) {
	rounds := 5
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		p := run(t, "threads")
		events := all(t, p)
		page := uint64(os.Getpagesize())
		i := slices.IndexFunc(events, func(e Event) bool { return e.Kind == Call && e.Nr == unix.SYS_MMAP && e.Args[1] == oddPages*page })
		if i < 0 {
			t.Fatal("no mmap")
		}
		begin := events[i].Value
		who := map[int]uint64{}
		for _, e := range events[i:] {
			if e.Kind == Fault && e.Addr >= begin && e.Addr < begin+4*page {
				who[e.TID] = e.Addr
			}
		}
		if p.Faultless() != nil {
			t.Skip("needs perf-faults: ", p.Faultless())
		}
		if len(who) != 4 {
			t.Errorf("%x", who)
		}
		if n := count(events, func(e Event) bool { return e.Kind == Exit }); n != 1 {
			t.Errorf("%d ends", n)
		}
		if n := count(events, func(e Event) bool { return e.Kind == Fork && e.Thread }); n < 3 {
			t.Errorf("%d threads", n)
		}
	}
}

func TestFaultIsTold(t *testing.T) {
	events := all(t, run(t, "fault"))
	i := slices.IndexFunc(events, func(e Event) bool { return e.Kind == Signal })
	unmapped := slices.IndexFunc(events, func(e Event) bool {
		return e.Kind == Call && e.Nr == unix.SYS_MUNMAP && e.Args[1] == uint64(oddPages*os.Getpagesize())
	})
	if i < 0 || unmapped < 0 {
		t.Fatal("no signal")
	}
	const mapErr = 1 // SEGV_MAPERR
	if e := events[i]; e.Signal != unix.SIGSEGV || e.Code != mapErr || e.Addr != events[unmapped].Args[0] {
		t.Errorf("%+v, unmapped %x", e, events[unmapped].Args[0])
	}
	if e := events[len(events)-1]; e.Kind != Exit || e.Status != 7 || e.Signal != 0 {
		t.Errorf("%+v", e)
	}
}

// starting gives a program with a pipe as its standard input, as far as it reads from that.
func waiting(t *testing.T) (p *Program, in *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	self, _ := os.Executable()
	p, err = Start(Config{Path: self, Args: []string{"waits"}, Env: append(os.Environ(), "COWSCOPE_ROLE=waits", "GOGC=off"), Files: []*os.File{r, os.Stdout, os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	for n := 0; ; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		_, err := p.Next(ctx)
		cancel()
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		if err != nil {
			return p, w
		}
	}
}

func TestStoppedAndLetGo(t *testing.T) {
	p, in := waiting(t)
	for range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if e, err := p.Next(ctx); err != context.Canceled {
			t.Fatal(e, err)
		}
	}
	in.Close()
	if events := all(t, p); events[len(events)-1].Status != 7 {
		t.Errorf("%+v", events[len(events)-1])
	}
}

// A program that a signal has stopped, as ^Z does, is stopped until SIGCONT, and can still be asked.
func TestStoppedByASignal(t *testing.T) {
	p, in := waiting(t)
	_ = unix.Kill(p.PID(), unix.SIGSTOP)
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if e, err := p.Next(ctx); err != context.DeadlineExceeded {
			t.Fatal(e, err)
		}
		cancel()
	}
	in.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if e, err := p.Next(ctx); err != context.DeadlineExceeded {
		t.Fatal(e, err)
	}
	_ = unix.Kill(p.PID(), unix.SIGCONT)
	if events := all(t, p); events[len(events)-1].Status != 7 {
		t.Errorf("%+v", events[len(events)-1])
	}
}

func TestKilled(t *testing.T) {
	p, _ := waiting(t)
	_ = unix.Kill(p.PID(), unix.SIGKILL)
	if events := all(t, p); len(events) != 1 || events[0].Signal != unix.SIGKILL || events[0].Kind != Exit {
		t.Errorf("%+v", events)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	p, _ := waiting(t)
	p.Close()
	if err := unix.Kill(p.PID(), 0); err != unix.ESRCH {
		t.Errorf("the program is there: %v", err)
	}
}
