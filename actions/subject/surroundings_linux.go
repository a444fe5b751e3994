//go:build amd64 || arm64

package subject

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// lookAround reads the settings. It is called only after a refusal; what cannot be
// read does not count.
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
	}
}

// ownProc says whether /proc/PID is what cowscope takes it for. After unshare(1) with --pid and
// without --mount-proc it shows the processes of the namespace around: their numbers mean others
// here. The line NSpid (proc_pid_status(5)) lists the numbers of a process from the namespace of
// /proc down to its own; where the two are one there is one number.
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
