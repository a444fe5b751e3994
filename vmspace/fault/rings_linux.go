package fault

import (
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
	origin map[uint64]origin // by the identity of a perf event
	by     map[int]int       // the thread that a thread's events come from: itself, or one that it inherited from
	lapsed []unix.PollFd
}

// origin is for whom a perf event was opened.
type origin struct {
	tid   int
	major bool
}

// Open begins to collect the faults of the processes. It fails where the kernel refuses perf events
// to this user (perf_event_paranoid above 2, a container), and where a process is not there or may
// not be read.
func Open(pids []int) (*Rings, error) {
	cpus, err := online()
	if err != nil {
		return nil, err
	}
	r := &Rings{cpus: cpus, rings: make([]*ring, len(cpus)), size: ringSize(len(cpus)), kernel: true, origin: map[uint64]origin{}, by: map[int]int{}}
	for _, pid := range pids {
		if err := r.join(pid); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

// Kernel says whether faults taken inside the kernel are told too.
func (r *Rings) Kernel() bool { return r.kernel }

// join opens events for all threads of a process. Of one that is made meanwhile it is not known
// whether it has inherited them; if it has them twice, Drain takes those of one origin.
func (r *Rings) join(pid int) error {
	joined := map[int]bool{}
	for more := true; more; {
		more = false
		tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		if err != nil {
			return fmt.Errorf("process %d: %w", pid, unix.ESRCH)
		}
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil || joined[tid] {
				continue
			}
			joined[tid], more = true, true
			if err := r.open(tid); err != nil && (err != unix.ESRCH || tid == pid) { // a thread may end at any moment
				return err
			}
		}
	}
	return nil
}

// open opens the events of a thread, one for each CPU and sort of fault, and has them write into the
// rings.
func (r *Rings) open(tid int) error {
	var opened []int
	for i, cpu := range r.cpus {
		for _, major := range []bool{false, true} {
			fd, err := r.event(tid, cpu, major)
			if err != nil {
				return err
			}
			r.fds = append(r.fds, fd)
			opened = append(opened, fd)
			if r.rings[i] == nil {
				if r.rings[i], err = newRing(fd, r.size); err != nil {
					return err
				}
			} else if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_OUTPUT, r.rings[i].fd); err != nil {
				return err
			}
			var id uint64
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_ID, uintptr(unsafe.Pointer(&id))); errno != 0 {
				return errno
			}
			r.origin[id] = origin{tid, major}
		}
	}
	for _, fd := range opened {
		if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
			return err
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
		if refused := err == unix.EACCES || err == unix.EPERM; !refused || !r.kernel || len(r.fds) > 0 {
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

// Drain appends what has happened since the last time to events, in the order of time, and counts
// what the kernel had no room for.
func (r *Rings) Drain(events []Event) (all []Event, lost uint64) {
	from := len(events)
	for _, ring := range r.rings {
		ring.records(func(kind uint32, misc uint16, body []byte) {
			if kind == unix.PERF_RECORD_LOST && len(body) >= 16 {
				lost += *(*uint64)(unsafe.Pointer(&body[8]))
				return
			}
			e, id, ok := decode(kind, misc, body)
			if !ok {
				return
			}
			o, known := r.origin[id]
			if !known {
				return
			}
			if first, seen := r.by[e.TID]; !seen {
				r.by[e.TID] = o.tid
			} else if first != o.tid {
				return // it was opened and inherited: this is the other one
			}
			e.Major = o.major
			events = append(events, e)
		})
	}
	slices.SortStableFunc(events[from:], func(a, b Event) int { return int(a.Time - b.Time) })
	for _, e := range events[from:] {
		if e.Kind == Exit {
			delete(r.by, e.TID)
		}
	}
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
