package tui_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Programs that nobody here wrote, held against the kernel's own sums and against pmap. They are
// stopped meanwhile, so that all numbers are of one moment.

// real is such a program with all that came of it.
type real struct {
	name  string
	needs []string
	start func(t *testing.T, dir string) *exec.Cmd
	ready func(t *testing.T, dir string, cmd *exec.Cmd) // waits until there is something to see
	quits bool                                          // at a SIGQUIT, and gives back what would outlive a SIGKILL
}

const pool = `
import multiprocessing as m, os, signal, sys
data = [str(i) for i in range(200000)]
def work(n):
    return sum(len(s) for s in data[n::3])
if __name__ == "__main__":
    m.set_start_method("fork")
    p = m.Pool(3)
    p.map(work, range(3))
    print("ready", flush=True)
    signal.pause()
`

const java = `
class Program {
    static byte[][] kept = new byte[200][];
    public static void main(String[] a) throws Exception {
        for (int i = 0; i < kept.length; i++) kept[i] = new byte[64 << 10];
        System.out.println("ready");
        System.in.read();
    }
}
`

var reals = []real{
	{name: "redis", needs: []string{"redis-check-rdb"}, start: func(t *testing.T, dir string) *exec.Cmd {
		cmd := exec.Command("redis-check-rdb", "--port", "0", "--unixsocket", filepath.Join(dir, "s"), "--save", "", "--dir", dir, "--enable-debug-command", "yes", "--rdb-key-save-delay", "10000")
		cmd.Args[0] = "redis-server" // the same program under another name, in Debian's packages of another one
		return cmd
	}, ready: func(t *testing.T, dir string, _ *exec.Cmd) {
		r := dialRedis(t, dir)
		r.says("DEBUG POPULATE 100000 key 100", "+OK")
		r.says("BGSAVE", "+Background saving started")
		for i := range 2000 {
			r.says(fmt.Sprintf("SET key:%d %0100d", i, i), "+OK")
		}
	}},
	{name: "python", needs: []string{"python3"}, start: func(t *testing.T, dir string) *exec.Cmd { return exec.Command("python3", "-c", pool) }, ready: saysReady},
	{name: "postgres", needs: []string{"postgres"}, quits: true, start: func(t *testing.T, dir string) *exec.Cmd {
		bin, err := exec.LookPath("postgres")
		if err == nil {
			bin, err = filepath.EvalSymlinks(bin)
		}
		data := filepath.Join(dir, "data")
		initdb := exec.Command(filepath.Join(filepath.Dir(bin), "initdb"), "-N", "-A", "trust", "-U", "u", "-D", data)
		asOrdinary(initdb)
		if out, e := initdb.CombinedOutput(); err != nil || e != nil {
			t.Skipf("needs initdb: %v: %s", errors.Join(err, e), out)
		}
		cmd := exec.Command(bin, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "log_min_messages=fatal")
		asOrdinary(cmd)
		return cmd
	}, ready: func(t *testing.T, dir string, _ *exec.Cmd) {
		psql, err := exec.LookPath("psql")
		if err != nil {
			t.Skip("needs psql: ", err)
		}
		var out []byte
		for begin := time.Now(); time.Since(begin) < patience; time.Sleep(10 * time.Millisecond) {
			cmd := exec.Command(psql, "-h", dir, "-U", "u", "-d", "postgres", "-c", "create table t as select generate_series(1, 50000) as n", "-c", "select sum(n) from t")
			if out, err = cmd.CombinedOutput(); err == nil {
				return
			}
		}
		t.Fatalf("%v: %s", err, out)
	}},
	{name: "java", needs: []string{"java", "javac"}, start: func(t *testing.T, dir string) *exec.Cmd {
		must(t, os.WriteFile(filepath.Join(dir, "Program.java"), []byte(java), 0o644))
		return exec.Command("java", "-Xmx128m", filepath.Join(dir, "Program.java"))
	}, ready: saysReady},
	{name: "gofmt", needs: []string{"gofmt"}, start: func(t *testing.T, dir string) *exec.Cmd { return exec.Command("gofmt") }},
}

