package tui_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cowscope/actions/saved"
	"cowscope/tui/cast"

	"golang.org/x/sys/unix"
)

// moment is a kind of moment in which a signal can come.
type moment struct {
	name   string
	args   string // FOLDER stands for a folder of its own, BIG for a process with many mappings
	script string // what stands on standard input; "" for the terminal
	screen bool
	until  func(*attached)
	within time.Duration // the signal comes so late at most
}

const twoSteps = "m\rw"

// keysAfter waits for what the screen shows, types, and waits again.
func keysAfter(shows, keys, then string) func(*attached) {
	return func(a *attached) { a.shows(shows); a.keys(keys); a.shows(then) }
}

var moments = func() []moment {
	long := "a = mmap 16p rw private anon\n" + strings.Repeat("file f 64k\nb = mmap 16p rw shared file=f\nfill b 1\nfork\n@p2 write a 1\nrestart\na = mmap 16p rw private anon\n", 2000)
	loop := map[string]string{"amd64": `\xeb\xfe`, "arm64": `\x00\x00\x00\x14`} // a jump to where it stands
	reserve := func(command, shown string) func(*attached) {
		return func(a *attached) {
			keysAfter(`0/0`, ":a = mmap 256g r private anon noreserve\r", `1/1`)(a)
			a.keys(":" + command + "\r")
			a.shows(shown)
		}
	}
	return []moment{
		{name: "before the first screen", screen: true, within: 200 * time.Millisecond},
		{name: "idle in the lab", screen: true, until: keysAfter(`0/0`, twoSteps, `2/2`), within: 100 * time.Millisecond},
		{name: "family of three", screen: true, until: keysAfter(`0/0`, twoSteps+"ff", `4/4`), within: 100 * time.Millisecond},
		{name: "a command runs", screen: true, until: reserve("touch a read", `⟳`), within: 50 * time.Millisecond},
		{name: "a call lasts", screen: true, until: reserve("madvise a populate_read", `⟳`), within: 50 * time.Millisecond},
		{name: "code loops", screen: true, until: func(a *attached) {
			keysAfter(`0/0`, ":a = mmap 1p rwx private anon\r", `1/1`)(a)
			a.keys(":write a \"" + loop[runtime.GOARCH] + "\"\r")
			a.shows(`2/2`)
			a.keys("x")
		}, within: 500 * time.Millisecond},
		{name: "in a form", screen: true, until: keysAfter(`0/0`, "m", `rw private anon`), within: 50 * time.Millisecond},
		{name: "in the command line", screen: true, until: func(a *attached) {
			keysAfter(`0/0`, ":", `earlier lines`)(a)
			a.keys("mmap 4p r") // which a frame may show in parts
		}, within: 50 * time.Millisecond},
		{name: "help is shown", screen: true, until: keysAfter(`0/0`, "?", `legend|Legend|states`), within: 50 * time.Millisecond},
		{name: "a lesson plays", args: "lesson one-page", screen: true, until: keysAfter(`one page|One page`, "\r\r", ``), within: 300 * time.Millisecond},
		{name: "a demo plays", args: "demo cow", screen: true, until: func(a *attached) { a.shows(`\x1b\[\?1049h`) }, within: time.Second},
		{name: "recording and saving", args: "--record FOLDER/a.cast --save FOLDER/a.jsonl", screen: true, until: keysAfter(`0/0`, twoSteps+"fwwww", `child of p1`), within: 200 * time.Millisecond},
		{name: "a long script", args: "exec --save FOLDER/a.jsonl", script: long, until: func(a *attached) { a.shows(`restart`) }, within: 300 * time.Millisecond},
		{name: "a script begins", args: "exec --json", script: long, within: 60 * time.Millisecond},
		{name: "snapshot of a large process", args: "snapshot --json BIG", within: 150 * time.Millisecond},
		{name: "replay", args: "replay " + storyFile, screen: true, until: keysAfter(`0/20`, "]]]", ``), within: 50 * time.Millisecond},
		{name: "a demo is drawn unseen", args: "demo cow --steady --record FOLDER/a.cast --still FOLDER/a.svg", within: 400 * time.Millisecond},
		{name: "lessons are checked", args: "lesson check", until: func(a *attached) { a.shows(`\n`) }, within: time.Second},
		{name: "doctor", args: "doctor", within: 300 * time.Millisecond},
	}
}()

// killing is a way to end a program by signals.
type killing struct {
	name string
	with []unix.Signal // one after the other; the last ends it
}

