package subject

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// The types of results. This file has no dependency on an operating system, so that packages that
// explain an Ending compile everywhere.

// ErrUnsupported is returned by NewTracer on a system without a suitable ptrace.
var ErrUnsupported = errors.New("cowscope needs Linux on amd64 or arm64: it drives a live process with ptrace")

// ErrStubs says that the page of stubs is no longer there, not executable, or overwritten. The
// process is alive, but it can only be signalled.
var ErrStubs = errors.New("the instructions cowscope runs in this process are gone: text was unmapped, protected or overwritten")

// ErrNoRights says that this package cannot set the rights to protection keys on this architecture.
var ErrNoRights = errors.New("cowscope reads and writes the rights to protection keys of x86-64 (PKRU) only")

// ErrClosed is returned by Do after Close.
var ErrClosed = errors.New("subject: the tracer is closed")

// ErrAwaits says that the process runs nothing now: it waits in vfork for its child.
var ErrAwaits = errors.New("subject: the process waits in vfork until its child has exited")

// ErrFirstThread is about the end of the first thread alone. The kernel keeps a thread that ended
// before the others as a zombie that nobody can wait for (delay_group_leader in kernel/exit.c), and
// its memory can no longer be read by the ID of the process.
var ErrFirstThread = errors.New("subject: the first thread of a process cannot end alone")

// ErrOutside is returned by methods called outside Do.
var ErrOutside = errors.New("subject: called outside Tracer.Do")

// Config is how a subject starts.
type Config struct {
	// ASLR leaves address space randomisation on; without it addresses repeat from run to run.
	ASLR         bool
	Deadline     time.Duration // for one injected call or access; 0 means 10 s
	JumpDeadline time.Duration // for Jump; 0 means 1 s
	// Patience is how long after its deadline a call that is busy in the kernel may run until the
	// process is killed; 0 means 10 s.
	Patience time.Duration
	// Memory is the limit in bytes that the kernel enforces for the family by its own count, in
	// memory and again in swap; 0 for no limit. If no memory cgroup can be created there is no
	// limit: see Process.Unbounded.
	Memory uint64
	// Calls are the numbers of the system calls that Syscall may make. The kernel refuses every
	// other one.
	Calls []uintptr
	// First lists the permitted first arguments, of 32 bits, by the number of a call; a call that
	// is not in it may have any.
	First map[uintptr][]uint32
}

func (c Config) withDefaults() Config {
	if c.Deadline <= 0 {
		c.Deadline = 10 * time.Second
	}
	if c.JumpDeadline <= 0 {
		c.JumpDeadline = time.Second
	}
	if c.Patience <= 0 {
		c.Patience = 10 * time.Second
	}
	return c
}

// Ending is the answer of the kernel or the CPU. The zero Ending is a success. At most one of
// Errno, Signal, TimedOut, Attempt and Trap is set, except that a call interrupted at its deadline
// may also have the EINTR that it returned.
type Ending struct {
	// Value is the raw result of a system call, or the last byte of a Load.
	Value    uint64
	Errno    syscall.Errno // Value as an errno, if it is one
	Signal   *Signal       // the instruction raised this
	Done     uint64        // bytes (Load, Store, Fill) or pages (Touch) done, complete or not
	TimedOut bool          // the deadline passed; the process was stopped and is idle again
	Attempt  *Attempt      // Jump: the code tried a system call, which did not happen
	Trap     bool          // Jump: the code ran a breakpoint instruction of its own, at IP
	IP       uint64        // Jump: where it ended, unless by a ret
}

// OK reports whether nothing failed. A trap of foreign code counts as success.
func (e Ending) OK() bool {
	return e.Errno == 0 && e.Signal == nil && !e.TimedOut && e.Attempt == nil
}

// Signal is a signal that an instruction caused (si_code > 0). It was not delivered: the process
// continues.
type Signal struct {
	Signo syscall.Signal
	Code  int32  // si_code
	Addr  uint64 // si_addr; 0 if the CPU does not report it, as for non-canonical addresses
	IP    uint64 // the address of the instruction
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
	Signal syscall.Signal // the signal that killed it
	Hung   bool           // cowscope killed it, because it did not stop at its deadline
	Over   bool           // cowscope killed it, as the guard demanded
	Full   bool           // the kernel killed it: its memory cgroup was full (Config.Memory)
	Lost   bool           // it is gone, and another parent reaped its status
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

// UnableError says why a process that is not cowscope's own cannot be made to act.
type UnableError struct{ Why string }

func (e *UnableError) Error() string { return "it cannot be made to act: " + e.Why }

// textBase is the address of the stubs: the traditional address of an ET_EXEC program.
const textBase = 0x400000

// Text is the range that holds the stubs, the same in every process.
func Text() (start, length uint64) { return textBase, uint64(os.Getpagesize()) }
