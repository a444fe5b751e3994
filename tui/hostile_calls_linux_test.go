package tui_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls that a start and a session make, refused. Each run has a PID namespace of its own, of
// which the keeper is the init: a program that mistakes an errno for a number must kill nobody else
// (kill(-1)), and who is left at its end is seen.

const (
	filterEnv = "COWSCOPE_FILTER" // what a filter does with which call: "refuse NR ERRNO", "kill NR", or "tell"
	limitEnv  = "COWSCOPE_LIMIT"  // how long the program may take
	reportFD  = 3
)

func init() {
	roles["keeper"] = keeper
	roles["behind a filter"] = behindAFilter
}

// report is what the keeper saw.
type report struct {
	Status int      // exit status, -n for death by signal n
	Hung   bool     // it did not end, and was killed
	Left   []string // the processes that were left, by name
	Calls  map[int]int
}

// keeper is the init of a PID namespace: it runs its arguments behind a filter, and reports.
func keeper() error {
	runtime.LockOSThread() // which has the capabilities
	if err := errors.Join(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("proc", "/proc", "proc", 0, "")); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	limit, err := time.ParseDuration(os.Getenv(limitEnv))
	if err != nil {
		return err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	// The way back from a signal by which Go interrupts a goroutine is a call that waits for being told.
	cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=behind a filter", "GODEBUG=asyncpreemptoff=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{tell}
	if err := cmd.Start(); err != nil {
		return err
	}
	tell.Close()
	r := report{}
	timer := time.AfterFunc(limit, func() { r.Hung = true; cmd.Process.Kill() })
	if os.Getenv(filterEnv) == "tell" {
		if r.Calls, err = calls(told, cmd.Process.Pid); err != nil {
			return err
		}
	}
	cmd.Wait()
	timer.Stop()
	s := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if r.Status = s.ExitStatus(); s.Signaled() {
		r.Status = -int(s.Signal())
	}
	for deadline := time.Now().Add(patience / 4); ; time.Sleep(time.Millisecond) { // nobody tells of a stranger's end
		for pid := 1; pid > 0; {
			pid, _ = unix.Wait4(-1, nil, unix.WNOHANG, nil)
		}
		r.Left = nil
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, d := range dirs {
			if name, err := os.ReadFile(d + "/comm"); d != "/proc/1" && err == nil {
				r.Left = append(r.Left, strings.TrimSpace(string(name)))
			}
		}
		if len(r.Left) == 0 || time.Now().After(deadline) {
			return json.NewEncoder(os.NewFile(reportFD, "report")).Encode(r)
		}
	}
}

// behindAFilter executes its arguments behind a seccomp filter. It does that by execveat(2), so that
// execve(2) can be refused.
func behindAFilter() error {
	runtime.LockOSThread()
	runtime.GOMAXPROCS(2)  // one waits in the kernel where each call is told
	debug.SetGCPercent(-1) // which would wait for that one
	var nr, errno uint32
	action, flags := uint32(unix.SECCOMP_RET_USER_NOTIF), uintptr(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	what := os.Getenv(filterEnv)
	if _, err := fmt.Sscanf(what, "refuse %d %d", &nr, &errno); err == nil {
		action, flags = unix.SECCOMP_RET_ERRNO|errno, 0
	} else if _, err := fmt.Sscanf(what, "kill %d", &nr); err == nil {
		action, flags = unix.SECCOMP_RET_KILL_PROCESS, 0
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number, in struct seccomp_data
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: action},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if flags != 0 {
		program = program[2:3]
	}
	for _, name := range []string{"COWSCOPE_ROLE", "GODEBUG", filterEnv, limitEnv} {
		os.Unsetenv(name)
	}
	bin, err := os.Open(os.Args[1])
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(os.Args[1:])
	envv, err2 := syscall.SlicePtrFromStrings(os.Environ())
	if err := errors.Join(err, err2, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); err != nil {
		return err
	}
	unix.CloseOnExec(reportFD)
	var listener atomic.Int64
	listener.Store(-1)
	go func() { // the filter is the other thread's
		for listener.Load() < 0 {
			runtime.Gosched()
		}
		if flags != 0 {
			fmt.Fprintln(os.NewFile(reportFD, "told"), listener.Load())
		}
	}()
	fd, empty := bin.Fd(), []byte{0}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	n, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	if e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	listener.Store(int64(n))
	_, _, e = unix.RawSyscall6(unix.SYS_EXECVEAT, fd, uintptr(unsafe.Pointer(&empty[0])), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), unix.AT_EMPTY_PATH, 0)
	return fmt.Errorf("execveat: %w", e)
}

// seccompNotif and seccompAnswer are struct seccomp_notif and struct seccomp_notif_resp.
type (
	seccompNotif struct {
		id         uint64
		pid, flags uint32
		nr         int32
		arch       uint32
		ip         uint64
		args       [6]uint64
	}
	seccompAnswer struct {
		id    uint64
		val   int64
		error int32
		flags uint32
	}
)

// calls lets each call pass that a process behind a filter that tells them makes, or that what it
// starts makes, and counts them by their numbers. told says which of its files the listener is.
func calls(told *os.File, pid int) (map[int]int, error) {
	var remote int
	if _, err := fmt.Fscan(told, &remote); err != nil {
		return nil, err
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, remote, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	made := map[int]int{}
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		}
		if fds[0].Revents&unix.POLLHUP != 0 { // nobody is behind the filter any more
			return made, nil
		}
		var n seccompNotif
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); e != 0 {
			continue // who made it has died
		}
		made[int(n.nr)]++
		a := seccompAnswer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
	}
}

