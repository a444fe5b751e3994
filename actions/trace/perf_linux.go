//go:build amd64 || arm64

package trace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rules of this file: the two events of a thread that stop it at its page faults. MIN and MAJ fire
// only for faults that succeeded; PAGE_FAULTS also for the others, and then stops a second time in
// the handler of SIGSEGV. Each gives a word of its own (sig_data), which tells them apart. The
// events end with the address space of the thread (remove_on_exec).

const (
	minorFault = 0xc0_01
	majorFault = 0xc0_02

	// include/uapi/linux/perf_event.h, bits of struct perf_event_attr that x/sys does not name.
	removeOnExec = 1 << 36
	sigtrap      = 1 << 37
)

// watchFaults has thread t stop at its page faults from now on.
func (p *Program) watchFaults(t *task) {
	t.ignoreFaults()
	if p.faultless != nil {
		return
	}
	for config, word := range map[uint64]uint64{unix.PERF_COUNT_SW_PAGE_FAULTS_MIN: minorFault, unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ: majorFault} {
		a := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: config, Sample: 1, Sig_data: word,
			Bits: unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv | removeOnExec | sigtrap}
		a.Size = uint32(unsafe.Sizeof(a))
		fd, err := unix.PerfEventOpen(&a, t.tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err == unix.ESRCH {
			return
		}
		if err != nil {
			t.ignoreFaults()
			p.faultless = err
			return
		}
		t.perf = append(t.perf, fd)
	}
}

func (t *task) ignoreFaults() {
	for _, fd := range t.perf {
		unix.Close(fd)
	}
	t.perf = nil
}
