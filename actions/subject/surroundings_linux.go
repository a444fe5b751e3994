//go:build amd64 || arm64

package subject

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// lookAround reads the settings. It is called only after a refusal; a setting that cannot be read
// is ignored.
func lookAround() surroundings {
	const capSysPtrace = 19 // include/uapi/linux/capability.h
	text, err := os.ReadFile("/proc/self/status")
	st := string(text)
	caps, _ := strconv.ParseUint(field(st, "CapEff"), 16, 64)
	return surroundings{
		yama:        number("/proc/sys/kernel/yama/ptrace_scope"),
		seccomp:     atoi(field(st, "Seccomp")),
		tracer:      atoi(field(st, "TracerPid")),
		ptraceCap:   caps>>capSysPtrace&1 == 1,
		denyPtrace:  number("/sys/fs/selinux/booleans/deny_ptrace") > 0,
		memfdNoexec: number("/proc/sys/vm/memfd_noexec"),
		procMounted: err == nil,
		refused:     refusedCall(),
	}
}

// refusedCall makes the calls by which a process is started and prepared, one by one, in a child
// that has nothing to execute, and returns the first that is refused; "" if none is, or only
// ptrace.
func refusedCall() string {
	for _, try := range []struct {
		call string
		attr syscall.ProcAttr
	}{
		{"", syscall.ProcAttr{}},
		{"setsid", syscall.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}}},
		{"prctl", syscall.ProcAttr{Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}},
		{"dup3", syscall.ProcAttr{Files: []uintptr{0, 1, 2, 0}}},
		{"chdir", syscall.ProcAttr{Dir: "/"}},
	} {
		pid, err := syscall.ForkExec(nothing, []string{"nothing"}, &try.attr)
		if err == nil { // the child did not report that the file is missing: the filter killed it
			_, _ = syscall.Wait4(pid, nil, 0, nil)
			return cmp.Or(try.call, "execve")
		}
		if forbidden(err) {
			return cmp.Or(try.call, refusedHere())
		}
	}
	return ""
}

// nothing is a path that does not exist.
const nothing = "/proc/self/nothing"

// refusedHere finds the refused one among the calls by which this process creates another, if the
// refusal kills nothing.
func refusedHere() string {
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); forbidden(err) {
		return "pipe2"
	} else if err == nil {
		syscall.Close(pipe[0])
		syscall.Close(pipe[1])
	}
	path, _ := syscall.BytePtrFromString(nothing)
	argv := [2]*byte{path}
	if _, _, e := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv)), 0); forbidden(e) {
		return "execve"
	}
	return "clone"
}

// forbidden reports whether the call itself was refused, whatever its arguments.
func forbidden(err error) bool {
	return err == syscall.EPERM || err == syscall.ENOSYS || err == syscall.EACCES
}

// ownProc is nil if /proc shows this process's own PID namespace. After unshare(1) with --pid and
// without --mount-proc it shows the outer one, whose numbers mean other processes here. The line
// NSpid (proc_pid_status(5)) lists the pids of a process from the namespace of /proc down to its
// own; if the two are the same there is one number.
var ownProc = sync.OnceValue(func() error {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Errorf("/proc/self/status: %w", err)
	}
	if pids := strings.Fields(field(string(text), "NSpid")); len(pids) > 0 && (len(pids) > 1 || atoi(pids[0]) != os.Getpid()) {
		return errForeignProc
	}
	return nil
})

// field is the value of a "Key:\tvalue" line, "" without one.
func field(text, key string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && k == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// number is the first number of a file, -1 without one.
func number(path string) int {
	text, err := os.ReadFile(path)
	words := strings.Fields(string(text))
	if err != nil || len(words) == 0 {
		return -1
	}
	return atoi(words[0])
}
