package observe

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// ctx is that of readings which are wanted to their end.
var ctx = context.Background()

// rapidChecks is how many rounds the random tests go where nobody says it; "" is rapid's own
// number.
var rapidChecks string

// Rules of this file: the tests read a process that does what they say. It is this test binary,
// started again, which obeys lines on its standard input and answers each with one line. It can
// make children by a bare clone; these do nothing but system calls and single loads and stores, for
// Go's runtime does not live on in them. A child is a perfectly quiet process.

const (
	puppetEnv = "VMSPACE_PUPPET"
	arena     = 0x1000_0000_0000 // addresses that nothing else uses
)

// Sizes of this machine.
var (
	pg    = uint64(os.Getpagesize())
	block = vmspace.HugeBlock(pg)
)

func TestMain(m *testing.M) {
	if os.Getenv(puppetEnv) != "" {
		puppetMain()
		os.Exit(0)
	}
	flag.Parse()
	if given := flagGiven("rapid.checks"); rapidChecks != "" && !given {
		flag.Set("rapid.checks", rapidChecks)
	}
	os.Exit(m.Run())
}

// flagGiven says whether the flag stood on the command line.
func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// puppet is the process that the tests read.
type puppet struct {
	t     interface{ Fatalf(string, ...any) }
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	child []int // pids
}

func startPuppet(t testing.TB) *puppet {
	t.Helper()
	p := &puppet{t: t, cmd: exec.Command("/proc/self/exe")}
	p.cmd.Env = append(os.Environ(), puppetEnv+"=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = os.Stderr
	in, err1 := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatalf("pipes: %v %v", err1, err2)
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting the puppet: %v", err)
	}
	t.Cleanup(p.stop)
	return p
}

// stop ends the puppet and its children.
func (p *puppet) stop() {
	p.cmd.Process.Signal(unix.SIGCONT)
	p.in.Close()
	p.cmd.Wait()
}

// ask sends a command and gives the errno and the value that came of it.
func (p *puppet) ask(format string, args ...any) (unix.Errno, uint64) {
	fmt.Fprintf(p.in, format+"\n", args...)
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the puppet is gone: %v", err)
	}
	var errno, value uint64
	if _, err := fmt.Sscan(line, &errno, &value); err != nil {
		p.t.Fatalf("the puppet says %q", line)
	}
	return unix.Errno(errno), value
}

// must is ask for what has to work.
func (p *puppet) must(format string, args ...any) uint64 {
	errno, v := p.ask(format, args...)
	if errno != 0 {
		p.t.Fatalf("%s: %v", fmt.Sprintf(format, args...), errno)
	}
	return v
}

func (p *puppet) mmap(addr, length uint64, prot, flags int) {
	p.must("call %d %d %d %d %d %d %d", unix.SYS_MMAP, addr, length, prot, flags|unix.MAP_FIXED, uint64(1<<64-1), 0)
}

func (p *puppet) mmapFile(addr, length uint64, prot, flags int, path string) {
	fd := p.must("open %s", path)
	p.must("call %d %d %d %d %d %d %d", unix.SYS_MMAP, addr, length, prot, flags|unix.MAP_FIXED, fd, 0)
	p.must("call %d %d", unix.SYS_CLOSE, fd)
}

func (p *puppet) store(addr uint64, v byte) { p.must("store %d %d", addr, v) }
func (p *puppet) load(addr uint64) byte     { return byte(p.must("load %d", addr)) }

// fork makes a child and gives its index.
func (p *puppet) fork() int {
	p.child = append(p.child, int(p.must("fork")))
	return len(p.child) - 1
}

// inChild has a child do one of: 's' store, 'l' load, 'e' execve, '7' store to every 7th page of v
// bytes, 'u' munmap of v bytes, 'x' exit.
func (p *puppet) inChild(i int, op byte, addr, v uint64) uint64 {
	return p.must("child %d %d %d %d", p.child[i], op, addr, v)
}

func (p *puppet) family() []vmspace.Member {
	f := []vmspace.Member{{Label: "p1", PID: p.cmd.Process.Pid}}
	for i, pid := range p.child {
		f = append(f, vmspace.Member{Label: "p" + strconv.Itoa(i+2), Parent: "p1", PID: pid})
	}
	return f
}

