//go:build amd64 || arm64

package subject

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Loan is memory that the process has for the moment of one system call, for what the call writes.
type Loan struct {
	Addr, Size uint64
	p          *Process
}

// Lend maps size bytes at addr in the process. The pages are brought in from outside, so that no
// fault of the process is counted for them. The loan is nil where the kernel refused, and the
// Ending says why.
func (p *Process) Lend(addr, size uint64) (*Loan, Ending, error) {
	none := int64(-1)
	e, err := p.Syscall(unix.SYS_MMAP, addr, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE, uint64(none), 0)
	if err != nil || !e.OK() {
		return nil, e, err
	}
	l := &Loan{e.Value, size, p}
	if err := l.transfer(unix.ProcessVMWritev, make([]byte, size)); err != nil {
		return nil, Ending{}, err
	}
	return l, e, nil
}

// Read copies the head of what the call wrote.
func (l *Loan) Read(b []byte) error { return l.transfer(unix.ProcessVMReadv, b) }

func (l *Loan) transfer(move func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := move(l.p.pid, []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}, []unix.RemoteIovec{{Base: uintptr(l.Addr), Len: len(b)}}, 0)
	if err == nil && n < len(b) {
		err = fmt.Errorf("only %d of %d bytes", n, len(b))
	}
	if err != nil {
		return fmt.Errorf("subject: memory lent to process %d: %w", l.p.pid, err)
	}
	return nil
}

// Return takes the memory away again.
func (l *Loan) Return() error {
	_, err := l.p.Syscall(unix.SYS_MUNMAP, l.Addr, l.Size)
	return err
}
