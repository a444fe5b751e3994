package subject

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// The vocabulary of answers. This file knows no operating system, so that
// whoever explains an Ending compiles everywhere.

// ErrUnsupported is returned by NewTracer where there is no ptrace as we need it.
var ErrUnsupported = errors.New("cowscope needs Linux on amd64 or arm64: it drives a live process with ptrace")

// ErrStubs says that the page of instructions we run in the process is no longer
// there, not executable, or not what we wrote. The process lives, but nothing
// except a signal can be done with it.
var ErrStubs = errors.New("the instructions cowscope runs in this process are gone: text was unmapped, protected or overwritten")

// ErrNoRights says that the rights to protection keys are not driven on this architecture.
var ErrNoRights = errors.New("cowscope reads and writes the rights to protection keys of x86-64 (PKRU) only")

// ErrClosed is returned by Do after Close.
var ErrClosed = errors.New("subject: the tracer is closed")

// ErrOutside is returned by methods called outside Do.
var ErrOutside = errors.New("subject: called outside Tracer.Do")

// Config says how a subject starts.
type Config struct {
	ASLR         bool          // leave address space randomisation on; off, addresses repeat from run to run
	Deadline     time.Duration // for one injected call or access; 0 means 10 s
	JumpDeadline time.Duration // for Jump; 0 means 1 s
	// Memory is how many bytes of memory the kernel lets the family have, by its own count, and as
	// many in swap; 0 for no limit. Where no memory cgroup can be made there is none either: see
	// Process.Unbounded.
	Memory uint64
	// Calls are the numbers of the system calls that Syscall may be asked for. The kernel refuses
	// every other one.
	Calls []uintptr
}

func (c Config) withDefaults() Config {
	if c.Deadline <= 0 {
		c.Deadline = 10 * time.Second
	}
	if c.JumpDeadline <= 0 {
		c.JumpDeadline = time.Second
	}
	return c
}

// Ending is what the kernel or the CPU answered. The zero Ending is a plain
// success. At most one of Errno, Signal, TimedOut, Attempt and Trap is set,
// but that a call cut short by its deadline may carry the EINTR it returned.
type Ending struct {
	Value    uint64        // what a system call returned, raw; the last byte of a Load
	Errno    syscall.Errno // Value as an errno, when it is one
	Signal   *Signal       // the instruction raised this
	Done     uint64        // bytes (Load, Store, Fill) or pages (Touch) done, complete or not
	TimedOut bool          // the deadline passed; the process was stopped and is idle again
	Attempt  *Attempt      // Jump: the code tried a system call, which did not happen
	Trap     bool          // Jump: the code ran a breakpoint instruction of its own, at IP
	IP       uint64        // Jump: where it ended, but for a ret
}

// OK reports whether nothing went wrong. A trap in foreign code is well.
func (e Ending) OK() bool {
	return e.Errno == 0 && e.Signal == nil && !e.TimedOut && e.Attempt == nil
}

// Signal is a signal that the kernel raised for an instruction (si_code > 0).
// It was not delivered: the process goes on.
type Signal struct {
	Signo syscall.Signal
	Code  int32  // si_code
	Addr  uint64 // si_addr; 0 where the CPU does not say, as for non-canonical addresses
	IP    uint64 // the instruction
}

// Attempt is a system call that foreign code tried to make.
type Attempt struct {
	Nr     uint64
	Args   [6]uint64
	Compat bool // through the 32-bit gate: Nr counts in the 32-bit table
}

// ExitedError says that a process is gone.
type ExitedError struct {
	PID    int
	Code   int            // exit code, when Signal is 0
	Signal syscall.Signal // what killed it
	Hung   bool           // we killed it, because it did not stop at its deadline
	Over   bool           // we killed it, because the guard said so
	Full   bool           // the kernel killed it, because its memory cgroup was full (Config.Memory)
	Lost   bool           // it vanished, and somebody else got its status
}

func (e *ExitedError) Error() string {
	switch {
	case e.Lost:
		return fmt.Sprintf("process %d is gone, and its exit status too", e.PID)
	case e.Hung:
		return fmt.Sprintf("process %d hung in the kernel past its deadline and had to be killed", e.PID)
	case e.Signal != 0:
		return fmt.Sprintf("process %d was killed by %s", e.PID, signalName(e.Signal))
	}
	return fmt.Sprintf("process %d exited with status %d", e.PID, e.Code)
}

// textBase is where the stubs lie: the classic address of an ET_EXEC program.
const textBase = 0x400000

// Text is the range that holds the stubs, the same in every process.
func Text() (start, length uint64) { return textBase, uint64(os.Getpagesize()) }
