package tui_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// surroundings are what a shell does before it becomes the program, in a folder of its own, and what
// comes of it.
type surroundings struct {
	name  string
	shell string
	root  bool // only root can do it, in a mount namespace of its own
	// What commands say that fail, as they should; "" for those that work.
	exec, lab, list string
	either          bool   // or they work: it depends on what else the kernel has
	never           string // what exec must not say
}

// run runs a command line with a script on its standard input, and gives what it wrote.
func (s surroundings) run(t *testing.T, script string, args ...string) (out, errs string, status int) {
	t.Helper()
	cmd := s.command(t, args...)
	cmd.Stdin = strings.NewReader(script)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	must(t, cmd.Start())
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	cmd.Wait()
	if !timer.Stop() {
		t.Errorf("%q hangs", args)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

func (s surroundings) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c", s.shell + "\n" + `exec "$0" "$@"`, program(t)}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "XDG_STATE_HOME="+cmd.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if s.root {
		cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	}
	return cmd
}

// screen runs the lab on a terminal; where its screen comes up, it maps, writes and leaves. It gives
// what else was said.
func (s surroundings) screen(t *testing.T, o *orphanage, w, h uint16, args ...string) (said string, status int) {
	t.Helper()
	l := newLine(t, w, h)
	a := o.start(func() *attached {
		cmd := s.command(t, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = l.tty, l.tty, l.tty
		cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
		return l.start(cmd, cmd.Env...)
	})
	for typed, deadline := false, time.After(patience); ; {
		select {
		case <-a.died:
			if status = a.cmd.ProcessState.ExitCode(); status > 1 {
				l.shows("\n")
			}
			if strings.Contains(l.text(), "\x1b[?1049h") {
				a.gave()
				said = a.afterScreen()
			} else if said = l.text(); a.termios() != a.before {
				t.Error("the settings of the terminal are others")
			}
			if left := o.empty(); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
			return strings.ReplaceAll(said, "\r", ""), status
		case <-l.news:
			if !typed && strings.Contains(l.text(), "step") {
				typed = true
				l.keys("m\rw")
				l.shows("as predicted|first touched|anon")
				l.keys("\x03")
			}
		case <-deadline:
			t.Fatalf("it neither shows a screen nor ends: %q", tail(l.text()))
		}
	}
}

// as says what is wrong with an end: want is what is to be told, "" for nothing.
func (s surroundings) as(want string, status int, said string) string {
	if status == 0 && (want == "" || s.either) {
		return ""
	}
	if want == "" || status < 1 || !strings.Contains(said, want) {
		return fmt.Sprintf("status %d, want %q: %.1500q", status, want, said)
	}
	return oneLine(status, said)
}

var environments = []surroundings{
	{name: "no HOME", shell: "unset HOME XDG_STATE_HOME"},
	{name: "HOME is no folder", shell: "export HOME=/dev/null XDG_STATE_HOME="},
	{name: "HOME may not be read", shell: "mkdir h; chmod 0 h; export HOME=$PWD/h XDG_STATE_HOME="},
	{name: "HOME is a device of pipes", shell: "mkfifo h; export HOME=$PWD/h XDG_STATE_HOME="},
	{name: "XDG_STATE_HOME is relative", shell: "export XDG_STATE_HOME=../.."},
	{name: "XDG_RUNTIME_DIR is a loop of links", shell: "ln -s l l; export XDG_RUNTIME_DIR=$PWD/l XDG_CACHE_HOME=$PWD/l"},
	{name: "no TMPDIR there", shell: "export TMPDIR=$PWD/nothing"},
	{name: "TMPDIR may not be written to", shell: "mkdir t; chmod 500 t; export TMPDIR=$PWD/t"},
	{name: "TMPDIR is a file", shell: ">t; export TMPDIR=$PWD/t"},
	{name: "TMPDIR is long", shell: `d=$(printf '%0255d' 0); for i in 1 2 3 4 5 6 7 8 9 0 1 2 3; do mkdir $d; cd $d; done; export TMPDIR=$PWD`},
	{name: "TMPDIR is longer than a path", shell: `export TMPDIR=/$(printf '%05000d' 0)`},
	{name: "TMPDIR has a line feed", shell: "export TMPDIR='a\nb'; mkdir \"$TMPDIR\""},
	{name: "TMPDIR is full", root: true, shell: "mkdir t; mount -t tmpfs -o size=4k none t && cat /dev/zero >t/f 2>/dev/null; export TMPDIR=$PWD/t", exec: "expectations failed"},
	{name: "everything is read-only", root: true, shell: "mount -o remount,ro,bind / / 2>/dev/null || mount -o bind,ro / /"},
	{name: "no /proc", root: true, shell: "umount -l /proc", exec: "/proc", lab: "/proc"},
	{name: "LANG is odd", shell: "export LANG=xx_YY.KOI8-R@x LC_ALL=/ LANGUAGE=::"},
	{name: "LANG is Chinese", shell: "export LANG=zh_CN.UTF-8"},
	{name: "no PATH", shell: "PATH="},
	{name: "nothing in the environment", shell: `exec env -i "$0" "$@"`},
	{name: "no standard input", shell: "exec <&-", lab: "is not one"},
	{name: "no standard error", shell: "exec 2>&-"},
	{name: "ten files", shell: "ulimit -n 10", exec: "ulimit -n", lab: "ulimit -n"},
	{name: "twenty files", shell: "ulimit -n 20", exec: "expectations failed", lab: "too many open files", either: true, never: "did not get"},
	{name: "thirty files", shell: "ulimit -n 30"},
	{name: "little memory", shell: "ulimit -d 800000"},
	{name: "files of no size", shell: "ulimit -f 0", exec: "ulimit -f", lab: "ulimit -f"},
	{name: "a small stack", shell: "ulimit -s 64"},
	{name: "no locked memory, no core, no time", shell: "ulimit -l 0; ulimit -c 0; ulimit -t 20"},
	{name: "umask 777", shell: "umask 777"},
	{name: "the folder is gone", shell: "mkdir d; cd d; rmdir ../d"},
	{name: "signals are ignored", shell: "trap '' HUP INT TERM QUIT PIPE CHLD TSTP TTOU USR1"},
}

// environmentScript uses what a session takes of its surroundings: a scratch file, memory, a child.
const environmentScript = "file data 2p\nmmap 2p rw shared file=data\nwrite a 1\nexpect result ok\nexpect page a 1p shared\nfork\n@p2 write a 2\nexpect bytes a 2\n"

// Whatever a process inherits: the program works, or says in one line what is missing.
func TestHostileEnvironments(t *testing.T) {
	h := hostilely(t)
	o := newOrphanage(t)
	for _, s := range some(h, environments, 8) {
		t.Run(s.name, func(t *testing.T) {
			if s.root && os.Geteuid() != 0 {
				t.Skip("needs root: only it can mount")
			}
			out, errs, status := s.run(t, environmentScript, "exec")
			if why := s.as(s.exec, status, errs); why != "" {
				t.Errorf("exec: %s\n%.600s", why, out)
			} else if s.never != "" && strings.Contains(out, s.never) {
				t.Errorf("exec says %q:\n%s", s.never, out)
			}
			_, errs, status = s.run(t, "", "lesson", "list")
			if why := s.as(s.list, status, errs); why != "" {
				t.Errorf("lesson list: %s", why)
			}
			said, status := s.screen(t, o, 100, 30, "lab")
			if why := s.as(s.lab, status, said); why != "" {
				t.Errorf("lab: %s", why)
			}
			if h.full {
				if out, errs, status := s.run(t, "", "doctor"); status != 0 && (status != 3 || s.exec == "") {
					t.Errorf("doctor: status %d\n%.1000s%s", status, out, errs)
				}
			}
		})
	}
}

// terminals are kinds of terminals, and what is none; lab is what the lab says where it cannot be drawn.
var terminals = []struct {
	w, h uint16
	surroundings
}{
	{1, 1, surroundings{name: "1x1", lab: "at least 40x12"}},
	{39, 12, surroundings{name: "39x12", lab: "at least 40x12"}},
	{80, 11, surroundings{name: "80x11", lab: "at least 40x12"}},
	{500, 3, surroundings{name: "500x3", lab: "this one has 500x3"}},
	{65535, 1, surroundings{name: "65535x1", lab: "this one has 65535x1"}},
	{40, 12, surroundings{name: "40x12"}},
	{79, 23, surroundings{name: "79x23"}},
	{80, 24, surroundings{name: "80x24"}},
	{500, 12, surroundings{name: "500x12"}},
	{20000, 20000, surroundings{name: "20000x20000"}},
	{65535, 65535, surroundings{name: "65535x65535"}},
	{80, 24, surroundings{name: "no TERM", shell: "unset TERM"}},
	{80, 24, surroundings{name: "TERM is empty", shell: "TERM="}},
	{80, 24, surroundings{name: "TERM=dumb", shell: "TERM=dumb", lab: "TERM is dumb"}},
	{80, 24, surroundings{name: "TERM=unknown", shell: "TERM=unknown"}},
	{80, 24, surroundings{name: "TERM is a path", shell: "TERM=../../../dev/zero"}},
	{80, 24, surroundings{name: "TERM=vt100", shell: "TERM=vt100"}},
	{80, 24, surroundings{name: "TERM=linux", shell: "TERM=linux; unset COLORTERM"}},
	{80, 24, surroundings{name: "standard input is none", shell: "exec </dev/null", lab: "is not one"}},
	{80, 24, surroundings{name: "standard input is full of zeros", shell: "exec </dev/zero", lab: "is not one"}},
	{80, 24, surroundings{name: "standard output is none", shell: "exec >/dev/null", lab: "is not one"}},
	{80, 24, surroundings{name: "standard error is none", shell: "exec 2>/dev/null"}},
	{80, 24, surroundings{name: "standard error is closed", shell: "exec 2>&-"}},
	{80, 24, surroundings{name: "standard error is full", shell: "exec 2>/dev/full"}},
}

// Whatever the terminal is: the screen is drawn and left, or one line says why not, and not one byte
// more reaches it.
func TestHostileTerminals(t *testing.T) {
	h := hostilely(t)
	o := newOrphanage(t)
	for _, x := range some(h, terminals, 8) {
		t.Run(x.name, func(t *testing.T) {
			said, status := x.screen(t, o, x.w, x.h, "lab")
			if why := x.as(x.lab, status, said); why != "" || strings.Contains(said, "\x1b[?1049") {
				t.Error(why, said)
			}
		})
	}
}
