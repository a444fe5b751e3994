package tui_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/tui"
	"cowscope/tui/guard"
	"cowscope/tui/terminal"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// How the program ends, and what it leaves of the terminal: the real program, or this test program
// where it must be broken first.

// breaks is a lab whose fork does something else.
type breaks struct {
	*actions.Session
	do func()
}

func (b breaks) Do(ctx context.Context, line string) (*history.Step, error) {
	if line == "fork" {
		b.do()
	}
	return b.Session.Do(ctx, line)
}

func broken() { panic("something broke\x1b[2J") }

// overflow ends in what the runtime calls fatal.
func overflow(n int) int {
	if n < 0 {
		return 0
	}
	return overflow(n+1) + 1
}

// breaking plays a role with a lab that breaks at a fork, or a screen that does then.
func breaking(part string, do func()) func() error {
	return func() error {
		s, err := actions.Open(actions.Options{})
		if err != nil {
			return err
		}
		defer s.Close()
		return tui.RunBroken(breaks{s, do}, part)
	}
}

func init() {
	elsewhere := func(f func()) func() {
		return func() {
			go f()
			select {}
		}
	}
	roles["update breaks"] = breaking("update", func() {})
	roles["view breaks"] = breaking("view", func() {})
	roles["command breaks"] = breaking("", broken)
	roles["goroutine breaks"] = breaking("", elsewhere(broken))
	roles["tracer breaks"] = breaking("", func() {
		t, err := subject.NewTracer()
		if err != nil {
			panic(err)
		}
		t.Do(broken)
	})
	roles["runtime breaks"] = breaking("", func() {
		debug.SetMaxStack(1 << 20)
		panic(overflow(0))
	})
	roles["suspends"] = breaking("", func() {})
	// A process group can be stopped only while a parent in its session can let it go on.
	roles["shell"] = func() error {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=suspends")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true}
		return cmd.Run()
	}
}

// line is a terminal that is held at both ends, so that nothing but the program changes it.
type line struct {
	t           *testing.T
	master, tty *os.File
	before      unix.Termios
	mu          sync.Mutex
	out         bytes.Buffer
	news        chan struct{}
	reading     sync.Mutex // held while nobody is to read
	paused      bool
	ended       chan struct{}
}

func newLine(t *testing.T, w, h uint16) *line {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, master: pollable(t, master), tty: tty, news: make(chan struct{}, 1), ended: make(chan struct{})}
	if err := pty.Setsize(tty, &pty.Winsize{Cols: w, Rows: h}); err != nil {
		t.Fatal(err)
	}
	l.before = l.termios()
	go l.listen()
	t.Cleanup(func() {
		l.resume()
		l.master.Close()
		tty.Close()
		<-l.ended
	})
	return l
}

func (l *line) termios() unix.Termios {
	l.t.Helper()
	s, err := unix.IoctlGetTermios(int(l.tty.Fd()), unix.TCGETS)
	if err != nil {
		l.t.Fatal(err)
	}
	return *s
}

