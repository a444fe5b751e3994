package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"cowscope/tui/runtest"
	"cowscope/vmspace/printable"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"golang.org/x/sys/unix"
)

// As a process of its own, this test program is cowscope, or serves many command lines.
func TestMain(m *testing.M) {
	switch os.Getenv("COWSCOPE_ROLE") {
	case "cowscope":
		os.Exit(Run(os.Args[1:]))
	case "server":
		err := runtest.Serve(func(args []string, out, errs io.Writer) int {
			stdout, stderr = printable.NewWriter(out), printable.NewWriter(errs)
			return Run(args)
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hostile is everything that a terminal obeys, reorders, hides or shows as the beginning of a line.
// No NUL: arguments and names of files cannot hold one.
const hostile = "A\nFORGED\r\tB\x1b]0;PWN\x07\x1b[66666t\x9b66666t\u009b66666t\x7f\u202e\u2066\u2028\u200b\ue000\U000e0041\xff"

// harmless says where a text holds what a terminal would obey, or a line that a stranger wrote; ""
// where it is well.
func harmless(out string) string {
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
			return fmt.Sprintf("a line of a stranger's: %q", line)
		}
		for i, r := range line {
			if r != '\t' && (!unicode.IsPrint(r) || r == utf8.RuneError && !strings.HasPrefix(line[i:], "\ufffd")) {
				return fmt.Sprintf("%U in %q", r, line[max(0, i-40):min(len(line), i+10)])
			}
		}
	}
	return ""
}

// script is what cowscope is given to read.
const script = "file f 1p\nmmap 1p r private file=f\n"

// said runs cowscope in dir and gives all that it wrote.
func said(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "COWSCOPE_ROLE=cowscope"), env...)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Errorf("%q: %v %v", args, err, ctx.Err())
	}
	return string(out)
}

// commands are the command and all below it, with the words that lead there.
func commands(c *cobra.Command, words []string) map[*cobra.Command][]string {
	all := map[*cobra.Command][]string{c: words}
	for _, sub := range c.Commands() {
		for k, v := range commands(sub, append(words[:len(words):len(words)], sub.Name())) {
			all[k] = v
		}
	}
	return all
}

// Whatever stands on the command line: every argument and every flag of every command, a flag that
// there is not, as names of files of every kind and of none. What is said of it is printable, and
// in lines of cowscope's own.
func TestHostileArguments(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	root := command()
	root.InitDefaultHelpCmd()
	var lines [][]string
	for c, words := range commands(root, nil) {
		line := func(more ...string) { lines = append(lines, append(words[:len(words):len(words)], more...)) }
		for _, name := range []string{hostile, "file" + hostile, "file" + hostile + ".md", "folder" + hostile, "closed" + hostile, "./file" + hostile + "/x"} {
			line(name)
			line("--", name)
			each := func(f *pflag.Flag) {
				line("--"+f.Name+"="+name, "file"+hostile) // with an argument, since some flags are looked at only then
				if name == hostile {
					line("--" + f.Name + "=" + name)
				}
			}
			c.InheritedFlags().VisitAll(each)
			c.LocalFlags().VisitAll(each)
		}
		line("--" + hostile)
		line("--=" + hostile)
		line("-" + hostile)
		line("-\x9b")
		line("one"+hostile, "two"+hostile)
	}
	lines = append(lines, []string{"__complete", hostile, ""}, []string{"__complete", "--" + hostile}, []string{"demo", "--all", "--steady", "--record-dir", "file" + hostile})
	if len(lines) < 500 {
		t.Fatalf("only %d command lines", len(lines))
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	runtest.Each(t, self, lines, func(line []string, run func(runtest.Line) runtest.Result) {
		dir := t.TempDir()
		litter(t, dir)
		r := run(runtest.Line{Args: line, Stdin: script, Dir: dir})
		if why := harmless(r.Out) + harmless(r.Err); why != "" {
			t.Errorf("%q: %s", line, why)
		}
	})
}

// litter makes files whose names and contents are hostile.
func litter(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file"+hostile), []byte(hostile), 0o600),
		os.WriteFile(filepath.Join(dir, "file"+hostile+".md"), []byte(hostile), 0o600),
		os.WriteFile(filepath.Join(dir, "closed"+hostile), nil, 0), os.Mkdir(filepath.Join(dir, "folder"+hostile), 0o700)); err != nil {
		t.Fatal(err)
	}
}

