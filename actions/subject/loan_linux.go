//go:build amd64 || arm64

package subject

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Loan is memory that the process has during one system call, for data that the call reads or
// writes beside its arguments.
type Loan struct {
	Addr, Size uint64
	by         Caller
}

// Caller is a process that makes system calls when it is told to.
type Caller interface {
	PID() int
	Syscall(nr uintptr, args ...uint64) (Ending, error)
}

// Lend maps memory with the bytes of b at addr in a process. Its pages are populated from outside, so
// that no fault of the process is counted for them. The loan is nil if the kernel refused, and the
// Ending says why.
func Lend(p Caller, addr uint64, b []byte) (*Loan, Ending, error) {
	size := uint64(len(b))
	e, err := Map(p, addr, size, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil || !e.OK() {
		return nil, e, err
	}
	l := &Loan{e.Value, size, p}
	if err := l.Write(0, b); err != nil {
		return nil, Ending{}, err
	}
	return l, e, nil
}

// Lend is the function, for this process.
func (p *Process) Lend(addr uint64, b []byte) (*Loan, Ending, error) { return Lend(p, addr, b) }

// Map maps memory at addr in a process, where nothing may be. Limits of the process do not count.
func Map(p Caller, addr, size, prot uint64) (Ending, error) {
	e, err := mapAt(p, addr, size, prot)
	if err == nil && (e.Errno == unix.ENOMEM || e.Errno == unix.EAGAIN) {
		restore := unlimit(p.PID())
		e, err = mapAt(p, addr, size, prot)
		restore()
	}
	return e, err
}

func mapAt(p Caller, addr, size, prot uint64) (Ending, error) {
	none := int64(-1)
	return p.Syscall(unix.SYS_MMAP, addr, size, prot,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE, uint64(none), 0)
}

// unlimit raises the limits of a process that can refuse a loan, as far as the hard limits and this
// user's rights allow, until restore.
func unlimit(pid int) (restore func()) {
	was := map[int]*unix.Rlimit{}
	for _, resource := range []int{unix.RLIMIT_AS, unix.RLIMIT_DATA, unix.RLIMIT_MEMLOCK} {
		now := new(unix.Rlimit)
		if unix.Prlimit(pid, resource, nil, now) != nil {
			continue
		}
		for _, most := range []uint64{unix.RLIM_INFINITY, now.Max} {
			if unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil) == nil {
				was[resource] = now
				break
			}
		}
	}
	return func() {
		for resource, limit := range was {
			_ = unix.Prlimit(pid, resource, limit, nil) // lowering a limit is never refused
		}
	}
}

// Read copies the beginning of what the call wrote.
func (l *Loan) Read(b []byte) error { return l.transfer(unix.ProcessVMReadv, 0, b) }

// Write puts what the call reads at an offset.
func (l *Loan) Write(offset uint64, b []byte) error {
	return l.transfer(unix.ProcessVMWritev, offset, b)
}

func (l *Loan) transfer(move func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), offset uint64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := move(l.by.PID(), []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}, []unix.RemoteIovec{{Base: uintptr(l.Addr + offset), Len: len(b)}}, 0)
	if err == nil && n < len(b) {
		err = fmt.Errorf("only %d of %d bytes", n, len(b))
	}
	if err != nil {
		return fmt.Errorf("subject: memory lent to process %d: %w", l.by.PID(), err)
	}
	return nil
}

// Return unmaps the memory.
func (l *Loan) Return() error {
	_, err := l.by.Syscall(unix.SYS_MUNMAP, l.Addr, l.Size)
	return err
}