// puppetMain is the other side.
func puppetMain() {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	in := bufio.NewReader(os.Stdin)
	kids := map[uint64][2]int{} // by pid: where to write orders, where to read answers
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		n := [8]uint64{}
		for i := 1; i < len(words); i++ {
			n[i], _ = strconv.ParseUint(words[i], 10, 64)
		}
		errno, v := unix.Errno(0), uint64(0)
		switch words[0] {
		case "call":
			r, _, e := unix.Syscall6(uintptr(n[1]), uintptr(n[2]), uintptr(n[3]), uintptr(n[4]), uintptr(n[5]), uintptr(n[6]), uintptr(n[7]))
			errno, v = e, uint64(r)
		case "open":
			fd, err := unix.Open(words[1], unix.O_RDWR, 0)
			v = uint64(fd)
			errno, _ = err.(unix.Errno)
		case "store":
			*at(n[1]) = byte(n[2])
		case "load":
			v = uint64(*at(n[1]))
		case "fork":
			var down, up [2]int
			unix.Pipe2(down[:], unix.O_CLOEXEC)
			unix.Pipe2(up[:], unix.O_CLOEXEC)
			pid := forkKid(down[0], up[1], down[1])
			unix.Close(down[0]) // so that a kid's death is the end of what can be read
			unix.Close(up[1])
			v = uint64(pid)
			kids[v] = [2]int{down[1], up[0]}
		case "child":
			k := kids[n[1]]
			order := [3]uint64{n[2], n[3], n[4]}
			unix.Write(k[0], unsafe.Slice((*byte)(unsafe.Pointer(&order)), 24))
			if n[2] != 'x' {
				if n, _ := unix.Read(k[1], unsafe.Slice((*byte)(unsafe.Pointer(&v)), 8)); n != 8 {
					errno = unix.EPIPE
				}
			}
		default:
			v, errno = orders[words[0]](words, n)
		}
		fmt.Println(uint64(errno), v)
	}
}

// orders are those that need nothing of puppetMain.
var orders = map[string]func(words []string, n [8]uint64) (uint64, unix.Errno){
	"fill": func(_ []string, n [8]uint64) (uint64, unix.Errno) {
		for a := n[1]; a < n[1]+n[2]; a += pg {
			*at(a) = 1
		}
		return 0, 0
	},
	"stripe": func(_ []string, n [8]uint64) (uint64, unix.Errno) { // takes writing from every other page, so that each is a mapping
		for a := n[1] + pg; a < n[1]+n[2]; a += 2 * pg {
			unix.Syscall(unix.SYS_MPROTECT, uintptr(a), uintptr(pg), unix.PROT_READ)
		}
		return 0, 0
	},
	"wait": func(_ []string, n [8]uint64) (uint64, unix.Errno) {
		pid, _ := unix.Wait4(int(n[1]), nil, 0, nil)
		return uint64(pid), 0
	},
	"build": func(words []string, n [8]uint64) (uint64, unix.Errno) { return build(words[1], n[2], words[3]) },
	"churn": func(_ []string, n [8]uint64) (uint64, unix.Errno) { return churn.order(n[1]), 0 },
	"probe": func(_ []string, n [8]uint64) (uint64, unix.Errno) { return probe.order(n[1] != 0), 0 },
}

// at makes a pointer of an address outside Go's memory.
//
//go:nosplit
//go:norace
func at(addr uint64) *byte { return *(**byte)(unsafe.Pointer(&addr)) }

// kidOrder is where a child keeps what it is told. It is no local variable, because a child's stack
// must not grow.
var kidOrder struct{ op, addr, v uint64 }

// What a child executes, for the same reason.
var (
	sleepPath = [...]byte{'/', 'b', 'i', 'n', '/', 's', 'l', 'e', 'e', 'p', 0}
	sleepTime = [...]byte{'1', '0', '0', '0', 0}
	sleepArgs = [...]unsafe.Pointer{unsafe.Pointer(&sleepPath), unsafe.Pointer(&sleepTime), nil}
)

// forkKid clones this process. The child obeys orders from the file in until it is told to exit, or
// until nobody can give it any: it closes its own copy of other, the end that orders are written
// to.
//
//go:nosplit
//go:norace
func forkKid(in, out, other int) uintptr {
	pid, _, _ := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 {
		return pid
	}
	unix.RawSyscall6(unix.SYS_CLOSE, uintptr(other), 0, 0, 0, 0, 0)
	for {
		n, _, _ := unix.RawSyscall6(unix.SYS_READ, uintptr(in), uintptr(unsafe.Pointer(&kidOrder)), 24, 0, 0, 0)
		if n != 24 || kidOrder.op == 'x' {
			unix.RawSyscall6(unix.SYS_EXIT_GROUP, uintptr(kidOrder.v), 0, 0, 0, 0, 0)
		}
		switch kidOrder.op {
		case 's':
			*at(kidOrder.addr) = byte(kidOrder.v)
		case '7': // rewrites every 7th page of v bytes
			for a := kidOrder.addr; a < kidOrder.addr+kidOrder.v; a += 7 * pg {
				*at(a) = 2
			}
		case 'e': // becomes /bin/sleep
			unix.RawSyscall6(unix.SYS_EXECVE, uintptr(unsafe.Pointer(&sleepPath)), uintptr(unsafe.Pointer(&sleepArgs)), 0, 0, 0, 0)
		case 'l':
			kidOrder.v = uint64(*at(kidOrder.addr))
		case 'u':
			unix.RawSyscall6(unix.SYS_MUNMAP, uintptr(kidOrder.addr), uintptr(kidOrder.v), 0, 0, 0, 0)
		}
		unix.RawSyscall6(unix.SYS_WRITE, uintptr(out), uintptr(unsafe.Pointer(&kidOrder.v)), 8, 0, 0, 0)
	}
}
