package subject

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

func TestExplainRefusal(t *testing.T) {
	plain := surroundings{yama: -1, memfdNoexec: -1, procMounted: true}
	with := func(f func(*surroundings)) surroundings { s := plain; f(&s); return s }
	tests := []struct {
		err    error
		around surroundings
		want   string
	}{
		{syscall.EPERM, with(func(s *surroundings) { s.yama = 3 }), "ptrace_scope is 3"},
		{syscall.EPERM, with(func(s *surroundings) { s.yama = 3; s.ptraceCap = true }), "ptrace_scope is 3"},
		{syscall.EPERM, with(func(s *surroundings) { s.yama = 2 }), "ptrace_scope is 2"},
		{syscall.EPERM, with(func(s *surroundings) { s.yama = 2; s.ptraceCap = true; s.seccomp = 2 }), "seccomp"},
		{syscall.EPERM, with(func(s *surroundings) { s.yama = 1; s.seccomp = 2 }), "--cap-add=SYS_PTRACE"},
		{syscall.EPERM, with(func(s *surroundings) { s.tracer = 77; s.seccomp = 2 }), "process 77"},
		{syscall.EPERM, with(func(s *surroundings) { s.denyPtrace = true }), "setsebool"},
		{syscall.EPERM, plain, "no known setting"},
		{syscall.EAGAIN, plain, "RLIMIT_NPROC"},
		{syscall.ENOMEM, plain, "out of memory"},
		{syscall.EMFILE, with(func(s *surroundings) { s.procMounted = false }), "ulimit -n"},
		{syscall.EFBIG, plain, "ulimit -f"},
		{syscall.ENOSYS, plain, "no ptrace"},
		{syscall.ENOENT, with(func(s *surroundings) { s.procMounted = false }), "/proc is not mounted"},
		{syscall.EACCES, with(func(s *surroundings) { s.memfdNoexec = 2 }), "vm.memfd_noexec is 2"},
		{syscall.EACCES, plain, "TMPDIR"},
		{errors.Join(syscall.EIO, syscall.ENOSPC), plain, "input/output error; no space"},
	}
	for _, tt := range tests {
		err := explainRefusal(fmt.Errorf("memfd: %w", tt.err), tt.around)
		if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v in %+v:\n%v\nwant something with %q", tt.err, tt.around, err, tt.want)
		}
		if !errors.Is(err, tt.err) && !errors.Is(err, syscall.EIO) {
			t.Errorf("%v does not unwrap to %v", err, tt.err)
		}
	}
}

func TestEndings(t *testing.T) {
	if !(Ending{}).OK() || !(Ending{Trap: true}).OK() || (Ending{TimedOut: true}).OK() || (Ending{Errno: 1}).OK() {
		t.Error("OK")
	}
	for _, tt := range []struct {
		err  ExitedError
		want string
	}{
		{ExitedError{PID: 5, Code: 3}, "process 5 exited with status 3"},
		{ExitedError{PID: 5, Signal: 9}, "process 5 was killed by SIGKILL"},
		{ExitedError{PID: 5, Signal: 9, Hung: true}, "process 5 hung in the kernel past its deadline and had to be killed"},
		{ExitedError{PID: 5, Lost: true}, "process 5 is gone, and its exit status too"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	for _, tt := range []struct {
		sig  Signal
		want string
	}{
		{Signal{Signo: 11, Code: 1}, "SIGSEGV/MAPERR"},
		{Signal{Signo: 11, Code: 2}, "SIGSEGV/ACCERR"},
		{Signal{Signo: 7, Code: 2}, "SIGBUS/ADRERR"},
		{Signal{Signo: 11, Code: 0x80}, "SIGSEGV/KERNEL"},
		{Signal{Signo: 11, Code: 99}, "SIGSEGV/"},
		{Signal{Signo: 11, Code: -6}, "SIGSEGV/"},
	} {
		if got := tt.sig.Name() + "/" + tt.sig.CodeName(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
