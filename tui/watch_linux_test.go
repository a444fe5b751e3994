package tui_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"cowscope/actions/feature"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"
)

func init() {
	roles["victim"] = func() error {
		fmt.Println("here")
		_, err := os.Stdin.Read(make([]byte, 1))
		return err
	}
}

// victim is a process that waits, called by a name that nobody else has. It says that it runs: when Start
// is back, its name may not be there yet.
func victim(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: self, Args: []string{name}, Env: append(os.Environ(), "COWSCOPE_ROLE=victim")}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestWatchOnATerminal(t *testing.T) {
	name := "victim-" + strings.ToLower(rand.Text()[:8])
	first := victim(t, name)

	c := start(t, 140, 30, nil, "watch", name)
	c.sees("watch", fmt.Sprint(printable.Name(procfs.Name(first.Process.Pid)), " ", first.Process.Pid), "as it stands when watching begins", "uss")
	c.keys("V").sees("why: what this memory is", fmt.Sprintf("pid %d: rss ", first.Process.Pid), "counted-twice")
	c.keys("x") // closes it
	c.keys("M").sees("p1 since the mark at", "M again", "is stopped once")
	if ok, _, _ := feature.Available("uffd-async"); ok {
		c.keys("M").sees("exact: by userfaultfd")
	}
	c.keys("x") // closes it
	first.Process.Kill()
	first.Wait()
	c.sees("p1", " at ") // was killed by SIGKILL at, or only ended at, before Linux 6.15
	c.keys("m").sees("nothing runs in it")
	c.keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	c.restored()

	second, third := victim(t, name), victim(t, name)
	c = start(t, 100, 30, nil, "watch", name)
	c.sees("which process?", "2 of ", strconv.Itoa(second.Process.Pid), strconv.Itoa(third.Process.Pid))
	c.keys("\r").sees("as it stands when watching begins")
	c.keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	c.restored()

	c = start(t, 100, 30, nil, "watch", name)
	c.sees("which process?").keys("\x15\x1b") // clears the filter, leaves
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	c.restored()

	for _, args := range [][]string{{name + "x"}, {"0"}, {"1073741824"}} {
		c = start(t, 100, 30, nil, append([]string{"watch"}, args...)...)
		if status := c.ends(); status == 0 {
			t.Errorf("%s: status 0", args)
		}
		if text := c.text(); strings.Contains(text, "which") || !strings.Contains(text, "process") {
			t.Errorf("%s: %s", args, text)
		}
	}
}
