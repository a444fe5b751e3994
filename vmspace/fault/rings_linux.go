package fault

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rings are the rings of all CPUs, with the faults of the processes that they were opened for and of
// all threads and processes that those make.
type Rings struct {
	rings  []*ring // one for each CPU
	cpus   []int
	fds    []int
	kernel bool
	size   int
	major  map[uint64]bool // by the identity of a perf event
	lapsed []unix.PollFd
}

// Open begins to collect the faults of a family of processes. The family is asked for again until it
// names no process that is new: who is made later has a parent whose events it inherits. The error
// is *Refused where the kernel refuses perf events to this user, ErrNoProcess where none is there.
func Open(family func() []int) (*Rings, error) {
	cpus, err := online()
	if err != nil {
		return nil, err
	}
	for size := ringSize(len(cpus)); ; size /= 2 {
		r := &Rings{cpus: cpus, rings: make([]*ring, len(cpus)), size: size, kernel: true, major: map[uint64]bool{}}
		err := r.joinAll(family)
		if err == nil {
			return r, nil
		}
		r.Close()
		var no *Refused
		if !errors.As(err, &no) || no.Call != "mmap" || no.Errno != unix.EPERM || size <= unix.Getpagesize() {
			return nil, err
		}
	}
}

// Kernel says whether faults taken inside the kernel are told too.
func (r *Rings) Kernel() bool { return r.kernel }

// joinAll opens events for a family.
func (r *Rings) joinAll(family func() []int) error {
	joined := map[int]bool{}
	for more := true; more; {
		more = false
		for _, pid := range family() {
			if joined[pid] {
				continue
			}
			joined[pid], more = true, true
			if err := r.join(pid); err != nil && err != ErrNoProcess { // a process may end at any moment
				return err
			}
		}
	}
	if len(r.fds) == 0 {
		return ErrNoProcess
	}
	return nil
}

// join opens events for all threads of a process. Of one that is made meanwhile it is not known
// whether it has inherited them; if it has them twice, Drain takes one of the two.
func (r *Rings) join(pid int) error {
	joined := map[int]bool{}
	for more := true; more; {
		more = false
		tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		if err != nil && len(joined) == 0 {
			return ErrNoProcess
		}
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil || joined[tid] {
				continue
			}
			joined[tid], more = true, true
			if err := r.open(tid); err != nil && err != ErrNoProcess { // nor need a thread live on
				return err
			}
		}
	}
	return nil
}

// open opens the events of a thread, one for each CPU and sort of fault, and has them write into the
// rings.
func (r *Rings) open(tid int) error {
	first := len(r.fds)
	for i, cpu := range r.cpus {
		for _, major := range []bool{false, true} {
			fd, err := r.event(tid, cpu, major)
			if err == unix.ESRCH {
				return ErrNoProcess
			}
			if err != nil {
				return refused("perf_event_open", err)
			}
			r.fds = append(r.fds, fd)
			if r.rings[i] == nil {
				if r.rings[i], err = newRing(fd, r.size); err != nil {
					return refused("mmap", err)
				}
			} else if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_OUTPUT, r.rings[i].fd); err != nil {
				return refused("PERF_EVENT_IOC_SET_OUTPUT", err)
			}
			var id uint64
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_ID, uintptr(unsafe.Pointer(&id))); errno != 0 {
				return refused("PERF_EVENT_IOC_ID", errno)
			}
			r.major[id] = major
		}
	}
	for _, fd := range r.fds[first:] {
		if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
			return refused("PERF_EVENT_IOC_ENABLE", err)
		}
	}
	return nil
}

// event opens one event of a thread on a CPU: not of what it does in the kernel, where that is
// refused (perf_event_paranoid above 1).
//
// The events of all faults also count those that failed; these two count only what succeeded
// (mm_account_fault in mm/memory.c).
func (r *Rings) event(tid, cpu int, major bool) (fd int, err error) {
	a := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_PAGE_FAULTS_MIN, Sample: 1, Sample_type: sampleType,
		Bits:   unix.PerfBitDisabled | unix.PerfBitInherit | unix.PerfBitExcludeHv | unix.PerfBitSampleIDAll | unix.PerfBitUseClockID | unix.PerfBitWatermark,
		Wakeup: uint32(r.size / 4), Clockid: unix.CLOCK_MONOTONIC}
	a.Size = uint32(unsafe.Sizeof(a))
	if major {
		a.Config = unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ
	} else {
		a.Bits |= unix.PerfBitTask | unix.PerfBitComm | unix.PerfBitCommExec // once is enough
	}
	for {
		if !r.kernel {
			a.Bits |= unix.PerfBitExcludeKernel
		}
		fd, err = unix.PerfEventOpen(&a, tid, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if no := err == unix.EACCES || err == unix.EPERM; !no || !r.kernel || len(r.fds) > 0 {
			return fd, err
		}
		r.kernel = false
	}
}

// Wait waits until a ring is a quarter full, or that much time is over.
func (r *Rings) Wait(d time.Duration) error {
	var fds []unix.PollFd
	for _, ring := range r.rings {
		if ring != nil && !slices.ContainsFunc(r.lapsed, func(p unix.PollFd) bool { return int(p.Fd) == ring.fd }) {
			fds = append(fds, unix.PollFd{Fd: int32(ring.fd), Events: unix.POLLIN})
		}
	}
	_, err := unix.Poll(fds, int(d.Milliseconds()))
	for _, p := range fds {
		if p.Revents&unix.POLLHUP != 0 { // the thread has ended: its descriptor is always ready from now on
			r.lapsed = append(r.lapsed, p)
		}
	}
	if err == unix.EINTR {
		return nil
	}
	return err
}

// Drain appends what has happened since the last time to events, in the order of time. Lost is how
// many the kernel had no room for; it tells of them with the next event of the same CPU.
func (r *Rings) Drain(events []Event) (all []Event, lost uint64) {
	from := len(events)
	for _, ring := range r.rings {
		ring.records(func(kind uint32, misc uint16, body []byte) {
			if kind == unix.PERF_RECORD_LOST && len(body) >= 16 {
				lost += binary.NativeEndian.Uint64(body[8:])
				return
			}
			e, id, ok := decode(kind, misc, body)
			if !ok {
				return
			}
			var known bool
			if e.Major, known = r.major[id]; known && (e.Kind != Fault || !ring.again(e, id)) {
				events = append(events, e)
			}
		})
	}
	slices.SortFunc(events[from:], func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
	return events, lost
}

// Close ends the collecting.
func (r *Rings) Close() error {
	var first error
	for _, ring := range r.rings {
		if ring != nil {
			if err := ring.close(); first == nil {
				first = err
			}
		}
	}
	for _, fd := range r.fds {
		if err := unix.Close(fd); first == nil {
			first = err
		}
	}
	return first
}

// online lists the CPUs on which threads can run.
func online() (cpus []int, err error) {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		from, to, several := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && several {
			last, err = strconv.Atoi(to)
		}
		if err != nil {
			return nil, fmt.Errorf("/sys/devices/system/cpu/online: %q", text)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// ringSize is how many bytes of records a ring of each CPU has: what an ordinary user may lock by
// default (perf_event_mlock_kb), and no more than 32 MiB in all.
func ringSize(cpus int) int {
	page, budget := unix.Getpagesize(), 516<<10
	if text, err := os.ReadFile("/proc/sys/kernel/perf_event_mlock_kb"); err == nil {
		if kb, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			budget = kb << 10
		}
	}
	budget = min(budget-page, 512<<10, 32<<20/max(cpus, 1))
	size := page
	for size*2 <= budget {
		size *= 2
	}
	return size
}
