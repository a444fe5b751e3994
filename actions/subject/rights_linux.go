//go:build amd64 || arm64

package subject

import "golang.org/x/sys/unix"

// The rights to protection keys (pkeys(7)). They are in a CPU register, PKRU, which a process reads
// and writes without a system call. A child inherits them.

// Rights makes the process read PKRU. If the CPU does not have it, or the kernel does not use it,
// the Ending has the SIGILL of the instruction.
func (p *Process) Rights() (uint32, Ending, error) { return p.pkru(rightsStub, 0) }

// SetRights makes the process write PKRU.
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
	case v == raised && c.Signo == int32(unix.SIGILL) && getIP(r) == s.start:
		return 0, Ending{Signal: signalAt(c, getIP(&p.tracer.regs)), IP: s.start}, nil
	}
	return 0, Ending{}, ErrStubs
}
