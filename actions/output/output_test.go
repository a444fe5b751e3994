package output

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ours begins each file of the kind that the tests write.
const ours = "ours\n"

var kind = Kind{By: "--flag", What: "one of ours", Mine: func(head io.Reader) bool {
	b, _ := io.ReadAll(head)
	return strings.HasPrefix(string(b), ours)
}}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("%s holds %.60q, want %.60q: %v", path, b, want, err)
	}
}

// alone fails where a folder holds anything else.
func alone(t *testing.T, dir string, names ...string) {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range es {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the folder holds %q, want %q", got, names)
	}
}

// opened is Open and one Write.
func opened(path string, b []byte) error {
	f, err := kind.Open(path)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// ways are the ways to write a file.
var ways = map[string]func(path string, b []byte) error{"Write": kind.Write, "Open": opened, "New": kind.New}

// What is new is whole and private, and nothing is left beside it.
func TestNew(t *testing.T) {
	for name, write := range ways {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		if err := write(path, []byte(ours+"1")); err != nil {
			t.Fatal(name, err)
		}
		holds(t, path, ours+"1")
		alone(t, dir, "a")
		if st, _ := os.Stat(path); st.Mode().Perm()&^0o600 != 0 && nonblock != 0 {
			t.Errorf("%s: mode %v", name, st.Mode())
		}
		err := write(path, []byte(ours+"2"))
		if name == "New" {
			if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "there already") {
				t.Errorf("New over a file: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(name, err)
		}
		holds(t, path, ours+"2")
		alone(t, dir, "a")
	}
}

// A path in which there is nothing to write to is refused, in words that lead on.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), ours)
	for name, write := range ways {
		for path, want := range map[string]string{
			"-":                             "standard output",
			dir:                             "folder",
			dir + "/":                       "folder",
			".":                             "folder",
			"..":                            "folder",
			filepath.Join(dir, "no", "a"):   "no such file",
			filepath.Join(dir, "file", "a"): "not a directory",
			filepath.Join(dir, strings.Repeat("n", 300)): "name too long",
		} {
			if err := write(path, []byte(ours)); err == nil || !strings.Contains(err.Error(), want) && !(name == "New" && strings.Contains(err.Error(), "already")) {
				t.Errorf("%s %q: %v, want %q", name, path, err, want)
			}
		}
	}
	if err := kind.Check("a\x1b[2Jb/c"); err == nil || !strings.HasPrefix(err.Error(), `--flag "a\x1b[2Jb/c": `) {
		t.Errorf("%q", err)
	}
	if f, err := kind.Open(""); f != nil || err != nil || f.Close() != nil {
		t.Error("no path is a file")
	}
	alone(t, dir, "file")
}

// Only what is empty or recognised is overwritten.
func TestRecognised(t *testing.T) {
	dir := t.TempDir()
	for name, write := range ways {
		if name == "New" {
			continue
		}
		for text, want := range map[string]string{ours + "old": "", "": "", "years of work\n": "is not one of ours", ours[:3]: "is not one of ours", strings.Repeat("\x00", 1<<20): "is not one of ours"} {
			path := put(t, filepath.Join(dir, "a"), text)
			err := write(path, []byte("new"))
			if want == "" {
				if err != nil {
					t.Error(name, err)
				}
				holds(t, path, "new")
			} else {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v", name, err)
				}
				holds(t, path, text)
			}
		}
	}
	alone(t, dir, "a")
}

// A file that is opened stays as it was until something is written, and one that was made for
// nothing goes.
func TestOpenWritesLate(t *testing.T) {
	dir := t.TempDir()
	old := put(t, filepath.Join(dir, "old"), ours+strings.Repeat("old", 100))
	f, err := kind.Open(old)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, old, ours+strings.Repeat("old", 100))
	f.Write([]byte("1"))
	f.Write([]byte("2"))
	holds(t, old, "12")
	f.Again()
	holds(t, old, "12")
	f.Write([]byte("3"))
	f.Close()
	holds(t, old, "3")
	if f, err = kind.Open(filepath.Join(dir, "new")); err != nil {
		t.Fatal(err)
	}
	f.Close()
	alone(t, dir, "old")
}

// A check leaves everything as it is, and says what the writing would.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "thesis"), "years of work")
	put(t, filepath.Join(dir, "old"), ours)
	for name, want := range map[string]string{"new": "", "old": "", "thesis": "not one of ours", "no/such": "no such file"} {
		if err := kind.Check(filepath.Join(dir, name)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	holds(t, filepath.Join(dir, "old"), ours)
	alone(t, dir, "old", "thesis")
}
