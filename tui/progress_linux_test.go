package tui_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// A long script says on the terminal how far it is, where its transcript goes elsewhere; a short
// one says nothing.
func TestProgress(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	out, err := os.Create(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	run := func(script string) string {
		t.Helper()
		tty, far, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer tty.Close()
		cmd := exec.Command(program(t), "exec", "--max-time", "10m")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), out, far
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		far.Close()
		var said strings.Builder
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			said.Write(b[:n])
			if err != nil || strings.Contains(said.String(), "steps, line") {
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return said.String()
	}
	if said := run("fork\n"); said != "" {
		t.Errorf("a short script: %q", said)
	}
	long := strings.Repeat("mmap 1p rw private anon\nmunmap a\n", 100_000)
	if said := run(strings.Replace(long, "mmap", "a = mmap", -1)); !strings.Contains(said, "of 200000 steps, line") {
		t.Errorf("a long script: %q", said)
	}
}
