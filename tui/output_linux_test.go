package tui_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cowscope/actions/saved"
	"cowscope/tui/cast"

	"golang.org/x/sys/unix"
)

// The built program, told to write where something is that must not be lost.

// writer is a way to have the program write a file.
type writer struct {
	name   string
	args   string // FILE stands for the file
	ending string // of its name
	screen bool   // on a terminal, which keys leave
	says   string // what its errors begin with
	once   bool   // it is written at once, not as things happen
}

var writers = func() (out []writer) {
	for _, ending := range []string{".svg", ".ansi", ".txt"} {
		out = append(out,
			writer{name: "exec --still", args: "exec --still FILE", ending: ending, says: "--still", once: true},
			writer{name: "demo --still", args: "demo small.cow --steady --still FILE", ending: ending, says: "--still", once: true})
	}
	for _, cmd := range []string{"", "lesson one-page"} {
		out = append(out, writer{name: cmd + " --still", args: cmd + " --still FILE", ending: ".svg", screen: true, says: "--still", once: true},
			writer{name: cmd + " --record", args: cmd + " --record FILE", ending: ".cast", screen: true, says: "--record"},
			writer{name: cmd + " --save", args: cmd + " --save FILE", ending: ".jsonl", screen: true, says: "--save"})
	}
	return append(out,
		writer{name: "exec --save", args: "exec --save FILE", ending: ".jsonl", says: "--save"},
		writer{name: "demo --record", args: "demo small.cow --steady --record FILE", ending: ".cast", says: "--record"},
		writer{name: "demo --save", args: "demo small.cow --steady --still other.svg --save FILE", ending: ".jsonl", says: "--save"},
		writer{name: "lesson new", args: "lesson new FILE", ending: ".md", says: "lesson new", once: true})
}()

// user is somebody who runs the program.
type user struct {
	uid int
	bin string
}

// users are root and somebody else where the tests are run by root, else who runs them; with -short
// that one alone.
func users(t *testing.T) []user {
	t.Helper()
	us := []user{{os.Geteuid(), program(t)}}
	if os.Geteuid() == 0 && !testing.Short() {
		b, err := os.ReadFile(us[0].bin)
		bin := filepath.Join(everybodys(t), "cowscope")
		if err = errors.Join(err, os.WriteFile(bin, b, 0o755), os.Chmod(bin, 0o755)); err != nil {
			t.Fatal(err)
		}
		us = append(us, user{65534, bin})
	}
	return us
}

// everybodys is a folder as /tmp is.
func everybodys(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cowscope-output")
	if err == nil {
		err = os.Chmod(dir, 0o777|os.ModeSticky)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// home is a folder of a user, with a demo in it.
func (u user) home(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(everybodys(t), "home")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "small.cow"), []byte("# Small\na = mmap 1p rw private anon\nwrite a 1\n"), 0o644), os.Chown(dir, u.uid, u.uid)); err != nil {
		t.Fatal(err)
	}
	u.owns(t, filepath.Join(dir, "small.cow"))
	return dir
}

func (u user) owns(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.Lchown(p, u.uid, u.uid); err != nil {
			t.Fatal(err)
		}
	}
}

// command is the program, run by the user in dir.
func (u user) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, u.bin, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_STATE_HOME="+filepath.Join(dir, "state"))
	cmd.Stdin = strings.NewReader("mmap 4p rw private anon\n")
	if u.uid != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.uid)}}
	}
	return cmd
}

// run runs a writer to its end.
func (u user) run(t *testing.T, w writer, dir, path string) (out string, status int) {
	t.Helper()
	args := strings.Fields(strings.ReplaceAll(w.args, "FILE", "\x00"))
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "\x00", path)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	cmd := u.command(ctx, dir, args...)
	if w.screen {
		cmd.Stdin = nil
		c := launch(t, cmd, 100, 30, cmd.Env[len(cmd.Env)-2:])
		for shown := false; ; {
			select {
			case <-c.over:
				status = c.ends()
				return c.wrote(), status
			case <-c.news:
				if !shown && strings.Contains(c.text(), "step 0/0") {
					shown = true
					c.keys("\x03")
				}
			case <-ctx.Done():
				t.Fatalf("%s %s hangs:\n%s", w.name, path, c.text())
			}
		}
	}
	b, _ := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s %s hangs: %s", w.name, path, b)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// wrote is all that the program wrote.
