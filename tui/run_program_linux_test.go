package tui_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cowscope/vmspace/procfs"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// A program is stepped on the screen, to its end, and back.
func TestRunOnATerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "walk.jsonl")
	c := start(t, 120, 36, nil, "run", "--save", path, "sh", "-c", "echo words; (exit 4); exit 3")
	c.sees("cowscope · run · ", "● live", "Space step", "n line", "c continue").keys("m").sees("map memory: reserve").keys("\r").sees("mmap(NULL").keys("w").sees("store 0x01").keys("K").sees("kill is for a process of cowscope's own").keys(" ").keys("[").sees("◀ history").keys(" ").sees("goes back to where the program is")
	c.keys("}").sees("● live").keys("c").sees("exited 3", `It has written "words\n".`).keys(" ").sees("nothing is left of the program: exited 3")
	c.keys("[[]").sees("◀ history").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), `"event":"exit"`) {
		t.Errorf("what was saved: %.200q %v", text, err)
	}
	again := start(t, 120, 36, nil, "replay", path)
	again.sees("replay", "step 0/").keys("}").sees("exited 3").keys("q")
	again.ends()
}

// The command line has the words of a program that is run.
func TestRunWordsOnATerminal(t *testing.T) {
	c := start(t, 120, 36, nil, "run", "sh", "-c", "(exit 4); exit 3")
	c.sees("● live").keys(":until call getpid\r").sees("getpid is no call that stops the program").keys("\x1b").sees("Space step")
	c.keys(":step ex\t").sees("step exec").keys("\x7f\x7f\x7f\x7fexit\r").sees("exited 4")
	c.keys(":expect exited p2 4\r").sees("As expected: p2 exited with 4.").keys(":expect exited p1 4\r").sees("found p1 lives").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// What is typed is read by the program when it runs on, and what it writes has a pane.
func TestRunTypesAtTheProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "walk.jsonl")
	c := start(t, 120, 36, nil, "run", "--save", path, "sh", "-c", `read a; printf '\033[31mgot %s\033[m\n' "$a"; exec cat`)
	c.sees("● live", "t type").keys("t").sees(`: type "`).keys("yes\\n\"\r").sees("Space step").keys("c").sees("⟳ continue")
	readsInput(t, c.cmd.Process.Pid, "cat")
	c.keys("\x1b").sees("stopped where it is").keys("i").sees("what the program has written", "got yes").keys(":type \"\\x03\"\r").sees("Space step").keys("c").sees("SIGINT").keys("c").sees("killed by SIGINT").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	again := start(t, 120, 36, nil, "replay", path)
	again.sees("replay").keys("}i").sees("what the program has written", "got yes").keys("q")
	again.ends()
}

// One that waits is stopped where it is, goes on, and ends with the screen.
func TestRunStopsWhatWaits(t *testing.T) {
	c := start(t, 80, 24, nil, "run", "cat")
	c.sees("● live").keys("c").sees("⟳ continue")
	readsInput(t, c.cmd.Process.Pid, "cat")
	c.keys("\x1b").sees("stopped where it is", "No event has come").keys(" ").sees("⟳ step").keys("\x1b").sees("● live").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// readsInput waits until cat, a child of a process, sleeps in read(2) of its standard input.
func readsInput(t *testing.T, parent int, program string) {
	t.Helper()
	want := fmt.Sprintf("%d 0x0 ", unix.SYS_READ)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, d := range procfs.Descendants(parent) { // cowscope has another child, which guards the terminal
			call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", d.PID))
			if procfs.Name(d.PID) == program && strings.HasPrefix(string(call), want) {
				return
			}
		}
	}
	t.Fatal("the program does not read")
}

// A program that cannot be started is an error before there is a screen.
func TestRunStartsNothing(t *testing.T) {
	if _, complaint, status := ran(t, "", "run", "/nonexistent"); status != 3 || !strings.Contains(complaint, "/nonexistent") {
		t.Errorf("%q, status %d", complaint, status)
	}
}

