//go:build amd64 || arm64

package subject

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cowscope/actions/image"

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
		allowed, _ := filter(nil, nil)
		pid, err := execute(image.Sources()[0], program(t.gate.path, allowed), t.gate, nil)
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