// inTurn runs do for each, two at a time.
func inTurn[T any](t *testing.T, all []T, do func(T)) {
	t.Helper()
	var g sync.WaitGroup
	next := make(chan T)
	for range 2 {
		g.Go(func() {
			for x := range next {
				do(x)
			}
		})
	}
	for _, x := range all {
		next <- x
	}
	close(next)
	g.Wait()
}

// Whatever stands in the environment.
func TestHostileEnvironment(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	dir := t.TempDir()
	litter(t, dir)
	place := filepath.Join(dir, "folder"+hostile)
	state := filepath.Join(place, "cowscope")
	values := []string{hostile, place, filepath.Join(place, "none"), filepath.Join(dir, "file"+hostile), "zh" + hostile}
	names := []string{"HOME", "XDG_STATE_HOME", "TMPDIR", "XDG_RUNTIME_DIR", "TERM", "SHELL", "LANG", "LC_ALL", "NO_COLOR", "USER"}
	damaged := []func() error{
		func() error { return nil },
		func() error { return os.Mkdir(state, 0o700) },
		func() error { return os.WriteFile(filepath.Join(state, "progress.json"), []byte(hostile), 0o600) },
		func() error {
			return os.WriteFile(filepath.Join(state, "progress.json"), []byte(`{"version":1,"lessons":{"`+`\u202e`+`":[-1]}}`), 0o600)
		},
		func() error { return os.Remove(filepath.Join(state, "progress.json")) },
		func() error { return os.Mkdir(filepath.Join(state, "progress.json"), 0o700) },
	}
	for _, damage := range damaged {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		var lines [][2]string
		for _, name := range names {
			for _, v := range values {
				lines = append(lines, [2]string{name, v})
			}
		}
		inTurn(t, lines, func(v [2]string) {
			for _, line := range [][]string{{"exec"}, {"lesson", "list"}, {"lesson"}, {"lab"}, {"doctor"}} {
				if line[0] == "doctor" && v[0] != "TMPDIR" && v[0] != "USER" {
					continue // it tries every feature, which takes its time
				}
				env := []string{v[0] + "=" + v[1]}
				if v[0] == "HOME" {
					env = append(env, "XDG_STATE_HOME=")
				}
				if why := harmless(said(t, dir, env, line...)); why != "" {
					t.Errorf("%q %q: %s", v, line, why)
				}
			}
		})
		names, values = []string{"XDG_STATE_HOME"}, []string{place} // where the damage is
	}
}

// The cursor sequences of the progress, and nothing else, pass as they are.
func TestWriters(t *testing.T) {
	root := command()
	if root.OutOrStdout() != stdout || root.ErrOrStderr() != stderr {
		t.Error("cobra writes somewhere else")
	}
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs([]string{"exec", "--" + hostile})
	if err := root.Execute(); err == nil || harmless(err.Error()) != "" || strings.Contains(err.Error(), "\n") || status(err) != exitUsage {
		t.Errorf("%q", err)
	}
}

// A program that is run is told event by event, and its status is cowscope's.
func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (out, errs string, status int) {
		cmd := exec.Command(self, append([]string{"run"}, args...)...)
		cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
		var o, e bytes.Buffer
		cmd.Stdout, cmd.Stderr = &o, &e
		err := cmd.Run()
		var no *exec.ExitError
		if err != nil && !errors.As(err, &no) {
			t.Fatal(err)
		}
		return o.String(), e.String(), cmd.ProcessState.ExitCode()
	}
	out, errs, status := run("--json", "echo", "words")
	if status != 0 || !strings.Contains(errs, "words") {
		t.Errorf("status %d, %q", status, errs)
	}
	var events []string
	mapped := false
	for line := range strings.Lines(out) {
		var st struct {
			Event, Call, Result, Value string
			TID                        int
			At                         *struct{ Function string }
		}
		if err := json.Unmarshal([]byte(line), &st); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		events = append(events, st.Event)
		mapped = mapped || st.Event == "call" && strings.HasPrefix(st.Call, "brk(") && st.Result == "ok" && st.Value != "" && st.TID > 0 && st.At != nil
	}
	if len(events) < 4 || events[0] != "exec" || events[len(events)-1] != "exit" || !mapped {
		t.Errorf("%d events, brk told %v: %q", len(events), mapped, events)
	}
	if _, errs, status = run("sh", "-c", "exit 2"); status != 2 || !strings.Contains(errs, "exited 2") {
		t.Errorf("status %d, %s", status, errs)
	}
	if _, errs, status = run("/nonexistent"); status != 3 || !strings.Contains(errs, "/nonexistent") {
		t.Errorf("status %d, %q", status, errs)
	}
	if _, errs, status = run(t.TempDir()); status != 3 {
		t.Errorf("status %d, %q", status, errs)
	}
}

