package tui_test

import (
	"encoding/json"
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

// What why says of a shell and its child agrees with smaps_rollup, in JSON and in lines of 80 cells.
func TestWhy(t *testing.T) {
	for _, u := range users(t) {
		pid := u.sleeper(t)
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
		const worth, rounding = 1 << 20, 100 << 10 // Pss of each mapping is rounded down
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
		if enough := rss-pss >= worth+rounding; enough && !twice || rss-pss < worth-rounding && twice {
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
