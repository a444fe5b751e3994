package tui_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"cowscope/actions/feature/machinetest"

	"golang.org/x/sys/unix"
)

// doctorSays runs the built program's doctor and gives what it wrote and its exit status.
func doctorSays(t *testing.T, cmd *exec.Cmd) (out, stderr string, status int) {
	t.Helper()
	var b strings.Builder
	cmd.Stderr = &b
	raw, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(raw), b.String(), cmd.ProcessState.ExitCode()
}

// doctorReport is the JSON of doctor, as it is promised.
type doctorReport struct {
	Kernel, Arch, User string
	PageSize           int `json:"page_size"`
	Features           []struct {
		Name      string
		Available bool
		Reason    string
		Since     string
	}
}

func decode(t *testing.T, out string) (r doctorReport) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if r.Kernel == "" || r.Arch != runtime.GOARCH || r.PageSize != os.Getpagesize() || r.User == "" || len(r.Features) == 0 {
		t.Fatalf("%+v", r)
	}
	return r
}

func TestDoctor(t *testing.T) {
	machinetest.Hold(t) // two reports are compared
	text, stderr, status := doctorSays(t, exec.Command(program(t), "doctor"))
	if status != 0 || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}
	out, stderr, status := doctorSays(t, exec.Command(program(t), "doctor", "--json"))
	if status != 0 || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}
	for _, f := range decode(t, out).Features {
		mark := map[bool]string{true: "\nyes  ", false: "\nno   "}[f.Available]
		if !strings.Contains(text, mark+f.Name+" ") {
			t.Errorf("%+v is not told in\n%s", f, text)
		}
		if root := os.Geteuid() == 0; f.Name == "frames" && f.Available != root {
			t.Errorf("root %v: %+v", root, f)
		}
	}
	if _, stderr, status := doctorSays(t, exec.Command(program(t), "doctor", "twice")); status != 2 || stderr == "" {
		t.Errorf("an argument too many: status %d, %s", status, stderr)
	}
}

// Where ptrace is forbidden, as in a container, the whole list comes all the same, and the status
// tells.
func TestDoctorWithoutPtrace(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}} {
		cmd := exec.Command(self, args...)
		cmd.Env = append(os.Environ(), "COWSCOPE_ROLE=untraced", "COWSCOPE_BIN="+program(t))
		out, stderr, status := doctorSays(t, cmd)
		if status != 3 || !strings.Contains(stderr, "a seccomp filter forbids ptrace") {
			t.Errorf("status %d, %s", status, stderr)
		}
		if len(args) == 1 {
			if !strings.Contains(out, "\nno   ptrace") || !strings.Contains(out, "\nyes  mlock2") || !strings.Contains(out, "no subject can be started") {
				t.Errorf("the text is\n%s", out)
			}
			continue
		}
		missing := map[string]string{}
		for _, f := range decode(t, out).Features {
			missing[f.Name] = f.Reason
		}
		if !strings.Contains(missing["ptrace"], "seccomp") || missing["memfd-exec"] == "" || missing["lazyfree"] != "" {
			t.Errorf("missing: %q", missing)
		}
	}
}

// untraced becomes the built program, for which ptrace answers EPERM.
func untraced() error {
	const number = 0 // struct seccomp_data begins with the number of the call
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_PTRACE},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread() // the filter is this thread's, until it executes
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return err
	}
	bin := os.Getenv("COWSCOPE_BIN")
	return syscall.Exec(bin, append([]string{bin}, os.Args[1:]...), os.Environ())
}

// In a PID namespace that has no /proc of its own the numbers there mean strangers: nothing is
// started, and why is told in one line.
func TestAnotherProc(t *testing.T) {
	cmd := exec.Command(program(t), "exec", "-")
	cmd.Stdin = strings.NewReader("mmap 1p rw private anon\n")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
	}
	var says strings.Builder
	cmd.Stdout, cmd.Stderr = &says, &says
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skip("needs userns: this user cannot make a PID namespace:", err)
	}
	if status := cmd.ProcessState.ExitCode(); status != 3 || strings.Count(says.String(), "\n") != 1 || !strings.Contains(says.String(), "mount -t proc proc /proc") {
		t.Errorf("status %d: %s", status, says.String())
	}
}
