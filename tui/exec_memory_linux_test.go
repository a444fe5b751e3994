package tui_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// longScript is a script of about n commands, in which everything is new that can be: lines, names,
// processes and files.
func longScript(n int) string {
	var b strings.Builder
	child := 1
	for i := range n / 14 {
		child++
		fmt.Fprintf(&b, `x%d = mmap 4p rw private anon
write x%[1]d "round %[1]d"
mprotect x%[1]d r
read x%[1]d
munmap x%[1]d
mmap 1p rw private anon fixed addr=0x10000000
mmap 1p rw shared anon fixed addr=0x20000000
write 0x20000000 1
fork
@p%[2]d exit
wait
file f%[1]d "text"
rm f%[1]d
expect result ok
`, i, child)
	}
	return b.String()
}

// peakOfScript is the most memory that cowscope had while it ran a script, in bytes. At the
// script's end it waits for its output to be read.
func peakOfScript(t *testing.T, script string) uint64 {
	t.Helper()
	name := filepath.Join(t.TempDir(), "long.cow")
	if err := os.WriteFile(name, []byte(script+"fork\n"+strings.Repeat("snapshot\n", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), "exec", "--max-time", "0", name)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, errs.String())
		}
	}()
	in := bufio.NewScanner(out)
	for in.Scan() && in.Text() != "p1: snapshot" {
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	if err != nil || !ok {
		t.Fatal(err, string(status))
	}
	kib, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// A script takes as much memory as its subject is large, however long it is, and what 32768 names
// take: up to so many are remembered. The longer script here leaves 6400 more than the shorter, 1
// MiB, and garbage is collected when it is four times what lives.
func TestExecMemory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	short, long := peakOfScript(t, longScript(15000)), peakOfScript(t, longScript(45000))
	t.Logf("peak of 15000 commands: %d KiB, of 45000: %d KiB", short>>10, long>>10)
	if long > short+short/2 || long > 80<<20 {
		t.Errorf("15000 commands took %d KiB at most, 45000 took %d KiB", short>>10, long>>10)
	}
}
