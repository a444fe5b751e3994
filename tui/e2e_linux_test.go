package tui_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// The built program in a pseudo-terminal, read back through a terminal emulator: what a person sees
// and what is left behind.

var build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("COWSCOPE_BIN"); bin != "" { // where there is no toolchain to build with
		return bin, nil
	}
	dir, err := os.MkdirTemp("", "cowscope-e2e")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "cowscope")
	out, err := exec.Command("go", "build", "-o", bin, "cowscope").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
})

// server is the test program of package cli, which runs many command lines (package runtest).
func server(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("COWSCOPE_SERVER"); bin != "" {
		return bin
	}
	if os.Getenv("COWSCOPE_BIN") != "" {
		t.Skip("needs COWSCOPE_SERVER, the test program of package cli, beside COWSCOPE_BIN")
	}
	bin := filepath.Join(filepath.Dir(program(t)), "server")
	if _, err := os.Stat(bin); err == nil {
		return bin
	}
	if out, err := exec.Command("go", "test", "-c", "-o", bin, "cowscope/tui/cli").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// As a process of its own, this test program is something else to look at on a terminal.
func TestMain(m *testing.M) {
	if role := roles[os.Getenv("COWSCOPE_ROLE")]; role != nil {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// What is ignored here, where tests run in the background, would be so in what they start.
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	code := m.Run()
	if os.Getenv("COWSCOPE_BIN") == "" {
		if bin, err := build(); err == nil {
			os.RemoveAll(filepath.Dir(bin))
		}
	}
	os.Exit(code)
}

var roles = map[string]func() error{
	"untraced": untraced,
	"trivial": func() error {
		_, err := tea.NewProgram(trivial{}).Run()
		return err
	},
}

// trivial is the least that Bubble Tea can show.
type trivial struct{}

func (trivial) Init() tea.Cmd                         { return nil }
func (t trivial) Update(tea.Msg) (tea.Model, tea.Cmd) { return t, nil }
func (trivial) View() tea.View {
	v := tea.NewView("step 0/0")
	v.AltScreen = true
	return v
}

func program(t testing.TB) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// console is the program on a terminal.
type console struct {
	t      testing.TB
	cmd    *exec.Cmd
	tty    *os.File
	screen *vt.SafeEmulator
	mu     sync.Mutex
	raw    bytes.Buffer  // everything that it ever wrote
	news   chan struct{} // something came
	over   chan struct{} // the output has ended
	died   chan error
}

func start(t testing.TB, w, h int, env []string, args ...string) *console {
	t.Helper()
	return launch(t, exec.Command(program(t), args...), w, h, env)
}

// role starts this test program as something else.
func role(t testing.TB, name string, w, h int) *console {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, exec.Command(self), w, h, []string{"COWSCOPE_ROLE=" + name})
}

func launch(t testing.TB, cmd *exec.Cmd, w, h int, env []string) *console {
	t.Helper()
	c := &console{t: t, news: make(chan struct{}, 1), over: make(chan struct{}), died: make(chan error, 1)}
	c.cmd = cmd
	c.cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor"), env...)
	c.screen = vt.NewSafeEmulator(w, h)
	tty, err := pty.StartWithSize(c.cmd, &pty.Winsize{Cols: uint16(w), Rows: uint16(h)})
	if err != nil {
		t.Fatal(err)
	}
	c.tty = pollable(t, tty)
	tty = c.tty
	go io.Copy(tty, c.screen) // the terminal's answers
	go c.listen()
	go func() { c.died <- c.cmd.Wait() }()
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		tty.Close()
		<-c.over
		c.screen.InputPipe().(io.Closer).Close() // Close itself races with the copying above
	})
	return c
}

// pollable is the same terminal behind a file whose Close ends its reads, and so really hangs up.
func pollable(t testing.TB, tty *os.File) *os.File {
	t.Helper()
	defer tty.Close()
	fd, err := unix.FcntlInt(tty.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "pty")
}