// saysReady waits for a line on standard output.
func saysReady(t *testing.T, _ string, cmd *exec.Cmd) {
	t.Helper()
	line, err := bufio.NewReader(cmd.Stdout.(io.Reader)).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
}

// redis is a connection.
type redis struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dialRedis(t *testing.T, dir string) *redis {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", filepath.Join(dir, "s"))
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return &redis{t, conn, bufio.NewReader(conn)}
		}
		if time.Since(begin) > patience {
			t.Fatal(err)
		}
	}
}

func (r *redis) says(command, want string) {
	r.t.Helper()
	fmt.Fprintf(r, "%s\r\n", command)
	if line, err := r.in.ReadString('\n'); err != nil || strings.TrimSpace(line) != want {
		r.t.Fatalf("%s: %q, %v", command, line, err)
	}
}

// asOrdinary has a command run by somebody who is not root: postgres refuses to be root's.
func asOrdinary(cmd *exec.Cmd) {
	if cmd.SysProcAttr = (&syscall.SysProcAttr{Setpgid: true}); os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
}

// run starts the program, and stops all of it when there is something to see. The first of pids is its
// first process.
func (r real) run(t *testing.T) (pids []int) {
	t.Helper()
	for _, need := range r.needs {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("needs %s: %v", need, err)
		}
	}
	dir := everybodys(t)
	cmd := r.start(t, dir)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	cmd.Dir = dir
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := os.CreateTemp(dir, "err")
	must(t, err)
	read, write, err := os.Pipe()
	must(t, err)
	cmd.Stdout, cmd.Stderr = write, out
	must(t, cmd.Start())
	write.Close()
	t.Cleanup(func() {
		in.Close()
		if r.quits {
			for _, pid := range descent(cmd.Process.Pid) {
				unix.Kill(pid, unix.SIGCONT)
			}
			cmd.Process.Signal(syscall.SIGQUIT)
			until(t, "it has ended", func() bool { // nobody has waited for it yet
				b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
				return strings.Contains(string(b), ") Z ")
			})
		}
		unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // the group that was made above
		for _, pid := range descent(cmd.Process.Pid) {
			unix.Kill(pid, unix.SIGKILL)
		}
		cmd.Wait()
		read.Close()
		if b, _ := os.ReadFile(out.Name()); t.Failed() && len(b) > 0 {
			t.Logf("%s", b)
		}
	})
	cmd.Stdout = read
	if r.ready != nil {
		r.ready(t, dir, cmd)
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		pids = descent(cmd.Process.Pid)
		still := true
		for _, pid := range pids {
			unix.Kill(pid, unix.SIGSTOP)
			still = still && allStopped(pid)
		}
		if still && slices.Equal(pids, descent(cmd.Process.Pid)) {
			return pids
		}
		if time.Since(begin) > patience {
			t.Fatalf("%v do not stop", pids)
		}
	}
}

// descent are a process and all that came of it, as the kernel lists children.
func descent(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, childrenOf(all[i])...)
	}
	return all
}

// allStopped reports whether every thread of a process is stopped, or dead.
func allStopped(pid int) bool {
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range stats {
		b, _ := os.ReadFile(name)
		if i := strings.LastIndex(string(b), ") "); i < 0 || !strings.ContainsAny(string(b[i+2:i+3]), "TZX") {
			return false
		}
	}
	return true
}

// seen is what snapshot --json says of a mapping.
type seen struct {
	Start, End, Perms, Path, Kind    string
	Rss, Pss, Swap, Locked, Lazyfree uint64
	AnonHuge                         uint64 `json:"anon_huge"`
	Pages                            []struct {
		State string
		Count uint64
	}
}