func (l *line) listen() {
	defer close(l.ended)
	b := make([]byte, 1<<16)
	for {
		l.mayRead()
		n, err := l.master.Read(b)
		l.mu.Lock()
		l.out.Write(b[:n])
		l.mu.Unlock()
		select {
		case l.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (l *line) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// mayRead waits while nobody is to read.
func (l *line) mayRead() {
	l.reading.Lock()
	defer l.reading.Unlock()
}

// pause has nobody read what the program writes, until resume.
func (l *line) pause() { l.reading.Lock(); l.paused = true }

func (l *line) resume() {
	if l.paused {
		l.paused = false
		l.reading.Unlock()
	}
}

// shows waits until the program has written what matches.
func (l *line) shows(want string) {
	l.t.Helper()
	re := regexp.MustCompile(want)
	deadline := time.After(patience)
	for !re.MatchString(l.text()) {
		select {
		case <-l.news:
		case <-deadline:
			l.t.Fatalf("%q never came after %q", want, tail(l.text()))
		}
	}
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

func (l *line) keys(s string) {
	l.t.Helper()
	err := l.master.SetWriteDeadline(time.Now().Add(patience)) // a program that does not read blocks who writes
	if err == nil {
		_, err = l.master.WriteString(s)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// attached is a program on such a terminal.
type attached struct {
	*line
	cmd  *exec.Cmd
	died chan struct{}
}

func (l *line) run(cmd *exec.Cmd, env ...string) *attached {
	l.t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.tty, l.tty, l.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return l.start(cmd, env...)
}

func (l *line) start(cmd *exec.Cmd, env ...string) *attached {
	l.t.Helper()
	cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor"), env...)
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	a := &attached{line: l, cmd: cmd, died: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(a.died)
	}()
	l.t.Cleanup(func() {
		cmd.Process.Kill()
		<-a.died
	})
	return a
}

// guards are the processes that wait for the end of this one, when there is one.
func (a *attached) guards() []int {
	for deadline := time.Now().Add(patience); ; {
		if out := a.guardsNow(); len(out) > 0 || time.Now().After(deadline) {
			return out
		}
		time.Sleep(time.Millisecond)
	}
}

func (a *attached) guardsNow() []int {
	var out []int
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range all {
		b, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if len(f) > 1 && f[1] == strconv.Itoa(a.cmd.Process.Pid) && string(line) == "terminal-guard\x00" {
			out = append(out, pid)
		}
	}
	return out
}

// ends waits for the end, at most so long; a program that does not end says where it stands.
func (a *attached) ends(within time.Duration) {
	a.t.Helper()
	select {
	case <-a.died:
	case <-time.After(within):
		shown := len(a.text())
		_ = a.cmd.Process.Signal(unix.SIGQUIT)
		select {
		case <-a.died:
		case <-time.After(time.Second):
		}
		said := a.text()[shown:]
		a.t.Fatalf("no end within %v; asked where it stands, it says %.9000q", within, said)
	}
}

// gave checks that the terminal is as it was.
func (a *attached) gave() {
	a.t.Helper()
	a.shows(`\x1b\[\?1049l`)
	if now := a.termios(); now != a.before {
		a.t.Errorf("the settings were %+v and are %+v", a.before, now)
	}
	out := a.text()
	for _, mode := range [][2]string{{"\x1b[?1049h", "\x1b[?1049l"}, {"\x1b[?25l", "\x1b[?25h"}, {"\x1b[?1002h", "\x1b[?1002l"}, {"\x1b[?1006h", "\x1b[?1006l"},
		{"\x1b[?1004h", "\x1b[?1004l"}, {"\x1b[?2004h", "\x1b[?2004l"}, {"\x1b[>1u", "\x1b[<1u"}, {"\x1b[>4;2m", "\x1b[>4m"}} {
		if strings.LastIndex(out, mode[0]) > strings.LastIndex(out, mode[1]) {
			a.t.Errorf("%q was left on", mode[0])
		}
	}
}

// afterScreen is what was written when the alternate screen had been left.
func (a *attached) afterScreen() string {
	_, out, _ := strings.Cut(a.text(), "\x1b[?1049l")
	return out
}

func TestEndings(t *testing.T) {
	const lab = `1/1`
	kill := func(s unix.Signal) func(*attached) {
		return func(a *attached) { unix.Kill(a.cmd.Process.Pid, s) }
	}
	fork := func(a *attached) { a.keys("f") }
	nobodyReads := func(a *attached) {
		a.pause()
		for full := 0; full < 5; { // each key makes a frame, until no more goes in
			a.keys("?")
			time.Sleep(time.Second / terminal.FramesPerSecond)
			if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(a.tty.Fd()), Events: unix.POLLOUT}}, 0); n == 0 {
				full++
			} else {
				full = 0
			}
		}
	}
	stopped := func(a *attached) {
		if err := unix.IoctlSetInt(int(a.tty.Fd()), unix.TCXONC, 0); err != nil { // TCOOFF of ioctl_tty(2)
			a.t.Fatal(err)
		}
		a.keys("?")
	}
	plain := time.Duration(0) // the longest ending with a terminal that reads
	for _, x := range []struct {
		name   string
		role   string // of this test program, "" for cowscope
		before func(*attached)
		end    func(*attached)
		status int // exit status, -n for death by signal n
		words  []string
	}{
		{name: "quit", end: func(a *attached) { a.keys("q") }},
		{name: "panic in Update", role: "update breaks", end: fork, status: 1, words: []string{"something broke", "goroutine "}},
		{name: "panic in View", role: "view breaks", end: fork, status: 1, words: []string{"nil pointer", "goroutine "}},
		{name: "panic in a command", role: "command breaks", end: fork, status: 1, words: []string{"something broke", "goroutine "}},
		{name: "panic on the tracing thread", role: "tracer breaks", end: fork, status: 1, words: []string{"something broke", "goroutine "}},
		{name: "panic in a goroutine", role: "goroutine breaks", end: fork, status: 2, words: []string{"something broke", "goroutine "}},
		{name: "fatal error", role: "runtime breaks", end: fork, status: 2, words: []string{"tui_test.overflow", "goroutine "}},
		{name: "SIGTERM", end: kill(unix.SIGTERM), status: 143, words: []string{"terminated"}},
		{name: "SIGHUP", end: kill(unix.SIGHUP), status: 129, words: []string{"hangup"}},
		{name: "SIGINT", end: kill(unix.SIGINT), status: 130, words: []string{"interrupt"}},
		{name: "SIGQUIT", end: kill(unix.SIGQUIT), status: 131, words: []string{"quit", "goroutine "}},
		{name: "SIGABRT", end: kill(unix.SIGABRT), status: 134, words: []string{"aborted", "goroutine "}},
		{name: "SIGSEGV", end: kill(unix.SIGSEGV), status: 139, words: []string{"segmentation", "goroutine "}},
		{name: "SIGKILL", end: kill(unix.SIGKILL), status: -9},
		{name: "nobody reads, SIGTERM", before: nobodyReads, end: kill(unix.SIGTERM), status: 143},
		{name: "nobody reads, SIGQUIT", before: nobodyReads, end: kill(unix.SIGQUIT), status: 131},
		{name: "nobody reads, SIGKILL", before: nobodyReads, end: kill(unix.SIGKILL), status: -9},
		{name: "output stopped, SIGTERM", before: stopped, end: kill(unix.SIGTERM), status: 143},
		{name: "output stopped, SIGKILL", before: stopped, end: kill(unix.SIGKILL), status: -9},
	} {
		t.Run(x.name, func(t *testing.T) {
			if testing.Short() && (x.role != "" || x.before == nil && x.status > 128 && x.name != "SIGQUIT") { // the signals are alike
				t.Skip("needs more time than -short gives")
			}
			l := newLine(t, 80, 24)
			var a *attached
			if x.role == "" {
				a = l.run(exec.Command(program(t)))
			} else {
				self, err := os.Executable()
				if err != nil {
					t.Fatal(err)
				}
				a = l.run(exec.Command(self), "COWSCOPE_ROLE="+x.role)
			}
			l.shows(`step`)
			a.keys("m\r")
			l.shows(lab)
			if a.termios() == a.before {
				t.Fatal("the terminal was not taken")
			}
			guards := a.guards()
			if len(guards) != 1 {
				t.Fatalf("%d guards", len(guards))
			}
			gone := watch(t, append(guards, tracees(a.cmd.Process.Pid)...))
			if x.before != nil {
				x.before(a)
			}
			begun := time.Now()
			x.end(a)
			a.ends(5 * time.Second)
			took := time.Since(begun)
			allGone(t, gone)
			// An emulated machine may be slow at what every ending takes.
			if x.before == nil {
				plain = max(plain, took)
			} else if took > 2*time.Second+plain {
				t.Errorf("it took %v, and %v where the terminal reads", took, plain)
			}
			a.resume()
			for _, w := range x.words {
				l.shows(`(?s)\x1b\[\?1049l.*` + regexp.QuoteMeta(w))
			}
			a.gave()
			if x.status == 2 && strings.Contains(a.afterScreen(), "\x1b[2J") { // the rest is printed by main
				t.Errorf("what a panic quoted was obeyed: %q", tail(a.afterScreen()))
			}
			s := a.cmd.ProcessState.Sys().(syscall.WaitStatus)
			status := s.ExitStatus()
			if s.Signaled() {
				status = -int(s.Signal())
			}
			if status != x.status {
				t.Errorf("status %d, want %d: %q", status, x.status, tail(a.afterScreen()))
			}
		})
	}
}

// peak is the most memory that a process ever had, in MB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if err != nil || m == nil {
		t.Fatalf("no VmHWM: %v", err)
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return kb >> 10
}

// A terminal may say that it has any size, at the start and later, by its driver or in a report:
// the memory is bounded, and the screen answers and quits.
func TestHostileSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	// MB. A screen of the largest size takes 60 to 75, of which the library keeps two buffers of 17
	// each. What a size leaves is there until the next collection, and on a busy machine two sizes
	// can come before it.
	const most, mostLater = 192, 192
	for _, x := range []struct {
		w, h  uint16
		shows string
	}{{0, 0, `step`}, {20000, 20000, `this terminal has 20000x20000 cells`}, {65535, 65535, `this terminal has 65535x65535 cells`}, {65535, 12, `this terminal has 65535x12 cells`}, {640, 180, `step`}} {
		t.Run(fmt.Sprintf("%dx%d", x.w, x.h), func(t *testing.T) {
			l := newLine(t, x.w, x.h)
			a := l.run(exec.Command(program(t)))
			if x.w == 0 { // draws nothing until it knows
				l.shows(`\x1b\[\?1049h`)
				if err := pty.Setsize(l.tty, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
					t.Fatal(err)
				}
			}
			l.shows(x.shows)
			l.keys("m\r")
			l.shows(`1/1`)
			first := peak(t, a.cmd.Process.Pid)
			for _, s := range []pty.Winsize{{Cols: 1, Rows: 1}, {}, {Cols: 31111, Rows: 31112}} {
				if err := pty.Setsize(l.tty, &s); err != nil {
					t.Fatal(err)
				}
			}
			l.keys("\x1b[48;65535;65534;1;1twwf") // keys after a size are answered at that size
			l.shows(`child of p1`)
			later := peak(t, a.cmd.Process.Pid)
			if t.Logf("%d MB, later %d MB", first, later); first > most || later > mostLater {
				t.Errorf("the program took more than %d MB, or than %d MB later", most, mostLater)
			}
			l.keys("q")
			a.ends(patience)
			a.gave()
		})
	}
}

// What a hostile program types does not break the screen.
func TestHostileKeys(t *testing.T) {
	open := strings.Repeat("1;", 33)
	params := open + "m"
	l := newLine(t, 80, 24)
	a := l.run(exec.Command(program(t)))
	l.shows(`step`)
	for _, s := range []string{"\x1b[" + params, "\x1b[200~\x1b[" + params + "\x1b[201~", "\x1bP" + params + "\x1b\\", "\x9b" + open, "\x1b\x8c[" + params, "\x1b[M\x9b\x9b\x9b" + open,
		"\x1b[0;0;97;1;0;65535_", "\x1b]11;" + strings.Repeat("x", 1<<16) + "\x07", "\x1b[200~" + strings.Repeat("x", 1<<18) + "\x1b[201~"} {
		l.keys(s)
	}
	l.shows(`the paste is longer than 64 KiB`)
	l.keys("m\r")
	l.shows(`1/1`)
	if n := peak(t, a.cmd.Process.Pid); n > 64 {
		t.Errorf("the program took %d MB", n)
	}
	l.keys("q")
	a.ends(patience)
	a.gave()
	if s := a.cmd.ProcessState; !s.Success() {
		t.Errorf("%v: %q", s, tail(a.afterScreen()))
	}
}

// A program whose input ends, on a terminal that is not its session's and so sends no signal.
func TestHostileInputEnds(t *testing.T) {
	l := newLine(t, 80, 24)
	master, in, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, l.tty, l.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	a := l.start(cmd)
	in.Close()
	l.shows(`step`)
	gone := watch(t, append(a.guards(), tracees(cmd.Process.Pid)...))
	master.Close()
	a.ends(5 * time.Second)
	allGone(t, gone)
	a.gave()
	if code := cmd.ProcessState.ExitCode(); code != 129 {
		t.Errorf("status %d: %q", code, a.afterScreen())
	}
}

// onlyChild is the child of a process, whichever of its threads made it.
func onlyChild(t *testing.T, pid int) int {
	t.Helper()
	var all []string
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		all = append(all, strings.Fields(string(b))...)
	}
	if len(all) != 1 {
		t.Fatalf("process %d has the children %q", pid, all)
	}
	child, err := strconv.Atoi(all[0])
	if err != nil {
		t.Fatal(err)
	}
	return child
}

