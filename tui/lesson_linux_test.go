package tui_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The built program's lessons: one walked through by keys on a terminal, and what is done without
// one.

// changes waits until the screen is another than it was, and gives it.
func (c *console) changes(was string) string {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		if now := c.text(); now != was {
			return now
		}
		select {
		case <-c.news:
		case <-c.over:
			c.t.Fatalf("the program ended:\n%s", c.text())
		case <-deadline:
			c.t.Fatalf("nothing changed:\n%s", was)
		}
	}
}

func TestWholeLessonOnATerminal(t *testing.T) {
	state := t.TempDir()
	if err := os.Chmod(state, 0o777); err != nil {
		t.Fatal(err)
	}
	c := start(t, 120, 36, []string{"XDG_STATE_HOME=" + state}, "lesson", "fork-and-copy-on-write")
	c.sees("Fork and copy-on-write", "Enter goes on", "1/8")
	subjects := watch(t, c.subjects())
	wrong, hinted, failed, solved, back := false, false, false, false, false
	for screen, n := c.text(), 0; !strings.Contains(screen, "That was the lesson"); n++ {
		if n > 200 {
			t.Fatalf("no end:\n%s", screen)
		}
		switch {
		case strings.Contains(screen, "Choose 1 to"):
			c.keys("1").sees("Enter asks the kernel").keys("\r")
			screen = c.text()
			for !strings.Contains(screen, "Right.") && !strings.Contains(screen, "Not quite.") {
				screen = c.changes(screen)
			}
			wrong = wrong || strings.Contains(screen, "Not quite.")
			if !back {
				back = true
				c.keys("<").sees("2/8")
				c.keys(">").sees("3/8")
			}
			screen = c.keys("\r").changes(screen)
		case strings.Contains(screen, "Your turn. This is to hold"):
			c.keys("H").sees("Hint 1")
			hinted = true
			c.keys(":read mine\r").sees("read mine", "now:")
			failed = true
			c.keys("S").sees("Solved by the lesson")
			solved = true
			screen = c.text()
		default:
			screen = c.keys("\r").changes(screen)
		}
	}
	if !wrong || !hinted || !failed || !solved || !back {
		t.Errorf("wrong answer %v, hint %v, failed goal %v, solution %v, back %v", wrong, hinted, failed, solved, back)
	}
	c.keys("q")
	if code := c.ends(); code != 0 {
		t.Error("status", code)
	}
	c.restored()
	allGone(t, subjects)
	list := exec.Command(program(t), "lesson", "list")
	list.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
	if out, err := list.Output(); err != nil || !strings.Contains(string(out), "fork-and-copy-on-write") || !strings.Contains(string(out), "  done ") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestLessonCommands(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken.md")
	if err := os.WriteFile(broken, []byte("---\ntitle: x\n---\n\n## Step\n\n```cow\nmmpa\n```\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	untrue := filepath.Join(dir, "untrue.md")
	if err := os.WriteFile(untrue, []byte("---\ntitle: x\nsummary: y\nlevel: beginner\nminutes: 1\nlanguage: en\n---\n\n## Step\n\nWe map.\n\n```cow\na = mmap 1p rw private anon\nexpect page a anon\n```\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		says string
		code int
	}{
		{"lesson list", "one-page  ", 0},
		{"lesson check one-page", "one-page: ok: ", 0},
		{"lesson new my-lesson", "my-lesson.md is a lesson that passes the check", 0},
		{"lesson check my-lesson.md", "my-lesson.md: ok: ", 0},
		{"lesson new my-lesson", "there already", 2},
		{"lesson check broken.md", "broken.md:8:1: no verb mmpa", 2},
		{"lesson check untrue.md", "untrue.md:15", 1},
		{"lesson nosuch", "no lesson", 2},
		{"lesson one-page", "needs a terminal", 2},
		{"lesson format", "# How to write a lesson", 0},
		{"lesson list --language xx", "no lessons in", 2},
	} {
		cmd := exec.Command(program(t), strings.Fields(c.args)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+dir, "LC_ALL=C")
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: status %d, want %d and %q\n%s", c.args, code, c.code, c.says, out)
		}
	}
}

// What a lesson or a demo did can be walked through afterwards; a lesson that begins again begins
// its file again.
func TestLessonAndDemoSave(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "lesson.jsonl")
	c := start(t, 120, 36, []string{"XDG_STATE_HOME=" + dir}, "lesson", "one-page", "--save", path)
	c.sees("Enter goes on").keys("\r").sees("Enter runs this").keys("\r").sees("page · 3 pages").keys(":fork\r").sees("p2")
	c.keys("N").sees("step 0/0").keys("\r").sees("Enter runs this").keys("\r").sees("page · 3 pages").keys("q")
	if code := c.ends(); code != 0 {
		t.Error("status", code)
	}
	list := func(path string) string {
		out, err := exec.Command(program(t), "replay", "--list", path).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	if got := list(path); !strings.Contains(got, "mmap") || strings.Contains(got, "fork") || !strings.Contains(got, "expect page") {
		t.Errorf("the lesson:\n%s", got)
	}
	path = filepath.Join(dir, "demo.jsonl")
	cmd := exec.Command(program(t), "demo", "cow", "--fast", "--size", "100x30", "--still", filepath.Join(dir, "x.txt"), "--save", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := list(path); !strings.Contains(got, "fork") || !strings.Contains(got, "write a") {
		t.Errorf("the demo:\n%s", got)
	}
}
