//go:build amd64 || arm64

package subject

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Surroundings that a subject is not to be started in, or that take away what holds it. The test
// program starts itself in them.

// starter starts a subject and tells how it went.
func starter() {
	t, err := NewTracer()
	if err == nil {
		_ = t.Do(func() { _, err = t.Start(Config{}) })
		if e := t.Close(); err == nil {
			err = e
		}
	}
	fmt.Println("ended:", err)
}

const refuseEnv = "COWSCOPE_TEST_REFUSE"

// refused is starter under a filter that answers one system call, whose number is in the
// environment, with EPERM.
func refused() {
	nr, _ := strconv.Atoi(os.Getenv(refuseEnv))
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(nr), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	runtime.LockOSThread() // what is set first holds for one thread
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		fmt.Println(err)
		return
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if e != 0 {
		fmt.Println("seccomp:", e)
		return
	}
	starter()
}

// Whatever call is refused, the start ends, says what it was, and leaves no process behind.
func TestRefusedCalls(t *testing.T) {
	for _, tt := range []struct {
		name string
		nr   int
		says string // "" where a subject starts all the same
	}{
		{"wait4", unix.SYS_WAIT4, "wait for process"},
		{"kill", unix.SYS_KILL, "kill(2) answers EPERM"},
		{"tgkill", unix.SYS_TGKILL, "tgkill(2) answers EPERM"},
		{"seccomp", unix.SYS_SECCOMP, "no seccomp filter can be installed (EPERM)"},
		{"ptrace", unix.SYS_PTRACE, "a seccomp filter forbids ptrace"},
		{"personality", unix.SYS_PERSONALITY, ""},
		{"memfd_create", unix.SYS_MEMFD_CREATE, ""},
		{"prlimit64", unix.SYS_PRLIMIT64, ""},
		{"sched_setaffinity", unix.SYS_SCHED_SETAFFINITY, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			cmd := as(t, "refused", fmt.Sprintf("%s=%d", refuseEnv, tt.nr))
			out, err := output(ctx, cmd)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if tt.says == "" && out != "ended: <nil>\n" || !strings.Contains(out, tt.says) {
				t.Errorf("it says %q, and not %q", out, tt.says)
			}
			until(t, "no subject is left", func() bool { return !anySubjectOf(cmd.Process.Pid) })
		})
	}
}

// output runs a command and gives what it wrote.
func output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var b strings.Builder
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	err := cmd.Wait()
	if ctx.Err() != nil {
		err = fmt.Errorf("it hangs: %w", ctx.Err())
	}
	return b.String(), err
}

// anySubjectOf says whether a subject lives that this process started: its gate names the process.
func anySubjectOf(pid int) bool {
	all, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, comm := range all {
		if name, _ := os.ReadFile(comm); strings.TrimSpace(string(name)) != commName {
			continue
		}
		mem, err := os.Open(filepath.Join(filepath.Dir(comm), "mem"))
		if err != nil {
			continue
		}
		gate := make([]byte, 32)
		_, _ = mem.ReadAt(gate, textBase+gateAt)
		mem.Close()
		if strings.HasPrefix(string(gate), fmt.Sprintf("/proc/%d/", pid)) {
			return true
		}
	}
	return false
}

// In a PID namespace without a /proc of its own nothing is started, and no file of /proc is written
// to: each belongs to a stranger.
func TestForeignProc(t *testing.T) {
	cmd := as(t, "starter")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := output(ctx, cmd)
	if err != nil && out == "" {
		t.Skip("needs userns: this user cannot make a PID namespace:", err)
	}
	if err != nil || !strings.Contains(out, "/proc shows another PID namespace") {
		t.Errorf("it says %q, %v", out, err)
	}
}

// infant starts a subject as far as its exec, tells its pid, and dies.
func infant() {
	t, err := NewTracer()
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = t.Do(func() {
		allowed, _ := filter(nil)
		pid, err := sources()[0].exec(program(t.gate.path, allowed), t.gate, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		limits, _ := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
		for line := range strings.Lines(string(limits)) {
			if strings.HasPrefix(line, "Max core file size") {
				fmt.Println(strings.Join(strings.Fields(line)[4:5], ""))
			}
		}
		fmt.Println(pid)
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	})
}

// A subject whose tracer dies before it has set any option dies with it, and dumps no core.
func TestKilledInTheFirstMoment(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, _ := output(ctx, as(t, "infant"))
	fields := strings.Fields(out)
	want := "1"
	var own unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &own) == nil && own.Max == 0 {
		want = "0" // it cannot be raised
	}
	if len(fields) != 2 || fields[0] != want {
		t.Fatalf("it says %q, want a core limit of %s and a pid", out, want)
	}
	pid, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the subject is gone", func() bool { s := state(pid); return s == 0 || s == 'Z' })
}

// The limit of the program itself is what it was.
func TestOwnCoreLimit(t *testing.T) {
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	inSubject(t, Config{}, func(*Process) {})
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &after); err != nil || after != before {
		t.Errorf("%v became %v, %v", before, after, err)
	}
}
