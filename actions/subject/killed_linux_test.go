//go:build amd64 || arm64

package subject

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kill -9 of the tracer: the test program runs itself as the one to be killed.

// victim starts a family of four, one of them inside an endless wait, and one in vfork, which waits
// for the last; it tells the pids, and waits to be killed.
func victim() {
	t, err := NewTracer()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_ = t.Do(func() {
		p, err := t.Start(Config{Memory: 64 << 20, Calls: testCalls})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		c, _, _ := p.Fork()
		g, _, _ := c.Fork()
		v, _, _ := g.Vfork()
		fmt.Println(p.PID(), c.PID(), g.PID(), v.PID())
		if t.cgroup != nil {
			fmt.Println(t.cgroup.dir.Name())
		}
		_, _ = p.Syscall(unix.SYS_PPOLL, 0, 0, 0, 0, 0) // runs when we die; the others stand
		select {}
	})
}

// startVictim starts the one to be killed, and gives the lines that it says.
func startVictim(t *testing.T) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := as(t, "victim")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func TestNothingSurvivesKillNine(t *testing.T) {
	cmd, lines := startVictim(t)
	lines.Scan()
	line := lines.Text()
	var pids [4]int
	if _, err := fmt.Sscan(strings.TrimSpace(line), &pids[0], &pids[1], &pids[2], &pids[3]); err != nil {
		t.Fatalf("the victim says %q", line)
	}
	var watched []unix.PollFd
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		watched = append(watched, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	until(t, "the subject waits", func() bool { return state(pids[0]) == 'S' })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for i := range watched {
		// A pidfd becomes readable when its process has ended.
		n, err := unix.Poll(watched[i:i+1], 10_000)
		for err == unix.EINTR {
			n, err = unix.Poll(watched[i:i+1], 10_000)
		}
		if n != 1 || err != nil {
			t.Errorf("process %d survived its tracer (%v)", pids[i], err)
		}
	}
}