func (c *console) wrote() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

const thesis = "years of work\n"

// obstacle is something that stands where a file is to be written. make gives the files whose
// content must stay.
type obstacle struct {
	name string
	who  func(uid int) bool // who it stands in the way of; nil for everybody
	make func(t *testing.T, u user, path string) (keep []string)
	says string
}

var obstacles = []obstacle{
	{"a text", nil, func(t *testing.T, u user, path string) []string { return []string{text(t, u, path)} }, "is there already and is not"},
	{"a text that may not be read", nil, func(t *testing.T, u user, path string) []string {
		text(t, u, path)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		return []string{path}
	}, ""},
	{"a link to a text", nil, func(t *testing.T, u user, path string) []string {
		target := text(t, u, path+".target")
		must(t, os.Symlink(target, path))
		u.owns(t, path)
		return []string{target}
	}, "symbolic link"},
	{"a dangling link", nil, func(t *testing.T, u user, path string) []string {
		must(t, os.Symlink(path+".nothing", path))
		u.owns(t, path)
		return nil
	}, "symbolic link"},
	{"a hard link", nil, func(t *testing.T, u user, path string) []string {
		other := text(t, u, path+".other")
		must(t, os.Link(other, path))
		return []string{other, path}
	}, "hard link"},
	{"a pipe", nil, func(t *testing.T, u user, path string) []string {
		must(t, unix.Mkfifo(path, 0o600))
		u.owns(t, path)
		return nil
	}, "a pipe"},
	{"a folder", nil, func(t *testing.T, u user, path string) []string {
		must(t, os.Mkdir(path, 0o700))
		u.owns(t, path)
		return nil
	}, "a folder"},
	{"a socket", nil, func(t *testing.T, u user, path string) []string {
		l, err := net.Listen("unix", path)
		must(t, err)
		t.Cleanup(func() { l.Close() })
		return nil
	}, "a socket"},
	{"a device", byRoot, func(t *testing.T, u user, path string) []string {
		must(t, unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		u.owns(t, path)
		return nil
	}, "a device"},
	{"another user's file in a folder of everybody", byRoot, func(t *testing.T, u user, path string) []string {
		must(t, os.Chown(filepath.Dir(path), 0, 0))
		must(t, os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky))
		text(t, user{uid: 65534 - u.uid}, path)
		must(t, os.Chmod(path, 0o666))
		return []string{path}
	}, "another user"},
	{"a folder that may not be written to", func(uid int) bool { return uid != 0 }, func(t *testing.T, u user, path string) []string {
		must(t, os.Chmod(filepath.Dir(path), 0o500))
		return nil
	}, "permission denied"},
}

// byRoot says whether what only root can make can be made.
func byRoot(int) bool { return os.Geteuid() == 0 }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, u user, path string) string {
	t.Helper()
	must(t, os.WriteFile(path, []byte(thesis), 0o644))
	u.owns(t, path)
	return path
}

// names are what is in a folder.
func names(t *testing.T, dir string) string {
	t.Helper()
	es, err := os.ReadDir(dir)
	must(t, err)
	var out []string
	for _, e := range es {
		out = append(out, e.Name()+" "+e.Type().String())
	}
	return strings.Join(out, "\n")
}

// Whatever stands there stays as it is, and the error says what it is and which flag met it. Nobody
// waits.
func TestHostileOutput(t *testing.T) {
	for _, u := range users(t) {
		for _, o := range obstacles {
			if o.who != nil && !o.who(u.uid) {
				continue
			}
			for _, w := range writers {
				t.Run(fmt.Sprintf("user %d, %s%s over %s", u.uid, w.name, w.ending, o.name), func(t *testing.T) {
					t.Parallel()
					meets(t, u, w, o)
				})
			}
		}
	}
}