// A script walks through a program, and says what it found.
func TestRunScript(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		script, flags string
		status        int
		says          []string
	}{
		{"# nothing\n", "", 0, []string{"exec   execve() = 0"}},
		{"step exit\nexpect exited p2 4\ncontinue\nexpect exited p1 3\n", "", 0, []string{"> step exit\n", "exited 4", "p2: ok: expect exited p2 4", "> continue", "exited 3"}},
		{"continue\nexpect exited p1 4\n", "", 1, []string{"FAILED, line 2: expect exited p1 4", "found: p1 exited with 3"}},
		{"continue\nstep\n", "", 1, []string{"nothing is left of the program"}},
		{"step\nuntil call nothing\n", "", 2, []string{"-:2:12: nothing is no call"}},
		{"restart\n", "", 2, []string{"-:1:1: no verb restart; the verbs are step, next"}},
		{"q = mmap 4p rw private anon\nwrite q 1\nexpect page q 1p anon\nmprotect q 1p r\nwrite q 2\ncontinue\nexpect exited p1 3\n", "", 0,
			[]string{"> q = mmap", "mmap(NULL, ", "store 0x01", "SIGSEGV/ACCERR", "exited 3"}},
		{"step exit\nexpect exited p2 4\n", "--json", 0, []string{`"event":"exit"`, `"command":"expect exited p2 4"`, `"got":"p2 exited with 4"`}},
	} {
		args := append(strings.Fields("run "+x.flags+" --script -"), "sh", "-c", "(exit 4); exit 3")
		cmd := exec.Command(self, args...)
		cmd.Env, cmd.Stdin = append(os.Environ(), "COWSCOPE_ROLE=cowscope"), strings.NewReader(x.script)
		out, _ := cmd.CombinedOutput()
		if status := cmd.ProcessState.ExitCode(); status != x.status {
			t.Errorf("%q: status %d, want %d\n%s", x.script, status, x.status, out)
		}
		for _, want := range x.says {
			if !strings.Contains(string(out), want) {
				t.Errorf("%q: no %q in\n%s", x.script, want, out)
			}
		}
	}
}

