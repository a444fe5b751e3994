//go:build amd64 || arm64

package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"cowscope/actions/inject"
	"cowscope/actions/ptrace"
	"cowscope/actions/subject"
	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Load, Fill, Touch and Store are those of subject.Process.
func (a *Actor) Load(addr, n uint64) (subject.Ending, error) {
	return subject.Access(a.access).Load(addr, n)
}

func (a *Actor) Fill(addr, n uint64, b byte) (subject.Ending, error) {
	return subject.Access(a.access).Fill(addr, n, b)
}

func (a *Actor) Touch(addr, pages, pageSize uint64, write bool) (subject.Ending, error) {
	return subject.Access(a.access).Touch(addr, pages, pageSize, write)
}

func (a *Actor) Store(addr uint64, data []byte) (subject.Ending, error) {
	return subject.Access(a.access).Store(addr, data)
}

// access makes the thread execute the code of an access.
func (a *Actor) access(c subject.Code, addr, count, value uint64) (subject.Ending, error) {
	if err := a.ready(); err != nil || count == 0 {
		return subject.Ending{}, err
	}
	if a.ignored&(bit(unix.SIGSEGV)|bit(unix.SIGBUS)) != 0 {
		return subject.Ending{}, unable("it ignores SIGSEGV or SIGBUS, or has one blocked and pending, which an access that fails would change")
	}
	page, err := a.room(vmspace.Range{Start: addr, End: addr + max(count*max(value, 1), 1)}, uint64(os.Getpagesize()), unix.PROT_READ|unix.PROT_EXEC)
	if err != nil {
		return subject.Ending{}, err
	}
	if err := a.write(page, c.Bytes()); err != nil {
		return subject.Ending{}, err
	}
	e, err := a.execute(c, page, addr, count, value)
	if a.dead == nil {
		_, more := a.Syscall(unix.SYS_MUNMAP, page, uint64(os.Getpagesize()))
		err = errors.Join(err, more)
	}
	return e, err
}

// execute runs the code of an access, which is at page.
func (a *Actor) execute(c subject.Code, page, addr, count, value uint64) (subject.Ending, error) {
	r := a.state.At(page)
	c.Begin(&r, page, addr, count, value)
	if e := inject.Set(a.t.tid, r); e != 0 {
		return subject.Ending{}, a.lost(e)
	}
	a.late = false
	for {
		st, err := a.goOn(unix.PTRACE_SYSEMU)
		if err != nil {
			return subject.Ending{}, err
		}
		if e := ptrace.GetRegisters(a.t.tid, &r); e != 0 {
			return subject.Ending{}, a.lost(e)
		}
		switch sig := st.Signal(); {
		case st.Event() == unix.PTRACE_EVENT_STOP && a.late:
			return c.Broken(&r, count), nil
		case st.Event() != 0:
		case sig == ptrace.CallStop:
			e := c.Arrived(&r, count)
			e.Value = 0 // the register with the last byte has the answer of the call at the end
			return e, nil
		default:
			info, e := ptrace.SignalInfo(a.t.tid)
			if e != 0 && e != unix.EINVAL {
				return subject.Ending{}, a.lost(e)
			}
			if e, ok := c.Raised(&r, &info, page, addr, count, value); ok {
				return e, nil
			}
			if err := a.hold(sig); err != nil {
				return subject.Ending{}, err
			}
		}
	}
}

// with maps bytes in the process while f runs.
func (a *Actor) with(b []byte, f func(at uint64) error) error {
	at, err := a.room(vmspace.Range{}, uint64(len(b)), unix.PROT_READ)
	if err == nil {
		err = a.write(at, b)
	}
	if err != nil {
		return err
	}
	err = f(at)
	if a.dead == nil {
		_, more := a.Syscall(unix.SYS_MUNMAP, at, uint64(len(b)))
		err = errors.Join(err, more)
	}
	return err
}

// write puts bytes into memory of the process, whatever its protection is; zeros may follow them.
func (a *Actor) write(at uint64, b []byte) error {
	for i := 0; i < len(b); i += 8 {
		var word [8]byte
		copy(word[:], b[i:])
		if e := ptrace.Poke(a.t.tid, at+uint64(i), binary.NativeEndian.Uint64(word[:])); e != 0 {
			return a.lost(e)
		}
	}
	return nil
}

// Where the search for room begins and ends, below everything that programs usually map, and how far
// one place is from the next.
const (
	roomFrom = 1 << 20
	roomTo   = 1 << 30
	roomStep = 1 << 20
)

// room maps memory at a place that is free, and not in a range.
func (a *Actor) room(but vmspace.Range, size, prot uint64) (uint64, error) {
	for at := uint64(roomFrom); at < roomTo; at += roomStep {
		if place := (vmspace.Range{Start: at, End: at + roomStep}); place.Overlaps(but) {
			continue
		}
		e, err := subject.Map(a, at, size, prot)
		switch {
		case err != nil:
			return 0, err
		case e.OK():
			return at, nil
		case e.Errno != unix.EEXIST && e.Errno != unix.EPERM: // EPERM: vm.mmap_min_addr
			return 0, unable("there is no room for the code or the data of what it is to do: mmap answers %s", subject.ErrnoName(e.Errno))
		}
	}
	return 0, unable("nothing is free below 0x%x, where the code or the data of what it is to do would be", uint64(roomTo))
}

// Lend is that of subject.Process.
func (a *Actor) Lend(addr uint64, b []byte) (*subject.Loan, subject.Ending, error) {
	return subject.Lend(a, addr, b)
}

// Open makes the process open a file of cowscope's, with flags of open(2): by its name in /proc, which
// the process has to have.
func (a *Actor) Open(f *os.File, flags int) (e subject.Ending, err error) {
	here := int64(unix.AT_FDCWD)
	err = a.with(fmt.Appendf(nil, "/proc/%d/fd/%d\x00", os.Getpid(), f.Fd()), func(path uint64) (err error) {
		e, err = a.Syscall(unix.SYS_OPENAT, uint64(here), path, uint64(flags|unix.O_CLOEXEC), 0)
		return err
	})
	return e, err
}
