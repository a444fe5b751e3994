package tui_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// asks runs the program as a user, and gives what it wrote and its status.
func (u user) asks(t *testing.T, stdin string, args ...string) (out, complaint string, status int) {
	t.Helper()
	cmd := exec.Command(u.bin, args...)
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(stdin)
	if u.uid != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.uid)}}
	}
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() < 0 {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// sleeper starts a process of the user's that sleeps, as the child of a shell that does.
func (u user) sleeper(t *testing.T) (pid int) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "sleep 1000 & echo ready; wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if u.uid != os.Geteuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.uid)}
	}
	cmd.Dir = "/"
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // the group that was made above
		cmd.Wait()
	})
	out.Read(make([]byte, 6))
	return cmd.Process.Pid
}

// Expectations are held against a process that somebody else started, with the status and the
// transcript of exec.
func TestCheck(t *testing.T) {
	for _, u := range users(t) {
		pid := strconv.Itoa(u.sleeper(t))
		for _, c := range []struct {
			script string
			status int
			says   string
		}{
			{"expect rss < 200m\nexpect rss >= 1p\nexpect pss > 0\nexpect uss > 0\nexpect vmlck 0", 0, "p1: ok: expect vmlck 0\n"},
			{"expect perms text r-xp\nexpect mapped stack\nexpect unmapped 0x1000\nexpect vmas 0x0 128t > 5\nexpect page 0x0 none", 1, "0x0 is not mapped"},
			{"@p2 expect perms text r-xp\n@p2 expect rss > 0", 0, "p2: ok: @p2 expect perms text r-xp"},
			{"expect uss < 1", 1, "p1: FAILED, line 1: expect uss < 1\n    wanted: < 1 byte\n    found: "},
			{"needs amd64\nneeds arm64\nexpect rss 0", 0, "skipped: "},
			{"", 0, ""},
			{"\nexpect rss", 2, "-:2:11: expect rss needs Q"},
			{"expect rss <8k", 2, "put a blank before 8k"},
			{"expect result ok", 2, "expect result is about commands"},
			{"expect exited p2 0", 2, "of any process can be asked: page, perms"},
			{"mmap 1p rw private anon", 2, "a process that is checked is only looked at"},
			{"use p2", 2, "only looked at"},
			{"expect mapped buf", 2, "nothing is called buf here; names are text, stack, heap, vdso, vvar"},
			{"@p9 expect rss 0", 2, "there is no process p9; there are: p1, p2"},
			{"expect shared p1 p3 > 1%", 2, "there is no process p3"},
		} {
			out, complaint, status := u.asks(t, c.script, "check", pid)
			if status != c.status || !strings.Contains(out+complaint, c.says) {
				t.Errorf("uid %d: %q: status %d\n%s%s", u.uid, c.script, status, out, complaint)
			}
		}
		out, _, status := u.asks(t, "expect rss < 1", "check", "--json", pid)
		var step struct{ Result, Want, Got, Evidence, Command, Process string }
		if err := json.Unmarshal([]byte(out), &step); err != nil || status != 1 || step.Result != "failed" || step.Want != "< 1 byte" || step.Process != "p1" || step.Got == "" {
			t.Errorf("uid %d: %v, status %d\n%s", u.uid, err, status, out)
		}
	}
}