// A screen that is suspended gives the terminal back, and takes it again with the size that it has
// then.
func TestSuspend(t *testing.T) {
	l := newLine(t, 80, 24)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := l.run(exec.Command(self), "COWSCOPE_ROLE=shell")
	l.shows(`step`)
	child := onlyChild(t, a.cmd.Process.Pid)
	a.keys("m\r")
	l.shows(`1/1`)
	a.keys("\x1a")
	l.shows(`\x1b\[\?1049l`)
	for deadline := time.Now().Add(patience); ; {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		if _, rest, _ := strings.Cut(string(b), ") "); strings.HasPrefix(rest, "T") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the program did not stop")
		}
		time.Sleep(time.Millisecond)
	}
	a.gave()
	if err := pty.Setsize(l.tty, &pty.Winsize{Cols: 100, Rows: 30}); err != nil {
		t.Fatal(err)
	}
	unix.Kill(-child, unix.SIGCONT)
	l.shows(`(?s)\x1b\[\?1049l.*\x1b\[\?1049h.*─{75}`) // more than 80 columns have
	a.keys("fw")
	l.shows(`3/3`)
	a.keys("q")
	a.ends(patience)
	l.shows(`(?s)\x1b\[\?1049l.*\x1b\[\?1049h.*\x1b\[\?1049l`)
	a.gave()
}

