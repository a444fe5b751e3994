package output

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Links, pipes, devices and other users' files are refused at once and stay as they are.
func TestNotOurs(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	thesis := put(t, at("thesis"), ours+"years of work")
	linked := put(t, at("linked"), ours)
	busy := put(t, at("busy"), ours)
	for _, err := range []error{
		os.Symlink("thesis", at("link")), os.Symlink("nothing", at("dangling")), os.Link(linked, at("linked2")), unix.Mkfifo(at("fifo"), 0o600),
		os.Mkdir(at("dir"), 0o700), os.Symlink("dir", at("linkdir")), os.Chmod(put(t, at("sealed"), ours), 0o400),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]string{
		"link": "symbolic link", "dangling": "symbolic link", "linkdir": "symbolic link", "linked": "hard link", "linked2": "hard link",
		"fifo": "a pipe", "dir": "a folder", "fifo/a": "not a directory", "../../../../../../dev/null": "a device",
	}
	if os.Geteuid() == 0 {
		cases["theirs"] = "another user"
		if err := os.Chown(put(t, at("theirs"), ours), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	} else {
		cases["sealed"] = "permission denied"
		cases["/proc/version"] = "another user"
	}
	for name, want := range cases {
		path := name
		if !filepath.IsAbs(name) {
			path = dir + "/" + name
		}
		for way, write := range ways {
			if way == "New" {
				want = ""
			} else {
				want = cases[name]
			}
			if err := write(path, []byte("x")); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v, want %q", way, name, err, want)
			}
		}
		if err := kind.Check(path); err == nil || !strings.Contains(err.Error(), cases[name]) {
			t.Errorf("Check %s: %v, want %q", name, err, cases[name])
		}
		if _, err := Lock(path); err == nil {
			t.Errorf("%s was locked", name)
		}
	}
	holds(t, thesis, ours+"years of work")
	holds(t, linked, ours)
	if _, err := os.Lstat(at("nothing")); err == nil {
		t.Error("a file was made through a link")
	}
	f, err := kind.Open(busy)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := kind.Open(busy); err == nil || !strings.Contains(err.Error(), "another cowscope is writing") {
		t.Errorf("twice: %v", err)
	}
}

// What is there keeps its mode, but others lose the right to write.
func TestModes(t *testing.T) {
	for name, write := range ways {
		if name == "New" {
			continue
		}
		for mode, want := range map[os.FileMode]os.FileMode{0o600: 0o600, 0o644: 0o644, 0o666: 0o644, 0o640: 0o640, 0o777: 0o755} {
			path := put(t, filepath.Join(t.TempDir(), "a"), ours)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if err := write(path, []byte(ours)); err != nil {
				t.Fatal(err)
			}
			if st, _ := os.Stat(path); st.Mode().Perm() != want {
				t.Errorf("%s: %v became %v", name, mode, st.Mode())
			}
		}
	}
}

// Somebody swaps the name for a link and for a file of his own, all the time: what was not ours to
// write is never touched, and nothing is left beside it.
func TestSwapped(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	const times = 300
	for name, write := range ways {
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		target := put(t, at("target"), ours+"target")
		var stop atomic.Bool
		done := make(chan error, 1)
		lost := 0
		wait := func() { // for no time, or for some that the other may use
			for range rand.N(20) {
				runtime.Gosched()
			}
		}
		go func() {
			var err error
			for n := 0; !stop.Load() && err == nil; n++ {
				thesis := fmt.Sprintf("thesis %d", n)
				err = errors.Join(os.WriteFile(at("his"), []byte(thesis), 0o644), os.Symlink("target", at("link")), os.WriteFile(at("old"), []byte(ours+"old"), 0o644),
					os.Rename(at("old"), at("a")))
				wait()
				err = errors.Join(err, os.Rename(at("link"), at("a")))
				wait()
				if way := []string{"old", "none"}[rand.N(2)]; way == "old" {
					err = errors.Join(err, os.WriteFile(at("old"), []byte(ours+"old"), 0o644), os.Rename(at("old"), at("a")))
				}
				wait()
				if err = errors.Join(err, os.Rename(at("his"), at("a"))); err != nil { // from here on it is his
					break
				}
				there := false
				for n := 0; n < 10_000 && !there; n++ { // it may be beside its place for a moment, or stay there
					aside, _ := filepath.Glob(at(".cowscope-*"))
					for _, name := range append(aside, at("a")) {
						b, _ := os.ReadFile(name)
						there = there || string(b) == thesis
					}
				}
				if !there {
					lost++
				}
			}
			done <- err
		}()
		wrote, tried := 0, 0
		var late time.Time // on a busy machine the other one may run all the time
		few := func() bool { return wrote < times/100 && name != "New" && time.Now().Before(late) }
		for late = time.Now().Add(time.Minute); wrote < times && tried < 30*times || few(); tried++ {
			if write(at("a"), []byte(ours+"new")) == nil {
				wrote++
			}
			wait()
		}
		stop.Store(true)
		if err := <-done; err != nil {
			t.Error(name, err)
		}
		holds(t, target, ours+"target")
		if lost > 0 {
			t.Errorf("%s: %d files of his were lost", name, lost)
		}
		os.Remove(at("his"))
		os.Remove(at("link"))
		os.Remove(at("old"))
		os.Remove(at("a"))
		aside, _ := filepath.Glob(at(".cowscope-*"))
		for _, f := range aside { // which is all right for what is his
			if b, err := os.ReadFile(f); err == nil && string(b) == ours+"new" {
				t.Errorf("%s: %s was left behind", name, f)
			}
			os.Remove(f)
		}
		alone(t, dir, "target")
		if wrote < times/100 && name != "New" {
			t.Errorf("%s: only %d of %d were written, and so little was tried", name, wrote, tried)
		}
		t.Logf("%s: %d of %d were written", name, wrote, tried)
	}
}

