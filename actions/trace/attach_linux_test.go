//go:build amd64 || arm64

package trace

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lives maps, touches and unmaps memory in several threads, and makes other calls in between. For each
// line that it reads it says how often; it ends with its standard input.
func lives([]string) {
	var rounds atomic.Uint64
	page := os.Getpagesize()
	for range 3 {
		go func() {
			runtime.LockOSThread()
			for {
				b, err := unix.Mmap(-1, 0, 5*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
				if err != nil {
					os.Exit(20)
				}
				for i := range 5 {
					b[i*page] = 1
					_ = unix.Getppid()
				}
				if unix.Munmap(b) != nil {
					os.Exit(21)
				}
				rounds.Add(1)
			}
		}()
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(rounds.Load())
	}
}

// living is a process that nobody here has started to trace it.
type living struct {
	*testing.T
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func live(t *testing.T, role string) living {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "COWSCOPE_ROLE="+role)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	l := living{t, cmd, in, bufio.NewReader(out)}
	l.rounds()
	return l
}

// rounds is how often it has gone round.
func (l living) rounds() (n uint64) {
	l.Helper()
	fmt.Fprintln(l.in)
	line, err := l.out.ReadString('\n')
	if _, e := fmt.Sscan(line, &n); err != nil || e != nil {
		l.Fatalf("it says %q: %v", line, errors.Join(err, e))
	}
	return n
}

// unharmed reports that it goes on, and ends as it would.
func (l living) unharmed() {
	l.Helper()
	was := l.rounds()
	for begin := time.Now(); l.rounds() == was; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			l.Fatal("it does not go on")
		}
	}
	l.in.Close()
	if err := l.Wait(); l.ProcessState.ExitCode() != 7 {
		l.Errorf("its end: %v", err)
	}
}

// A running process is attached to: what its threads do from then on is told, and then it is let go.
func TestAttach(t *testing.T) {
	l := live(t, "lives")
	p, err := Start(Config{PID: l.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	page := uint64(os.Getpagesize())
	var mapped, touched, other int
	begins := map[int]uint64{} // by thread
	for i := range 3000 {
		e, err := p.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case i == 0:
			if e.Kind != Attached || e.PID != l.Process.Pid || e.IP() == 0 {
				t.Errorf("the first event is %+v", e)
			}
		case e.Kind == Call && e.Nr == unix.SYS_MMAP && e.Args[1] == 5*page:
			begins[e.TID] = e.Value
			mapped++
		case e.Kind == Fault && begins[e.TID] != 0 && e.Addr-begins[e.TID] < 5*page:
			touched++
		case e.Kind == Call && e.Nr == unix.SYS_GETPPID:
			other++
		}
	}
	if mapped < 10 || touched < 2*mapped && p.Faultless() == nil || other > 0 {
		t.Errorf("%d mappings, %d page faults in them, %d other calls", mapped, touched, other)
	}
	p.Close()
	l.unharmed()
}

// However often and at whatever moment a process is attached to and let go, it lives on, also where it
// blocks the signal by which events stop it.
func TestLetGo(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for _, role := range []string{"lives", "deaf"} {
		t.Run(role, func(t *testing.T) {
			l := live(t, role)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			for i := range rounds {
				p, err := Start(Config{PID: l.Process.Pid})
				if err != nil {
					t.Fatal(err)
				}
				for range i % 7 {
					if _, err := p.Next(ctx); err != nil {
						t.Fatal(err)
					}
				}
				if i%3 == 0 { // while it runs
					short, done := context.WithTimeout(ctx, time.Duration(i)*10*time.Microsecond)
					for {
						if _, err := p.Next(short); err != nil {
							break
						}
					}
					done()
				}
				p.Close()
			}
			l.unharmed()
		})
	}
}

// deaf is lives with SIGTRAP blocked in all of its threads.
func deaf(args []string) {
	var set unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGTRAP - 1)
	runtime.LockOSThread()
	if unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil) != nil {
		os.Exit(22)
	}
	lives(args) // threads that are born have the mask of their parent
}

// Who is killed has the process go on too, unless that is at a page fault at this very moment: then the
// signal of its event is under way. This one waits for what it reads.
func TestAttacherIsKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cat := exec.Command("cat")
	in, err1 := cat.StdinPipe()
	out, err2 := cat.StdoutPipe()
	if err := errors.Join(err1, err2, cat.Start()); err != nil {
		t.Fatal(err)
	}
	defer cat.Wait()
	defer cat.Process.Kill()
	echo := bufio.NewReader(out)
	for i := range 20 {
		by := exec.Command(self, fmt.Sprint(cat.Process.Pid))
		by.Env = append(os.Environ(), "COWSCOPE_ROLE=attaches")
		out, err := by.StdoutPipe()
		if err := errors.Join(err, by.Start()); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "attached\n" {
			t.Fatalf("%q, %v", line, err)
		}
		for begin := time.Now(); ; runtime.Gosched() {
			call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", cat.Process.Pid))
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cat.Process.Pid))
			if strings.HasPrefix(string(call), fmt.Sprintf("%d 0x0 ", unix.SYS_READ)) && strings.Contains(string(stat), ") S ") {
				break
			}
			if time.Since(begin) > 20*time.Second {
				t.Fatalf("%s%s", call, stat)
			}
		}
		by.Process.Kill()
		by.Wait()
		fmt.Fprintln(in, i)
		if line, err := echo.ReadString('\n'); err != nil || line != fmt.Sprintln(i) {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// attaches is who attaches to a process, and follows it.
func attaches(args []string) {
	var pid int
	fmt.Sscan(args[0], &pid)
	p, err := Start(Config{PID: pid})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("attached")
	for {
		if _, err := p.Next(context.Background()); err != nil {
			os.Exit(2)
		}
	}
}

// Why a process cannot be attached to is told.
func TestAttachRefused(t *testing.T) {
	l := live(t, "lives")
	thread := 0
	for begin := time.Now(); thread == 0; runtime.Gosched() { // until it has a second one
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", l.Process.Pid))
		if err != nil || time.Since(begin) > 20*time.Second {
			t.Fatal(err, threads)
		}
		for _, e := range threads {
			if tid, _ := strconv.Atoi(e.Name()); tid != l.Process.Pid {
				thread = tid
			}
		}
	}
	p, err := Start(Config{PID: l.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for pid, says := range map[int]string{1 << 30: "there is no process", thread: "is a thread of process", os.Getpid(): "is cowscope itself", l.Process.Pid: "is traced already, by process"} {
		var no *AttachError
		if _, err := Start(Config{PID: pid}); !errors.As(err, &no) || !strings.Contains(err.Error(), says) {
			t.Errorf("%d: %v, want %q", pid, err, says)
		}
	}
}

// A process that is stopped stays so, and goes on by SIGCONT.
func TestAttachToTheStopped(t *testing.T) {
	l := live(t, "lives")
	l.Process.Signal(syscall.SIGSTOP)
	state := func() string {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.Process.Pid))
		_, rest, _ := strings.Cut(string(b), ") ")
		return rest[:min(1, len(rest))]
	}
	for begin := time.Now(); state() != "T" && time.Since(begin) < 20*time.Second; {
		runtime.Gosched()
	}
	p, err := Start(Config{PID: l.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	for begin := time.Now(); state() != "T"; runtime.Gosched() {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("it is %s", state())
		}
	}
	l.Process.Signal(syscall.SIGCONT)
	l.unharmed()
}
