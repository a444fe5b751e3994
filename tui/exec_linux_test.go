package tui_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The built program without a screen: scripts.

// A script runs with no terminal; the exit status tells how it went.
func TestExec(t *testing.T) {
	for _, c := range []struct {
		script, out string
		code        int
	}{
		{"mmap 1p rw private anon\nwrite a 1\nexpect page a anon\n", "p1: ok: expect page a anon", 0},
		{"mmap 1p rw private anon\nexpect page a anon\n", "FAILED, line 2", 1},
		{"mmap 1p rw private anon\nexpct page a anon\n", "-:2:1: no verb expct", 2},
		{"", "", 0},
	} {
		cmd := exec.Command(program(t), "exec")
		cmd.Stdin = strings.NewReader(c.script)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.out) || bytes.ContainsRune(out, 0x1b) {
			t.Errorf("%q: status %d\n%s", c.script, code, out)
		}
	}
	if out, err := exec.Command(program(t), "exec", "/nonexistent").CombinedOutput(); err == nil || !strings.Contains(string(out), "no such file") {
		t.Errorf("%v: %s", err, out)
	}
}

// stepJSON are the fields of a step, as they are promised.
type stepJSON struct {
	Step, Line, PID                   int
	Process, Command, Call, Result    string
	Event, Want, Got, Evidence        string
	Value, Bytes, Errno, Signal, Code string
	FaultAddress                      string `json:"fault_address"`
	Faults                            struct{ Minor, Major uint64 }
	Predicted                         []string
	Happened, Explanation             string
	Changes                           []struct {
		Kind, Process, Start, From, To string
		Pages                          uint64
		FromFrame                      string `json:"from_frame"`
		ToFrame                        string `json:"to_frame"`
	}
	Processes []map[string]any // of a snapshot
	PageSize  uint64           `json:"page_size"`
}

func TestExecJSON(t *testing.T) {
	const script = `# a comment, so that lines and steps differ
a = mmap 2p rw private anon
write a 1
read a 2

mprotect a none
write a 1
mmap 0 rw private anon
expect result ok
fork
snapshot
`
	cmd := exec.Command(program(t), "exec", "--json")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Fatal(code, err)
	}
	var steps []stepJSON
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	for {
		var s stepJSON
		if err := d.Decode(&s); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, s)
	}
	if len(steps) != 9 || bytes.Count(out, []byte("\n")) != 9 {
		t.Fatalf("%d steps\n%s", len(steps), out)
	}
	for i, s := range steps {
		if s.Step != i+1 || s.Process != "p1" || s.PID == 0 || s.Predicted == nil || s.Changes == nil || s.Explanation == "" && s.Result == "ok" {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	is := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	is("line of the first step", steps[0].Line, 2)
	is("line of the last step", steps[8].Line, 11)
	is("value", regexp.MustCompile(`^0x[0-9a-f]+$`).MatchString(steps[0].Value), true)
	is("predicted", steps[1].Predicted, []string{"zero-fill"})
	is("happened", steps[1].Happened, "zero-fill")
	is("faults", steps[1].Faults.Minor, 1)
	is("change", steps[1].Changes[0].From+steps[1].Changes[0].To, "noneanon")
	is("bytes", steps[2].Bytes, "0100")
	is("happened", steps[2].Happened, "none")
	is("signal", []string{steps[4].Result, steps[4].Signal, steps[4].Code, steps[4].FaultAddress}, []string{"SIGSEGV/ACCERR", "SIGSEGV", "ACCERR", steps[0].Value})
	is("errno", []string{steps[5].Result, steps[5].Errno}, []string{"EINVAL", "EINVAL"})
	is("failed", []string{steps[6].Result, steps[6].Want, steps[6].Got}, []string{"failed", "ok", "EINVAL"})
	is("processes", len(steps[8].Processes), 2)
}

// What exec refuses, skips and ends early, each with its status and its line.
func TestExecEndings(t *testing.T) {
	allowed := filepath.Join(t.TempDir(), "allowed")
	if err := os.WriteFile(allowed, []byte("from outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(allowed), 0o755); err != nil {
		t.Fatal(err)
	}
	loop := strings.Repeat("mmap 1p rw private anon\nwrite a 1\nmunmap a\n", 20000)
	for _, c := range []struct {
		script string
		args   []string
		says   string
		code   int
	}{
		{"needs ptrace\nneeds arm64 amd64\nfork\n", nil, "-:2: skipped: ", 0},
		{"fork\nneeds frames\n", nil, "-:2:1: needs comes too late", 2},
		{"needs frmes\n", nil, "frames", 2},
		{loop, []string{"--max-time", "50ms"}, "--max-time raises it", 1},
		{"fork\nfork\nexpect result refused\n", []string{"--max-processes", "2"}, "p1: ok: expect result refused", 0},
		{"mmap 64m rw private anon populate\n", []string{"--max-memory", "16m"}, "--max-memory raises the limit", 0},
		{"", []string{"--max-memory", "lots"}, "not a quantity", 2},
		{"mmap 1p r private file=" + allowed + "\n", nil, "-:1:", 2},
		{"mmap 1p r private file=" + allowed + "\nread a 12\n", []string{"--allow-path", allowed}, "from outside", 0},
		{"mmap 1p r private file=" + allowed + "\nread a 12\n", []string{"--allow-path", filepath.Dir(allowed)}, "from outside", 0},
		{"mmap 1p r private file=/etc/passwd\n", []string{"--allow-path", allowed}, "/etc/passwd lies outside", 2},
		{"fork\n", []string{"--allow-path", "/nonexistent"}, "--allow-path", 2},
		{"file ../x 1p\n", nil, "scratch folder", 2},
		{"cat /etc/passwd\n", []string{"--allow-path", "/etc/passwd"}, "not in the scratch folder", 2},
		{"mmap 4p rw private anon\nwrite a \"" + strings.Repeat("x", 1<<20) + "\"\n", nil, "-:2: the line is longer", 2},
		{"write \xff\xfe 1\n", nil, "-:1:", 2},
		{"mmap 1p rw private anon\r\nwrite a 1\r\n", nil, "p1: write a 1", 0},
	} {
		cmd := exec.Command(program(t), append([]string{"exec"}, c.args...)...)
		cmd.Stdin = strings.NewReader(c.script)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) || bytes.ContainsRune(out, 0x1b) {
			t.Errorf("%.60q %v: status %d, want %d and %q\n%.600s", c.script, c.args, code, c.code, c.says, out)
		}
	}
}

// Every example that the help gives runs.
func TestHelpExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"story.cow": "mmap 4p rw private anon\nwrite a 1\nexpect page a 1p anon\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"exec", "snapshot", "doctor", "demo", "replay"} {
		help, err := exec.Command(program(t), sub, "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(help), "Examples:\n")
		if !found {
			t.Errorf("%s --help has no examples", sub)
		}
		examples, _, _ := strings.Cut(rest, "\n\n")
		for line := range strings.Lines(examples) {
			cmd := exec.Command("sh", "-c", line)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(program(t))+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			differs := strings.Contains(line, "--diff") && cmd.ProcessState.ExitCode() == 1
			if err != nil && !differs || len(out) == 0 && !strings.Contains(line, "cow.") && !strings.Contains(line, ">") { // whose file says it
				t.Errorf("%s: %v\n%s", strings.TrimSpace(line), err, out)
			}
		}
	}
}