// A profile has a sample for each stack of calls that took page faults, and the program is as ever.
func TestRunProfile(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "memory.pb.gz")
	cmd := exec.Command(self, "run", "--pprof", path, "sh", "-c", "echo words; exit 3")
	cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
	out, _ := cmd.CombinedOutput()
	if status := cmd.ProcessState.ExitCode(); status != 3 || !strings.HasPrefix(string(out), "words\n") {
		t.Errorf("status %d, %q", status, out)
	}
	again := exec.Command(self, "run", "--pprof", path, "true") // it is overwritten, and nothing else is
	other := exec.Command(self, "run", "--pprof", self, "true")
	for i, cmd := range []*exec.Cmd{other, again} {
		cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
		if out, err := cmd.CombinedOutput(); (err == nil) != (i == 1) || i == 0 && !strings.Contains(string(out), "--pprof") {
			t.Errorf("%q: %v, %s", cmd.Args, err, out)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	if path, err := exec.LookPath("true"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && (len(p.Mapping) == 0 || p.Mapping[0].File != path) {
			t.Errorf("the program is %+v, want %s", p.Mapping, path)
		}
	}
	faults, bytes := int64(0), int64(0)
	for _, s := range p.Sample {
		faults, bytes = faults+s.Value[0], bytes+s.Value[1]
		if len(s.Location) == 0 {
			t.Errorf("a sample without a place: %d", s.Value)
		}
	}
	if strings.Contains(string(out), "were not told") {
		t.Skip("needs perf-faults: ", string(out))
	}
	if faults < 10 || bytes < 10*int64(os.Getpagesize()) {
		t.Errorf("%d faults, %d bytes", faults, bytes)
	}
}

// What was run can be saved, and replayed.
func TestRunSaves(t *testing.T) {
	dir := t.TempDir()
	var ran, again bytes.Buffer
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		out  *bytes.Buffer
		args []string
	}{{&ran, []string{"run", "--json", "--save", "walk.jsonl", "sh", "-c", "(exit 3); exit 0"}}, {&again, []string{"replay", "--json", "walk.jsonl"}}} {
		cmd := exec.Command(self, x.args...)
		cmd.Dir, cmd.Env, cmd.Stdout = dir, append(os.Environ(), "COWSCOPE_ROLE=cowscope"), x.out
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if ran.Len() == 0 || ran.String() != again.String() {
		a, b := strings.Split(ran.String(), "\n"), strings.Split(again.String(), "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("step %d was\n%s\nand is\n%s", i, a[i], b[i])
			}
		}
		t.Errorf("%d steps were saved, and %d are replayed", len(a), len(b))
	}
}

// A program that is run ends with cowscope, however that ends.
func TestRunEndsWithCowscope(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []os.Signal{os.Kill, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(how) { // by nohup(1), and then cowscope goes on
			continue
		}
		cmd := exec.Command(self, "run", "--json", "cat")
		cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		var first struct{ PID int }
		if err := json.NewDecoder(out).Decode(&first); err != nil || first.PID == 0 {
			t.Fatal(err)
		}
		cat, err := os.FindProcess(first.PID)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(how); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		for deadline := time.Now().Add(10 * time.Second); cat.Signal(syscall.Signal(0)) == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the program is there", how)
			}
		}
		in.Close()
	}
}

// A signal ends what writes without a screen also where nobody reads it, and the exit status says which.
func TestEndsUnheard(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const writes = "m = mmap 64p rw private anon\nrepeat 10000 write m 1\n"
	for name, args := range map[string][]string{
		"a script":  {"exec", "--json", "-"},
		"a program": {"run", "--json", "sh", "-c", "while :; do (exit 3); done"},
		"a walk":    {"run", "--json", "--script", "-", "sh", "-c", "while :; do (exit 3); done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(self, args...)
			cmd.Env, cmd.Stdin = append(os.Environ(), "COWSCOPE_ROLE=cowscope"), strings.NewReader(writes)
			if args[0] == "run" {
				cmd.Stdin = strings.NewReader("continue\n")
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd.Stdout, cmd.Stderr = w, w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			full := []unix.PollFd{{Fd: int32(w.Fd()), Events: unix.POLLOUT}}
			for n, deadline := 1, time.Now().Add(30*time.Second); n != 0; time.Sleep(time.Millisecond) {
				if n, err = unix.Poll(full, 0); err != nil && err != unix.EINTR || time.Now().After(deadline) {
					cmd.Process.Kill()
					t.Fatal("the pipe does not fill: ", err, cmd.Wait())
				}
			}
			w.Close()
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				cmd.Process.Kill()
				t.Fatalf("it did not end: %v", <-ended)
			}
			if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) {
				t.Errorf("exit status %d", code)
			}
		})
	}
}

