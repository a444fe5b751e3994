package tui_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestHostileIdle leaves the lab alone. COWSCOPE_HOSTILE_IDLE is for how many seconds.

// idle is a lab that is left alone.
type idle struct {
	name   string
	script string // what has run
	other  func(t *testing.T, a *attached) (stop func())
}

// idleShare is the most that an idle lab may take of one CPU: by itself, and beside many other tests,
// where each wake-up costs more. Most of it is Bubble Tea's renderer, which wakes for each frame.
var idleShare = map[bool]float64{true: 0.005, false: 0.03}

var idleLabs = []idle{
	{name: "one process", script: "a = mmap 4p rw private anon\nwrite a 1\n"},
	{name: "a family of 64", script: "a = mmap 4p rw private anon\nwrite a 1\nrepeat 63 fork\n"},
	{name: "many mappings", script: "a = mmap 1p rw private anon\nwrite a 1\nrepeat 4000 mmap 1p r shared anon\n"},
	{name: "many pages", script: "a = mmap 60000p rw private anon\ntouch a write\n"},
	{name: "its file is changed", script: "file f 16p\na = mmap 16p rw shared file=f\ntouch a write\n", other: changesFiles},
}

// changesFiles writes to what the subject maps, from outside, ten times a second.
func changesFiles(t *testing.T, a *attached) (stop func()) {
	var names []string
	for _, pid := range childrenOf(a.cmd.Process.Pid) {
		maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		for l := range strings.Lines(string(maps)) {
			if i := strings.Index(l, "/"); i > 0 && strings.Contains(l, "rw-s") {
				names = append(names, strings.TrimSpace(l[i:]))
			}
		}
	}
	var f *os.File
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", a.cmd.Process.Pid)) // the file has no name any more
	for _, fd := range fds {
		if name, _ := os.Readlink(fd); slices.Contains(names, name) {
			f, _ = os.OpenFile(fd, os.O_RDWR, 0)
			break
		}
	}
	if f == nil {
		t.Fatalf("none of the files of cowscope can be opened that is one of %q", names)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer f.Close()
		for n := byte(0); ; n++ {
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
				_, _ = f.WriteAt([]byte{n}, int64(n%16)<<12)
			}
		}
	}()
	return func() { close(done); <-ended }
}

// tookCPU is how long a process has run so far.
func tookCPU(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	must(t, err)
	for _, name := range threads {
		b, _ := os.ReadFile(name)
		if f := strings.Fields(string(b)); len(f) == 3 {
			n, _ := strconv.ParseInt(f[0], 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// resident is how much memory a process has in frames, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	must(t, err)
	n, err := strconv.Atoi(strings.Fields(string(b))[1])
	must(t, err)
	return n * os.Getpagesize()
}

func TestHostileIdle(t *testing.T) {
	h := hostilely(t)
	length, labs := 3*time.Second, idleLabs[:2]
	if h.full {
		labs = idleLabs
	}
	if n, err := strconv.Atoi(os.Getenv("COWSCOPE_HOSTILE_IDLE")); err == nil {
		length = time.Duration(n) * time.Second
	}
	for _, row := range labs {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			saved := filepath.Join(t.TempDir(), "saved")
			cmd := exec.Command(program(t), "exec", "--save", saved, "-")
			cmd.Stdin = strings.NewReader(row.script)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			l := newLine(t, 80, 24)
			a := l.run(exec.Command(program(t), "--from", saved))
			l.shows("ran again")
			if row.other != nil {
				defer row.other(t, a)()
			}
			pid := a.cmd.Process.Pid
			time.Sleep(length / 10) // what the last key began comes to its end
			took, had, wrote, began := tookCPU(t, pid), resident(t, pid), len(l.text()), time.Now()
			time.Sleep(length) // being left alone is what is tried
			took, lasted := tookCPU(t, pid)-took, time.Since(began)
			share, grown, drawn := took.Seconds()/lasted.Seconds(), resident(t, pid)-had, len(l.text())-wrote
			t.Logf("%.2f %% of a CPU: %v in %v; %d KiB, and %d KiB more at the end; %d bytes drawn", 100*share, took, lasted.Round(time.Second), had>>10, grown>>10, drawn)
			if share > idleShare[h.full] {
				t.Errorf("%.2f %% of a CPU", 100*share)
			}
			if grown > 16<<20 {
				t.Errorf("it grew by %d KiB", grown>>10)
			}
			if drawn > 0 {
				t.Errorf("it drew %d bytes: %.1000q", drawn, l.text()[wrote:])
			}
			l.keys("q")
			a.ends(patience)
		})
	}
}
