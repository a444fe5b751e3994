//go:build amd64 || arm64

package subject

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The gate. A subject has no files, and no memory to hold a path in; yet it must open files itself,
// since a mapping of a file begins with a descriptor of the process that maps. So its text page
// names one descriptor of ours, as /proc/PID/fd/N does, and whatever file is to be opened is put
// behind that number for the moment of the call. Opening such a path opens the file behind it anew,
// with the checks and the mode of a first opening (proc(5)).

type gate struct {
	*os.File        // /dev/null while nothing is lent
	path     string // as the subject reads it
}

func openGate() (*gate, error) {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	return &gate{f, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())}, nil
}

// lend puts f behind the gate until back is called.
func (g *gate) lend(f *os.File) (back func(), err error) {
	idle, err := unix.FcntlInt(g.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("subject: lend a file: %w", err)
	}
	if err := unix.Dup3(int(f.Fd()), int(g.Fd()), unix.O_CLOEXEC); err != nil {
		unix.Close(idle)
		return nil, fmt.Errorf("subject: lend a file: %w", err)
	}
	return func() {
		_ = unix.Dup3(idle, int(g.Fd()), unix.O_CLOEXEC) // both descriptors are open: it cannot fail
		unix.Close(idle)
	}, nil
}

// Open makes the process open f, with the flags of open(2). Value is its descriptor.
func (p *Process) Open(f *os.File, flags int) (Ending, error) {
	if err := p.ready(); err != nil {
		return Ending{}, err
	}
	if !p.gateIntact() {
		return Ending{}, ErrStubs
	}
	back, err := p.tracer.gate.lend(f)
	if err != nil {
		return Ending{}, err
	}
	defer back()
	at := int64(unix.AT_FDCWD)
	return p.Syscall(unix.SYS_OPENAT, uint64(at), textBase+gateAt, uint64(flags|unix.O_CLOEXEC), 0)
}

// gateIntact reports whether the path still stands in the text page: a user who wrote another one
// there would open what he has no business with.
func (p *Process) gateIntact() bool {
	want := p.tracer.gate.path + "\x00"
	got := make([]byte, len(want))
	local := []unix.Iovec{{Base: &got[0], Len: uint64(len(got))}}
	n, err := unix.ProcessVMReadv(p.pid, local, []unix.RemoteIovec{{Base: textBase + gateAt, Len: len(got)}}, 0)
	return err == nil && n == len(got) && string(got) == want
}