// keeperOf is the program behind a filter, with a keeper, and who waits for its report.
func keeperOf(t *testing.T, filter string, args ...string) (*exec.Cmd, func() report) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	reports, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { reports.Close(); w.Close() })
	cmd := exec.Command(self, append([]string{program(t)}, args...)...)
	cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=keeper", filterEnv+"="+filter, limitEnv+"="+patience.String(), "TERM=xterm-256color")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	return cmd, func() (r report) {
		t.Helper()
		w.Close()
		if err := json.NewDecoder(reports).Decode(&r); err != nil {
			t.Errorf("%s: the keeper reports nothing: %v", filter, err)
		}
		return r
	}
}

// kept runs the program behind a filter, and gives what it wrote and what its keeper saw.
func kept(t *testing.T, filter, stdin string, args ...string) (out, errs string, r report) {
	t.Helper()
	cmd, reported := keeperOf(t, filter, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	must(t, cmd.Start())
	r = reported()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: the keeper: %v\n%s", filter, err, e.String())
	}
	return o.String(), e.String(), r
}

// needsNamespaces skips a test where this user cannot make the namespaces of a keeper.
func needsNamespaces(t *testing.T) {
	t.Helper()
	cmd, _ := keeperOf(t, "kill 1000000", "--version")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("needs userns: this user cannot have a PID namespace with a /proc of its own: %v %s", err, out)
	}
}

// session makes the calls that sessions make.
const session = `file data 2p
a = mmap 4p rw private anon
write a "hello"
b = mmap 2p rw shared file=data
write b 1
expect bytes b 1
fwrite data 0 "x"
cat data 0 4
fork
@p2 write a 2
snapshot
@p2 exit 3
wait
rm data
restart
mmap 1p rwx private anon
exec a
`

// named are the calls whose refusal is told by their name, and ends the program with status 3: without
// them nothing is started. Refused is what the errors of a refusal say, for EPERM and ENOSYS.
var named = []struct {
	name string
	nr   int
	says string
}{
	{"getpid", unix.SYS_GETPID, "getpid(2)"}, {"getppid", unix.SYS_GETPPID, "getppid(2)"},
	{"pipe2", unix.SYS_PIPE2, "pipe2(2)"}, {"clone", unix.SYS_CLONE, "clone(2)"}, {"execve", unix.SYS_EXECVE, "execve(2)"},
	{"setsid", unix.SYS_SETSID, "setsid(2)"}, {"chdir", unix.SYS_CHDIR, "chdir(2)"}, {"dup3", unix.SYS_DUP3, "dup3(2)"}, {"prctl", unix.SYS_PRCTL, "prctl(2)"},
	{"ptrace", unix.SYS_PTRACE, "ptrace"}, {"seccomp", unix.SYS_SECCOMP, "seccomp"},
	{"wait4", unix.SYS_WAIT4, "wait4(2)"}, {"kill", unix.SYS_KILL, "kill(2)"}, {"tgkill", unix.SYS_TGKILL, "tgkill(2)"},
}

// spared are the calls without which a session goes on as it does with them.
var spared = []struct {
	name string
	nr   int
}{
	{"personality", unix.SYS_PERSONALITY}, {"memfd_create", unix.SYS_MEMFD_CREATE}, {"prlimit64", unix.SYS_PRLIMIT64}, {"sched_setaffinity", unix.SYS_SCHED_SETAFFINITY},
	{"process_vm_readv", unix.SYS_PROCESS_VM_READV}, {"close_range", unix.SYS_CLOSE_RANGE}, {"getcpu", unix.SYS_GETCPU}, {"uname", unix.SYS_UNAME},
	{"getdents64", unix.SYS_GETDENTS64}, {"getuid", unix.SYS_GETUID}, {"ioctl", unix.SYS_IOCTL}, {"getrandom", unix.SYS_GETRANDOM},
}

