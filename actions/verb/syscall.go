package verb

import (
	"fmt"
	"runtime"
	"syscall"

	"cowscope/actions/history"
	"cowscope/actions/subject"
)

// number is the number of a system call here: each architecture has its own
// (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
func number(amd64, arm64 uintptr) uintptr {
	if runtime.GOARCH == "arm64" {
		return arm64
	}
	return amd64
}

// syscall makes the subject do a system call. ok says that it succeeded; an errno, a signal or a
// deadline is left in the outcome.
func (c *Call) syscall(nr uintptr, args ...uint64) (ret uint64, ok bool, err error) {
	e, err := c.P.Proc.Syscall(nr, args...)
	if err != nil {
		return 0, false, err
	}
	c.settle(e)
	return e.Value, c.Result == history.OK, nil
}

// onRange makes the system call name about the range of the command: its start, its length, and
// args, which shown formats.
func (c *Call) onRange(name string, nr uintptr, shown string, args ...uint64) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	if shown != "" {
		shown = ", " + shown
	}
	c.Call = fmt.Sprintf("%s(0x%x, %d%s)", name, r.Start, r.Len(), shown)
	c.focus(r)
	_, _, err = c.syscall(nr, append([]uint64{r.Start, r.Len()}, args...)...)
	return err
}

// withFlags is a verb whose system call takes a range and flags.
func withFlags(name string, nr uintptr) func(*Call) error {
	return func(c *Call) error { return c.onRange(name, nr, c.Args.Names, c.Args.Flags) }
}

// SameErrno gives one name to errnos that have two, the one that the man pages of the memory calls
// use.
func SameErrno(name string) string {
	switch name {
	case "ENOTSUP":
		return "EOPNOTSUPP"
	case "EWOULDBLOCK":
		return "EAGAIN"
	case "EDEADLOCK":
		return "EDEADLK"
	}
	return name
}

// settle sets the outcome from the result of an injected instruction.
func (c *Call) settle(e subject.Ending) {
	c.Ending, c.Done = e, e.Done
	switch {
	case e.TimedOut:
		c.Result = history.Timeout
	case e.Signal != nil:
		c.Result = history.Signal(e.Signal.Name(), e.Signal.CodeName())
		c.Fault = e.Signal.Addr
	case e.Errno != 0:
		c.Result = history.Errno(errnoName(e.Errno))
	default:
		c.Result = history.OK
	}
}

// errnoName is the name of an errno that the man pages use.
func errnoName(e syscall.Errno) string { return SameErrno(subject.ErrnoName(e)) }
