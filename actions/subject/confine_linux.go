//go:build amd64 || arm64

package subject

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The confinement. A subject may execute anybody's machine code, so the kernel itself holds what it
// may call: before the first command the subject installs a seccomp filter (seccomp(2)) that lets a
// system call through only if all of this holds:
//
//   - it is a call of the native table: not of i386 (int 0x80), not of x32;
//   - its number is one of those that the session's verbs make;
//   - the instruction that made it is the one in the text page that this package writes.
//
// A child inherits the filter, nothing takes it away again. Everything else raises SIGSYS, and
// nothing happens. The filter is the second wall: under PTRACE_SYSEMU no call of foreign code
// gets as far as the filter, and the one single step is made only over the instruction that was
// written (see callIntact).

// ownCalls are the system calls that this package makes by itself, once the filter is there.
var ownCalls = []uintptr{
	unix.SYS_CLONE, unix.SYS_EXIT_GROUP, // Fork, Exit
	unix.SYS_OPENAT, unix.SYS_CLOSE, // Open, and what it opened
	unix.SYS_MMAP, unix.SYS_MUNMAP, // Lend, Return
	unix.SYS_RESTART_SYSCALL, // what the kernel itself makes of a call that a signal interrupted
}

// unlisted is a harmless call that no list has: the filter must refuse it.
const unlisted = unix.SYS_GETPPID

// refusedBy is the number that comes with a SIGSYS of this filter, to tell it from those of another
// filter around cowscope (SECCOMP_RET_DATA, seccomp(2)).
const refusedBy = 0xc0

// The text page holds the filter, since the subject has no other memory: struct sock_fprog, and
// the instructions that it points to.
const (
	fprogAt  = 0x8c0
	filterAt = fprogAt + 16
	maxCalls = (textSize-filterAt)/8 - 9 // instructions of 8 bytes, less those beside the numbers
)

// filter is the filter's text for these calls, as it stands at fprogAt.
func filter(calls []uintptr) ([]byte, error) {
	all := slices.Concat(ownCalls, calls)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > maxCalls {
		return nil, fmt.Errorf("subject: %d system calls do not fit into the filter, %d do", len(all), maxCalls)
	}
	// Offsets in struct seccomp_data (include/uapi/linux/seccomp.h): nr 0, arch 4, and the address
	// behind the instruction at 8, of which a BPF word is one half.
	const load, equal, end = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	refuse := func(after int) uint8 { return uint8(len(all) + after) }
	program := []unix.SockFilter{
		{Code: load, K: 4},
		{Code: equal, K: auditArch, Jf: refuse(5)},
		{Code: load, K: 12},
		{Code: equal, K: 0, Jf: refuse(3)}, // the upper half: textBase is small
		{Code: load, K: 8},
		{Code: equal, K: uint32(syscallStub.end), Jf: refuse(1)},
		{Code: load, K: 0},
	}
	for i, nr := range all {
		program = append(program, unix.SockFilter{Code: equal, K: uint32(nr), Jt: uint8(len(all) - i)})
	}
	program = append(program,
		unix.SockFilter{Code: end, K: unix.SECCOMP_RET_TRAP | refusedBy},
		unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW})
	text := binary.LittleEndian.AppendUint64(nil, uint64(len(program)))
	text = binary.LittleEndian.AppendUint64(text, textBase+filterAt)
	return binary.Append(text, binary.LittleEndian, program)
}

// confine installs the filter and sees it refuse a call.
func (p *Process) confine() error {
	// An ordinary user may install a filter only where no later exec can raise privileges. The
	// subject never executes anything.
	e, err := p.Syscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err != nil {
		return err
	}
	if e.OK() {
		// Kernels before 5.16 slow a filtered process down against a speculative attack on itself,
		// unless they are told not to (Documentation/userspace-api/spec_ctrl.rst).
		e, err = p.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, textBase+fprogAt)
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

// confineError says that the kernel would not hold the subject. Without that no subject is started:
// whatever code a script brings could call the kernel.
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

// ourRefusal says which system call our filter refused, nil where the signal is another one.
func ourRefusal(c cause, r *registers) *Attempt {
	const sysSeccomp = 1 // include/uapi/asm-generic/siginfo.h
	if c.signo != int32(unix.SIGSYS) || c.code != sysSeccomp || c.errno != refusedBy {
		return nil
	}
	a := attemptFromRegs(r)
	a.Nr, a.Compat = uint64(uint32(c.nr)), c.arch != auditArch
	return a
}

// callIntact is nil if the instruction of the system call is still the one that this package wrote,
// else ErrStubs. A debugger's read goes past protections, so that what is there is seen whatever
// the letters say; what cannot be read is not ours.
func (p *Process) callIntact() error {
	word, e := p.peekText(syscallStub.start)
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
// asked when one of them has just run.
func (p *Process) intact(s *stub) bool {
	i := slices.IndexFunc(code, func(c piece) bool { return textBase+uint64(c.at) == s.start })
	for at, want := s.start, code[i].bytes; len(want) > 0; at += 8 {
		word, e := p.peekText(at)
		n := min(len(want), 8)
		if e != 0 || !bytes.Equal(binary.LittleEndian.AppendUint64(nil, word)[:n], want[:n]) {
			return false
		}
		want = want[n:]
	}
	return true
}

func (p *Process) peekText(addr uint64) (word uint64, e syscall.Errno) {
	_, _, e = unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_PEEKTEXT, uintptr(p.pid), uintptr(addr), uintptr(unsafe.Pointer(&word)), 0, 0)
	return word, e
}

// callWord is the word that begins with the instruction of the system call.
var callWord = func() uint64 {
	for _, c := range code {
		if c.at == stubSyscall {
			return binary.LittleEndian.Uint64(append(slices.Clone(c.bytes), make([]byte, 8)...))
		}
	}
	panic("subject: there is no stub for system calls")
}()

// signalable is why this process may not be signalled, nil where it may: what hangs is ended with a
// signal.
func signalable(pid int) error {
	for _, try := range []struct {
		call string
		err  error
	}{{"kill", unix.Kill(pid, 0)}, {"tgkill", unix.Tgkill(pid, pid, 0)}} {
		if errno, ok := try.err.(syscall.Errno); ok {
			return fmt.Errorf("%s(2) answers %s, as behind a seccomp filter; without it nothing that hangs could be ended", try.call, unix.ErrnoName(errno))
		}
	}
	return nil
}
