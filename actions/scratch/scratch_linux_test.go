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

// A file can have several names, and lives until the last one goes.
func TestTwoNames(t *testing.T) {
	f := folder(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	names := func(want string) {
		t.Helper()
		var got []string
		for _, e := range f.Entries() {
			got = append(got, fmt.Sprintf("%s:%d:%v", e.Name, e.Size, e.Removed))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s, want %s", strings.Join(got, " "), want)
		}
	}
	must(f.Make("a", 10))
	must(f.Link("a", "b"))
	must(f.Truncate("b", 20))
	names("a:20:false b:20:false")
	if e := f.Entries(); !e[0].Is(e[1]) {
		t.Error("two names of one file:", e)
	}
	must(f.Remove("a"))
	f.Release(func(history.File) bool { return false })
	names("b:20:false")
	must(f.Make("a", 0))
	must(f.Rename("a", "b"))
	names("b:20:true b:0:false")
	must(f.Link("b", "c"))
	must(f.Rename("b", "c")) // names of one file: nothing is done (rename(2))
	must(f.Rename("c", "d"))
	names("b:20:true b:0:false d:0:false")
	f.Release(func(history.File) bool { return false })
	names("b:0:false d:0:false")
	for range 2 {
		must(f.Memfd("m", 4096, 0))
	}
	must(f.Make("m", 5)) // creat(2) finds no memfd
	names("b:0:false d:0:false m:4096:true m:4096:true m:5:false")
	must(f.Memfd("m", 1, 0))
	var bad *NameError
	for _, err := range []error{f.Link("m", "n"), f.Rename("m", "n"), f.Link("b", "d"), f.Link("b", "a/b"), f.Rename("b", ".."), f.Rename("no", "n"), f.Memfd("/m", 0, 0)} {
		if !errors.As(err, &bad) {
			t.Error("the name was not refused:", err)
		}
	}
	names("b:0:false d:0:false m:4096:true m:4096:true m:5:true m:1:false")
	f.Release(func(history.File) bool { return false })
	for i := range MostFiles - 3 {
		must(f.Link("b", fmt.Sprint(i)))
	}
	var full *FullError
	for _, err := range []error{f.Link("b", "more"), f.Make("more", 0), f.Memfd("more", 0, 0)} {
		if !errors.As(err, &full) || full.Files != MostFiles {
			t.Error("one more:", err)
		}
	}
}

// What is refused changes nothing.
func TestRefusedIsUndone(t *testing.T) {
	f := folder(t)
	if err := f.Make("a", 10); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write("a", 0, []byte("text")); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{f.Make("a", 1<<63), f.Memfd("a", 1<<63, 0), f.Make("b", 1<<63), f.Memfd(strings.Repeat("x", 250), 0, 0)} {
		if !errors.Is(err, syscall.EINVAL) {
			t.Error(err)
		}
	}
	if b, err := f.Read("a", 0, 100); string(b) != "text\x00\x00\x00\x00\x00\x00" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if e := f.Entries(); len(e) != 1 || e[0].Size != 10 || e[0].Removed {
		t.Error(e)
	}
}

// A memfd is counted by its pages, whoever made them.
func TestMemfd(t *testing.T) {
	f := folder(t)
	const allowSealing, punch = 2, 3
	if err := f.Memfd("m", 1<<20, allowSealing); err != nil {
		t.Fatal(err)
	}
	page := uint64(os.Getpagesize())
	if f.Used() != 0 {
		t.Error("an empty one takes", f.Used())
	}
	if err := f.Allocate("m", 0, 0, 8*page); err != nil || f.Used() != 8*page {
		t.Error("8 pages take", f.Used(), err)
	}
	if err := f.Allocate("m", punch, page, 3*page); err != nil || f.Used() != 5*page {
		t.Error("5 pages take", f.Used(), err)
	}
	list := f.Entries()
	noexec := list[0].Seals // by vm.memfd_noexec
	if err := f.Seal("m", history.SealGrow|history.SealShrink); err != nil {
		t.Fatal(err)
	}
	if e := f.Entries()[0]; e.Seals&^noexec != history.SealGrow|history.SealShrink || list[0].Seals != noexec {
		t.Error("sealed:", e, "before:", list)
	}
	if err := f.Truncate("m", 0); !errors.Is(err, syscall.EPERM) {
		t.Error("truncate:", err)
	}
	if err := f.Memfd("m", 0, 0); err != nil || noexec == 0 && f.Entries()[1].Seals != history.SealSeal {
		t.Error("without sealing:", f.Entries(), err)
	}
}

// The errno is the kernel's.
func TestErrnos(t *testing.T) {
	f := folder(t)
	if err := f.Make("data", 1<<63); !errors.Is(err, syscall.EINVAL) {
		t.Error("a negative size:", err)
	}
	if err := f.Make("data", 1); err != nil {
		t.Fatal(err)
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
		"..":                         "cannot be the name|cannot be the name",
		"a/b":                        "cannot be the name|cannot be the name",
		"../data":                    "cannot be the name|cannot be the name",
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