func (c *console) listen() {
	defer close(c.over)
	b := make([]byte, 1<<16)
	for {
		n, err := c.tty.Read(b)
		if n > 0 {
			c.mu.Lock()
			c.raw.Write(b[:n])
			c.screen.Write(b[:n])
			c.mu.Unlock()
			select {
			case c.news <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// text is what stands on the screen. The emulator guards its writes, but not this.
func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.screen.String()
}

const patience = 20 * time.Second

// sees waits until the screen holds all of want.
func (c *console) sees(want ...string) *console {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		missing := ""
		text := c.text()
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return c
		}
		select {
		case <-c.news:
		case <-c.over:
			c.t.Fatalf("the program ended before the screen held %q:\n%s", missing, text)
		case <-deadline:
			c.t.Fatalf("the screen never held %q:\n%s\n%s", missing, text, c.autopsy())
		}
	}
}

// autopsy has the program say where it stands, and gives the end of all that it wrote, as it wrote
// it.
func (c *console) autopsy() string {
	wrote := func() string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.raw.String()
	}
	before := wrote()
	_ = c.cmd.Process.Signal(syscall.SIGQUIT) // a Go program writes its stacks
	select {
	case <-c.over:
	case <-time.After(patience / 10):
	}
	return fmt.Sprintf("%d bytes so far, the last of them %q\n%s", len(before), before[max(0, len(before)-300):], strings.TrimPrefix(wrote(), before))
}

func (c *console) keys(s string) *console {
	c.t.Helper()
	if _, err := c.tty.WriteString(s); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// ends waits for the program's end, until all that it wrote is read, and gives its exit status.
func (c *console) ends() int {
	c.t.Helper()
	select {
	case err := <-c.died:
		<-c.over
		var e *exec.ExitError
		if errors.As(err, &e) {
			return e.ExitCode()
		}
		if err != nil {
			c.t.Fatal(err)
		}
		return 0
	case <-time.After(patience):
		c.t.Fatalf("the program did not end:\n%s", c.text())
		return -1
	}
}

// subjects lists the processes that the program controls, by the tracer that /proc/PID/status
// names.
func (c *console) subjects() []int { return tracees(c.cmd.Process.Pid) }

// tracees lists the processes that a process traces, oldest first.
func tracees(by int) []int {
	var out []int
	dirs, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, d := range dirs {
		b, _ := os.ReadFile(d)
		m := regexp.MustCompile(`TracerPid:\t(\d+)`).FindSubmatch(b)
		if m == nil || string(m[1]) == "0" {
			continue
		}
		tracer, _ := strconv.Atoi(string(m[1]))
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", by, tracer)); err == nil {
			pid, _ := strconv.Atoi(strings.Split(d, "/")[2])
			out = append(out, pid)
		}
	}
	return out
}

// watch opens handles on processes now, so that their end can be awaited whatever happens to their
// numbers.
func watch(t *testing.T, pids []int) []int {
	t.Helper()
	if len(pids) == 0 {
		t.Fatal("no subject was found")
	}
	var fds []int
	for _, p := range pids {
		fd, err := unix.PidfdOpen(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	return fds
}

func allGone(t *testing.T, fds []int) {
	t.Helper()
	for _, fd := range fds {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience/time.Millisecond))
		if err != nil && err != unix.EINTR || n == 0 {
			t.Errorf("a subject is still there: %v", err)
		}
		unix.Close(fd)
	}
}

// pagemap reads the word of a page from outside.
func pagemap(t *testing.T, pid int, addr uint64) uint64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], int64(addr/uint64(os.Getpagesize())*8)); err != nil {
		t.Fatal(err)
	}
	return binary.NativeEndian.Uint64(b[:])
}