// Where no shell could let the program go on, Ctrl-Z says so, and everything works on.
func TestSuspendWithoutShell(t *testing.T) {
	l := newLine(t, 80, 24)
	a := l.run(exec.Command(program(t)))
	l.shows(`step`)
	a.keys("\x1a")
	l.shows(`there is no shell`)
	a.keys("m\r")
	l.shows(`1/1`)
	a.keys("q")
	a.ends(patience)
	a.gave()
}

// The guard is small, and its start is not felt.
func TestGuardIsSmall(t *testing.T) {
	l := newLine(t, 80, 24)
	a := l.run(exec.Command(program(t)))
	l.shows(`step`)
	guards := a.guards()
	if len(guards) != 1 {
		t.Fatalf("%d guards", len(guards))
	}
	kilobytes := func(file, field string) int {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", guards[0], file))
		m := regexp.MustCompile(`(?m)^` + field + `:\s+(\d+) kB`).FindSubmatch(b)
		if err != nil || m == nil {
			t.Fatalf("no %s: %v", field, err)
		}
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	// Of a huge page most may never have been touched.
	if kb := kilobytes("status", "RssAnon") - kilobytes("smaps_rollup", "AnonHugePages"); kb > 4<<10 {
		t.Errorf("the guard has %d KB of its own: package guard imports something that is initialised late", kb)
	}
	a.keys("q")
	a.ends(patience)
}

// BenchmarkGuard is what the start and the end of a guard cost.
func BenchmarkGuard(b *testing.B) {
	_, tty, err := pty.Open()
	if err != nil {
		b.Fatal(err)
	}
	var started time.Duration
	for b.Loop() {
		begun := time.Now()
		g, err := guard.Start(tty, tty, nil)
		if err != nil {
			b.Fatal(err)
		}
		started += time.Since(begun)
		g.Stop()
	}
	b.ReportMetric(float64(started.Microseconds())/float64(b.N), "µs-start")
}
