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
	{name: "redis", needs: []string{"redis-server", "redis-cli"}, start: func(t *testing.T, dir string) *exec.Cmd {
		return exec.Command("redis-server", "--port", "0", "--unixsocket", filepath.Join(dir, "s"), "--save", "", "--dir", dir, "--enable-debug-command", "yes", "--rdb-key-save-delay", "10000")
	}, ready: func(t *testing.T, dir string, _ *exec.Cmd) {
		r := dialRedis(t, dir)
		r.says("DEBUG POPULATE 100000 key 100", "+OK")
		r.says("BGSAVE", "+Background saving started")
		for i := range 2000 {
			r.says(fmt.Sprintf("SET key:%d %0100d", i, i), "+OK")
		}
	}},
	{name: "python", needs: []string{"python3"}, start: func(t *testing.T, dir string) *exec.Cmd { return exec.Command("python3", "-c", pool) }, ready: saysReady},
	{name: "postgres", needs: []string{"postgres"}, start: func(t *testing.T, dir string) *exec.Cmd {
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