// meets has a writer meet an obstacle.
func meets(t *testing.T, u user, w writer, o obstacle) {
	t.Helper()
	dir := u.home(t)
	folder := filepath.Join(dir, "in")
	must(t, os.Mkdir(folder, 0o700))
	u.owns(t, folder)
	path := filepath.Join(folder, "a"+w.ending)
	keep := o.make(t, u, path)
	before := names(t, folder)
	out, status := u.run(t, w, dir, path)
	says := o.says
	if w.name == "lesson new" && says != "" && says != "permission denied" {
		says = "already"
	}
	if status != 2 || !strings.Contains(out, "cowscope: "+w.says+" "+path+": ") || !strings.Contains(out, says) {
		t.Errorf("status %d, want 2 and %q:\n%.600s", status, says, out)
	}
	if after := names(t, folder); after != before {
		t.Errorf("the folder held\n%s\nand holds\n%s", before, after)
	}
	for _, k := range keep {
		os.Chmod(k, 0o600)
		if b, err := os.ReadFile(k); string(b) != thesis {
			t.Errorf("%s holds %.40q, %v", k, b, err)
		}
	}
	os.Chmod(folder, 0o700)
}

// The same command can be run again, and leaves one private file.
func TestHostileOutputTwice(t *testing.T) {
	for _, u := range users(t) {
		for _, w := range writers {
			t.Run(fmt.Sprintf("user %d, %s%s", u.uid, w.name, w.ending), func(t *testing.T) {
				t.Parallel()
				dir := u.home(t)
				path := filepath.Join(dir, "in", "a"+w.ending)
				must(t, os.Mkdir(filepath.Dir(path), 0o700))
				u.owns(t, filepath.Dir(path))
				for n := range 2 {
					want := 0
					if n == 1 && w.name == "lesson new" {
						want = 2
					}
					if out, status := u.run(t, w, dir, path); status != want {
						t.Errorf("run %d: status %d\n%.600s", n+1, status, out)
					}
				}
				st, err := os.Stat(path)
				must(t, err)
				if st.Mode() != 0o600 || st.Size() == 0 || int(st.Sys().(*syscall.Stat_t).Uid) != u.uid {
					t.Errorf("%v, %d bytes", st.Mode(), st.Size())
				}
				if got := names(t, filepath.Dir(path)); got != "a"+w.ending+" ----------" {
					t.Errorf("left\n%s", got)
				}
			})
		}
	}
}

// Devices, and names of no file, whose ending does not matter: nothing is written there.
func TestHostileOutputPlaces(t *testing.T) {
	h := hostilely(t)
	u := user{os.Geteuid(), program(t)}
	type row struct {
		writer
		path, says string
	}
	var rows []row
	for _, w := range writers {
		if w.ending == ".cast" || w.ending == ".jsonl" { // the others are named by what they hold
			rows = append(rows, []row{{w, "/dev/full", "a device"}, {w, "/dev/null", "a device"}, {w, "/dev/stdout", "symbolic link"}, {w, "-", "standard output is taken"},
				{w, "/", "a folder"}, {w, "in/", "a folder"}, {w, "..", "a folder"}, {w, "/proc/self/mem", ""}, {w, "/nonexistent/x", "no such file"}, {w, "/dev/null/x", "not a directory"},
				{w, strings.Repeat("x", 300), "too long"}}...)
		}
	}
	for _, r := range some(h, rows, 8) {
		dir := u.home(t)
		must(t, os.Mkdir(filepath.Join(dir, "in"), 0o700))
		out, status := u.run(t, r.writer, dir, r.path)
		if status != 2 || !strings.Contains(out, "cowscope: "+r.writer.says+" "+r.path+": ") || !strings.Contains(out, r.says) {
			t.Errorf("%s %s: status %d, want 2 and %q:\n%.600s", r.name, r.path, status, r.says, out)
		}
	}
}

