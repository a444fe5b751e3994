//go:build amd64 || arm64

package ptrace

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Refusal says why a process cannot be attached to, and what would help (ptrace(2), "Ptrace access
// mode checking").
func Refusal(pid int, call string, err error) error {
	switch {
	case err == unix.ESRCH, err == unix.ENOENT: // the folder in /proc
		return fmt.Errorf("there is no process %d", pid)
	case err != unix.EPERM && err != unix.EACCES:
		return fmt.Errorf("%s of process %d answers %w", call, pid, err)
	}
	if by := procfs.StatusField(pid, "TracerPid:"); by != "0" && by != "" {
		return fmt.Errorf("process %d is traced already, by process %s: only one can", pid, by)
	}
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil {
		switch s := strings.TrimSpace(string(scope)); s {
		case "1", "2":
			if os.Geteuid() != 0 {
				return fmt.Errorf("process %d may not be attached to: kernel.yama.ptrace_scope (Yama) is %s; root may", pid, s)
			}
		case "3":
			return errors.New("no process may be attached to until the next boot: kernel.yama.ptrace_scope (Yama) is 3")
		}
	}
	return fmt.Errorf("process %d may not be attached to: it is of another user, changed its user, or forbids it (prctl PR_SET_DUMPABLE); root with CAP_SYS_PTRACE may", pid)
}

// Cause is the errno behind the error of a file.
func Cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