// Every mapping, and the sums of its pages, are what /proc/PID/smaps and pmap say, and the states of
// the pages add up to them.
func TestRealPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	for _, r := range reals {
		t.Run(r.name, func(t *testing.T) {
			pids := r.run(t)
			u := user{os.Geteuid(), program(t)}
			out, complaint, status := u.asks(t, "", "snapshot", "--json", "--children", strconv.Itoa(pids[0]))
			var s struct {
				Processes []struct {
					PID      int
					State    string
					Mappings []seen
				}
			}
			if err := json.Unmarshal([]byte(out), &s); err != nil || status != 0 {
				t.Fatalf("status %d, %v: %s", status, err, complaint)
			}
			var found []int
			for _, p := range s.Processes {
				if found = append(found, p.PID); p.State == "zombie" { // nobody waits for it, while all are stopped
					continue
				}
				compareSmaps(t, p.PID, p.Mappings)
				comparePmap(t, p.PID, p.Mappings)
			}
			slices.Sort(found)
			slices.Sort(pids)
			if !slices.Equal(found, pids) {
				t.Errorf("processes %v, and the kernel lists %v", found, pids)
			}
			t.Logf("%d processes, %d mappings of the first", len(found), len(s.Processes[0].Mappings))
		})
	}
}

// compareSmaps holds mappings against /proc/PID/smaps.
func compareSmaps(t *testing.T, pid int, mappings []seen) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	must(t, err)
	size := uint64(os.Getpagesize())
	i := -1
	var kb map[string]uint64
	check := func() {
		if i < 0 || i >= len(mappings) {
			return
		}
		m := mappings[i]
		at := fmt.Sprintf("process %d, %s-%s %s %s", pid, m.Start, m.End, m.Perms, m.Path)
		for field, got := range map[string]uint64{"Rss": m.Rss, "Swap": m.Swap, "Locked": m.Locked, "LazyFree": m.Lazyfree, "AnonHugePages": m.AnonHuge} {
			if want := kb[field] << 10; got != want {
				t.Errorf("%s: %s %d, smaps says %d", at, field, got, want)
			}
		}
		var there, anonymous, shared uint64
		for _, p := range m.Pages {
			switch p.State {
			case "anon":
				anonymous, there = anonymous+p.Count, there+p.Count
			case "cow":
				anonymous, there, shared = anonymous+p.Count, there+p.Count, shared+p.Count
			case "file", "shared":
				there += p.Count
			case "none", "swapped", "zero", "special", "guard":
			default:
				t.Errorf("%s: %d pages are %s", at, p.Count, p.State)
			}
		}
		if m.Kind == "special" { // pages of the kernel's own
			return
		}
		if there*size != m.Rss || m.Perms[3] == 'p' && anonymous*size != kb["Anonymous"]<<10 {
			t.Errorf("%s: %d pages are there, %d of them anonymous, and smaps says %d and %d kB", at, there, anonymous, m.Rss>>10, kb["Anonymous"])
		}
		if both := (kb["Shared_Clean"] + kb["Shared_Dirty"]) << 10; m.Path == "" && m.Perms[3] == 'p' && shared*size != both {
			t.Errorf("%s: %d pages are shared copy-on-write, and smaps says %d kB", at, shared, both>>10)
		}
		if m.Path == "" && m.Pss != kb["Pss"]<<10 {
			t.Errorf("%s: pss %d, smaps says %d", at, m.Pss, kb["Pss"]<<10)
		}
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if !strings.HasSuffix(f[0], ":") {
			check()
			i, kb = i+1, map[string]uint64{}
			if start, end, _ := strings.Cut(f[0], "-"); i < len(mappings) && (mappings[i].Start != "0x"+start && mappings[i].Start != "0x"+strings.TrimLeft(start, "0") || !strings.HasSuffix(mappings[i].End, strings.TrimLeft(end, "0")) || mappings[i].Perms != f[1]) {
				t.Fatalf("process %d: mapping %d is %s-%s %s, and smaps says %s", pid, i, mappings[i].Start, mappings[i].End, mappings[i].Perms, line)
			}
			continue
		}
		kb[strings.TrimSuffix(f[0], ":")], _ = strconv.ParseUint(f[1], 10, 64)
	}
	check()
	if i+1 != len(mappings) {
		t.Errorf("process %d: %d mappings, and smaps has %d", pid, len(mappings), i+1)
	}
}

