package tui_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"cowscope/actions/kernel"

	"golang.org/x/sys/unix"
)

// lab starts a session on a terminal, and tells the PID of its subject, which has forked and shares
// 8 MiB with its child. Nobody else maps the file of this program, so that no process that comes or
// goes changes what the kernel counts of the two.
func (u user) lab(t *testing.T) (pid int) {
	t.Helper()
	dir := everybodys(t)
	b, err := os.ReadFile(u.bin)
	bin := filepath.Join(dir, "cowscope")
	if err = errors.Join(err, os.WriteFile(bin, b, 0o755), os.Chmod(bin, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := user{u.uid, bin}.command(context.Background(), dir)
	cmd.Stdin = nil
	c := launch(t, cmd, 120, 36, cmd.Env[len(cmd.Env)-2:])
	c.sees("step 0/0").keys(":a = mmap 8m rw private anon\r").sees("step 1/1")
	c.keys(":fill a 1\r").sees("step 2/2").keys(":fork\r").sees("step 3/3")
	pids := c.subjects()
	if len(pids) != 2 {
		t.Fatalf("%d subjects", len(pids))
	}
	return pids[0]
}

// What why says of a process and its child agrees with smaps_rollup, in JSON and in lines of 80 cells.
func TestWhy(t *testing.T) {
	for _, u := range users(t) {
		pid := u.lab(t)
		out, complaint, status := u.asks(t, "", "why", "--json", "--children", strconv.Itoa(pid))
		var found []struct {
			Verdict, Process, Text, Evidence, Lesson, Unknown string
			Bytes                                             *uint64
		}
		if err := json.Unmarshal([]byte(out), &found); err != nil || status != 0 {
			t.Fatalf("status %d, %v: %s%s", status, err, out, complaint)
		}
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			t.Skip("needs smaps_rollup: ", err)
		}
		rss, _ := kernel.ParseField(string(rollup), "Rss")
		pss, _ := kernel.ParseField(string(rollup), "Pss")
		const rounding = 100 << 10 // Pss of each mapping is rounded down
		twice := false
		for _, f := range found {
			if f.Bytes == nil || f.Process == "" || f.Unknown == "" && (f.Text == "" || f.Evidence == "") {
				t.Errorf("%+v", f)
			}
			if f.Verdict == "counted-twice" && f.Process == "p1" {
				twice = true
				if *f.Bytes < rss-pss || *f.Bytes > rss-pss+rounding {
					t.Errorf("%d bytes, smaps_rollup says %d", *f.Bytes, rss-pss)
				}
			}
		}
		if !twice || rss-pss < 4<<20 {
			t.Errorf("rss %d, pss %d: counted twice: %v", rss, pss, twice)
		}
		out, complaint, status = u.asks(t, "", "why", "--children", strconv.Itoa(pid))
		if status != 0 || !strings.HasPrefix(out, "p1 ") || !strings.Contains(out, ", child of p1: rss ") || !strings.Contains(out, "\nall together\n") {
			t.Errorf("status %d: %s%s", status, out, complaint)
		}
		for line := range strings.Lines(out) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%d cells: %s", n, line)
			}
		}
		for _, c := range []struct {
			target string
			status int
			says   string
		}{
			{"1073741824", 1, "process 1073741824 cannot be read: no such process"},
			{"0", 2, "no process id"},
			{"no-such-name", 2, `no process is called "no-such-name"`},
		} {
			if out, complaint, status := u.asks(t, "", "why", c.target); status != c.status || out != "" || !strings.Contains(complaint, c.says) {
				t.Errorf("%s: status %d, %s%s", c.target, status, out, complaint)
			}
		}
	}
}

// A file that any process has mapped, whatever its name is, and a mapping that reaches past its end.
func TestStrangersWhy(t *testing.T) {
	name := filepath.Join(t.TempDir(), strings.ToValidUTF8(hostile, ""))
	size := os.Getpagesize()
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, 2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	for _, args := range [][]string{{"why"}, {"why", "--json"}} {
		out, complaint, _ := ran(t, "", append(args, strconv.Itoa(os.Getpid()))...)
		if why := harmless(out) + harmless(complaint); why != "" || !strings.Contains(out, "past-end") || !strings.Contains(out, "FORGED") {
			t.Errorf("%s\n%s%s", why, complaint, out)
		}
	}
}
