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

func NewTracer() (*Tracer, error) { return nil, ErrUnsupported }

func (t *Tracer) Do(f func()) error              { return ErrUnsupported }
func (t *Tracer) Close() error                   { return nil }
func (t *Tracer) Guard(func() bool)              {}
func (t *Tracer) Start(Config) (*Process, error) { return nil, ErrUnsupported }
func (p *Process) PID() int                      { return 0 }
func (p *Process) Faults() (minor, major uint64) { return 0, 0 }
func (p *Process) Randomized() bool              { return false }
func (p *Process) Refused() error                { return nil }
func (p *Process) Poll() error                   { return ErrUnsupported }
func (p *Process) Syscall(nr uintptr, args ...uint64) (Ending, error) {
	return Ending{}, ErrUnsupported
}
func (p *Process) Open(f *os.File, flags int) (Ending, error)     { return Ending{}, ErrUnsupported }
func (p *Process) Load(addr, n uint64) (Ending, error)            { return Ending{}, ErrUnsupported }
func (p *Process) Store(addr uint64, data []byte) (Ending, error) { return Ending{}, ErrUnsupported }
func (p *Process) Fill(addr, n uint64, b byte) (Ending, error)    { return Ending{}, ErrUnsupported }
func (p *Process) Touch(addr, pages, pageSize uint64, write bool) (Ending, error) {
	return Ending{}, ErrUnsupported
}
func (p *Process) Jump(addr uint64) (Ending, error)        { return Ending{}, ErrUnsupported }
func (p *Process) Rights() (uint32, Ending, error)         { return 0, Ending{}, ErrUnsupported }
func (p *Process) SetRights(uint32) (Ending, error)        { return Ending{}, ErrUnsupported }
func (p *Process) Fork() (*Process, Ending, error)         { return nil, Ending{}, ErrUnsupported }
func (p *Process) Vfork() (*Process, Ending, error)        { return nil, Ending{}, ErrUnsupported }
func (p *Process) Thread() (*Process, Ending, error)       { return nil, Ending{}, ErrUnsupported }
func (p *Process) ExitThread() (Ending, error)             { return Ending{}, ErrUnsupported }
func (p *Process) Awaits() int                             { return 0 }
func (p *Process) Kill(sig syscall.Signal) (Ending, error) { return Ending{}, ErrUnsupported }
func (p *Process) Exit(code int) (Ending, error)           { return Ending{}, ErrUnsupported }

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

func (l *Loan) Read([]byte) error                             { return ErrUnsupported }
func (l *Loan) Write(uint64, []byte) error                    { return ErrUnsupported }
func (l *Loan) Return() error                                 { return ErrUnsupported }
func (p *Process) Lend(uint64, []byte) (*Loan, Ending, error) { return nil, Ending{}, ErrUnsupported }
