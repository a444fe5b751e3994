//go:build !linux || !(amd64 || arm64)

package subject

import (
	"os"
	"strconv"
	"syscall"
)

// On a system without a suitable ptrace the package compiles, and NewTracer fails. The other
// methods exist only so that callers compile: without a Tracer none can be reached.

// Tracer owns the thread that traces.
type Tracer struct{}

// Process is a traced process.
type Process struct{}

// NewTracer returns ErrUnsupported.
func NewTracer() (*Tracer, error) { return nil, ErrUnsupported }

// Do returns ErrUnsupported.
func (t *Tracer) Do(f func()) error { return ErrUnsupported }

// Close does nothing.
func (t *Tracer) Close() error { return nil }

// Guard does nothing.
func (t *Tracer) Guard(func() bool) {}

// Start returns ErrUnsupported.
func (t *Tracer) Start(Config) (*Process, error) { return nil, ErrUnsupported }

// PID returns 0.
func (p *Process) PID() int { return 0 }

// Faults returns 0.
func (p *Process) Faults() (minor, major uint64) { return 0, 0 }

// Randomized returns false.
func (p *Process) Randomized() bool { return false }

// Refused returns nil.
func (p *Process) Refused() error { return nil }

// Poll returns ErrUnsupported.
func (p *Process) Poll() error { return ErrUnsupported }

// Syscall returns ErrUnsupported.
func (p *Process) Syscall(nr uintptr, args ...uint64) (Ending, error) {
	return Ending{}, ErrUnsupported
}

// Open returns ErrUnsupported.
func (p *Process) Open(f *os.File, flags int) (Ending, error) { return Ending{}, ErrUnsupported }

// Load returns ErrUnsupported.
func (p *Process) Load(addr, n uint64) (Ending, error) { return Ending{}, ErrUnsupported }

// Store returns ErrUnsupported.
func (p *Process) Store(addr uint64, data []byte) (Ending, error) { return Ending{}, ErrUnsupported }

// Fill returns ErrUnsupported.
func (p *Process) Fill(addr, n uint64, b byte) (Ending, error) { return Ending{}, ErrUnsupported }

// Touch returns ErrUnsupported.
func (p *Process) Touch(addr, pages, pageSize uint64, write bool) (Ending, error) {
	return Ending{}, ErrUnsupported
}

// Jump returns ErrUnsupported.
func (p *Process) Jump(addr uint64) (Ending, error) { return Ending{}, ErrUnsupported }

// Rights returns ErrUnsupported.
func (p *Process) Rights() (uint32, Ending, error) { return 0, Ending{}, ErrUnsupported }

// SetRights returns ErrUnsupported.
func (p *Process) SetRights(uint32) (Ending, error) { return Ending{}, ErrUnsupported }

// Fork returns ErrUnsupported.
func (p *Process) Fork() (*Process, Ending, error) { return nil, Ending{}, ErrUnsupported }

// Vfork returns ErrUnsupported.
func (p *Process) Vfork() (*Process, Ending, error) { return nil, Ending{}, ErrUnsupported }

// Awaits returns 0.
func (p *Process) Awaits() int { return 0 }

// Kill returns ErrUnsupported.
func (p *Process) Kill(sig syscall.Signal) (Ending, error) { return Ending{}, ErrUnsupported }

// Exit returns ErrUnsupported.
func (p *Process) Exit(code int) (Ending, error) { return Ending{}, ErrUnsupported }

// signalName uses the numbers of Linux, because every Signal is from Linux: in a saved session.
func signalName(s syscall.Signal) string {
	if name, ok := linuxSignals[s]; ok {
		return name
	}
	return s.String()
}

var linuxSignals = map[syscall.Signal]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT",
	7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2",
	13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 31: "SIGSYS",
}

// ErrnoName is E and the number.
func ErrnoName(e syscall.Errno) string { return "E" + strconv.Itoa(int(e)) }

// Loan is memory lent to a process.
type Loan struct{ Addr, Size uint64 }

// Read returns ErrUnsupported.
func (l *Loan) Read([]byte) error { return ErrUnsupported }

// Write returns ErrUnsupported.
func (l *Loan) Write(uint64, []byte) error { return ErrUnsupported }

// Return returns ErrUnsupported.
func (l *Loan) Return() error { return ErrUnsupported }

// Lend returns ErrUnsupported.
func (p *Process) Lend(uint64, []byte) (*Loan, Ending, error) {
	return nil, Ending{}, ErrUnsupported
}