// comparePmap holds mappings against pmap -X, where there is one: a program that parses smaps in its
// own way.
func comparePmap(t *testing.T, pid int, mappings []seen) {
	t.Helper()
	out, err := exec.Command("pmap", "-X", strconv.Itoa(pid)).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return
	}
	must(t, err)
	var columns []string
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case len(f) > 5 && f[0] == "Address":
			columns = f
		case columns != nil && len(f) >= len(columns)-1 && len(f[1]) == 4 && strings.ContainsAny(f[1], "sp"):
			rows = append(rows, f)
		}
	}
	if len(rows) != len(mappings) {
		t.Fatalf("process %d: %d mappings, and pmap has %d", pid, len(mappings), len(rows))
	}
	for i, row := range rows {
		m := mappings[i]
		for name, got := range map[string]uint64{"Rss": m.Rss, "Swap": m.Swap, "Locked": m.Locked} {
			want, _ := strconv.ParseUint(row[slices.Index(columns, name)], 10, 64)
			if got != want<<10 {
				t.Errorf("process %d, %s %s: %s %d, pmap says %d kB", pid, m.Start, m.Path, name, got, want)
			}
		}
		if "0x"+strings.TrimLeft(row[0], "0") != m.Start || row[1] != m.Perms {
			t.Errorf("process %d: %s %s, and pmap says %s %s", pid, m.Start, m.Perms, row[0], row[1])
		}
	}
}

// The bill of each fork of such a program: what a child does not share with its parent, and what it
// does, are what the kernel's own sums say of its anonymous memory. Of what it does not share with its
// parent it may share some with another child, to which the kernel's sums say shared.
func TestRealBills(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	for _, r := range reals {
		if r.name == "java" || r.name == "gofmt" { // which do not fork
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			pids := r.run(t)
			u := user{os.Geteuid(), program(t)}
			out, complaint, status := u.asks(t, "", "snapshot", "--json", "--bill", "--children", strconv.Itoa(pids[0]))
			type side struct{ Copied, Kept, New, Unsure uint64 }
			var b struct {
				Forks []struct {
					PID      int
					Child    string
					Mappings []struct {
						Start, End, Perms, Path string
						Shared                  uint64
						Likely                  uint64 `json:"shared_likely"`
						InChild                 side   `json:"in_child"`
					}
				}
			}
			if err := json.Unmarshal([]byte(out), &b); err != nil || status != 0 || len(b.Forks) == 0 {
				t.Fatalf("status %d, %v: %s%s", status, err, complaint, out)
			}
			compared := 0
			for _, f := range b.Forks {
				sums := anonymousSums(t, f.PID)
				for _, m := range f.Mappings {
					s, ok := sums[m.Start]
					if !ok || m.Path != "" {
						continue
					}
					compared++
					if own := m.InChild.Copied + m.InChild.Kept + m.InChild.New + m.InChild.Unsure; own+m.Shared+m.Likely != s.private+s.shared || own < s.private || len(b.Forks) == 1 && own != s.private {
						t.Errorf("%s %s-%s: %d bytes of its own, %d shared with its parent; smaps says %d and %d", f.Child, m.Start, m.End, own, m.Shared+m.Likely, s.private, s.shared)
					}
				}
			}
			if compared == 0 {
				t.Error("no mapping was compared")
			}
			t.Logf("%d forks, %d mappings", len(b.Forks), compared)
		})
	}
}

// anonymousSums are the bytes of private anonymous mappings without a name, by their start, as
// /proc/PID/smaps has them.
func anonymousSums(t *testing.T, pid int) map[string]struct{ private, shared uint64 } {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	must(t, err)
	sums := map[string]struct{ private, shared uint64 }{}
	at := ""
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if !strings.HasSuffix(f[0], ":") {
			start, _, _ := strings.Cut(f[0], "-")
			if at = "0x" + strings.TrimLeft(start, "0"); len(f) > 5 || f[1][3] != 'p' {
				at = ""
			}
			continue
		}
		if at == "" || len(f) != 3 {
			continue
		}
		n, _ := strconv.ParseUint(f[1], 10, 64)
		s := sums[at]
		switch f[0] {
		case "Private_Clean:", "Private_Dirty:":
			s.private += n << 10
		case "Shared_Clean:", "Shared_Dirty:":
			s.shared += n << 10
		}
		sums[at] = s
	}
	return sums
}

