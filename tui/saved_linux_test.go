package tui_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cowscope/actions/saved"
)

// The built program, saving and replaying.

const storyFile = "../actions/saved/testdata/story.jsonl"

func readSaved(t *testing.T, path string) *saved.Recording {
	t.Helper()
	rec, err := saved.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// exec --json and replay --json of what it saved say the same, byte for byte.
func TestExecSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	script := "mmap 4p rw private anon\n\nwrite a 1\nfork\n@p2 write a 2\nwrite a+9p 1\nsnapshot\nexpect result EINVAL\nread a 3\n"
	cmd := exec.Command(program(t), "exec", "--json", "--save", path)
	cmd.Stdin = strings.NewReader(script)
	told, _ := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Fatalf("status %d", code)
	}
	out, err := exec.Command(program(t), "replay", "--json", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := bytes.Cut(out, []byte("\n"))
	if !bytes.Contains(first, []byte("a fresh process")) || !bytes.Equal(rest, told) {
		t.Errorf("replay --json:\n%s\nexec --json:\n%s", out, told)
	}
	out, err = exec.Command(program(t), "replay", "--list", path).Output()
	lines := strings.Split(string(out), "\n")
	if err != nil || len(lines) != 10 || !strings.Contains(lines[2], "p1  write a 0x01  ok, 1 minor fault") && !strings.Contains(lines[2], "p1  write a 1  ok, 1 minor fault") {
		t.Errorf("%v:\n%s", err, out)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st.Mode(), err)
	}
}

// What is no session is not overwritten, and nothing runs then.
func TestSaveRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thesis")
	if err := os.WriteFile(path, []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), "exec", "--save", path)
	cmd.Stdin = strings.NewReader("mmap 1p rw private anon\n")
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(out), "is not a saved session") || strings.Contains(string(out), "p1:") {
		t.Errorf("status %d: %s", code, out)
	}
	if b, _ := os.ReadFile(path); string(b) != "years of work" {
		t.Errorf("the file is %q", b)
	}
}

// Whatever was told before a kill -9 is in the file.
func TestExecSaveKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	script := "mmap 64p rw private anon\n" + strings.Repeat("write a 1\nmprotect a+3p 1p r\nmprotect a+3p 1p rw\nfork\n@p2 kill SIGKILL\nrestart\nmmap 64p rw private anon\n", 3000)
	cmd := exec.Command(program(t), "exec", "--json", "--save", path)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := 0
	for in := bufio.NewScanner(out); told < 200 && in.Scan(); {
		told++
	}
	cmd.Process.Kill()
	cmd.Wait()
	rec, err := saved.Open(path)
	if rec == nil || len(rec.Steps) <= told || len(rec.Steps) > 20000 {
		t.Fatalf("%d steps were told: %v", told, err)
	}
	if err != nil && !strings.Contains(err.Error(), "in the middle of a step") {
		t.Error(err)
	}
}

// The lab saves as it goes: what the screen showed when it was killed is in the file, and replay
// shows it.
func TestLabSaveKilledAndReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	c := start(t, 120, 36, nil, "--save", path)
	c.sees("step 0/0").keys("m\r").sees("step 1/1").keys("w").sees("step 2/2").keys("f").sees("step 3/3")
	c.cmd.Process.Kill()
	<-c.died
	if n := len(readSaved(t, path).Steps); n < 4 {
		t.Fatalf("%d steps", n)
	}
	r := start(t, 120, 36, nil, "replay", path)
	r.sees("replay", "step 0/3", "recorded").keys("]]").sees("step 2/3", "none → anon").keys("}").sees("step 3/3", "child of p1").keys("[").sees("step 2/3")
	r.keys("w").sees("this is a recording").keys("q")
	if code := r.ends(); code != 0 {
		t.Errorf("status %d", code)
	}
	// Once more over the same file: it is a session, so it may be overwritten.
	c = start(t, 120, 36, nil, "--save", path)
	c.sees("step 0/0").keys("q")
	if code := c.ends(); code != 0 || len(readSaved(t, path).Steps) != 1 {
		t.Errorf("status %d", code)
	}
}

