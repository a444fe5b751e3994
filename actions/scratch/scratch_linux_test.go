package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cowscope/actions/history"
)

func folder(t *testing.T, allowed ...string) *Folder {
	t.Helper()
	f, err := New(allowed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestFiles(t *testing.T) {
	f := folder(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.Make("data", 5000))
	if n, err := f.Size("data"); n != 5000 || err != nil {
		t.Errorf("size %d, %v", n, err)
	}
	if n, err := f.Write("data", 4998, []byte("abcd")); n != 4 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	if b, err := f.Read("data", 4997, 100); string(b) != "\x00abcd" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if b, err := f.Read("data", 9000, 100); len(b) != 0 || err != nil {
		t.Errorf("behind the end: %q, %v", b, err)
	}
	must(f.Truncate("data", 4999))
	if b, err := f.Read("data", 4997, 100); string(b) != "\x00a" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	before := f.Entries()[0]
	before.Size = 1
	must(f.Make("data", 1)) // emptied, not made anew
	if e := f.Entries(); len(e) != 1 || e[0] != before || e[0].Inode == 0 {
		t.Errorf("%v became %v", before, e)
	}
	if f.Used() == 0 {
		_, err := f.Write("data", 0, make([]byte, 100000))
		must(err)
	}
	used := f.Used()
	if used == 0 {
		t.Error("100000 bytes take no room")
	}
	must(f.Remove("data"))
	if len(f.Names()) != 0 || f.Used() != used {
		t.Error("after rm:", f.Names(), f.Used())
	}
	f.Release(func(e history.File) bool { return e.Inode == before.Inode })
	must(f.Make("data", 0))
	if e := f.Entries(); len(e) != 2 || e[1].Inode == before.Inode {
		t.Error("a new file of the name is another file:", e)
	}
	f.Release(func(history.File) bool { return false })
	if e := f.Entries(); len(e) != 1 || e[0].Removed || f.Used() != 0 {
		t.Error("after all are let go of:", e, f.Used())
	}
}

// The number of files has a limit, those that are removed and mapped included.
func TestFull(t *testing.T) {
	f := folder(t)
	for i := range MostFiles {
		if err := f.Make(fmt.Sprint(i), 10); err != nil {
			t.Fatal(err)
		}
	}
	list := f.Entries()
	if err := f.Remove("7"); err != nil {
		t.Fatal(err)
	}
	if list[7].Removed || !f.Entries()[7].Removed {
		t.Error("a list that was given out has changed, or the new one has not")
	}
	var full *FullError
	if err := f.Make("more", 0); !errors.As(err, &full) || full.Files != MostFiles {
		t.Error("one more:", err)
	}
	if err := f.Make("8", 20); err != nil || f.Entries()[8].Size != 20 {
		t.Error("one that is there is made anew:", err)
	}
	f.Release(func(history.File) bool { return false })
	if err := f.Make("more", 0); err != nil {
		t.Error("after one has gone:", err)
	}
	var bad *NameError
	if err := f.Make(strings.Repeat("x", MaxName+1), 0); !errors.As(err, &bad) {
		t.Error("a long name:", err)
	}
}

// The errno is the kernel's.
func TestErrnos(t *testing.T) {
	f := folder(t)
	if err := f.Make("data", 1<<63); !errors.Is(err, syscall.EINVAL) {
		t.Error("a negative size:", err)
	}
	if _, err := f.Write("data", 1<<63, []byte("x")); !errors.Is(err, syscall.EINVAL) {
		t.Error("a negative offset:", err)
	}
	if err := f.Truncate("data", 1<<62); err != nil && !errors.Is(err, syscall.EFBIG) && !errors.Is(err, syscall.EINVAL) { // tmpfs takes it
		t.Error("a giant:", err)
	}
}

// No folder lists the files: nothing can be left behind.
func TestNameless(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f := folder(t)
	if err := f.Make("data", 5000); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(dir); len(list) != 0 || err != nil {
		t.Error("the folder lists", list, err)
	}
}

// Where no folder will do, the file is made in memory; where one will not, the next is tried.
func TestElsewhere(t *testing.T) {
	t.Setenv("TMPDIR", "/proc")
	f := folder(t)
	if err := f.Make("data", 10); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	inside, link := filepath.Join(dir, "inside"), filepath.Join(dir, "link")
	for _, err := range []error{os.WriteFile(inside, []byte("x"), 0o600), os.Symlink("/etc/passwd", link), os.Mkdir(filepath.Join(dir, "sub"), 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	strict, open := folder(t), folder(t, dir)
	for _, f := range []*Folder{strict, open} {
		if err := f.Make("data", 1); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{ // how strict and open answer: a word of the error, or nothing
		"data":                       "|",
		".":                          "|",
		"/dev/zero":                  "|",
		"nosuch":                     "no file|no file",
		"..":                         "no name|no name",
		"a/b":                        "no name|no name",
		"../data":                    "no name|no name",
		"/etc/passwd":                "outside|outside",
		"/dev/../etc/passwd":         "outside|outside",
		"/dev/zero/":                 "outside|outside",
		"/dev/mem":                   "outside|outside",
		"/nonexistent":               "outside|outside",
		inside:                       "outside|",
		dir:                          "outside|",
		dir + "/sub/../inside":       "outside|",
		link:                         "outside|outside",
		dir + "/../":                 "outside|outside",
		dir + "2":                    "outside|outside",
		filepath.Dir(dir) + "/other": "outside|outside",
	} {
		w1, w2, _ := strings.Cut(want, "|")
		for _, c := range []struct {
			f    *Folder
			want string
		}{{strict, w1}, {open, w2}} {
			x, done, err := c.f.Open(name)
			var bad *NameError
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s: %v", name, err)
			case c.want != "" && (!errors.As(err, &bad) || !strings.Contains(bad.Why, c.want) || bad.Hint == ""):
				t.Errorf("%s: %v, want something of %q", name, err, c.want)
			}
			if err == nil {
				if x == nil {
					t.Error(name, "opened as nothing")
				}
				done()
			}
		}
	}
	if _, err := New([]string{"/nonexistent/path"}); err == nil || !strings.Contains(err.Error(), "--allow-path") {
		t.Error("a path to allow that is not there:", err)
	}
	if _, _, err := open.Open(filepath.Join(dir, "gone")); !errors.Is(err, syscall.ENOENT) {
		t.Error("an allowed name without a file is the kernel's ENOENT:", err)
	}
	for _, name := range []string{"..", "a/b", "/etc/x", "."} {
		if err := strict.Make(name, 1); err == nil {
			t.Error("made", name)
		}
		if _, err := strict.Write(name, 0, nil); err == nil {
			t.Error("wrote", name)
		}
	}
}
