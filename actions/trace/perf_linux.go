//go:build amd64 || arm64

package trace

import (
	"errors"
	"slices"
	"unsafe"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Rules of this file: the events of a thread that stop it. Two do at its page faults: MIN and MAJ
// fire only for faults that succeeded; PAGE_FAULTS also for the others, and then stops a second time
// in the handler of SIGSEGV. Others are breakpoints, which the processor itself has: nothing is
// written into the program. Each event gives a word of its own (sig_data), which tells them apart.
// The events end with the address space of the thread (remove_on_exec).
//
// Where events are refused, as to ordinary users of Debian and Ubuntu, breakpoints are set by ptrace,
// which asks for no more rights. Their signal would reset the handler of a process that ignores SIGTRAP, or
// blocks and catches it: it is not stopped, as with events, and has them from its first stop after that
// on. So it is with new threads of a Go program. A process that was attached to gets none: one that waits in
// vfork could not be let go without them.

const (
	minorFault = 0xc0_01
	majorFault = 0xc0_02
	reached    = 0xc0_03
	written    = 0xc0_04

	// include/uapi/linux/perf_event.h, bits of struct perf_event_attr that x/sys does not name.
	removeOnExec = 1 << 36
	sigtrap      = 1 << 37

	// include/uapi/linux/hw_breakpoint.h
	breakOnWrite   = 2
	breakOnExecute = 4
)

// Break gives every thread of the program these breakpoints, and those only; threads that are born
// have them too. They end with the program of a process.
func (p *Program) Break(at []Breakpoint) error {
	var err error
	p.do(func() {
		for _, t := range p.tasks {
			t.clearBreaks()
			// What it stands at is no breakpoint any more, and is not stepped over.
			if there := func(b Breakpoint) bool { return b.Written > 0 || b.Addr == t.atBreak }; t.byDebug && len(at) > 0 && !slices.ContainsFunc(at, there) {
				t.atBreak, t.back = 0, 0
			}
		}
		p.breaks = at
		deaf := 0
		for _, t := range p.tasks {
			switch e := p.setBreaks(t); {
			case e == errDeaf:
				deaf++
			case e != nil:
				err = e
			}
		}
		if err == nil && deaf > 0 && deaf == len(p.tasks) {
			err = errDeaf
		}
	})
	return err
}

func (p *Program) setBreaks(t *task) error {
	for _, b := range p.breaks {
		a := unix.PerfEventAttr{Type: unix.PERF_TYPE_BREAKPOINT, Bp_type: breakOnExecute, Ext1: b.Addr, Ext2: 8, Sig_data: reached}
		if b.Written > 0 {
			a.Bp_type, a.Ext2, a.Sig_data = breakOnWrite, b.Written, written
		}
		switch err := t.stopAt(&t.breaks, &a); {
		case err == nil:
		case (err == unix.EACCES || err == unix.EPERM || err == unix.ENOSYS) && !p.attached:
			closeAll(&t.breaks)
			return t.debugAt(p.breaks)
		default:
			return err
		}
	}
	return nil
}

// errDeaf says that a breakpoint of the debug registers would change what a thread does with SIGTRAP.
var errDeaf = errors.New("the program blocks or ignores SIGTRAP, which stops it there")

// debugAt gives a thread these breakpoints by its debug registers. A thread that is not stopped, since it waits
// in vfork or for a device, gets them at its next stop.
func (t *task) debugAt(at []Breakpoint) error {
	blocked, ignored, caught := signalMask(t, "SigBlk:"), signalMask(t, "SigIgn:"), signalMask(t, "SigCgt:")
	if len(at) > 0 && (ignored|blocked&caught)&bit(unix.SIGTRAP) != 0 {
		t.stale = true // it may not for ever
		return errDeaf
	}
	switch e := setDebug(t.tid, t.debug, at); e {
	case 0:
		t.debug, t.stale = at, false
	case unix.ESRCH:
		t.stale = true
	default:
		return e
	}
	return nil
}

func (t *task) clearBreaks() {
	closeAll(&t.breaks)
	if len(t.debug) > 0 || t.stale {
		_ = t.debugAt(nil)
	}
}

// openEvent is perf_event_open(2). Tests refuse it.
var openEvent = unix.PerfEventOpen

// stopAt opens an event of a thread that stops it. A thread that is gone is none.
func (t *task) stopAt(fds *[]int, a *unix.PerfEventAttr) error {
	a.Sample, a.Bits = 1, unix.PerfBitExcludeKernel|unix.PerfBitExcludeHv|removeOnExec|sigtrap
	a.Size = uint32(unsafe.Sizeof(*a))
	fd, err := openEvent(a, t.tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err == unix.ESRCH {
		return nil
	}
	if err == nil {
		*fds = append(*fds, fd)
	}
	return err
}

// watchFaults has thread t stop at its page faults from now on.
func (p *Program) watchFaults(t *task) {
	closeAll(&t.faults)
	for config, word := range map[uint64]uint64{unix.PERF_COUNT_SW_PAGE_FAULTS_MIN: minorFault, unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ: majorFault} {
		if p.faultless != nil {
			return
		}
		if err := t.stopAt(&t.faults, &unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: config, Sig_data: word}); err != nil {
			closeAll(&t.faults)
			p.faultless = err
		}
	}
}

// hasFaulted reports whether a thread was stopped between a page fault and its word of it: the stop that
// was asked for comes first (get_signal in kernel/signal.c). Let go on, it tells, and executes nothing before.
func (t *task) hasFaulted() bool {
	var causes [8]ptrace.SigInfo
	n, _ := ptrace.Pending(t.tid, causes[:])
	if !slices.ContainsFunc(causes[:n], func(i ptrace.SigInfo) bool {
		return i.Signo == int32(unix.SIGTRAP) && i.Code == trapPerf && (i.Data == minorFault || i.Data == majorFault)
	}) {
		return false
	}
	blocked, e := ptrace.SignalMask(t.tid)
	return e == 0 && blocked&bit(unix.SIGTRAP) == 0
}

// unwatch ends all events of a thread.
func (t *task) unwatch() {
	closeAll(&t.faults)
	t.clearBreaks()
}

func closeAll(fds *[]int) {
	for _, fd := range *fds {
		unix.Close(fd)
	}
	*fds = nil
}