// A recording opens where no process can be traced and nothing of /proc can be read: on another
// system.
func TestReplayOfAFile(t *testing.T) {
	c := start(t, 120, 36, nil, "replay", storyFile)
	c.sees("replay · Linux 6.18", "step 0/20").keys("]]]]").sees("step 4/20", "HELLO", "cow → anon").keys("q")
	if code := c.ends(); code != 0 {
		t.Errorf("status %d", code)
	}
}

// A damaged file is shown up to the damage, which is told with its line.
func TestReplayDamaged(t *testing.T) {
	b, err := os.ReadFile(storyFile)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.jsonl")
	if err := os.WriteFile(path, b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	steps := bytes.Count(b[:len(b)/2], []byte("\n")) - 1
	want := fmt.Sprintf("line %d: the file ends in the middle of a step", steps+2)
	for _, flag := range []string{"--list", "--json"} {
		cmd := exec.Command(program(t), "replay", flag, path)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, _ := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != 1 || bytes.Count(out, []byte("\n")) != steps || !strings.Contains(said.String(), want) {
			t.Errorf("%s: status %d, %d lines: %s", flag, code, bytes.Count(out, []byte("\n")), &said)
		}
	}
	c := start(t, 160, 36, nil, "replay", path)
	c.sees(fmt.Sprintf("step 0/%d", steps-1), want).keys("q")
	c.ends()
}

// Without a terminal, a file, or a session in it, one line says so.
func TestReplayRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{}, "replay needs the FILE"},
		{[]string{"/nonexistent"}, "no such file"},
		{[]string{"../go.mod"}, "not a saved session"},
		{[]string{".."}, "is a directory"},
		{[]string{storyFile}, "replay needs a terminal"},
		{[]string{"--theme", "pink", storyFile}, "pink"},
	} {
		cmd := exec.Command(program(t), append([]string{"replay"}, c.args...)...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(out), c.want) || bytes.Count(out, []byte("\n")) != 1 {
			t.Errorf("%v: status %d: %s", c.args, code, out)
		}
	}
	if out, err := exec.Command(program(t), "replay", "--format").Output(); err != nil || string(out) != saved.Format {
		t.Errorf("%v: %s", err, out)
	}
}

// A saved session's commands run again in a fresh lab, up to a step, and where the kernel answers
// otherwise is said.
func TestLabFromASavedSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	cmd := exec.Command(program(t), "exec", "--save", path)
	cmd.Stdin = strings.NewReader("mmap 2p rw private anon\nwrite a 1\nmprotect a r\nwrite a 2\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	c := start(t, 100, 30, nil, "lab", "--from", path)
	c.sees("step 4/4", "every answer was the same").keys("w").sees("step 5/5").keys("q")
	if code := c.ends(); code != 0 {
		t.Error("status", code)
	}
	c = start(t, 100, 30, nil, "--from", path, "--until", "2")
	c.sees("step 2/2", "ran again up to step 2").keys("q").ends()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.ReplaceAll(b, []byte(`"result":"SIGSEGV/ACCERR"`), []byte(`"result":"SIGSEGV/MAPERR"`))
	if err := os.WriteFile(path, other, 0o600); err != nil || bytes.Equal(b, other) {
		t.Fatal("nothing was changed", err)
	}
	c = start(t, 100, 30, nil, "--from", path)
	c.sees("1 answers differ", "SIGSEGV/MAPERR").keys("q").ends()
	if !strings.Contains(c.raw.String(), "step 4, write a 2: the result was SIGSEGV/MAPERR, and is SIGSEGV/ACCERR") {
		t.Error("the difference is not told in full when the screen is gone")
	}
}