// TestHostileCalls finds the calls that a session makes by having each told, and refuses them. A call
// that stands in no table is one of Go's runtime, or of the C library: where it is refused the program
// may fail in their words.
func TestHostileCalls(t *testing.T) {
	h := hostilely(t)
	needsNamespaces(t)
	_, errs, r := kept(t, "tell", session, "exec")
	if r.Status != 0 || len(r.Left) > 0 || len(r.Calls) < 40 {
		t.Fatalf("a session whose calls are told: %+v\n%s", r, errs)
	}
	// It is not refused, since nothing ends then: Go's runtime makes the call again and again.
	delete(r.Calls, unix.SYS_EXIT_GROUP)
	var all []refusal
	for nr := range r.Calls {
		x := refusal{nr: nr, name: fmt.Sprint("call ", nr)}
		for _, n := range named {
			if n.nr == nr {
				x.name, x.says = n.name, n.says
			}
		}
		for _, s := range spared {
			if s.nr == nr {
				x.name, x.spared = s.name, true
			}
		}
		for _, x.how = range []string{"EPERM", "ENOSYS", "killed"} {
			for _, x.args = range []string{"exec", "doctor", "lab"} {
				if x.spared && x.nr == unix.SYS_IOCTL && x.args != "exec" {
					x.spared = false // of which a terminal is known by
				}
				all = append(all, x)
			}
		}
	}
	for _, n := range named {
		if r.Calls[n.nr] == 0 {
			t.Errorf("a session does not call %s", n.name)
		}
	}
	slices.SortFunc(all, func(x, y refusal) int {
		return cmp.Or(cmp.Compare(x.nr, y.nr), cmp.Compare(x.how+x.args, y.how+y.args))
	})
	known := slices.DeleteFunc(slices.Clone(all), func(x refusal) bool { return x.says == "" && !x.spared })
	for _, x := range append(some(h, known, 14), some(h, slices.DeleteFunc(all, func(x refusal) bool { return x.says != "" || x.spared }), 6)...) {
		t.Run(x.name+" "+x.how+" "+x.args, x.run)
	}
}

// refusal is a call that is refused, in a way, while something runs.
type refusal struct {
	nr        int
	name      string
	how, args string
	says      string // what is told, "" for no matter
	spared    bool
}

func (x refusal) filter() string {
	switch x.how {
	case "EPERM":
		return fmt.Sprintf("refuse %d %d", x.nr, unix.EPERM)
	case "ENOSYS":
		return fmt.Sprintf("refuse %d %d", x.nr, unix.ENOSYS)
	}
	return fmt.Sprintf("kill %d", x.nr)
}

func (x refusal) run(t *testing.T) {
	var out, errs string
	var r report
	if x.args == "lab" {
		out, r = x.onTerminal(t)
	} else {
		out, errs, r = kept(t, x.filter(), session, x.args)
	}
	if r.Hung || len(r.Left) > 0 {
		t.Errorf("hung: %v, left: %q\n%.2000s", r.Hung, r.Left, out+errs)
	}
	told := errs
	if x.args != "exec" {
		told = out
	}
	switch {
	case x.how == "killed":
		if r.Status != -int(unix.SIGSYS) && r.Status != 0 && (x.says == "" || r.Status != 3 || !strings.Contains(told, x.says)) && !(x.spared && r.Status == 3 && strings.Contains(told, x.name+"(2)")) {
			t.Errorf("status %d: %.1000s", r.Status, told)
		}
	case x.says != "":
		if r.Status != 3 || !strings.Contains(told, x.says) {
			t.Errorf("status %d, want 3 and %s: %.3000s", r.Status, x.says, told)
		}
		if why := oneLine(r.Status, errs); x.args == "exec" && why != "" {
			t.Error(why)
		}
	case x.spared && r.Status != 0:
		t.Errorf("status %d, want 0: %.1000s", r.Status, out+errs)
	}
}

// onTerminal runs the lab; where its screen comes up, it is left at once.
func (x refusal) onTerminal(t *testing.T) (string, report) {
	cmd, reported := keeperOf(t, x.filter(), "lab")
	l := newLine(t, 100, 30)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.tty, l.tty, l.tty
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	a := l.start(cmd, cmd.Env...)
	shown := make(chan report, 1)
	go func() { shown <- reported() }()
	for quit := false; ; {
		select {
		case r := <-shown:
			a.ends(patience)
			if r.Status == 3 && (x.says != "" || x.spared) { // then something is told
				l.shows("\n")
			}
			if strings.Contains(l.text(), "\x1b[?1049h") && x.says == "" {
				a.gave()
			}
			return l.text(), r
		case <-l.news:
			if !quit && strings.Contains(l.text(), "step") {
				quit = true
				l.keys("\x03")
			}
		}
	}
}
