package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Refused is that the kernel gives no events: which call failed, and what would help.
type Refused struct {
	Call  string
	Errno unix.Errno
	Help  string // "" where nothing is known to
}

func (r *Refused) Error() string {
	text := fmt.Sprintf("%s answers %s", r.Call, unix.ErrnoName(r.Errno))
	if r.Help != "" {
		text += ": " + r.Help
	}
	return text
}

func (r *Refused) Unwrap() error { return r.Errno }

// refused says what would help against the failure of a call.
func refused(call string, err error) error {
	errno, ok := err.(unix.Errno)
	if !ok {
		return fmt.Errorf("%s: %w", call, err)
	}
	return &Refused{call, errno, help(call, errno, paranoid())}
}

// paranoid is kernel.perf_event_paranoid, 0 where it is not there. Above 2, which only some
// distributions know, an ordinary user gets no events at all.
func paranoid() int {
	text, _ := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// help is what would help, by perf_event_open(2) and mmap(2).
func help(call string, errno unix.Errno, paranoid int) string {
	no := errno == unix.EACCES || errno == unix.EPERM
	switch {
	case call == "mmap" && errno == unix.EPERM:
		return "no more memory may be locked; a larger kernel.perf_event_mlock_kb, or limit (ulimit -l), would help"
	case no && paranoid > 2:
		return fmt.Sprintf("sysctl kernel.perf_event_paranoid=2 would help; it is %d", paranoid)
	case errno == unix.EPERM:
		return "a container's filter of system calls may refuse it; the capability CAP_PERFMON would help"
	case errno == unix.EACCES:
		return "the process is another user's; to be root, or CAP_PERFMON, would help"
	case errno == unix.EMFILE:
		return "every thread takes two open files on each CPU; a larger limit (ulimit -n) would help"
	case errno == unix.ENFILE:
		return "the system has too many open files; a larger fs.file-max would help"
	case errno == unix.ENOSYS:
		return "this kernel was built without perf events"
	}
	return ""
}
