package family

import (
	"os"

	"cowscope/actions/subject"
)

// Actor is what a member acts by: a process of cowscope's own, or a thread of a program that cowscope
// has stopped. The methods are those of subject.Process.
type Actor interface {
	PID() int
	Faults() (minor, major uint64)
	Poll() error
	Awaits() int
	Syscall(nr uintptr, args ...uint64) (subject.Ending, error)
	Load(addr, n uint64) (subject.Ending, error)
	Store(addr uint64, data []byte) (subject.Ending, error)
	Fill(addr, n uint64, b byte) (subject.Ending, error)
	Touch(addr, pages, pageSize uint64, write bool) (subject.Ending, error)
	Lend(addr uint64, b []byte) (*subject.Loan, subject.Ending, error)
	Open(f *os.File, flags int) (subject.Ending, error)
	Fork() (Actor, subject.Ending, error)
}

// own is a process of cowscope's own.
type own struct{ *subject.Process }

func (o own) Fork() (Actor, subject.Ending, error) {
	child, e, err := o.Process.Fork()
	if child == nil {
		return nil, e, err
	}
	return own{child}, e, err
}

// Subject is the process of a member that is cowscope's own, of which more can be asked; nil where it
// is a stranger's.
func (m *Member) Subject() *subject.Process {
	o, _ := m.Proc.(own)
	return o.Process
}
