//go:build amd64 || arm64

package subject

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// The confinement. A subject may execute untrusted machine code, so the kernel restricts its system
// calls: before the first command the subject installs a seccomp filter (seccomp(2)) that permits a
// system call only if all of this holds:
//
//   - it is a call of the native table: not of i386 (int 0x80), not of x32;
//   - its number is one of those that the session's verbs make;
//   - for a call with many operations, such as prctl, its first argument is one that a verb passes;
//   - the calling instruction is the one in the text page that this package writes.
//
// A child inherits the filter, and nothing removes it. Any other call raises SIGSYS and has no
// effect. The filter is the second line of defence: under PTRACE_SYSEMU no call of foreign code
// reaches the filter, and the only single step is over the system call instruction that this
// package wrote (see callIntact).

// ownCalls are the system calls that this package itself makes once the filter is installed.
var ownCalls = []uintptr{
	unix.SYS_CLONE, unix.SYS_EXIT_GROUP, unix.SYS_EXIT, // Fork, Thread, Exit, ExitThread
	unix.SYS_OPENAT, unix.SYS_CLOSE, // Open, and what it opened
	unix.SYS_MMAP, unix.SYS_MUNMAP, // Lend, Return
	unix.SYS_RESTART_SYSCALL, // how the kernel restarts a call that a signal interrupted
}

// unlisted is a harmless call that is in no list: the filter must refuse it.
const unlisted = unix.SYS_GETPPID

// refusedBy is the number in a SIGSYS of this filter, which distinguishes it from that of another
// filter around cowscope (SECCOMP_RET_DATA, seccomp(2)).
const refusedBy = 0xc0

// The text page contains the filter, because the subject has no other memory: struct sock_fprog,
// and the instructions that it points to.
const (
	fprogAt         = 0x8c0
	filterAt        = fprogAt + 16
	maxInstructions = (textSize - filterAt) / 8
)

// filter is the filter for these calls as bytes of the text page at fprogAt.
func filter(calls []uintptr, first map[uintptr][]uint32) ([]byte, error) {
	all := slices.Concat(ownCalls, calls)
	slices.Sort(all)
	all = slices.Compact(all)
	// Offsets in struct seccomp_data (include/uapi/linux/seccomp.h): nr 0, arch 4, the address
	// after the instruction at 8, and the first argument at 16. A BPF word is 32 bits, half of such
	// a field.
	const load, equal, end = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	allow, refuse := unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW}, unix.SockFilter{Code: end, K: unix.SECCOMP_RET_TRAP | refusedBy}
	program := []unix.SockFilter{
		{Code: load, K: 4},
		{Code: equal, K: auditArch, Jt: 1},
		refuse,
		{Code: load, K: 12},
		{Code: equal, K: 0, Jt: 1}, // the upper half: textBase fits into the lower
		refuse,
		{Code: load, K: 8},
		{Code: equal, K: uint32(syscallStub.end), Jt: 1},
		refuse,
		{Code: load, K: 0},
	}
	var whole []uintptr // the calls whose first argument is not checked
	for _, nr := range all {
		only := first[nr]
		if only == nil {
			whole = append(whole, nr)
			continue
		}
		program = append(program, unix.SockFilter{Code: equal, K: uint32(nr), Jf: uint8(len(only) + 3)}, unix.SockFilter{Code: load, K: 16})
		for i, x := range only {
			program = append(program, unix.SockFilter{Code: equal, K: x, Jt: uint8(len(only) - i)})
		}
		program = append(program, refuse, allow)
	}
	for i, nr := range whole {
		program = append(program, unix.SockFilter{Code: equal, K: uint32(nr), Jt: uint8(len(whole) - i)})
	}
	program = append(program, refuse, allow)
	if len(program) > maxInstructions {
		return nil, fmt.Errorf("subject: %d system calls do not fit into the filter: it has room for %d instructions, and they need %d", len(all), maxInstructions, len(program))
	}
	text := binary.LittleEndian.AppendUint64(nil, uint64(len(program)))
	text = binary.LittleEndian.AppendUint64(text, textBase+filterAt)
	return binary.Append(text, binary.LittleEndian, program)
}

