package subject

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Why a start was refused. The kernel says EPERM; a person needs to know which setting caused it.
// surroundings are the facts, explainRefusal decides; they are separate so that the decision can be
// tested on any system.

// errForeignProc says that /proc belongs to another PID namespace.
var errForeignProc = errors.New("/proc shows another PID namespace than the one cowscope runs in")

// surroundings are the settings that can refuse ptrace or the start of a process.
type surroundings struct {
	yama        int  // kernel.yama.ptrace_scope, -1 when there is none
	seccomp     int  // Seccomp of /proc/self/status: 2 is a filter
	tracer      int  // pid that traces cowscope itself, 0 when nobody does
	ptraceCap   bool // CAP_SYS_PTRACE is effective
	denyPtrace  bool // SELinux boolean deny_ptrace
	memfdNoexec int  // vm.memfd_noexec, -1 when there is none
	procMounted bool
	// refused is a call that a start makes before it traces, and that was refused; "" for none.
	refused string
}

// explainRefusal is one line: what was refused, by what, and what to do.
func explainRefusal(err error, s surroundings) error {
	const lead = "cannot start the subject: "
	say := func(why string) error { return &refusedError{lead + why, err} }
	is := func(e syscall.Errno) bool { return errors.Is(err, e) }
	switch {
	case is(syscall.EAGAIN):
		return say("no more processes are allowed (RLIMIT_NPROC, or pids.max of the control group); raise `ulimit -u` or end some")
	case is(syscall.ENOMEM):
		return say("the system is out of memory")
	case is(syscall.EMFILE), is(syscall.ENFILE):
		return say("no more files may be open (RLIMIT_NOFILE, or fs.file-max); raise `ulimit -n`")
	case is(syscall.EFBIG):
		return say("no file may be as large as the subject's program (RLIMIT_FSIZE); raise `ulimit -f`")
	case !s.procMounted:
		return say("/proc is not mounted; mount it (mount -t proc proc /proc)")
	case errors.Is(err, errForeignProc):
		return say("/proc shows another PID namespace, in which the numbers of processes mean others; " +
			"mount this one's (mount -t proc proc /proc), or start it with unshare --mount-proc")
	case s.refused != "":
		return say(s.refused + "(2) is refused, most likely by a seccomp filter, as in a container; start that with --security-opt seccomp=unconfined")
	case is(syscall.EPERM):
		return say(whoForbidsPtrace(s))
	case is(syscall.ENOSYS):
		return say("this kernel, or the sandbox around it, has no ptrace; run cowscope on a Linux kernel itself")
	case is(syscall.EACCES) && s.memfdNoexec > 0:
		return say(fmt.Sprintf("vm.memfd_noexec is %d and no temporary directory allows executing; "+
			"set TMPDIR to a directory that is not mounted noexec", s.memfdNoexec))
	case is(syscall.EACCES):
		return say("nothing may be executed from memory or from a temporary directory; " +
			"set TMPDIR to a directory that is not mounted noexec")
	}
	return say(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// whoForbidsPtrace names the setting behind an EPERM, surest first.
// PTRACE_TRACEME is allowed by yama's 0 and 1 (security/yama/yama_lsm.c).
func whoForbidsPtrace(s surroundings) string {
	switch {
	case s.yama >= 3:
		return "kernel.yama.ptrace_scope is 3: nobody may trace until the next boot; boot with another value"
	case s.yama == 2 && !s.ptraceCap:
		return "kernel.yama.ptrace_scope is 2: only CAP_SYS_PTRACE may trace; run as root, or sysctl kernel.yama.ptrace_scope=1"
	case s.tracer != 0:
		return fmt.Sprintf("cowscope is itself traced by process %d, which takes its children too; run it without strace -f or a debugger", s.tracer)
	case s.denyPtrace:
		return "SELinux forbids ptrace; setsebool deny_ptrace 0"
	case s.seccomp == 2:
		return "a seccomp filter forbids ptrace, as in a container; start it with --cap-add=SYS_PTRACE or --security-opt seccomp=unconfined"
	}
	return "ptrace is not permitted, and no known setting says why; a security module (AppArmor, SELinux) may"
}

// refusedError has a message of one line and unwraps to the errno.
type refusedError struct {
	line string
	err  error
}

func (e *refusedError) Error() string { return e.line }
func (e *refusedError) Unwrap() error { return e.err }
