package machinetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A file in a folder of the test's own stands for a setting, and two more are the gate and the
// lock: so all users can try every ending, and wait for nobody.

const (
	victimVariable = "COWSCOPE_VICTIM" // how the victim ends, and its setting
	locksVariable  = "COWSCOPE_LOCKS"  // the folder of its gate and its lock, where they are its own
	before         = "before\n"
)

func init() {
	if dir := os.Getenv(locksVariable); dir != "" {
		gateFile, lockFile = filepath.Join(dir, "gate"), filepath.Join(dir, "lock")
	}
}

// ownLocks gives a test, and its victims, a gate and a lock of their own.
func ownLocks(t *testing.T) {
	t.Helper()
	dir, gate, lock := t.TempDir(), gateFile, lockFile
	t.Setenv(locksVariable, dir)
	t.Cleanup(func() { gateFile, lockFile = gate, lock })
	gateFile, lockFile = filepath.Join(dir, "gate"), filepath.Join(dir, "lock")
	if err := errors.Join(os.Mkdir(gateFile, 0o700), os.Mkdir(lockFile, 0o700)); err != nil {
		t.Fatal(err)
	}
}

// endings are those of a test that has changed a setting: what it does, and what is done to it.
var endings = map[string]struct {
	does func(t *testing.T)
	sent syscall.Signal
	args []string
}{
	"passes":    {does: func(t *testing.T) {}},
	"skipped":   {does: func(t *testing.T) { t.Skip() }},
	"fails":     {does: func(t *testing.T) { t.Fatal() }},
	"panics":    {does: func(t *testing.T) { panic("a test panics") }},
	"elsewhere": {does: func(t *testing.T) { go panic("another goroutine panics"); wait(t) }},
	"goexit":    {does: func(t *testing.T) { runtime.Goexit() }},
	"exit":      {does: func(t *testing.T) { os.Exit(3) }},
	"exec":      {does: func(t *testing.T) { t.Error(unix.Exec("/bin/true", []string{"true"}, nil)) }},
	"timeout":   {does: wait, args: []string{"-test.timeout=1s"}},
	"SIGINT":    {does: wait, sent: unix.SIGINT},
	"SIGTERM":   {does: wait, sent: unix.SIGTERM},
	"SIGHUP":    {does: wait, sent: unix.SIGHUP},
	"SIGQUIT":   {does: wait, sent: unix.SIGQUIT},
	"SIGKILL":   {does: wait, sent: unix.SIGKILL},
	"has a part": {does: func(t *testing.T) {
		t.Run("part", func(t *testing.T) { Change(t, "is a part of one that does"); Hold(t) })
	}},
}

// wait lasts until the process ends. In a mere select the runtime would find that no goroutine can
// go on, and end it.
func wait(*testing.T) {
	for {
		_ = unix.Pause()
	}
}

// TestVictim changes its setting and ends as it is told. Without an order there is nothing to be
// done.
func TestVictim(t *testing.T) {
	how, path, ordered := strings.Cut(os.Getenv(victimVariable), "\n")
	if !ordered {
		return
	}
	s := Change(t, "changes a file")
	if path == "" {
		changeAll(t, s)
	} else if err := errors.Join(s.Set(path, "once"), s.Set(path, "twice")); err != nil {
		t.Fatal(err)
	}
	fmt.Println("changed")
	endings[how].does(t)
}

