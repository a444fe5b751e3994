//go:build amd64 || arm64

package borrow

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: the process that lends is this test binary in a role. Its first thread does
// what the role says, by raw system calls, and prints a line when it begins and one when it has
// ended.

const roleEnv = "BORROW_ROLE"

// length is how long a role sleeps: long, for machines that are emulated or loaded.
const length = 4 * time.Second

func init() { runtime.LockOSThread() } // main runs on the first thread

func TestMain(m *testing.M) {
	if name := os.Getenv(roleEnv); name != "" {
		roles[name]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var roles = map[string]func(){
	"nanosleep": func() {
		timed(func() unix.Errno {
			t := unix.NsecToTimespec(int64(length))
			_, _, e := unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), uintptr(unsafe.Pointer(&t)), 0)
			return e
		}, unix.Errno(0))
	},
	"futex": func() {
		timed(func() unix.Errno {
			t := unix.NsecToTimespec(int64(length))
			var word uint32
			_, _, e := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), 0, 0, uintptr(unsafe.Pointer(&t)), 0, 0)
			return e
		}, unix.ETIMEDOUT)
	},
	"ppoll": func() {
		timed(func() unix.Errno {
			t := unix.NsecToTimespec(int64(length))
			var none uint64
			_, _, e := unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, uintptr(unsafe.Pointer(&t)), uintptr(unsafe.Pointer(&none)), 8, 0)
			return e
		}, unix.Errno(0))
	},
	"read": reads,
	"epoll_pwait": func() {
		fd, err := unix.EpollCreate1(0)
		if err != nil {
			panic(err)
		}
		ev := [2]unix.EpollEvent{{Events: unix.EPOLLIN, Fd: 7}}
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, 0, &ev[0]); err != nil {
			panic(err)
		}
		fmt.Println("begins")
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(&ev[1])), 1, ^uintptr(0), 0, 0)
		fmt.Println(n, int(e), ev[1].Fd)
	},
	"spin":    func() { spin(1) },
	"threads": func() { spin(4) },
	"obey":    obey,
	"filtered": func() {
		allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
		prog := unix.SockFprog{Len: 1, Filter: &allow}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			panic(err)
		}
		if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
			panic(err)
		}
		reads()
	},
	"leaderless": func() {
		fmt.Println("begins")
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
		unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0) // of this thread alone
	},
	// A borrower that is killed on its way.
	"killed": func() {
		pid, _ := strconv.Atoi(os.Getenv("BORROW_PID"))
		_, err := take(pid, func(where string) {
			if where == os.Getenv("BORROW_AT") {
				unix.Kill(os.Getpid(), unix.SIGKILL)
				select {}
			}
		})
		fmt.Println(err)
	},
}

// reads reads once, and prints what it got.
func reads() {
	fmt.Println("begins")
	var b [16]byte
	n, _, e := unix.RawSyscall(unix.SYS_READ, 0, uintptr(unsafe.Pointer(&b)), 16)
	fmt.Println(n, int(e), string(b[:n]))
}

// timed prints how far from length f lasted, in milliseconds, and whether it ended as it should.
func timed(f func() unix.Errno, want unix.Errno) {
	fmt.Println("begins")
	begin := time.Now()
	e := f()
	over := time.Since(begin) - length
	if e == want {
		e = 0
	}
	fmt.Println(over.Milliseconds(), int(e), "")
}

// spin computes the same sum again and again on several threads, the first among them, until
// standard input ends, and prints how often it was another one.
func spin(threads int) {
	var over atomic.Bool
	var wrong atomic.Int64
	go func() {
		io.Copy(io.Discard, os.Stdin)
		over.Store(true)
	}()
	fmt.Println("begins")
	want := checksum()
	round := func() {
		for !over.Load() {
			if checksum() != want {
				wrong.Add(1)
			}
			runtime.Gosched()
		}
	}
	var others sync.WaitGroup
	for range threads - 1 {
		others.Go(round)
	}
	round()
	others.Wait()
	fmt.Println(wrong.Load(), 0, "")
}

// checksum computes for some milliseconds, in registers.
func checksum() uint64 {
	var x, y, z uint64 = 1, 2, 3
	for i := range uint64(1_000_000) {
		x ^= x<<13 ^ i
		x ^= x >> 7
		y += x ^ z
		z = z<<1 | y>>63
	}
	return x ^ y ^ z
}

// obey does what each line says, and answers with a number.
func obey() {
	fmt.Println("begins")
	in := bufio.NewScanner(os.Stdin)
	zero, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	for in.Scan() {
		var verb string
		var a, b uint64
		fmt.Sscan(in.Text(), &verb, &a, &b)
		at := *(*unsafe.Pointer)(unsafe.Pointer(&a)) // outside Go's memory
		var answer uint64
		switch verb {
		case "map", "mapshared": // a pages
			flags := unix.MAP_PRIVATE
			if verb == "mapshared" {
				flags = unix.MAP_SHARED
			}
			m, err := unix.MmapPtr(-1, 0, nil, uintptr(a)*uintptr(os.Getpagesize()), unix.PROT_READ|unix.PROT_WRITE, flags|unix.MAP_ANON)
			if err != nil {
				panic(err)
			}
			answer = uint64(uintptr(m))
		case "remap": // b pages, in place of what is there
			if _, err := unix.MmapPtr(-1, 0, at, uintptr(b)*uintptr(os.Getpagesize()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED); err != nil {
				panic(err)
			}
		case "store":
			*(*byte)(at) = byte(b)
		case "load":
			answer = uint64(*(*byte)(at))
		case "read": // by the kernel
			if _, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(zero), uintptr(at), uintptr(b)); e != 0 {
				panic(e)
			}
		}
		fmt.Println(answer)
	}
}

// target is a process in a role.
type target struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	pid int
}

func start(t testing.TB, role string, env ...string) *target {
	t.Helper()
	p := &target{t: t, cmd: exec.Command("/proc/self/exe")}
	// Only what the test does may interrupt a call.
	p.cmd.Env = append(append(os.Environ(), roleEnv+"="+role, "GODEBUG=asyncpreemptoff=1", "GORACE=atexit_sleep_ms=0"), env...)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = p.cmd.Process.Pid
	late := time.AfterFunc(time.Minute, func() { p.cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		in.Close()
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	if role != "killed" {
		if line := p.line(); line != "begins" {
			t.Fatalf("the role says %q", line)
		}
	}
	return p
}

func (p *target) line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the process is gone: %v", err)
	}
	return strings.TrimSpace(line)
}

// ask has an obeying process do something.
func (p *target) ask(format string, args ...any) uint64 {
	p.t.Helper()
	fmt.Fprintf(p.in, format+"\n", args...)
	n, err := strconv.ParseUint(p.line(), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// asleep waits until the first thread sleeps.
func (p *target) asleep() {
	p.t.Helper()
	p.until("sleeps", func() bool { return strings.HasPrefix(procfs.StatusField(p.pid, "State:"), "S") })
}

// until waits for a condition.
func (p *target) until(what string, is func() bool) {
	p.t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("the process never %s", what)
		}
	}
}

// looks is what must not differ after a loan.
func (p *target) looks() string {
	p.t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, f := range fds {
		names = append(names, f.Name())
	}
	return fmt.Sprint("tracer ", procfs.StatusField(p.pid, "TracerPid:"), " blocked ", procfs.StatusField(p.pid, "SigBlk:"), " pending ", procfs.StatusField(p.pid, "SigPnd:"), procfs.StatusField(p.pid, "ShdPnd:"),
		" ignored ", procfs.StatusField(p.pid, "SigIgn:"), " fds ", names)
}
