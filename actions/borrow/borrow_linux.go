//go:build amd64 || arm64

package borrow

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"cowscope/actions/inject"
	"cowscope/actions/ptrace"
	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Writes is a borrowed userfaultfd: it knows which pages of the process were written to. It belongs
// to one goroutine.
type Writes struct {
	pid     int
	uffd    int
	pagemap *os.File
	stopped time.Duration
	covered []vmspace.Range // registered, sorted
	refused int             // mappings that may be written to and could not be registered
}

// Take borrows a userfaultfd from a process, which is stopped for that once. Nothing is covered
// yet.
func Take(pid int) (*Writes, error) { return take(pid, func(string) {}) }

func take(pid int, at func(string)) (*Writes, error) {
	if pid == os.Getpid() {
		return nil, errors.New("cowscope does not stop itself")
	}
	if state := procfs.StatusField(pid, "State:"); strings.HasPrefix(state, "T") || strings.HasPrefix(state, "Z") {
		return nil, fmt.Errorf("the first thread of process %d is %s: it cannot lend anything", pid, state)
	}
	if err := unfiltered(pid); err != nil {
		return nil, err
	}
	call, err := inject.FindInstruction(pid)
	if err != nil {
		return nil, err
	}
	pagemap, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", pid))
	if err != nil {
		return nil, ptrace.Refusal(pid, "open of pagemap", ptrace.Cause(err))
	}
	w := &Writes{pid: pid, uffd: -1, pagemap: pagemap}
	if w.uffd, w.stopped, err = lend(pid, call, at); err == nil {
		err = w.begin()
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Structures and numbers of include/uapi/linux/userfaultfd.h, which golang.org/x/sys does not have.
type (
	uffdAPI      struct{ api, features, ioctls uint64 }
	uffdRegister struct{ start, len, mode, ioctls uint64 }
)

const (
	uffdVersion    = 0xaa
	uffdModeWP     = 1 << 1
	uffdioAPI      = 0xc018aa3f
	uffdioRegister = 0xc020aa00

	hugetlbShmem = 1 << 12 // mappings of files and of shared memory too
	unpopulated  = 1 << 13 // 6.4
	asynchronous = 1 << 15 // 6.7: nobody has to answer
)

// begin agrees on the features.
func (w *Writes) begin() error {
	api := uffdAPI{api: uffdVersion, features: asynchronous | unpopulated | hugetlbShmem}
	if _, err := ioctl(w.uffd, uffdioAPI, unsafe.Pointer(&api)); err != nil {
		return fmt.Errorf("UFFDIO_API answers %w: asynchronous write protection came with Linux 6.7, on arm64 with 6.10", err)
	}
	return nil
}

// Stopped is for how long a thread of the process was stopped.
func (w *Writes) Stopped() time.Duration { return w.stopped }

// Close gives the userfaultfd back: nothing is registered or protected any more.
func (w *Writes) Close() error {
	var err error
	if w.uffd >= 0 {
		err = unix.Close(w.uffd)
		w.uffd = -1
	}
	return errors.Join(err, w.pagemap.Close())
}

// Cover registers the mappings of the list that are not yet covered and can be written to, and
// protects their present pages: writes there are told from now on. Of what was covered and is no
// longer in the list nothing is told.
func (w *Writes) Cover(maps vmspace.List[vmspace.Mapping]) error {
	var covered []vmspace.Range
	w.refused = 0
	for _, m := range maps.All() {
		if m.Start >= vmspace.KernelHalf {
			continue
		}
		for _, part := range w.parts(m.Range) {
			if !part.old {
				if m.Perms&vmspace.Write == 0 {
					continue
				}
				err := w.register(&m, part.Range)
				if err == nil {
					err = w.protect(part.Range)
				}
				switch {
				case errors.Is(err, unix.ESRCH):
					return fmt.Errorf("process %d has ended or begun another program", w.pid)
				case err != nil:
					w.refused++
					continue
				}
			}
			covered = append(covered, part.Range)
		}
	}
	w.covered = covered
	return nil
}

// Restart is Cover as if nothing was covered yet: writes are told from now on.
func (w *Writes) Restart(maps vmspace.List[vmspace.Mapping]) error {
	w.covered = nil
	return w.Cover(maps)
}

// part is a range that was covered, or was not.
type part struct {
	vmspace.Range
	old bool
}

// parts divides r by whether it is covered.
func (w *Writes) parts(r vmspace.Range) (out []part) {
	at := r.Start
	i, _ := slices.BinarySearchFunc(w.covered, at, func(c vmspace.Range, at uint64) int {
		if c.End <= at {
			return -1
		}
		return 1
	})
	for ; i < len(w.covered) && w.covered[i].Start < r.End; i++ {
		c := w.covered[i].Intersect(r)
		if at < c.Start {
			out = append(out, part{vmspace.Range{Start: at, End: c.Start}, false})
		}
		out = append(out, part{c, true})
		at = c.End
	}
	if at < r.End {
		out = append(out, part{vmspace.Range{Start: at, End: r.End}, false})
	}
	return out
}

// register registers a range of m. The kernel takes whatever may be written to; memory of devices
// is left alone.
func (w *Writes) register(m *vmspace.Mapping, r vmspace.Range) error {
	device := strings.HasPrefix(m.Path, "/dev/") && !strings.HasPrefix(m.Path, "/dev/shm/") && !strings.HasPrefix(m.Path, "/dev/zero")
	if device || m.Kind() == vmspace.KindSpecial || m.Smaps.HasFlag("pf") || m.Smaps.HasFlag("io") {
		return unix.EINVAL
	}
	arg := uffdRegister{start: r.Start, len: r.Len(), mode: uffdModeWP}
	_, err := ioctl(w.uffd, uffdioRegister, unsafe.Pointer(&arg))
	return err
}

// Covered is where writes are told, sorted.
func (w *Writes) Covered() []vmspace.Range { return w.covered }

// Refused is how many mappings that can be written to are not covered.
func (w *Writes) Refused() int { return w.refused }
