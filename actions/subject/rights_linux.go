//go:build amd64 || arm64

package subject

import "golang.org/x/sys/unix"

// The rights that go with protection keys (pkeys(7)). They are in a register of the CPU's, PKRU,
// which a process reads and writes by itself: no system call is made for it, and the kernel is not
// asked. A child begins with those of its parent.

// Rights has the process read PKRU. Where the CPU has none, or the kernel does not use it, the
// Ending has the SIGILL that the instruction raises.
func (p *Process) Rights() (uint32, Ending, error) { return p.pkru(rightsStub, 0) }

// SetRights has the process write PKRU.
func (p *Process) SetRights(pkru uint32) (Ending, error) {
	_, e, err := p.pkru(setRightsStub, pkru)
	return e, err
}

func (p *Process) pkru(s *stub, value uint32) (uint32, Ending, error) {
	if s == nil {
		return 0, Ending{}, ErrNoRights
	}
	setRights(p.fresh(), value)
	v, c, err := p.run(s, runConfined, p.cfg.Deadline)
	if err != nil {
		return 0, Ending{}, err
	}
	r := &p.tracer.regs
	switch {
	case v == finished:
		return rights(r), Ending{}, nil
	case v == raised && c.signo == int32(unix.SIGILL) && getIP(r) == s.start:
		return 0, Ending{Signal: p.signal(c), IP: s.start}, nil
	}
	return 0, Ending{}, ErrStubs
}