// The page faults of a program are those that perf trace tells at the same time: as many, at the same
// places in the code.
func TestRealFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	const pages = 300
	for _, need := range []string{"perf", "python3"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("needs %s: %v", need, err)
		}
	}
	dir := everybodys(t)
	target := exec.Command("python3", "-c", fmt.Sprintf(`
import mmap, os, signal
os.kill(os.getpid(), signal.SIGSTOP)
m = mmap.mmap(-1, %d * mmap.PAGESIZE)
for i in range(%[1]d): m[i * mmap.PAGESIZE] = 1
os.kill(os.getpid(), signal.SIGSTOP)
`, pages))
	must(t, target.Start())
	t.Cleanup(func() {
		target.Process.Kill()
		target.Wait()
	})
	pid := target.Process.Pid
	until(t, "the program stops", func() bool { return allStopped(pid) })

	tape := filepath.Join(dir, "perf")
	perf := exec.Command("perf", "trace", "-F", "all", "--no-syscalls", "-p", strconv.Itoa(pid), "-o", tape)
	perf.Env = append(os.Environ(), "HOME="+dir)
	refused, err := perf.StderrPipe()
	must(t, errors.Join(err, perf.Start()))
	said := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(refused)
		said <- string(b)
	}()
	counting := func() bool {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", perf.Process.Pid))
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", perf.Process.Pid))
		return strings.Contains(string(stat), ") Z ") || strings.Contains(string(stat), ") S ") && slices.ContainsFunc(fds, func(fd string) bool {
			name, _ := os.Readlink(fd)
			return name == "anon_inode:[perf_event]"
		})
	}
	until(t, "perf counts", counting)

	watch := exec.Command(program(t), "watch", "--json", strconv.Itoa(pid))
	out, err := watch.StdoutPipe()
	must(t, errors.Join(err, watch.Start()))
	t.Cleanup(func() {
		watch.Process.Kill()
		watch.Wait()
	})
	lines := json.NewDecoder(out)
	type picture struct {
		Lost   uint64
		Faults []struct {
			Count  uint64
			Kernel bool
			At     struct{ Function, Offset string }
		}
	}
	var first picture
	must(t, lines.Decode(&first))
	must(t, target.Process.Signal(syscall.SIGCONT))
	until(t, "the program stops again", func() bool { return allStopped(pid) })
	ours, all, named := map[string]uint64{}, uint64(0), uint64(0)
	for all < pages {
		var p picture
		if err := lines.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Lost > 0 {
			t.Fatalf("%d faults were lost", p.Lost)
		}
		for _, f := range p.Faults {
			if f.At.Function != "" {
				named += f.Count
				ours[f.At.Function+"+"+f.At.Offset] += f.Count
			}
			all += f.Count
		}
	}
	perf.Process.Signal(os.Interrupt)
	perf.Wait()
	b, err := os.ReadFile(tape)
	if complaint := <-said; err != nil || !strings.Contains(string(b), "fault [") {
		t.Skipf("needs perf trace: %v: %s%s", err, complaint, b)
	}
	theirs, total := map[string]uint64{}, uint64(0)
	for line := range strings.Lines(string(b)) {
		_, rest, ok := strings.Cut(line, "fault [")
		if place, _, found := strings.Cut(rest, "]"); ok && found {
			theirs[place]++
			total++
		}
	}
	if all != total {
		t.Errorf("%d faults, and perf tells %d:\n%v\n%v", all, total, ours, theirs)
	}
	same := uint64(0)
	for place, n := range theirs {
		if ours[place] == n {
			same += n
		}
	}
	if same < named {
		t.Errorf("of %d faults %d are at the places that perf tells:\n%v\n%v", named, same, ours, theirs)
	}
	t.Logf("%d faults, %d of them at functions that both name", all, same)
}

// until waits for something that a test has caused.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("waited for long until %s", what)
		}
	}
}
