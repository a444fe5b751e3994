package tui_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cowscope/actions/lesson"
)

// input is a format that somebody else's file can have.
type input struct {
	name, file, args string // FILE stands for the file
	good             func(t *testing.T) string
}

var inputs = []input{
	{"a script", "x.cow", "exec FILE", func(*testing.T) string { return environmentScript }},
	{"a script of JSON steps", "x.cow", "exec --json FILE", func(*testing.T) string { return environmentScript }},
	{"a lesson", "x.md", "lesson check FILE", func(*testing.T) string { return lesson.Template("one") }},
	{"a demo", "x.cow", "demo FILE --steady --still x.txt", func(*testing.T) string {
		return "# A title\nsize 100x30\nsay \"A caption.\"\nkey m\nkey Enter\nwrite a 1\n"
	}},
	{"a saved session", "x.jsonl", "replay --list FILE", story},
	{"a saved session as JSON", "x.jsonl", "replay --json FILE", story},
	{"a saved session, run again", "x.jsonl", "lab --from FILE", story},
	{"a recording to be overwritten", "x.cast", "demo cow --steady --record FILE", func(*testing.T) string { return "{\"version\":3}\n[0, \"o\", \"x\"]\n" }},
	{"the progress of lessons", "cowscope/progress.json", "lesson list", func(*testing.T) string { return `{"version":1,"lessons":{"one-page":[1,2]}}` }},
}

func story(t *testing.T) string {
	b, err := os.ReadFile(storyFile)
	must(t, err)
	return string(b)
}

// spoilings are ways to spoil a file; the large ones are many MB.
var spoilings = []struct {
	name  string
	large bool
	spoil func(good string) string
}{
	{"empty", false, func(string) string { return "" }},
	{"one line feed", false, func(string) string { return "\n" }},
	{"no line feed at its end", false, func(g string) string { return strings.TrimRight(g, "\n") }},
	{"binary", false, func(string) string {
		b, _ := os.ReadFile("/proc/self/exe")
		return string(b[:min(len(b), 64<<10)])
	}},
	{"zeros", false, func(string) string { return strings.Repeat("\x00", 64<<10) }},
	{"a NUL in each line", false, func(g string) string { return strings.ReplaceAll(g, "\n", "\x00\n") }},
	{"no UTF-8", false, func(g string) string { return strings.ReplaceAll(g, " ", " \xff\xfe\xc0\x80\xed\xa0\x80") }},
	{"a byte order mark", false, func(g string) string { return "\ufeff" + g }},
	{"UTF-16", false, func(g string) string { return "\xff\xfe" + strings.Join(strings.Split(g, ""), "\x00") }},
	{"carriage returns alone", false, func(g string) string { return strings.ReplaceAll(g, "\n", "\r") }},
	{"twice", false, func(g string) string { return g + g }},
	{"lists in lists", false, func(string) string { return strings.Repeat("[", 100_000) + "\n" }},
	{"objects in objects", false, func(string) string { return strings.Repeat(`{"a":`, 100_000) + "\n" }},
	{"quotes of quotes", false, func(string) string {
		return strings.Repeat("> ", 20_000) + "x\n" + strings.Repeat("- ", 20_000) + "x\n"
	}},
	{"emphasis in emphasis", false, func(string) string { return strings.Repeat("*a _b ", 20_000) + "\n" }},
	{"parentheses and brackets", false, func(string) string { return strings.Repeat("[(", 50_000) + "\n" }},
	{"then a line of 100 MB", true, func(g string) string { return g + strings.Repeat("x", 100<<20) + "\n" }},
	{"a line of 100 MB first", true, func(g string) string { return strings.Repeat("x ", 50<<20) + "\n" + g }},
	{"a million lines", true, func(g string) string { return g + strings.Repeat("read 0\n", 1_000_000) }},
	{"a million empty lines", true, func(g string) string { return strings.Repeat("\n", 1_000_000) + g }},
	{"a million times its last line", true, func(g string) string {
		lines := strings.SplitAfter(strings.TrimRight(g, "\n")+"\n", "\n")
		return g + strings.Repeat(lines[len(lines)-2], min(1_000_000, 200<<20/len(lines[len(lines)-2])))
	}},
}

// No input makes the program hang, take all memory, or write what a terminal obeys: it works, or one
// line says what is wrong. Each is cut off at every hundredth of its length, too.
func TestHostileInput(t *testing.T) {
	h := hostilely(t)
	type row struct {
		input
		how  string
		text func() string
	}
	var rows []row
	for _, in := range inputs {
		good := in.good(t)
		for _, s := range spoilings {
			if !s.large || h.full {
				rows = append(rows, row{in, s.name, func() string { return s.spoil(good) }})
			}
		}
		for n := range 100 {
			rows = append(rows, row{in, fmt.Sprintf("cut off at %d%%", n), func() string { return good[:len(good)*n/100] }})
		}
	}
	inTurn(some(h, rows, 60), func(r row) {
		dir := t.TempDir()
		path := filepath.Join(dir, r.file)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(r.text()), 0o600))
		// The peak of getrusage(2) has also what a process had before its execve, so memory is limited instead.
		const limited = `ulimit -d 800000; exec "$0" "$@"`
		cmd := exec.Command("/bin/sh", append([]string{"-c", limited, program(t)}, strings.Fields(strings.ReplaceAll(r.args, "FILE", path))...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+dir)
		var errs bytes.Buffer
		out := &beginning{}
		cmd.Stdout, cmd.Stderr = out, &errs
		must(t, cmd.Start())
		const limit = 90 * time.Second // a script may take a minute
		timer := time.AfterFunc(limit, func() { cmd.Process.Kill() })
		cmd.Wait()
		if !timer.Stop() {
			t.Errorf("%s, %s: it takes more than %v", r.name, r.how, limit)
			return
		}
		status := cmd.ProcessState.ExitCode()
		why := harmless(out.String()) + harmless(errs.String())
		if status < 0 || status > 3 || strings.Contains(errs.String(), "goroutine ") {
			why += fmt.Sprintf("status %d: %.1000s", status, errs.String())
		}
		if r.name != "a lesson" { // which has a line for each mistake
			why += oneLine(status, regexp.MustCompile(`(?m)^\| .*\n`).ReplaceAllString(errs.String(), "")) // but for the line that is wrong
		}
		if why != "" {
			t.Errorf("%s, %s: %s", r.name, r.how, why)
		}
	})
}

// beginning keeps the beginning of what is written.
type beginning struct{ bytes.Buffer }

func (k *beginning) Write(b []byte) (int, error) {
	if k.Len() < 1<<20 {
		k.Buffer.Write(b)
	}
	return len(b), nil
}