// On a disk that is full, or where no file may be large, what is written as things happen is whole up
// to there, and that is told.
func TestHostileOutputFills(t *testing.T) {
	h := hostilely(t)
	u := user{os.Geteuid(), program(t)}
	shells := map[string]string{"no file may be as large": `ulimit -f 32; f="$1"; `}
	if u.uid == 0 {
		shells["a disk without room"] = `mkdir "$1.d" && mount -t tmpfs -o size=12k none "$1.d" && f="$1.d/a"; `
	}
	for name, shell := range shells {
		for _, line := range some(h, []string{`exec --save "$f" many.cow >/dev/null`, `demo many.cow --steady --record "$f"`}, 1) {
			dir := u.home(t)
			must(t, os.WriteFile(filepath.Join(dir, "many.cow"), []byte("# Many\na = mmap 1p rw private anon\n"+strings.Repeat("write a 1\nwrite a 2\nmprotect a r\nmprotect a rw\n", 12)), 0o644))
			cmd := u.command(t.Context(), dir)
			path := filepath.Join(dir, "a")
			cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", shell + `"$0" ` + line + `; s=$?; cp "$f" "$1.copy"; exit $s`, u.bin, path}
			if u.uid == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			}
			out, _ := cmd.CombinedOutput()
			flag := strings.Fields(line)[len(strings.Fields(line))-2]
			if strings.HasPrefix(line, "exec") {
				flag = "--save"
			}
			if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(out), flag+" "+path) || !strings.Contains(string(out), "no space left") && !strings.Contains(string(out), "too large") {
				t.Errorf("%s, %s: status %d\n%s", name, line, code, out)
			}
			b, err := os.ReadFile(path + ".copy")
			must(t, err)
			if flag == "--save" {
				if rec, err := saved.Read(bytes.NewReader(b)); rec == nil || len(rec.Steps) < 2 || err != nil && !strings.Contains(err.Error(), "in the middle of a step") {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, events, _ := cast.Read(bytes.NewReader(b)); len(events) < 2 {
				t.Errorf("%s: only %d events", name, len(events))
			}
		}
	}
}

// On a disk that is full the old picture stays whole, and the error is told.
func TestHostileOutputFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	for _, u := range users(t) {
		for _, ending := range []string{".svg", ".ansi", ".txt"} {
			dir := u.home(t)
			path := filepath.Join(dir, "a"+ending)
			w := writer{args: "exec --still FILE"}
			if out, status := u.run(t, w, dir, path); status != 0 {
				t.Fatal(status, out)
			}
			old, err := os.ReadFile(path)
			must(t, err)
			before := names(t, dir)
			scripts := map[string]string{ // run as sh -c SCRIPT BIN FILE
				"no file may be as large": `ulimit -f 64; exec "$0" exec --size 400x120 --still "$1"`, // the subject's own is smaller
			}
			if u.uid == 0 {
				scripts["a disk without room"] = `mkdir "$1.d" && mount -t tmpfs -o size=64k none "$1.d" && cp "$1" "$1.d/" && f="$1.d/$(basename "$1")" || exit 99
					cat /dev/zero > "$1.d/fill" 2>/dev/null
					"$0" exec --still "$f"; status=$?
					cmp "$1" "$f" || exit 98
					[ "$(ls -A "$1.d" | wc -l)" = 2 ] || exit 97
					umount "$1.d" && rmdir "$1.d"; exit $status`
			}
			for name, script := range scripts {
				ctx, stop := context.WithTimeout(t.Context(), patience)
				cmd := u.command(ctx, dir)
				cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", script, u.bin, path}
				if u.uid == 0 {
					cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
				}
				out, _ := cmd.CombinedOutput()
				stop()
				if code := cmd.ProcessState.ExitCode(); code != 2 || !bytes.Contains(out, []byte("cowscope: --still ")) {
					t.Errorf("user %d, %s, %s: status %d\n%s", u.uid, ending, name, code, out)
				}
				if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, old) {
					t.Errorf("user %d, %s, %s: the old picture is gone: %d bytes, %v", u.uid, ending, name, len(now), err)
				}
				if after := names(t, dir); after != before {
					t.Errorf("user %d, %s, %s: the folder holds\n%s", u.uid, ending, name, after)
				}
			}
		}
	}
}