// victim runs TestVictim, as the head of a group of processes.
func victim(t *testing.T, how, path, variable string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", append([]string{"-test.run=^TestVictim$", "-test.v"}, endings[how].args...)...)
	cmd.Env = append(os.Environ(), Variable+"="+variable, victimVariable+"="+how+"\n"+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

// changed waits until the victim has changed its setting.
func changed(t *testing.T, cmd *exec.Cmd, out *bufio.Reader) {
	t.Helper()
	said := ""
	for line := ""; line != "changed\n"; said += line {
		var err error
		if line, err = out.ReadString('\n'); err != nil {
			t.Fatal("the victim changed nothing: ", err, cmd.Wait(), said)
		}
	}
}

// setting is a file that stands for one.
func setting(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "setting")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// free says whether nobody has the lock.
func free(t *testing.T) bool {
	t.Helper()
	f, err := os.Open(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil && err != unix.EAGAIN {
		t.Fatal(err)
	}
	return err == nil
}

// Whatever becomes of a test, its setting is as it was before anybody else has the lock.
func TestEveryEnding(t *testing.T) {
	for how, e := range endings {
		t.Run(how, func(t *testing.T) {
			if e.sent != 0 && signal.Ignored(e.sent) {
				t.Skipf("needs %v: whoever started the tests has it ignored, as a shell does for what runs in the background", e.sent)
			}
			ownLocks(t)
			path := setting(t)
			cmd, out := victim(t, how, path, "1")
			changed(t, cmd, out)
			if e.sent != 0 { // to all that a terminal or a gate would send it to
				if free(t) {
					t.Error("a setting is changed, and nobody has the lock")
				}
				if err := unix.Kill(-cmd.Process.Pid, e.sent); err != nil {
					t.Fatal(err)
				}
			}
			err := cmd.Wait()
			if wrong := err != nil; wrong != (how != "passes" && how != "skipped" && how != "exec" && how != "has a part") {
				t.Errorf("the victim ends with %v", err)
			}
			if died := cmd.ProcessState.Sys().(syscall.WaitStatus); e.sent != 0 && e.sent != unix.SIGQUIT && died.Signal() != e.sent {
				t.Errorf("the victim ends with %v, not by %v", err, e.sent)
			}
			Hold(t)
			now, err := os.ReadFile(path)
			if string(now) != before || err != nil {
				t.Errorf("the setting was %q and is %q, %v", before, now, err)
			}
		})
	}
}

// kept is a keeper of the test's own.
func kept(t *testing.T) *keeper {
	t.Helper()
	ownLocks(t)
	lock, err := os.Open(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	k, err := startKeeper(lock)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// real are settings of this machine, and what they are changed to.
var real = []struct{ path, value string }{
	{"/sys/kernel/mm/ksm/run", "1"},
	{"/sys/kernel/mm/transparent_hugepage/enabled", "never"},
	{"/proc/sys/vm/nr_hugepages", "1"},
	{"/proc/sys/vm/swappiness", "33"},
}

// changeAll changes what there is here of the real ones, and makes a swap device where there can be
// one.
func changeAll(t *testing.T, s *Settings) {
	t.Helper()
	for _, r := range real {
		if err := s.Set(r.path, r.value); err != nil && !strings.Contains(err.Error(), "no such file") {
			t.Fatal(err)
		}
	}
	swaps := read("/proc/swaps")
	if err := s.Swap(1 << 20); err == nil && read("/proc/swaps") == swaps {
		t.Fatal("no swap is on")
	}
}

func read(path string) string {
	b, err := os.ReadFile(path)
	return fmt.Sprintf("%s: %s%v\n", path, b, err)
}

// settingsNow are the real settings as they are.
func settingsNow() (out string) {
	for _, r := range real {
		out += read(r.path)
	}
	devices, _ := filepath.Glob("/sys/block/zram*")
	files, _ := filepath.Glob("/dev/zram*")
	return out + read("/proc/swaps") + fmt.Sprintln(devices, files)
}

// The real settings are put back too, also after SIGKILL for the whole group.
func TestRealSettings(t *testing.T) {
	switch {
	case os.Geteuid() != 0:
		t.Skip("needs root")
	case !allowed():
		t.Skipf("needs %s=1: it changes settings of the machine", Variable)
	}
	for _, how := range []string{"passes", "SIGKILL"} {
		t.Run(how, func(t *testing.T) {
			lock := locked(t, lockFile, unix.LOCK_SH)
			was := settingsNow()
			lock.Close()
			cmd, out := victim(t, how, "", "1")
			changed(t, cmd, out)
			if now := settingsNow(); now == was && endings[how].sent != 0 {
				t.Errorf("nothing is changed:\n%s", now)
			}
			if sent := endings[how].sent; sent != 0 {
				unix.Kill(-cmd.Process.Pid, sent)
			}
			_ = cmd.Wait()
			Hold(t)
			if now := settingsNow(); now != was {
				t.Errorf("it was\n%s\nand is\n%s", was, now)
			}
		})
	}
}

// A test whose keeper was killed fails: nobody else would say that its settings are not as they
// were.
func TestKeeperKilled(t *testing.T) {
	k := kept(t)
	if err := k.ask(request{Path: filepath.Join(t.TempDir(), "none"), Value: "1"}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
	if err := k.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := k.end(); err == nil || !strings.Contains(err.Error(), "has died") {
		t.Error(err)
	}
}

// What cannot be put back is said.
func TestNotPutBack(t *testing.T) {
	path := setting(t)
	k := kept(t)
	if err := k.ask(request{Path: path, Value: "2"}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := k.end(); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

// Without the variable nothing is changed, and the reason names it.
func TestNotAllowed(t *testing.T) {
	ownLocks(t)
	for _, variable := range []string{"", "0", "yes"} {
		path := setting(t)
		cmd, out := victim(t, "passes", path, variable)
		said, err := io.ReadAll(out)
		if err = errors.Join(err, cmd.Wait()); err != nil || !strings.Contains(string(said), "needs COWSCOPE_TEST_MACHINE=1: it changes a file") {
			t.Errorf("%q: %v\n%s", variable, err, said)
		}
		if now, err := os.ReadFile(path); string(now) != before || err != nil {
			t.Errorf("%q: the setting was %q and is %q, %v", variable, before, now, err)
		}
	}
}

// Those that only rely on settings do not wait for each other; who changes one waits for them.
func TestHold(t *testing.T) {
	ownLocks(t)
	lock, err := os.Open(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	Hold(t)
	if free(t) {
		t.Error("one who changes settings would not wait")
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		t.Error(err)
	}
}

// One who wants the lock alone waits for those who share it, and those who come later wait for him:
// otherwise his turn might never come.
func TestTurns(t *testing.T) {
	ownLocks(t)
	first := locked(t, lockFile, unix.LOCK_SH)
	path := setting(t)
	cmd, out := victim(t, "passes", path, "1")
	for free := true; free; { // until the victim waits at the gate
		gate, err := os.Open(gateFile)
		if err != nil {
			t.Fatal(err)
		}
		free = unix.Flock(int(gate.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
		gate.Close()
	}
	later := make(chan string)
	go func() {
		gate := locked(t, gateFile, unix.LOCK_EX)
		defer gate.Close()
		defer locked(t, lockFile, unix.LOCK_SH).Close()
		now, _ := os.ReadFile(path)
		later <- string(now)
	}()
	if now, err := os.ReadFile(path); string(now) != before || err != nil {
		t.Errorf("it is changed to %q while another has the lock, %v", now, err)
	}
	first.Close()
	if said, err := io.ReadAll(out); err != nil || !strings.Contains(string(said), "changed") {
		t.Errorf("his turn did not come: %v\n%s", err, said)
	}
	if now := <-later; now != before {
		t.Errorf("one who came later found %q", now)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestChosen(t *testing.T) {
	for text, want := range map[string]string{
		"0\n": "0\n", "": "", "always [madvise] never\n": "madvise", "[always] never\n": "always", "a [b": "a [b", "a b] c": "a b] c", "1\t2\t3\n": "1\t2\t3\n",
	} {
		if got := string(chosen([]byte(text))); got != want {
			t.Errorf("%q is written as %q, want %q", text, got, want)
		}
	}
}
