package fault

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rules of this file: what is watched is this test binary, started again, which obeys lines on its
// standard input and answers each with one line.

const roleEnv = "COWSCOPE_FAULT_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) != "" {
		play()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// touched is what a thread did: it accessed every page of a fresh range once.
type touched struct {
	PID, TID int
	Start    uint64
	Pages    uint64
	From, To moment
}

// moment is how many faults the thread had taken, and how much time of a CPU, by getrusage(2), at
// some time of CLOCK_MONOTONIC between these; in nanoseconds.
type moment struct{ Faults, CPU, Before, After int64 }

// Faults is how many faults the thread took.
func (t touched) Faults() uint64 { return uint64(t.To.Faults - t.From.Faults) }

// player is a role that is played.
type player struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts the role, and waits until it is ready.
func start(t testing.TB) *player {
	t.Helper()
	p := &player{t: t, cmd: exec.Command("/proc/self/exe")}
	p.cmd.Env = append(os.Environ(), roleEnv+"=1", "GORACE=atexit_sleep_ms=0", "GODEBUG=asyncpreemptoff=1") // no signal, whose frame takes a fault
	p.cmd.Stderr = os.Stderr
	in, err1 := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatalf("pipes: %v %v", err1, err2)
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	p.ask("touch 1 w")
	return p
}

func (p *player) end() {
	p.in.Close()
	p.cmd.Wait()
}

func (p *player) family() []int { return []int{p.cmd.Process.Pid} }

// ask gives an order, and what was touched for it.
func (p *player) ask(order string) (t touched) {
	p.t.Helper()
	fmt.Fprintln(p.in, order)
	return p.answer()
}

func (p *player) answer() (t touched) {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("it is gone: %v", err)
	}
	if err := json.Unmarshal([]byte(line), &t); err != nil {
		p.t.Fatalf("it says %q", line)
	}
	return t
}

// play is the other side.
func play() {
	debug.SetGCPercent(-1)
	runtime.LockOSThread()
	in := bufio.NewReader(os.Stdin)
	orders := make(chan touched)
	var last touched
	var newest chan uint64
	thread := func() { // each lives on, so that its number is nobody else's
		mine := make(chan uint64)
		newest = mine
		go func() {
			runtime.LockOSThread()
			for n := range mine {
				orders <- touch(n, true)
			}
		}()
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		var what, how string
		var n uint64
		fmt.Sscan(line, &what, &n, &how)
		switch what {
		case "pin": // to the CPU that it is on, with all threads that it makes later
			var set unix.CPUSet
			unix.SchedGetaffinity(0, &set)
			for i := range 1024 {
				if set.IsSet(i) {
					set.Zero()
					set.Set(i)
					break
				}
			}
			unix.SchedSetaffinity(0, &set)
			say(touched{})
		case "touch":
			last = touch(n, how == "w")
			say(last)
		case "free": // what the last order touched
			unix.Syscall(unix.SYS_MUNMAP, uintptr(last.Start), uintptr(last.Pages)*uintptr(unix.Getpagesize()), 0)
			say(touched{})
		case "again": // a second access to the pages that are there
			t := touch(n, false)
			t.From = mark()
			access(t.Start, n, true)
			t.To = mark()
			say(t)
		case "thread":
			thread()
			fallthrough
		case "newest": // of the threads
			newest <- n
			say(<-orders)
		case "fork": // a child that copies n pages, and ends
			t := touch(n, true)
			t.From = moment{Before: clock()}
			pid, _, _ := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
			if pid == 0 {
				access(t.Start, n, true)
				unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
			unix.Wait4(int(pid), nil, 0, nil)
			t.To = moment{After: clock()}
			t.PID, t.TID = int(pid), int(pid)
			say(t)
		case "child": // fork, exec, the same there, exit
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), roleEnv+"=1") // it has the rest of ours
			cmd.Stdin = strings.NewReader(fmt.Sprintf("touch %d %s\n", n, how))
			said, err := cmd.Output()
			if err != nil {
				said = []byte(err.Error())
			}
			fmt.Printf("%s\n", strings.TrimSpace(string(said)))
		}
	}
}

func say(t touched) { json.NewEncoder(os.Stdout).Encode(t) }

// touch accesses n fresh pages once each.
func touch(n uint64, write bool) touched {
	page := uint64(unix.Getpagesize())
	mem, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(n*page), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, uintptr(^uint(0)), 0)
	if errno != 0 {
		panic(errno)
	}
	unix.Syscall(unix.SYS_MADVISE, mem, uintptr(n*page), unix.MADV_NOHUGEPAGE)
	t := touched{PID: os.Getpid(), TID: unix.Gettid(), Start: uint64(mem), Pages: n, From: mark()}
	access(t.Start, n, write)
	t.To = mark()
	return t
}

// access accesses n pages. A child that is no Go program may call it.
//
//go:noinline
//go:nosplit
//go:norace
func access(start, n uint64, write bool) {
	page := uint64(unix.Getpagesize())
	for a := start; a < start+n*page; a += page {
		p := (*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&a)))
		if write {
			*p = 1
		} else {
			sink += *p
		}
	}
}

var sink byte

// mark is how many faults the thread has taken, and a time before and after it was counted: the
// runtime, and more so the race detector, may take one of its own between any two calls.
func mark() (m moment) {
	var u unix.Rusage
	m.Before = clock()
	unix.Getrusage(unix.RUSAGE_THREAD, &u)
	m.After, m.Faults, m.CPU = clock(), u.Minflt+u.Majflt, u.Utime.Nano()+u.Stime.Nano()
	return m
}

func clock() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}
