package tui_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"cowscope/actions/feature"

	"golang.org/x/sys/unix"
)

func init() {
	roles["faulter"] = func() error { // touches ten pages for each byte that it reads
		fmt.Println("here")
		for one := make([]byte, 1); ; {
			if _, err := os.Stdin.Read(one); err != nil {
				return err
			}
			mem, err := unix.Mmap(-1, 0, 10*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return err
			}
			for i := 0; i < len(mem); i += os.Getpagesize() {
				mem[i] = 1
			}
		}
	}
}

// What a program touches shows while it is watched: how many faults, and where in its code.
func TestWatchShowsFaults(t *testing.T) {
	if ok, reason, err := feature.Available("perf-faults"); !ok {
		t.Skip("needs perf-faults: ", reason, err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: self, Args: []string{"faulter"}, Env: append(os.Environ(), "COWSCOPE_ROLE=faulter")}
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	c := start(t, 120, 30, nil, "watch", strconv.Itoa(cmd.Process.Pid))
	c.sees("as it stands when watching begins")
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	c.sees("watch_faults_linux_test.go:") // one word, which no line breaks
	c.keys("T").sees("page faults by place", "zero-fill")
	c.keys("i").keys("q") // any other key closes the list
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	c.restored()
}
