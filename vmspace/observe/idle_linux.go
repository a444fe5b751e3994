package observe

import (
	"bytes"
	"os"
	"strconv"

	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: a process of which no thread ran has not changed its mappings, and then
// nothing has to be compared. The proof for a thread has three parts, in this order: how often it
// was put on a CPU (the third number of schedstat, sched_info_arrive in kernel/sched/stats.h); that
// it is off the CPU (wchan names where it sleeps; get_wchan in kernel/sched/core.c names nothing
// for a thread on a run queue, where one in state S still can be); and later the same number again.
// A thread in vfork(2) lends its memory to the child and is in state D: that state proves nothing.
// If any of this cannot be read, the process may have run, and is compared.

// idle watches the threads of a process.
type idle struct {
	fds  []int
	runs []uint64 // the first numbers read
}

// idleThreads is the maximum number of watched threads: with more, comparing is as cheap.
const idleThreads = 32

// watchIdle begins to watch. It returns nil if the process runs, or if nothing can be proved.
func watchIdle(pid int) *idle {
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	threads, err := os.ReadDir(dir)
	if err != nil || len(threads) > idleThreads {
		return nil
	}
	w := &idle{}
	for _, t := range threads {
		fd, err := unix.Open(dir+t.Name()+"/schedstat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			w.close()
			return nil
		}
		w.fds = append(w.fds, fd)
		n, ok := timesRun(fd)
		w.runs = append(w.runs, n)
		if !ok || !asleep(dir+t.Name()) {
			w.close()
			return nil
		}
	}
	return w
}

// asleep reports whether the thread with the folder dir sleeps or is stopped, and is off the CPU.
func asleep(dir string) bool {
	where, err := os.ReadFile(dir + "/wchan")
	if err != nil || len(where) == 0 || string(where) == "0" {
		return false
	}
	b, err := os.ReadFile(dir + "/stat")
	i := bytes.LastIndexByte(b, ')')
	return err == nil && i >= 0 && i+2 < len(b) && bytes.IndexByte([]byte("SItT"), b[i+2]) >= 0
}

// timesRun reads how often a thread was put on a CPU.
func timesRun(fd int) (uint64, bool) {
	var buf [96]byte
	n, err := pread(fd, buf[:], 0)
	if err != nil {
		return 0, false
	}
	f := bytes.Fields(buf[:n])
	if len(f) != 3 {
		return 0, false
	}
	v, rest, ok := procfs.Decimal(f[2])
	return v, ok && len(rest) == 0
}

// still reports that no thread ran since the watch began. Several goroutines may call it.
func (w *idle) still() bool {
	if w == nil {
		return false
	}
	for i, fd := range w.fds {
		if n, ok := timesRun(fd); !ok || n != w.runs[i] {
			return false
		}
	}
	return true
}

func (w *idle) close() {
	if w == nil {
		return
	}
	for _, fd := range w.fds {
		unix.Close(fd)
	}
	w.fds = nil
}