// Two that record, or save, into one file: the second is told, and what the first writes stays
// whole. Two that draw a picture leave one of them.
func TestHostileOutputAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	for _, flag := range []string{"--record", "--save"} {
		path := filepath.Join(t.TempDir(), "a")
		first := start(t, 80, 24, nil, flag, path)
		first.sees("step 0/0").keys("m\r").sees("step 1/1")
		second := start(t, 80, 24, nil, flag, path)
		<-second.over
		if code := second.ends(); code != 2 || !strings.Contains(second.wrote(), "another cowscope is writing") {
			t.Errorf("%s: the second ended with %d:\n%s", flag, code, second.text())
		}
		first.keys("w").sees("step 2/2").keys("q")
		if code := first.ends(); code != 0 {
			t.Errorf("%s: the first ended with %d", flag, code)
		}
		if flag == "--record" {
			readCast(t, path)
			continue
		}
		if out, err := exec.Command(program(t), "replay", "--list", path).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("write")) {
			t.Errorf("%s: %v\n%s", flag, err, out)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.svg")
	u := user{os.Geteuid(), program(t)}
	var cmds []*exec.Cmd
	for range 8 {
		cmd := u.command(t.Context(), dir, "exec", "--still", path)
		must(t, cmd.Start())
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	wholePicture(t, path)
	if got := names(t, dir); got != "a.svg ----------" {
		t.Errorf("left\n%s", got)
	}
}

func wholePicture(t *testing.T, path string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(b, []byte("<svg ")) || !bytes.HasSuffix(b, []byte("</svg>\n")) {
		t.Errorf("no whole picture: %d bytes, %v", len(b), err)
	}
}

// Killed at any moment, the picture is the old one or the new one, and at most one file is left
// beside it.
func TestHostileOutputKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	u := user{os.Geteuid(), program(t)}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.svg")
	began := time.Now()
	if out, status := u.run(t, writer{args: "exec --still FILE"}, dir, path); status != 0 {
		t.Fatal(out)
	}
	took := time.Since(began)
	const times = 25
	for n := range times {
		cmd := u.command(t.Context(), dir, "exec", "--still", path)
		must(t, cmd.Start())
		timer := time.AfterFunc(took*time.Duration(n+1)/times, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
		wholePicture(t, path)
		beside, _ := filepath.Glob(filepath.Join(dir, ".cowscope-*"))
		if len(beside) > 1 {
			t.Errorf("left beside it: %q", beside)
		}
		for _, b := range beside {
			os.Remove(b)
		}
		if got := names(t, dir); got != "a.svg ----------" {
			t.Errorf("left\n%s", got)
		}
	}
}

// The key that draws a picture takes the first free name, whatever stands under the others.
func TestHostileOutputByKey(t *testing.T) {
	u := user{os.Geteuid(), program(t)}
	dir := u.home(t)
	at := func(n int) string { return filepath.Join(dir, fmt.Sprintf("cowscope-%d.svg", n)) }
	text(t, u, at(1))
	must(t, os.Symlink(at(1), at(2)))
	must(t, os.Symlink("nothing", at(3)))
	must(t, unix.Mkfifo(at(4), 0o600))
	cmd := u.command(t.Context(), dir)
	cmd.Stdin = nil
	c := launch(t, cmd, 100, 30, nil)
	c.sees("step 0/0").keys("P").sees("the picture is in cowscope-5.svg").keys("q")
	c.ends()
	wholePicture(t, at(5))
	if b, _ := os.ReadFile(at(1)); string(b) != thesis {
		t.Errorf("the text is %q", b)
	}
	if _, err := os.Lstat(filepath.Join(dir, "nothing")); err == nil {
		t.Error("a file was made through a link")
	}
}
