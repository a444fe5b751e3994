//go:build amd64 || arm64

package subject

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The gate. A subject has no files, and no memory for a path; yet it must open files itself,
// because a mapping of a file needs a descriptor of the mapping process. So its text page contains
// the path of one descriptor of cowscope, /proc/PID/fd/N, and for the moment of the call the file
// to be opened is put behind that number. Opening such a path opens the file anew, with the checks
// and the mode of a first open (proc(5)).

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
		// It cannot fail: both descriptors are open.
		_ = unix.Dup3(idle, int(g.Fd()), unix.O_CLOEXEC)
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

// gateIntact reports whether the path in the text page is unchanged: a user who overwrites it could
// open any file.
func (p *Process) gateIntact() bool {
	want := p.tracer.gate.path + "\x00"
	got := make([]byte, len(want))
	local := []unix.Iovec{{Base: &got[0], Len: uint64(len(got))}}
	n, err := unix.ProcessVMReadv(p.pid, local, []unix.RemoteIovec{{Base: textBase + gateAt, Len: len(got)}}, 0)
	if err == unix.EPERM || err == unix.ENOSYS { // a seccomp filter around cowscope
		return p.holds(textBase+gateAt, []byte(want))
	}
	return err == nil && n == len(got) && string(got) == want
}
