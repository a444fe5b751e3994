package observe

import (
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// How a process ended is told of a zombie, and of one that was waited for where the kernel keeps it.
func TestEnding(t *testing.T) {
	for script, want := range map[string]Ending{"exit 3": {Code: 3}, "exit 0": {}, "kill -9 $$": {Signal: 9}} {
		cmd := exec.Command("sh", "-c", "read line; "+script)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		life, err := HoldLife(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		defer life.Close()
		if e, known := life.Ending(); known {
			t.Errorf("%s: alive: %v", script, e)
		}
		stdin.Close()
		fds := []unix.PollFd{{Fd: int32(life.fd), Events: unix.POLLIN}}
		for n := 0; n == 0; {
			if n, err = unix.Poll(fds, int(time.Minute/time.Millisecond)); err != nil && err != unix.EINTR {
				t.Fatal(err)
			}
		}
		if e, known := life.Ending(); !known || e != want {
			t.Errorf("%s: a zombie: %v, %v", script, e, known)
		}
		_ = cmd.Wait() // the status is what is tested
		if e, known := life.Ending(); known && e != want {
			t.Errorf("%s: waited for: %v", script, e)
		} else if !known {
			t.Log("after wait(2) this kernel tells nobody how a process ended: Linux 6.15 does")
		}
	}
	if _, err := HoldLife(1 << 30); err != unix.ESRCH && err != unix.EINVAL {
		t.Errorf("nobody: %v", err)
	}
}