func TestStoryOnATerminal(t *testing.T) {
	c := start(t, 120, 36, nil)
	c.sees("step 0/0", "m mmap")
	c.keys("m").sees("mmap 4p rw private anon").keys("\r").sees("step 1/1")
	c.keys("wf\tw").sees("step 5/5", "cow → anon", "≠")
	pids := c.subjects()
	if len(pids) != 2 {
		t.Fatalf("%d subjects", len(pids))
	}
	m := regexp.MustCompile(`p2 a · 0x([0-9a-f]+)`).FindStringSubmatch(c.text())
	if m == nil {
		t.Fatalf("no address in:\n%s", c.text())
	}
	addr, _ := strconv.ParseUint(m[1], 16, 64)
	x, y := pagemap(t, pids[0], addr), pagemap(t, pids[1], addr)
	const present, exclusive, frame = 1 << 63, 1 << 56, 1<<55 - 1
	if x&present == 0 || y&present == 0 || x&exclusive == 0 || y&exclusive == 0 {
		t.Errorf("the words are %x and %x: not two exclusive pages", x, y)
	}
	if x&frame != 0 { // visible to root
		if x&frame == y&frame {
			t.Errorf("one frame: %x and %x", x, y)
		}
		c.sees(fmt.Sprintf("→ 0x%x", y&frame), "the kernel copied it")
	}
	c.keys(":mprotect a none\r").sees("---p").keys("w").sees("SIGSEGV/ACCERR")
	c.keys("\x1b[Z").sees("● p1").keys("w").sees("step 9/9") // life goes on
	gone := watch(t, c.subjects())
	c.keys("q")
	if code := c.ends(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	allGone(t, gone)
	c.restored()
}

// restored checks that the terminal was given back: alternate screen, cursor, mouse and paste modes
// as they were.
func (c *console) restored() {
	c.t.Helper()
	<-c.over
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.raw.String()
	for _, mode := range []struct{ on, off string }{{"\x1b[?1049h", "\x1b[?1049l"}, {"\x1b[?1002h", "\x1b[?1002l"}, {"\x1b[?2004h", "\x1b[?2004l"}, {"\x1b[?25l", "\x1b[?25h"}} {
		if strings.LastIndex(out, mode.on) > strings.LastIndex(out, mode.off) {
			c.t.Errorf("%q was left on", mode.on)
		}
	}
}

// BenchmarkFirstFrame starts the program on a terminal and waits for its first frame, beside the
// least that Bubble Tea can show.
func BenchmarkFirstFrame(b *testing.B) {
	var least time.Duration
	for _, x := range []struct {
		name  string
		start func() *console
	}{
		{"trivial", func() *console { return role(b, "trivial", 120, 36) }},
		{"lab", func() *console { return start(b, 120, 36, nil) }},
	} {
		b.Run(x.name, func(b *testing.B) {
			program(b)
			for b.Loop() {
				c := x.start()
				c.sees("step 0/0")
				b.StopTimer()
				c.cmd.Process.Kill()
				c.ends()
				b.StartTimer()
			}
			each := b.Elapsed() / time.Duration(b.N)
			if x.name == "trivial" {
				least = each
			} else {
				b.ReportMetric(float64(each)/float64(least), "times-trivial")
			}
		})
	}
}

// A terminal that hangs up ends the program too.
func TestHangUp(t *testing.T) {
	c := start(t, 80, 24, nil)
	c.sees("step 0/0").keys("m\rwf").sees("step 3/3")
	gone := watch(t, c.subjects())
	c.tty.Close()
	c.ends()
	allGone(t, gone)
}

func TestSubjectKilledFromOutside(t *testing.T) {
	c := start(t, 120, 36, nil)
	c.sees("step 0/0").keys("m\rw").sees("step 2/2")
	unix.Kill(c.subjects()[0], unix.SIGKILL)
	c.sees("p1 was killed by SIGKILL", "from outside")
	c.keys("w").sees("n starts a fresh one").keys("n").sees("p1 is a fresh one").keys("m\rw").sees("none → anon")
	c.keys("q").ends()
}

// A loop in the subject is stopped, and keys typed meanwhile are not lost.
func TestLoop(t *testing.T) {
	c := start(t, 120, 36, nil)
	c.sees("step 0/0").keys(":a = mmap 1p rwx private anon\r").sees("step 1/1")
	itself := map[string]string{"amd64": `\xeb\xfe`, "arm64": `\x00\x00\x00\x14`}[runtime.GOARCH] // a jump to where it stands
	c.keys(":write a \"" + itself + "\"\r").sees("step 2/2").keys("x").sees("timeout").keys("w").sees("step 4/4")
	c.keys("q").ends()
}

// Quitting does not wait for what the subject is doing.
func TestQuitWhileBusy(t *testing.T) {
	c := start(t, 120, 36, nil)
	c.sees("step 0/0").keys(":a = mmap 256g rw private anon noreserve\r").sees("step 1/1")
	c.keys(":touch a read\r").sees("⟳ touch a read") // much longer than the test waits
	gone := watch(t, c.subjects())
	c.keys("\x03")
	if code := c.ends(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	allGone(t, gone)
	c.restored()
}

func TestResize(t *testing.T) {
	c := start(t, 120, 36, nil)
	c.sees("step 0/0").keys("m\rwf").sees("step 3/3")
	for _, s := range [][2]int{{80, 24}, {40, 12}, {20, 5}, {200, 60}} {
		c.mu.Lock()
		c.screen.Resize(s[0], s[1])
		c.mu.Unlock()
		if err := pty.Setsize(c.tty, &pty.Winsize{Cols: uint16(s[0]), Rows: uint16(s[1])}); err != nil {
			t.Fatal(err)
		}
		if s[0] < 40 {
			c.sees("cowscope needs", "40x12")
		} else {
			c.sees("cowscope", "address space", "m mmap")
		}
	}
	c.keys("q").ends()
}

// Where no screen can be drawn: one line, status 2, and not one byte for the terminal.
func TestNoScreen(t *testing.T) {
	out, err := exec.Command(program(t)).CombinedOutput()
	var e *exec.ExitError
	if !errors.As(err, &e) || e.ExitCode() != 2 || strings.Count(string(out), "\n") != 1 || bytes.ContainsRune(out, 0x1b) {
		t.Errorf("not a terminal: %v, %q", err, out)
	}
	for name, c := range map[string]*console{
		"TERM=dumb": start(t, 80, 24, []string{"TERM=dumb"}),
		"39x12":     start(t, 39, 12, nil),
		"80x11":     start(t, 80, 11, nil),
		"theme":     start(t, 80, 24, nil, "--theme", "purple"),
		"flag":      start(t, 80, 24, nil, "--purple"),
		"argument":  start(t, 80, 24, nil, "purple"),
	} {
		code := c.ends()
		if code != 2 || strings.Contains(c.raw.String(), "\x1b") || strings.Count(c.raw.String(), "\n") != 1 {
			t.Errorf("%s: status %d, %q", name, code, c.raw.String())
		}
	}
}

// A snapshot of any process that this user may read, as text and as JSON.
func TestSnapshotOfAProcess(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	out, err := exec.Command(program(t), "snapshot", self).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "pid "+self) || !strings.Contains(string(out), "[stack]") || !strings.Contains(string(out), "\ncost: ") {
		t.Errorf("%v: %.200s", err, out)
	}
	out, err = exec.Command(program(t), "snapshot", self, "--json").Output()
	var s struct {
		Processes []struct {
			PID      int
			Mappings []struct{ Start, Perms, Path string }
		}
	}
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	if err != nil || len(s.Processes) != 1 || s.Processes[0].PID != os.Getpid() || len(s.Processes[0].Mappings) == 0 {
		t.Errorf("%v: %.200s", err, out)
	}
	for pid, status := range map[string]int{"x": 2, "-1": 2, "0": 2, "4194305": 1} {
		cmd := exec.Command(program(t), "snapshot", "--", pid)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != status || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%s: status %d, %s", pid, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// No colour reaches the terminal where none is wanted.
func TestNoColor(t *testing.T) {
	for _, c := range []*console{start(t, 120, 36, []string{"NO_COLOR=yes"}), start(t, 120, 36, nil, "--no-color")} {
		c.sees("step 0/0").keys("m\rw").sees("step 2/2").keys("q").ends()
		if m := regexp.MustCompile(`\x1b\[(?:[\d;:]*;)?(?:[34]8[;:]|3[0-7]|4[0-7]|9[0-7])[\d;:]*m`).FindString(c.raw.String()); m != "" {
			t.Errorf("a colour: %q", m)
		}
	}
}

// Two labs at once do not disturb each other.
func TestTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	a, b := start(t, 120, 36, nil), start(t, 120, 36, nil)
	a.sees("step 0/0").keys("m\rwf").sees("step 3/3")
	b.sees("step 0/0").keys("m\rw").sees("step 2/2")
	a.keys("q").ends()
	b.keys("f").sees("step 3/3").keys("q").ends()
}