// A running process is attached to, and let go by whatever ends cowscope: a signal, or that nobody
// reads any more.
func TestRunAttached(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const lives = `i=0; while read line; do i=$((i+1)); (exit 3); echo $i; done; exit 5`
	sh := exec.Command("/bin/sh", "-c", lives)
	in, err1 := sh.StdinPipe()
	out, err2 := sh.StdoutPipe()
	if err := errors.Join(err1, err2, sh.Start()); err != nil {
		t.Fatal(err)
	}
	defer sh.Wait()
	defer sh.Process.Kill()
	said, rounds := bufio.NewReader(out), 0
	round := func() {
		t.Helper()
		fmt.Fprintln(in)
		rounds++
		if line, err := said.ReadString('\n'); err != nil || line != fmt.Sprintln(rounds) {
			t.Fatalf("the process says %q, %v", line, err)
		}
	}
	round()
	pid := fmt.Sprint(sh.Process.Pid)
	attached := func(args ...string) (*exec.Cmd, *bufio.Reader, io.Closer) {
		cmd := exec.Command(self, append([]string{"run", "-p", pid}, args...)...)
		cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
		out, err := cmd.StdoutPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(out)
		if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, `"event":"attached"`) || !strings.Contains(line, pid) {
			t.Fatalf("%q, %v", line, err)
		}
		return cmd, r, out
	}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			continue
		}
		cmd, told, _ := attached("--json")
		forked := make(chan error, 1)
		go func() { // it may write more than a pipe takes, and the process waits for it
			for line, err := "", error(nil); ; {
				if line, err = told.ReadString('\n'); err != nil || strings.Contains(line, `"event":"fork"`) {
					forked <- err
					io.Copy(io.Discard, told)
					return
				}
			}
		}()
		round()
		if err := <-forked; err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", s, err)
		}
		round()
	}
	cmd, _, pipe := attached("--json")
	pipe.Close()
	round()
	cmd.Wait()
	round()

	script := exec.Command(self, "run", "-p", pid, "--script", "-")
	script.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
	script.Stdin = strings.NewReader("expect rss > 100k\nstep fork\ntype \"x\"\n")
	text, err := script.StdoutPipe()
	if err := errors.Join(err, script.Start()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(text)
	for _, want := range []string{" attached ", "ok: expect rss > 100k", "> step fork"} {
		if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, want) {
			t.Errorf("%q, %v, want %q", line, err, want)
		}
	}
	round()
	if rest, err := io.ReadAll(lines); err != nil || !strings.Contains(string(rest), " fork ") {
		t.Errorf("%v: %s", err, rest)
	}
	if err := script.Wait(); err == nil {
		t.Error("it typed at a terminal that is the process's own")
	}
	round()
	for args, says := range map[string]string{"-p " + pid + " ls": "give only one of them", "-p 0": "0 is no PID", "-p x": "invalid argument", "-p 1073741824": "there is no process 1073741824"} {
		no := exec.Command(self, append([]string{"run", "--text"}, strings.Fields(args)...)...)
		no.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
		if out, err := no.CombinedOutput(); err == nil || !strings.Contains(string(out), says) {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
	in.Close()
	if sh.Wait(); sh.ProcessState.ExitCode() != 5 {
		t.Errorf("the process ended with %v", sh.ProcessState)
	}
}

// Under nohup(1), and in the background of a shell, a program goes on after the signals that it was
// started to ignore. Others end it.
func TestIgnoredSignals(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		signals []os.Signal
		status  int
	}{{[]os.Signal{syscall.SIGHUP, syscall.SIGINT}, 0}, {[]os.Signal{syscall.SIGTERM}, 143}} {
		cmd := exec.Command("/bin/sh", "-c", `trap "" HUP INT; exec "$0" exec --json -`, self)
		cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
		cmd.Stdin = strings.NewReader(strings.Repeat("mmap 1p rw private anon\n", 3000))
		out, err := cmd.StdoutPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		steps := json.NewDecoder(out)
		var step struct{ Step int }
		if err := steps.Decode(&step); err != nil {
			t.Fatal(err)
		}
		for _, s := range c.signals {
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
		for steps.Decode(&step) == nil {
		}
		_ = cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != c.status || (step.Step == 3000) != (c.status == 0) {
			t.Errorf("%v: status %d after step %d", c.signals, status, step.Step)
		}
	}
}

// Programs do the same as they do alone: they write the same, and end the same way.
func TestRunChangesNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	scripts := []string{
		"exit 7", "kill -9 $$", "kill -TERM $$", "echo a | tr a b | cat", "trap 'echo got' USR1; kill -USR1 $$; echo after",
		"sleep 0.05 & wait; echo done", "(exit 3); echo $?", "ls /nonexistent",
		"cat </dev/null; echo $?", "x=$(echo inner; exit 4); echo $x $?", "exec echo replaced", "trap '' TERM; kill -TERM $$; echo ignored",
		"(trap 'exit 5' TERM; kill -TERM $(sh -c 'echo $PPID'); sleep 1); echo $?", "ulimit -c 0; kill -SEGV $$", "yes | head -n 3",
		"set -e; false; echo not", "f() { echo $1; }; for i in 1 2 3; do f $i; done", "sh -c 'exit 9' || echo $?", "true && false; echo $?",
		"printf '%s\\n' b a c | sort | tr '\\n' ' '", "seq 1000 | tail -n 1", "seq 200 | xargs -n 50 echo | wc -l", "echo hi >/dev/full; echo $?", "cat /proc/self/nosuch; echo $?",
		"dd if=/dev/zero bs=65536 count=32 2>/dev/null | wc -c", "head -c 100000 /dev/zero | gzip | gzip -d | wc -c", "umask 27; umask", "cd /; pwd", "env -i /bin/sh -c 'echo ${HOME-none}'",
		"timeout 0.05 sleep 5; echo $?", "(sleep 0.02; echo late) & echo early; wait", "mkfifo_nosuch x; echo $?", "exec 3>&1; echo through >&3", "tar cf - /etc/hostname 2>/dev/null | wc -c",
		"awk 'BEGIN { for (i = 0; i < 3; i++) print i; exit 6 }'; echo $?", "grep -c root /etc/passwd", "sed -n 1p /etc/passwd | cut -d: -f1", "nohup true 2>/dev/null; echo $?",
		"grep -E 'Sig(Ign|Blk|Cgt)' /proc/self/status", "trap 'echo caught; exit 4' INT; kill -INT $$; echo on", "ulimit -c 0; kill -QUIT $$; echo on", "ulimit -a", "env | sort", "ls /proc/self/fd | wc -l",
		"needs perl; perl -e 'print join(q(,), map { $_ * 2 } 1..5), qq(\\n); exit 11'", "needs perl; perl -e 'my $p = fork; if (!$p) { exit 3 } waitpid $p, 0; print $? >> 8, qq(\\n)'",
		"needs /usr/bin/python3; /usr/bin/python3 -c 'import threading\nt = [threading.Thread(target=print, args=(1,)) for _ in range(3)]\n[(x.start(), x.join()) for x in t]'",
		"needs /usr/bin/python3; /usr/bin/python3 -c 'import os, sys\np = os.fork()\nif p == 0: os._exit(5)\nprint(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))'",
		"needs /usr/bin/python3; /usr/bin/python3 -c 'import mmap\nm = mmap.mmap(-1, 1 << 20); m[0] = 1; print(m[0], len(m))'",
		"needs cc; echo 'int main(void) { return 12; }' | cc -x c -o /dev/null -; echo $?", "needs git; git --version >/dev/null; echo $?", "needs openssl; echo a | openssl dgst -sha256",
	}
	if testing.Short() {
		scripts = scripts[:8]
	}
	for _, script := range scripts {
		t.Run(strings.Fields(script)[0], func(t *testing.T) {
			t.Parallel()
			if need, rest, ok := strings.Cut(script, "; "); ok && strings.HasPrefix(need, "needs ") {
				if _, err := exec.LookPath(strings.TrimPrefix(need, "needs ")); err != nil {
					t.Skipf("%s: %v", need, err)
				}
				script = rest
			}
			var said [2]string
			var status [2]int
			for i, args := range [][]string{{"sh", "-c", script}, {self, "run", "--json", "sh", "-c", script}} {
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=cowscope")
				var b bytes.Buffer
				cmd.Stderr = &b
				if i == 0 {
					cmd.Stdout = &b
				}
				var no *exec.ExitError
				if err := cmd.Run(); err != nil && !errors.As(err, &no) {
					t.Fatal(err)
				}
				said[i], status[i] = b.String(), cmd.ProcessState.ExitCode()
				if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
					status[i] = 128 + int(ws.Signal())
				}
			}
			if said[0] != said[1] || status[0] != status[1] {
				t.Errorf("%s: %q, status %d; alone %q, status %d", script, said[1], status[1], said[0], status[0])
			}
		})
	}
}
