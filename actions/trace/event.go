package trace

import (
	"errors"
	"fmt"
	"syscall"

	"cowscope/vmspace/symbol"
)

// Kind says what an event is.
type Kind uint8

const (
	Call    Kind = iota // a system call has returned
	Fault               // a page fault: the page is there, and the instruction not yet executed again
	Signal              // a signal that is deadly, or tells of an access that failed, is about to be delivered
	Fork                // a thread or a process was born, and has executed nothing
	Exec                // the process has a new program
	Exit                // a process has ended
	Reached             // a breakpoint: the instruction was not executed yet
	// Written is a breakpoint at which something is written. On amd64 it has been written, on arm64
	// it will be with the next instruction.
	Written
	Attached // to a running process: it is stopped, and nothing is known of what it did before
)

var kinds = [...]string{"call", "fault", "signal", "fork", "exec", "exit", "reached", "write", "attached"}

func (k Kind) String() string { return kinds[k] }

// Event is one thing that happened. All threads of the family are stopped when it is told, but
// those that wait in a call of vfork(2) or for a device.
type Event struct {
	Kind     Kind
	PID, TID int // of the thread that it happened to

	// Nr and Args are the system call, of Call, Fork and Exec; Compat says that it is one of the
	// 32-bit table. Value is what it returned, and Errno, if not 0, the error.
	Nr     uint64
	Args   [6]uint64
	Compat bool
	Value  uint64
	Errno  syscall.Errno

	Addr  uint64 // the address of Fault, Signal, Reached and Written
	Major bool   // the fault waited for a device
	// Late says that the program blocked SIGTRAP when the fault happened: it has executed more since.
	Late bool

	Signal syscall.Signal // of Signal; of Exit, if one ended the process
	Code   int32          // si_code of Signal (sigaction(2))
	Status int            // of Exit

	Child  int  // the thread id of what Fork made
	Thread bool // Fork made a thread of the same process
	Shared bool // Fork made a process that runs in the memory of its parent, which may wait for it

	Regs symbol.Registers // of the thread; zeros for Exit
}

// IP is the instruction pointer of the thread: for Call and Fork it is behind the instruction.
func (e *Event) IP() uint64 { return e.Regs[symbol.Counter] }

// Stack is the stack pointer of the thread.
func (e *Event) Stack() uint64 { return e.Regs[symbol.Stack] }

// MostBreakpoints is how many breakpoints the processors of today have.
const MostBreakpoints = 4

// Breakpoint is an address at which a thread is stopped.
type Breakpoint struct {
	Addr uint64
	// Written, if not 0, is a number of bytes, 1, 2, 4 or 8, and Addr is a multiple of it: the thread
	// stops when it writes there. If it is 0, the thread stops before it executes what is at Addr.
	Written uint64
}

var (
	// ErrEnded is the answer to Next when no thread is left.
	ErrEnded = errors.New("the program has ended")
	// ErrNotLinux is the answer where programs cannot be traced.
	ErrNotLinux = errors.New("programs are run on Linux only, on amd64 or arm64")
)

// StartError says why a program was not started.
type StartError struct {
	Path  string
	Call  string // the call that failed
	Errno syscall.Errno
}

func (e *StartError) Error() string {
	if e.Call == "execve" {
		return fmt.Sprintf("%s cannot be executed: %s", e.Path, e.Errno)
	}
	return fmt.Sprintf("%s cannot be run: %s answers %s", e.Path, e.Call, e.Errno)
}

func (e *StartError) Unwrap() error { return e.Errno }

// AttachError says why a process was not attached to.
type AttachError struct {
	PID int
	Why error
}

func (e *AttachError) Error() string { return e.Why.Error() }
func (e *AttachError) Unwrap() error { return e.Why }
