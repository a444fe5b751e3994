package saved_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cowscope/actions/saved"

	"golang.org/x/sys/unix"
)

const header = `{"cowscope":"session","version":1,"kernel":"Linux 6.18","arch":"amd64","page_size":4096}` + "\n"

// Only what is a session may be overwritten, and only once there is something to write.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("thesis", "years of work\n")
	write("json", `{"cowscope":"snapshot","version":1}`+"\n")
	write("binary", strings.Repeat("\x00", 1<<20))
	write("old", header+strings.Repeat("old\n", 100))
	write("newer", `{"cowscope":"session","version":7}`+"\n")
	write("empty", "")
	write("linked", header)
	if err := os.Symlink("linked", at("link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"thesis": "is not a saved session", "json": "is not a saved session", "binary": "is not a saved session", "fifo": "a pipe",
		"link": "symbolic link", ".": "folder", "none/file": "no such file", "old": "", "newer": "", "empty": "", "new": "",
	} {
		before, _ := os.ReadFile(at(strings.Replace(name, "fifo", "empty", 1))) // which nobody writes to
		f, err := saved.Create(at(name))
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := saved.Create(at(name)); err == nil || !strings.Contains(err.Error(), "another cowscope") {
			t.Errorf("%s, twice: %v", name, err)
		}
		if now, _ := os.ReadFile(at(name)); !bytes.Equal(now, before) {
			t.Errorf("%s was touched before the session began", name)
		}
		f.Write([]byte("one "))
		f.Write([]byte("two"))
		f.Close()
		now, err := os.ReadFile(at(name))
		st, _ := os.Stat(at(name))
		mode := os.FileMode(0o644) // which its owner chose
		if name == "new" {
			mode = 0o600
		}
		if err != nil || string(now) != "one two" || st.Mode().Perm() != mode {
			t.Errorf("%s: %v, mode %v: %.40q", name, err, st.Mode(), now)
		}
	}
	if b, _ := os.ReadFile(at("thesis")); string(b) != "years of work\n" {
		t.Errorf("the thesis is %q", b)
	}
	// A session that never begins leaves no file, but those that were there.
	for name, left := range map[string]bool{"never": false, "linked": true} {
		f, err := saved.Create(at(name))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if _, err := os.Stat(at(name)); (err == nil) != left {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file of another user is not written to, whatever it holds.
func TestCreateOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a file of another user")
	}
	path := filepath.Join(t.TempDir(), "theirs")
	if err := os.WriteFile(path, []byte(header), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := saved.Create(path); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Error(err)
	}
}