// A process that cannot be read is an error with its reason: one of root's, a dead one, one of the
// kernel's, none.
func TestUnreadable(t *testing.T) {
	zombie := exec.Command("/bin/true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait()
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, zombie.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	why := map[int]string{zombie.Process.Pid: "dead and not yet waited for", 4194305: "no such process"}
	if comm, _ := os.ReadFile("/proc/2/comm"); string(comm) == "kthreadd\n" && os.Geteuid() == 0 {
		why[2] = "it has no address space to read"
	}
	for _, u := range users(t) {
		if u.uid != os.Geteuid() {
			delete(why, 2)
			why[os.Getpid()] = "permission denied: needs the same user or CAP_SYS_PTRACE"
		}
		for pid, reason := range why {
			want := fmt.Sprintf("process %d cannot be read: %s", pid, reason)
			for args, status := range map[string]int{"check": 3, "snapshot": 1, "snapshot --children": 1, "snapshot --json": 1} {
				out, complaint, got := u.asks(t, "expect unmapped 0x0", append(strings.Fields(args), strconv.Itoa(pid))...)
				if got != status || !strings.Contains(complaint, want) || strings.Contains(out, "ok") {
					t.Errorf("uid %d: %s %d: status %d\n%s%s", u.uid, args, pid, got, out, complaint)
				}
			}
			if _, complaint, got := u.asks(t, "", "snapshot", "--diff", strconv.Itoa(pid), strconv.Itoa(pid)); got != 2 || !strings.Contains(complaint, want) {
				t.Errorf("uid %d: --diff %d: status %d\n%s", u.uid, pid, got, complaint)
			}
		}
	}
}

// A line a mapping, and with --children those that the process has started, parents first.
func TestSnapshotTable(t *testing.T) {
	for _, u := range users(t) {
		pid := u.sleeper(t)
		out, complaint, status := u.asks(t, "", "snapshot", "--children", strconv.Itoa(pid))
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		if err != nil || status != 0 || complaint != "" {
			t.Fatalf("%v, status %d, %s", err, status, complaint)
		}
		first, second, two := strings.Cut(out, "\n\np2 pid ")
		line := regexp.MustCompile(`(?m)^[0-9a-f]+-[0-9a-f]+ +[r-][w-][x-][ps] [a-z]+ +\d+  `)
		if n := strings.Count(string(maps), "\n"); !two || len(line.FindAllString(first, -1)) != n || !strings.Contains(first, fmt.Sprintf("\nmapped: %d mappings, ", n)) {
			t.Errorf("uid %d: not %d mappings in\n%s", u.uid, n, out)
		}
		for _, want := range []string{fmt.Sprintf("p1 pid %d, running, ", pid), ", child of p1, running, ", "[stack]", "\npages:  ", "\nmemory: rss ", ", uss ", "\n2 processes: pss ", "\ncost: "} {
			if !strings.Contains(first+second, want) {
				t.Errorf("uid %d: no %q in\n%s", u.uid, want, out)
			}
		}
		if strings.Contains(out, "in which state") {
			t.Error("a heading, and there is no terminal")
		}
		out, _, _ = u.asks(t, "", "snapshot", "--pages", strconv.Itoa(pid))
		if !strings.Contains(out, " pages /") || strings.Contains(out, "mapped: ") {
			t.Errorf("--pages: %s", out)
		}
		var s struct {
			PageSize  int `json:"page_size"`
			Processes []struct{ Label, Parent string }
		}
		out, _, _ = u.asks(t, "", "snapshot", "--json", "--children", strconv.Itoa(pid))
		if err := json.Unmarshal([]byte(out), &s); err != nil || s.PageSize != os.Getpagesize() || len(s.Processes) != 2 || s.Processes[1].Parent != "p1" {
			t.Errorf("%v %+v", err, s)
		}
	}
}

// What differs between two snapshots of one process is what it did; of two processes, their numbers.
func TestSnapshotDiff(t *testing.T) {
	bin := user{os.Geteuid(), program(t)}
	ps := os.Getpagesize()
	self, dir := strconv.Itoa(os.Getpid()), t.TempDir()
	b, err := unix.Mmap(-1, 0, 2<<20+64*ps, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	at := strings.TrimSpace(fmt.Sprintf("%p", &b[0]))[2:]
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	before, after := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	shoot := func(name string) {
		out, complaint, status := bin.asks(t, "", "snapshot", "--json", self)
		if status != 0 || os.WriteFile(name, []byte(out), 0o600) != nil {
			t.Fatal(complaint)
		}
	}
	shoot(before)
	for i := 0; i < 2<<20; i += ps {
		b[i] = 1
	}
	shoot(after)
	runtime.KeepAlive(b)
	out, complaint, status := bin.asks(t, "", "snapshot", "--diff", before, after, "--min", "2m")
	want := fmt.Sprintf("    2 MiB  %s-", at)
	if status != 1 || complaint != "" || !strings.Contains(out, want) || !strings.Contains(out, fmt.Sprintf("%d none → anon\n", 2<<20/ps)) || !strings.Contains(out, "mappings paired by address") {
		t.Errorf("status %d, no %q in\n%s%s", status, want, out, complaint)
	}
	if out, _, status = bin.asks(t, "", "snapshot", "--diff", before, before); status != 0 || !strings.Contains(out, "no mapping and no page differs") {
		t.Errorf("status %d\n%s", status, out)
	}
	if out, _, status = bin.asks(t, "", "snapshot", "--diff", before, after, "--min", "1t"); status != 0 {
		t.Errorf("status %d\n%s", status, out)
	}
	pid := strconv.Itoa(bin.sleeper(t))
	if out, _, status = bin.asks(t, "", "snapshot", "--diff", "--children", before, pid); status != 1 || !strings.Contains(out, "paired by path and letters") || !strings.Contains(out, "\np2 pid ") {
		t.Errorf("status %d\n%s", status, out)
	}
	var d struct{ Processes []struct{ Paired string } }
	if out, _, status = bin.asks(t, "", "snapshot", "--diff", "--json", before, self); json.Unmarshal([]byte(out), &d) != nil || len(d.Processes) != 1 || d.Processes[0].Paired != "address" {
		t.Errorf("status %d\n%s", status, out)
	}
	os.WriteFile(after, []byte("{\"processes\":\n7}"), 0o600)
	for _, c := range []struct{ args, says string }{
		{"--diff " + before + " " + after, "b.json: line 2, byte 15: [ is expected, not 7"},
		{"--diff " + before + " " + dir + "/none", "no such file"},
		{"--diff " + before, "accepts 2 arg(s)"},
		{"--diff " + before + " " + before + " --min x", "x is not a quantity"},
		{"--diff --pages 1 1", "exclude each other"},
		{"--min 1m " + self, "needs --diff"},
		{"--pages --json " + self, "exclude each other"},
	} {
		if out, complaint, status := bin.asks(t, "", append([]string{"snapshot"}, strings.Fields(c.args)...)...); status != 2 || !strings.Contains(complaint, c.says) {
			t.Errorf("%s: status %d\n%s%s", c.args, status, out, complaint)
		}
	}
}

// Processes that die while they are read are told, and what is written is whole.
func TestSnapshotOfTheDying(t *testing.T) {
	bin := user{os.Geteuid(), program(t)}
	cmd := exec.Command("/bin/sh", "-c", "while :; do /bin/true; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for range 15 {
		out, _, status := bin.asks(t, "", "snapshot", "--json", "--children", strconv.Itoa(cmd.Process.Pid))
		if status != 0 || !json.Valid([]byte(out)) {
			t.Fatalf("status %d: %.300s", status, out)
		}
	}
}

// Very many mappings are a line each, and no trouble to a check.
func TestManyMappings(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	const n = 60_000
	ps := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, n*ps, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	for i := ps; i < len(b); i += 2 * ps {
		if err := unix.Mprotect(b[i:i+ps], unix.PROT_NONE); err != nil {
			t.Skip("needs vm.max_map_count above 60000: ", err)
		}
	}
	bin := user{os.Geteuid(), program(t)}
	self := strconv.Itoa(os.Getpid())
	if out, complaint, status := bin.asks(t, "", "snapshot", self); status != 0 || strings.Count(out, "\n") < n {
		t.Errorf("status %d, %d lines, %s", status, strings.Count(out, "\n"), complaint)
	}
	script := fmt.Sprintf("expect vmas %p %dp %d", &b[0], n, n)
	if out, complaint, status := bin.asks(t, script, "check", self); status != 0 {
		t.Errorf("%s: status %d\n%s%s", script, status, out, complaint)
	}
}