// Several that write at once leave the file of one of them.
func TestWriteAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	whole := func(c byte) []byte { return append([]byte(ours), bytes.Repeat([]byte{c}, 1<<16)...) }
	done := make(chan error, 8)
	for i := range cap(done) {
		go func() {
			var err error
			for range 50 {
				err = errors.Join(err, kind.Write(path, whole('a'+byte(i))))
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) != len(ours)+1<<16 || !bytes.Equal(b, whole(b[len(b)-1])) {
			t.Errorf("half a file: %d bytes, %v", len(b), err)
		}
	}
	alone(t, dir, "a")
}

// In a folder in which nothing can be made, what is written at once says so and what is streamed
// goes into what is there.
func TestReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		again(t, 65534) // root may write everywhere
		return
	}
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "a"), ours)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if err := kind.Write(path, []byte(ours+"new")); err == nil || !strings.Contains(err.Error(), "no file can be made in its folder: permission denied") {
		t.Error(err)
	}
	holds(t, path, ours)
	if err := opened(path, []byte(ours+"new")); err != nil {
		t.Error(err)
	}
	holds(t, path, ours+"new")
	for way := range ways {
		if err := ways[way](path+"new", []byte(ours)); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s, a new one: %v", way, err)
		}
	}
}

// again runs a test as another user.
func again(t *testing.T, uid uint32) {
	t.Helper()
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	c.Env = append(os.Environ(), "TMPDIR="+shared(t))
	c.Dir = "/"
	if out, err := c.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("as user %d: %v\n%s", uid, err, out)
	}
}

// shared is a folder as /tmp is: everybody may make files in it, and nobody may remove those of
// others.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "output")
	if err == nil {
		err = os.Chmod(dir, 0o777|os.ModeSticky)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// What has come to stand in the place since it was looked at is put back.
func TestPutBack(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"thesis": func(path string) error { return os.WriteFile(path, []byte("years of work"), 0o644) },
		"link":   func(path string) error { return os.Symlink("thesis", path) },
		"pipe":   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"naught": func(string) error { return nil },
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		d, err := openFolder(path)
		if err != nil {
			t.Fatal(err)
		}
		draft, err := d.draft()
		if err != nil {
			t.Fatal(err)
		}
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(path)
		err = kind.replace(draft)
		draft.drop()
		d.close()
		if !errors.Is(err, errAgain) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "naught" {
			alone(t, dir)
			continue
		}
		after, err := os.Lstat(path)
		if err != nil || !os.SameFile(before, after) {
			t.Errorf("%s was replaced", name)
		}
		alone(t, dir, "a")
	}
}

// Where files have no second name and names cannot be exchanged, the same is written by other
// means.
func TestPlainFileSystem(t *testing.T) {
	for name, old := range map[string]string{"over nothing": "", "over an old one": ours + "old"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		if old != "" {
			put(t, path, old)
		}
		d, err := openFolder(path)
		if err != nil {
			t.Fatal(err)
		}
		aside := spare()
		f, err := d.root.OpenFile(aside, os.O_RDWR|os.O_CREATE|os.O_EXCL, private)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(ours + "new")
		draft := &draft{f, d, aside}
		if old == "" {
			err = kind.place(draft)
		} else {
			err = kind.replace(draft)
		}
		draft.drop()
		d.close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		holds(t, path, ours+"new")
		alone(t, dir, "a")
	}
}
