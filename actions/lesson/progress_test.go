package lesson

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

func progressFile(t *testing.T) (*Progress, string) {
	file := filepath.Join(t.TempDir(), "a", "b", "progress.json")
	return ProgressAt(file), file
}

// marks notes steps as done, and nothing may be wrong.
func marks(t *testing.T, p *Progress, id string, steps ...int) {
	t.Helper()
	for _, n := range steps {
		if told, err := p.Mark(id, n); told != "" || err != nil {
			t.Fatal(told, err)
		}
	}
}

func isDone(t *testing.T, p *Progress, id string, want ...int) {
	t.Helper()
	if got, told := p.Done(id); !slices.Equal(got, want) || told != "" {
		t.Errorf("%s: %v, %q, want %v", id, got, told, want)
	}
}

func TestProgress(t *testing.T) {
	p, file := progressFile(t)
	isDone(t, p, "x")
	marks(t, p, "x", 2, 0, 2)
	marks(t, p, "/a/y.md", 1)
	isDone(t, p, "x", 0, 2)
	isDone(t, ProgressAt(file), "/a/y.md", 1)
	if all, told := p.All(); told != "" || !reflect.DeepEqual(all, map[string][]int{"x": {0, 2}, "/a/y.md": {1}}) {
		t.Error(all, told)
	}
	if told, err := p.Forget("x"); told != "" || err != nil {
		t.Error(told, err)
	}
	isDone(t, p, "x")
	isDone(t, p, "/a/y.md", 1)
	files, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(files) != 2 { // it and its lock
		t.Error(files, err)
	}
}

// A file that cannot be understood is told of, kept, and no obstacle.
func TestDamagedProgress(t *testing.T) {
	for text, why := range map[string]string{
		"":                               "is damaged",
		"{\"version\":1,\"lessons\":{\"": "is damaged",
		"[1]":                            "is damaged",
		"{\"version\":1}":                "is damaged",
		"{\"version\":1,\"lessons\":{\"x\":[-1]}}":         "is damaged",
		"{\"version\":1,\"lessons\":{\"x\":[1000000000]}}": "", // more than the lesson has now
		"{\"version\":7,\"lessons\":{}}":                   "has version 7, and this cowscope knows version 1",
		strings.Repeat(" ", maxProgress+1):                 "is too large",
	} {
		p, file := progressFile(t)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, told := p.Done("x")
		if (told != "") != (why != "") || !strings.Contains(told, why) {
			t.Errorf("%.40q: %q", text, told)
		}
		told, err := p.Mark("x", 3)
		if why == "" {
			isDone(t, p, "x", 3, 1e9)
			continue
		}
		kept, readErr := os.ReadFile(file + ".damaged")
		if err != nil || !strings.Contains(told, why) || readErr != nil || string(kept) != text {
			t.Errorf("%.40q: %q, %v; kept: %v", text, told, err, readErr)
		}
		isDone(t, p, "x", 3)
	}
}

// Where nothing can be written, that is an error, and what was there stays.
func TestProgressNowhere(t *testing.T) {
	p, file := progressFile(t)
	marks(t, p, "x", 1)
	under := ProgressAt(filepath.Join(file, "progress.json"))
	if _, err := under.Mark("x", 1); err == nil {
		t.Error("a file took a folder's place")
	}
	if done, told := under.Done("x"); done != nil || !strings.Contains(told, "not a directory") {
		t.Errorf("%v, %q", done, told)
	}
	isDone(t, p, "x", 1)
}

// The file's place follows the environment.
func TestProgressFile(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	for state, want := range map[string]string{
		"/state":   "/state/cowscope/progress.json",
		"":         "/home/somebody/.local/state/cowscope/progress.json",
		"relative": "/home/somebody/.local/state/cowscope/progress.json",
	} {
		t.Setenv("XDG_STATE_HOME", state)
		if got, err := ProgressFile(); got != want || err != nil {
			t.Errorf("%q: %s, %v", state, got, err)
		}
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := ProgressFile(); err == nil {
		t.Error("no home, and a place")
	}
}

// Writers of this process and of others lose nothing of each other's.
func TestProgressConcurrent(t *testing.T) {
	const steps = 10
	if file := os.Getenv("COWSCOPE_TEST_PROGRESS"); file != "" {
		for n := range steps {
			marks(t, ProgressAt(file), os.Getenv("COWSCOPE_TEST_LESSON"), n)
		}
		return
	}
	p, file := progressFile(t)
	var writers sync.WaitGroup
	for i := range 3 {
		id := fmt.Sprintf("process %d", i)
		writers.Go(func() {
			c := exec.Command(os.Args[0], "-test.run=^TestProgressConcurrent$")
			c.Env = append(os.Environ(), "COWSCOPE_TEST_PROGRESS="+file, "COWSCOPE_TEST_LESSON="+id)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, bytes.TrimSpace(out))
			}
		})
		writers.Go(func() {
			for n := range steps {
				if _, err := ProgressAt(file).Mark("both", 3*n+i); err != nil {
					t.Error(err)
				}
				if _, told := p.Done("both"); told != "" { // a reader never finds half a file
					t.Error(told)
				}
			}
		})
	}
	writers.Wait()
	all, told := p.All()
	if told != "" || len(all) != 4 || len(all["both"]) != 3*steps {
		t.Fatal(all, told)
	}
	for id, done := range all {
		if id != "both" && len(done) != steps {
			t.Errorf("%s: %v", id, done)
		}
	}
}

// What is no file of cowscope's own in the place of the progress, or of its lock, is not written to
// and not waited for.
func TestProgressElsewhere(t *testing.T) {
	for name, make := range map[string]func(path, mine string) error{
		"link": func(path, mine string) error { return os.Symlink(mine, path) },
		"hard": func(path, mine string) error { return os.Link(mine, path) },
	} {
		for _, ending := range []string{"", ".lock"} {
			p, file := progressFile(t)
			mine := filepath.Join(t.TempDir(), "mine.json")
			const text = `{"version":1,"lessons":{"mine":[1]}}`
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(mine, []byte(text), 0o600), make(file+ending, mine)); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Mark("x", 1); err == nil {
				t.Errorf("%s%s: no error", name, ending)
			}
			if b, _ := os.ReadFile(mine); string(b) != text {
				t.Errorf("%s%s: the file is %q", name, ending, b)
			}
		}
	}
}