// A running process is stepped like a program, and goes on when the screen is left: where it is
// stopped, and where it runs.
func TestRunAttachedOnATerminal(t *testing.T) {
	sh := exec.Command("/bin/sh", "-c", "while read line; do (exit 3); echo $line; done; exit 5")
	in, err1 := sh.StdinPipe()
	out, err2 := sh.StdoutPipe()
	must(t, errors.Join(err1, err2, sh.Start()))
	t.Cleanup(func() {
		sh.Process.Kill()
		sh.Wait()
	})
	said := bufio.NewReader(out)
	answers := func(word string) {
		t.Helper()
		fmt.Fprintln(in, word)
		if line, err := said.ReadString('\n'); err != nil || line != word+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	answers("first")
	pid := fmt.Sprint(sh.Process.Pid)
	path := filepath.Join(t.TempDir(), "walk.jsonl")
	c := start(t, 120, 36, nil, "run", "-p", pid, "--save", path)
	c.sees("cowscope · run · sh", "● live", "It was already running").keys("t").sees(`: type "`).keys("x\"\r").sees("has a terminal of its own")
	c.keys("\x1b").sees("Space step").keys(":step fork\r").sees("⟳ step fork")
	fmt.Fprintln(in, "second")
	c.sees("Space step", "p2").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	if line, err := said.ReadString('\n'); err != nil || line != "second\n" {
		t.Fatalf("%q, %v", line, err)
	}
	answers("third")

	c = start(t, 80, 24, nil, "run", "-p", pid)
	c.sees("● live").keys("c").sees("⟳ continue").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	answers("fourth")
	in.Close()
	if sh.Wait(); sh.ProcessState.ExitCode() != 5 {
		t.Errorf("the process ended with %v", sh.ProcessState)
	}
	c = start(t, 120, 36, nil, "replay", path)
	c.sees("replay", "It was already running").keys("q")
	c.ends()
	if out, err := exec.Command(program(t), "run", "-p", pid).CombinedOutput(); err == nil {
		t.Errorf("%s", out)
	}
}

// The terminal of a program is as wide as the pane that shows what was written there, and changes with the
// screen, also while the program runs.
func TestRunSizesTheTerminal(t *testing.T) {
	c := start(t, 120, 36, nil, "run", "cat")
	c.sees("● live").keys("c").sees("⟳ continue")
	readsInput(t, c.cmd.Process.Pid, "cat")
	f, err := os.Open(fmt.Sprintf("/proc/%d/fd/0", c.children("cat")[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	becomes := func(rows int) (columns int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			size, err := pty.GetsizeFull(f)
			switch {
			case err != nil:
				t.Fatal(err)
			case int(size.Rows) == rows:
				return int(size.Cols)
			case time.Now().After(deadline):
				t.Fatalf("it has %d rows, and not %d", size.Rows, rows)
			}
		}
	}
	wide := becomes(36)
	c.screen.Resize(100, 30)
	if err := pty.Setsize(c.tty, &pty.Winsize{Cols: 100, Rows: 30}); err != nil {
		t.Fatal(err)
	}
	if narrow := becomes(30); wide <= narrow || narrow < 20 || wide > 118 {
		t.Errorf("%d columns of 120, and then %d of 100", wide, narrow)
	}
	f.Close()
	c.keys("q")
	c.ends()
}

// A program that runs freely is watched from its first instruction, reads what is typed, and shows what it
// writes; leaving the screen ends it, and replay walks through what was seen.
func TestRunFreely(t *testing.T) {
	path := filepath.Join(t.TempDir(), "free.jsonl")
	c := start(t, 120, 36, nil, "run", "--free", "--save", path, "sh", "-c", `echo words; exec cat`)
	c.sees("cowscope · run --free · ", `It has written "words\n".`).keys(":").sees("the program runs freely")
	readsInput(t, c.cmd.Process.Pid, "cat")
	c.keys("t").sees(`: type "`).keys("yes\\n\"\r").sees(`"yes\nyes\n"`)
	pids := c.children("cat")
	c.keys("iii").sees("what the program has written", "yes").keys("q")
	if status := c.ends(); status != 0 {
		t.Errorf("status %d", status)
	}
	for _, pid := range pids {
		if unix.Kill(pid, 0) == nil {
			t.Errorf("process %d is left", pid)
		}
	}
	if len(pids) == 0 {
		t.Error("there was no program")
	}
	again := start(t, 120, 36, nil, "replay", path)
	again.sees("replay").keys("}iii").sees("what the program has written", "yes").keys("q")
	again.ends()
}

// children are the processes of that name that cowscope has started.
func (c *console) children(program string) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.cmd.Process.Pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(text)) {
			if name, _ := os.ReadFile("/proc/" + child + "/comm"); string(name) == program+"\n" {
				pid, _ := strconv.Atoi(child)
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// The program that a file of somebody else's brings along does not run unless that is asked for.
func TestStrangersPrograms(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("needs cc: ", err)
	}
	dir := t.TempDir()
	trace := filepath.Join(dir, "it-ran")
	for name, text := range map[string]string{
		"evil.c":   fmt.Sprintf("#include <fcntl.h>\n__attribute__((constructor)) static void run(void) { creat(%q, 0600); }\nint main(void) { return 0; }\n", trace),
		"evil.md":  "---\ntitle: Evil\nsummary: It runs.\nlevel: beginner\nminutes: 1\nlanguage: en\nprogram: evil.c\n---\n\n## One\n\nSo.\n\n```cow\ncontinue\n```\n",
		"evil.cow": "# Evil\nprogram evil.c\ncontinue\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"lesson", "check", filepath.Join(dir, "evil.md")}, {"demo", filepath.Join(dir, "evil.cow"), "--fast", "--still", filepath.Join(dir, "a.txt")}} {
		_, complaint, status := ran(t, "", args...)
		if _, err := os.Stat(trace); err == nil || status == 0 || !strings.Contains(complaint, "evil.c does not come with cowscope") {
			t.Errorf("%q: status %d: %s, %v", args, status, complaint, err)
		}
		_, complaint, status = ran(t, "", append(args, "--allow-program")...)
		if _, err := os.Stat(trace); err != nil || status != 0 {
			t.Errorf("%q: status %d: %s, %v", args, status, complaint, err)
		}
		os.Remove(trace)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), fmt.Sprintf("cowscope-program-%d-*", os.Getpid()))); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