var killings = []killing{
	{"SIGHUP", []unix.Signal{unix.SIGHUP}}, {"SIGINT", []unix.Signal{unix.SIGINT}}, {"SIGTERM", []unix.Signal{unix.SIGTERM}}, {"SIGKILL", []unix.Signal{unix.SIGKILL}},
	{"SIGQUIT", []unix.Signal{unix.SIGQUIT}}, {"SIGABRT", []unix.Signal{unix.SIGABRT}}, {"SIGSEGV", []unix.Signal{unix.SIGSEGV}}, {"SIGBUS", []unix.Signal{unix.SIGBUS}},
	{"SIGFPE", []unix.Signal{unix.SIGFPE}}, {"SIGILL", []unix.Signal{unix.SIGILL}}, {"SIGTRAP", []unix.Signal{unix.SIGTRAP}}, {"SIGSYS", []unix.Signal{unix.SIGSYS}},
	{"stopped, then killed", []unix.Signal{unix.SIGSTOP, unix.SIGKILL}}, {"stopped, then SIGTERM", []unix.Signal{unix.SIGSTOP, unix.SIGTERM, unix.SIGCONT}},
	{"stopped by the terminal", []unix.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGTERM, unix.SIGCONT}},
	{"SIGTERM twice", []unix.Signal{unix.SIGTERM, unix.SIGTERM}}, {"SIGINT, then killed", []unix.Signal{unix.SIGINT, unix.SIGKILL}},
	{"what ends no Go program, then SIGTERM", []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGPIPE, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR, unix.SIGTERM}},
}

// ends are the statuses that a program may end with by these signals, -n for death by signal n.
func (k killing) ends(m moment) (all []int) {
	for _, s := range k.with {
		switch {
		case s == unix.SIGKILL:
			all = append(all, -int(s))
		case s == unix.SIGHUP || s == unix.SIGINT || s == unix.SIGTERM:
			all = append(all, 128+int(s), -int(s)) // itself, or the kernel where nobody has asked for the signal
		case len(k.with) == 1 || m.until == nil:
			all = append(all, 2, -int(s)) // as every Go program does, or before it is one
			if m.screen {
				all = append(all, 128+int(s))
			}
		}
	}
	if !m.screen || m.until == nil {
		all = append(all, 0) // it was done
	}
	return all
}

// Whenever a signal comes: nobody is left, nothing lies in the folder for scratch files, the
// terminal is as it was, the status says which signal it was, and files are whole.
func TestHostileDeaths(t *testing.T) {
	h := hostilely(t)
	big := largeProcess(t)
	o := newOrphanage(t)
	t.Run("all", func(t *testing.T) {
		for n := range h.deaths {
			m := moments[n%len(moments)]
			k := killings[h.IntN(len(killings))]
			delay := time.Duration(h.Int64N(int64(m.within)))
			t.Run(fmt.Sprintf("%d %s %s after %v", n, m.name, k.name, delay), func(t *testing.T) {
				t.Parallel()
				dies(t, o, m, k, delay, big)
			})
		}
	})
}

func dies(t *testing.T, o *orphanage, m moment, k killing, delay time.Duration, big int) {
	dir := t.TempDir()
	scratch := filepath.Join(dir, "scratch")
	must(t, os.Mkdir(scratch, 0o700))
	l := newLine(t, 100, 30)
	a := o.start(func() *attached {
		cmd := exec.Command(program(t), strings.Fields(strings.NewReplacer("FOLDER", dir, "BIG", strconv.Itoa(big)).Replace(m.args))...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = l.tty, l.tty, l.tty
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
		if m.script != "" {
			cmd.Stdin = strings.NewReader(m.script)
		}
		return l.start(cmd, "TMPDIR="+scratch, "XDG_STATE_HOME="+dir)
	})
	if m.until != nil {
		m.until(a)
	}
	time.Sleep(delay) // the moment that the seed has drawn
	for _, s := range k.with {
		if err := a.cmd.Process.Signal(s); err != nil { // it has ended
			break
		}
	}
	a.ends(patience)
	if left := o.empty(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	s := a.cmd.ProcessState.Sys().(syscall.WaitStatus)
	status := s.ExitStatus()
	if s.Signaled() {
		status = -int(s.Signal())
	}
	if want := k.ends(m); !slices.Contains(want, status) {
		t.Errorf("status %d, want one of %v: %q", status, want, tail(a.afterScreen()))
	}
	if strings.Contains(l.text(), "\x1b[?1049h") {
		a.gave()
	} else if now := a.termios(); now != a.before {
		t.Errorf("the settings were %+v and are %+v", a.before, now)
	}
	if in := names(t, scratch); in != "" {
		t.Errorf("scratch files: %s", in)
	}
	whole(t, dir)
}

// whole checks the files that a program was writing when it died.
func whole(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "a.svg")); err == nil {
		wholePicture(t, filepath.Join(dir, "a.svg"))
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a.jsonl")); err == nil && len(b) > 0 {
		if rec, err := saved.Read(bytes.NewReader(b)); err != nil && (rec == nil && bytes.Contains(b, []byte("\n")) || !regexp.MustCompile("in the middle of|not a saved session|ends before").MatchString(err.Error())) {
			t.Errorf("the saved session: %v", err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a.cast")); err == nil && len(b) > 0 {
		b = b[:bytes.LastIndexByte(b, '\n')+1] // but for the last line, if that is half of one
		if _, _, err := cast.Read(bytes.NewReader(b)); err != nil && len(b) > 0 {
			t.Errorf("the recording: %v", err)
		}
	}
}

// largeProcess is a process with many mappings: this one.
func largeProcess(t *testing.T) int {
	t.Helper()
	const mappings = 8000
	page := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, 2*mappings*page, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	must(t, err)
	t.Cleanup(func() { unix.Munmap(b) })
	for i := range mappings {
		must(t, unix.Mprotect(b[2*i*page:(2*i+1)*page], unix.PROT_NONE))
	}
	return os.Getpid()
}