// confine installs the filter and checks that it refuses a call.
func (p *Process) confine() error {
	// An ordinary user may install a filter only where no later exec can raise privileges. The
	// subject never executes anything.
	e, err := p.first("prctl", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err != nil {
		return err
	}
	if e.OK() {
		// Kernels before 5.16 enable a slow mitigation of speculative attacks for a filtered
		// process, unless the flag is set (Documentation/userspace-api/spec_ctrl.rst).
		e, err = p.first("seccomp", unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, textBase+fprogAt)
	}
	if err != nil {
		return err
	}
	if !e.OK() {
		return &confineError{e}
	}
	if _, err := p.Syscall(unlisted); err == nil || p.tried == nil || p.tried.Nr != unlisted {
		return &confineError{}
	}
	return nil
}

// confineError says that the kernel did not confine the subject. Then no subject is started: code
// of a script could make any system call.
type confineError struct{ Ending }

func (e *confineError) Error() string {
	const consequence = ", without which machine code in a script could call the kernel"
	switch {
	case e.Errno != 0:
		return fmt.Sprintf("no seccomp filter can be installed (%s)%s", unix.ErrnoName(e.Errno), consequence)
	case e.Signal != nil:
		return "a seccomp filter around cowscope forbids another one" + consequence
	}
	return "a seccomp filter was installed, and a call that it must refuse was made" + consequence
}

func (e *confineError) Unwrap() error {
	if e.Errno != 0 {
		return e.Errno
	}
	return nil
}

// ourRefusal returns the system call that our filter refused, nil if the signal has another cause.
func ourRefusal(c cause, r *ptrace.Registers) *Attempt {
	const sysSeccomp = 1 // include/uapi/asm-generic/siginfo.h
	if c.Signo != int32(unix.SIGSYS) || c.Code != sysSeccomp || c.Errno != refusedBy {
		return nil
	}
	a := attemptFromRegs(r)
	nr, arch := c.SystemCall()
	a.Nr, a.Compat = uint64(nr), arch != auditArch
	return a
}

// callIntact is nil if the system call instruction is still the one that this package wrote,
// otherwise ErrStubs. ptrace reads regardless of permissions; what cannot be read is not intact.
func (p *Process) callIntact() error {
	word, e := ptrace.Peek(p.pid, syscallStub.start)
	if e == unix.ESRCH {
		return p.lost("read its text", e)
	}
	const rest = 64 - 8*(stubSyscallEnd-stubSyscall)
	if e != 0 || word<<rest != callWord<<rest {
		return ErrStubs
	}
	return nil
}

// intact reports whether the instructions of a stub are still those that this package wrote. It is
// called after one of them has run.
func (p *Process) intact(s *stub) bool {
	i := slices.IndexFunc(code, func(c piece) bool { return textBase+uint64(c.at) == s.start })
	return p.holds(s.start, code[i].bytes)
}

// holds reports whether these bytes are at that address.
func (p *Process) holds(at uint64, want []byte) bool {
	for ; len(want) > 0; at += 8 {
		word, e := ptrace.Peek(p.pid, at)
		n := min(len(want), 8)
		if e != 0 || !bytes.Equal(binary.LittleEndian.AppendUint64(nil, word)[:n], want[:n]) {
			return false
		}
		want = want[n:]
	}
	return true
}

// callWord is the word at the system call instruction.
var callWord = func() uint64 {
	for _, c := range code {
		if c.at == stubSyscall {
			return binary.LittleEndian.Uint64(append(slices.Clone(c.bytes), make([]byte, 8)...))
		}
	}
	panic("subject: there is no stub for system calls")
}()

// signalable returns why this process may not be signalled, nil if it may: a hung process is ended
// by a signal.
func signalable(pid int) error {
	for _, try := range []struct {
		call string
		err  error
	}{{"kill", unix.Kill(pid, 0)}, {"tgkill", unix.Tgkill(pid, pid, 0)}} {
		if try.err != nil {
			return fmt.Errorf("%w; without it nothing that hangs could be ended", answers(try.call, try.err))
		}
	}
	return nil
}

// answers is the error of a call that rarely fails.
func answers(call string, err error) error {
	return fmt.Errorf("%s(2) is refused (%w), most likely by a seccomp filter, as in a container", call, err)
}
