//go:build amd64 || arm64

package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"cowscope/actions/inject"
	"cowscope/actions/ptrace"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: a stopped thread of the program acts for somebody else, and notices nothing but
// what it was made to do. It executes nothing of its own meanwhile. Its registers and its signal mask
// are put back, the events that would stop it are off, and signals wait. Calls are made with an
// instruction of the vdso, accesses with code in a page that is mapped for the moment; that code ends
// with a system call that is not made (PTRACE_SYSEMU), for a trap would be a signal.

// Actor is the thread that acts for a process of the program, while the function of Act runs.
type Actor struct {
	p       *Program
	pid     int
	first   int   // the thread that is asked first
	t       *task // that acts; nil before it does
	state   *inject.State
	call    uint64           // the address of a system call instruction
	mask    uint64           // the signals that it blocks
	ignored uint64           // the signals that the process ignores
	late    bool             // the deadline of what it does has passed
	child   *task            // that it has just made
	waiting []ptrace.SigInfo // signals that came meanwhile
	stop    bool             // SIGSTOP did
	dead    *subject.ExitedError
}

// Act runs f on the thread that traces, while the program is stopped, and then puts back every thread
// that has acted. actor gives who acts for a process: thread tid of it, if that one can.
func (p *Program) Act(f func(actor func(pid, tid int) *Actor) error) (err error) {
	p.do(func() {
		var actors []*Actor
		err = f(func(pid, tid int) *Actor {
			a := &Actor{p: p, pid: pid, first: tid}
			actors = append(actors, a)
			return a
		})
		for _, a := range actors {
			err = errors.Join(err, a.putBack())
		}
	})
	return err
}

// unable says why a process does not act.
func unable(format string, args ...any) error {
	return &subject.UnableError{Why: fmt.Sprintf(format, args...)}
}

// ready makes a thread ready to act.
func (a *Actor) ready() error {
	switch {
	case a.dead != nil:
		return a.dead
	case a.t != nil:
		return nil
	}
	t, err := a.choose()
	if err == nil {
		err = a.p.unfiltered(t.tid)
	}
	if err != nil {
		return err
	}
	a.t = t
	if a.call, err = inject.FindInstruction(a.pid); err != nil {
		err = unable("%v", err)
		if _, e := ptrace.SignalMask(t.tid); e != 0 {
			err = a.lost(e) // it was killed
		}
	} else {
		err = a.tellTraps()
	}
	if err == nil {
		err = a.leaveCall()
	}
	if err != nil {
		a.t = nil
		return err
	}
	var e syscall.Errno
	if a.mask, e = ptrace.SignalMask(t.tid); e != 0 {
		return a.lost(e)
	}
	kept := (signalMask(t, "SigPnd:") | signalMask(t, "ShdPnd:")) & a.mask // they go on waiting
	if e := ptrace.SetSignalMask(t.tid, ^synchronous|kept); e != 0 {
		return a.lost(e)
	}
	a.ignored = signalMask(t, "SigIgn:") | kept
	t.turnEvents(unix.PERF_EVENT_IOC_DISABLE)
	return nil
}

// synchronous are the signals that instructions cause. The kernel gives one that is blocked its default
// action when an instruction causes it (force_sig_info_to_task in kernel/signal.c), so none of them is.
var synchronous = bit(unix.SIGSEGV) | bit(unix.SIGBUS) | bit(unix.SIGILL) | bit(unix.SIGFPE) | bit(unix.SIGTRAP) | bit(unix.SIGSYS)

// tellTraps has the thread tell of events that have come and were not told of: one that was stopped first
// has their signals before it.
func (a *Actor) tellTraps() error {
	for signalMask(a.t, "SigPnd:")&^signalMask(a.t, "SigBlk:")&bit(unix.SIGTRAP) != 0 {
		if info, e := ptrace.CallAt(a.t.tid); e == 0 && info.Op == unix.PTRACE_SYSCALL_INFO_ENTRY {
			return nil
		}
		st, err := a.goOn(unix.PTRACE_CONT)
		if err != nil {
			return err
		}
		a.p.heed(a.t.tid, st)
	}
	return nil
}

// choose finds the thread that acts: the one that is asked first, the first of the process, or any.
func (a *Actor) choose() (best *task, err error) {
	rank := func(t *task) int {
		switch t.tid {
		case a.first:
			return -2
		case a.pid:
			return -1
		}
		return t.tid
	}
	why := "it has ended"
	for _, t := range a.p.tasks {
		switch {
		case t.pid != a.pid || t.unborn:
		case t.vfork:
			why = "it waits in vfork until its child has exited or executes another program"
		case t.state == held:
			why = "it is stopped by a signal: SIGCONT lets it go on"
		case t.state == running:
			why = "its thread could not be stopped: it waits for a device, or has ended before others"
		case best == nil || rank(t) < rank(best):
			best = t
		}
	}
	if best == nil {
		return nil, unable("%s", why)
	}
	return best, nil
}

// unfiltered fails for a thread with a filter of its own, which might kill it for a call that it never
// makes (seccomp(2)). Filters around cowscope it has too; they are as for cowscope itself.
func (p *Program) unfiltered(tid int) error {
	has, known := filters(tid)
	around, _ := filters(os.Getpid())
	if !p.attached {
		around++
	}
	if known && has > around {
		return unable("it has a filter of system calls of its own (seccomp), which might kill it for a call that it never makes")
	}
	return nil
}

// filters is the number of filters of a thread (proc_pid_status(5), since Linux 5.9).
func filters(tid int) (n int, known bool) {
	n, err := strconv.Atoi(procfs.StatusField(tid, "Seccomp_filters:"))
	return n, err == nil
}

// leaveCall takes the thread out of a system call, and saves what it goes on with. At an event in the
// middle of a call it goes on to the end of that; a call that it has not made yet it makes again later.
func (a *Actor) leaveCall() (err error) {
	t := a.t
	for t.call != nil && t.told {
		st, err := a.goOn(unix.PTRACE_SYSCALL)
		if err != nil {
			return err
		}
		a.p.heed(t.tid, st)
	}
	info, e := ptrace.CallAt(t.tid)
	for e == 0 && info.Op == unix.PTRACE_SYSCALL_INFO_EXIT && restarts(syscall.Errno(-int64(info.Nr))) {
		// How it is restarted is in the registers where signals are looked for.
		if e := ptrace.Call(unix.PTRACE_INTERRUPT, t.tid, 0, 0); e != 0 {
			return a.lost(e)
		}
		st, err := a.goOn(unix.PTRACE_CONT)
		if err != nil {
			return err
		}
		a.p.heed(t.tid, st)
		info, e = ptrace.CallAt(t.tid)
	}
	if a.state, err = inject.Save(t.tid, a.p.sleepOf(t.tid)); err != nil {
		return a.unsuited(err)
	}
	if e != 0 || info.Op != unix.PTRACE_SYSCALL_INFO_ENTRY && info.Op != unix.PTRACE_SYSCALL_INFO_SECCOMP {
		return nil
	}
	a.state.Again()
	t.giveBack()
	t.call, t.told = nil, false
	if e := unmake(t.tid); e != 0 {
		return a.lost(e)
	}
	for {
		st, err := a.goOn(unix.PTRACE_SYSCALL)
		if err != nil {
			return err
		}
		info, e := ptrace.CallAt(t.tid)
		if e != 0 {
			return a.lost(e)
		}
		if st.Signal() == ptrace.CallStop && info.Op == unix.PTRACE_SYSCALL_INFO_EXIT {
			return nil
		}
	}
}

// unsuited is the error of a thread whose state could not be saved.
func (a *Actor) unsuited(err error) error {
	if e, ok := err.(syscall.Errno); ok {
		return a.lost(e)
	}
	return unable("%v", err)
}

// turnEvents turns the events of a thread on or off.
func (t *task) turnEvents(request uint) {
	for _, fds := range [][]int{t.faults, t.breaks} {
		for _, fd := range fds {
			_ = unix.IoctlSetInt(fd, request, 0)
		}
	}
}

// patience is how long a call or an access may take. What takes longer is interrupted.
const patience = 10 * time.Second

// goOn lets the thread go on to its next stop. What happens to others meanwhile is heeded.
func (a *Actor) goOn(request int) (ptrace.Status, error) {
	if e := ptrace.Resume(request, a.t.tid, 0); e != 0 {
		return 0, a.lost(e)
	}
	var begin time.Time
	for try := 0; ; try++ {
		tid, st, err := waitAny(unix.WNOHANG)
		switch {
		case err != nil:
			_ = a.p.none(err)
			a.dead = &subject.ExitedError{PID: a.pid, Lost: true}
			return 0, a.dead
		case tid == a.t.tid && st.Stopped():
			return st, nil
		case tid == a.t.tid:
			return 0, a.ended(st)
		case tid != 0:
			a.p.heed(tid, st)
		case try < 100:
			unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		case begin.IsZero():
			begin = time.Now()
		default:
			if !a.late && time.Since(begin) > patience {
				a.late = ptrace.Call(unix.PTRACE_INTERRUPT, a.t.tid, 0, 0) == 0
			}
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// ended is the error of a thread that has ended.
func (a *Actor) ended(st ptrace.Status) error {
	a.p.heed(a.t.tid, st)
	code, sig := st.Ending()
	a.dead = &subject.ExitedError{PID: a.pid, Code: code, Signal: sig}
	return a.dead
}

// lost is the error of a request that was refused. The thread has been killed.
func (a *Actor) lost(e syscall.Errno) error {
	if e != unix.ESRCH {
		return fmt.Errorf("trace: thread %d: ptrace answers %w", a.t.tid, e)
	}
	for {
		tid, st, err := waitAny(0)
		switch {
		case err != nil:
			_ = a.p.none(err)
			a.dead = &subject.ExitedError{PID: a.pid, Lost: true}
			return a.dead
		case tid == a.t.tid && !st.Stopped():
			return a.ended(st)
		case tid != a.t.tid:
			a.p.heed(tid, st)
		}
	}
}

// PID is the process that the actor acts for.
func (a *Actor) PID() int { return a.pid }

// Faults are the page faults that the process has taken, with those of children that it waited for.
func (a *Actor) Faults() (minor, major uint64) { return procfs.Faults(a.pid) }

// Poll is nil while the process lives.
func (a *Actor) Poll() error {
	if a.dead != nil {
		return a.dead
	}
	return nil
}

// Awaits is 0: who waits in vfork does not act.
func (a *Actor) Awaits() int { return 0 }

// Syscall makes the thread make one system call.
func (a *Actor) Syscall(nr uintptr, args ...uint64) (subject.Ending, error) {
	if err := a.ready(); err != nil {
		return subject.Ending{}, err
	}
	r := a.state.Call(a.call, uint64(nr), args...)
	if e := inject.Set(a.t.tid, r); e != 0 {
		return subject.Ending{}, a.lost(e)
	}
	a.late = false
	for entered := false; ; {
		st, err := a.goOn(unix.PTRACE_SYSCALL)
		if err != nil {
			return subject.Ending{}, err
		}
		switch event := st.Event(); {
		case event == unix.PTRACE_EVENT_FORK || event == unix.PTRACE_EVENT_VFORK || event == unix.PTRACE_EVENT_CLONE:
			if err := a.bear(); err != nil {
				return subject.Ending{}, err
			}
			continue
		case event != 0:
			continue
		case st.Signal() != ptrace.CallStop:
			if err := a.hold(st.Signal()); err != nil {
				return subject.Ending{}, err
			}
			continue
		}
		info, e := ptrace.CallAt(a.t.tid)
		if e != 0 {
			return subject.Ending{}, a.lost(e)
		}
		if info.Op == unix.PTRACE_SYSCALL_INFO_ENTRY {
			entered = true
		} else if entered {
			break
		}
	}
	if e := ptrace.GetRegisters(a.t.tid, &r); e != 0 {
		return subject.Ending{}, a.lost(e)
	}
	value, errno := inject.Result(&r)
	if a.late && (errno == unix.EINTR || restarts(errno)) {
		return subject.Ending{TimedOut: true, Errno: unix.EINTR}, nil
	}
	return subject.Ending{Value: value, Errno: errno}, nil
}

// restarts reports whether an errno is one of the kernel's own, by which it restarts a call
// (ERESTARTSYS, … in include/linux/errno.h).
func restarts(e syscall.Errno) bool { return e >= 512 && e <= 516 }

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

// hold keeps a signal that has come meanwhile, until the thread has its own state again. One that it
// blocks comes too, where it is before another one that an instruction has caused
// (dequeue_synchronous_signal in kernel/signal.c). It fails for one that what the thread was to execute has
// caused.
func (a *Actor) hold(sig syscall.Signal) error {
	switch info, e := ptrace.SignalInfo(a.t.tid); {
	case e != 0 || kicked(sig, &info):
	case sig == unix.SIGSTOP:
		a.stop = true
	case info.Code > 0 && info.Code != trapPerf && synchronous&bit(sig) != 0:
		return unable("the code for that does not run there: it was ended by %s (si_code %d)", unix.SignalName(sig), info.Code)
	default:
		a.waiting = append(a.waiting, info)
	}
	return nil
}

// release has the signals that were held wait in the kernel again, as they were: the thread sends them
// to itself, which nobody else may do for one that the kernel has made (rt_tgsigqueueinfo(2)).
func (a *Actor) release() error {
	if len(a.waiting) == 0 {
		return nil
	}
	if e := ptrace.SetSignalMask(a.t.tid, ^uint64(0)); e != 0 {
		return a.lost(e)
	}
	for _, info := range a.waiting {
		b, err := binary.Append(nil, binary.NativeEndian, info)
		if err != nil {
			return err
		}
		err = a.with(b, func(at uint64) error {
			_, err := a.Syscall(unix.SYS_RT_TGSIGQUEUEINFO, uint64(a.pid), uint64(a.t.tid), uint64(info.Signo), at)
			return err
		})
		if err != nil {
			return err
		}
	}
	a.waiting = nil
	return nil
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

// Fork makes the process fork where it is stopped: the child goes on from there as its parent does. It
// is nil if the kernel refused, and the Ending says why.
func (a *Actor) Fork() (*Actor, subject.Ending, error) {
	a.child = nil
	e, err := a.Syscall(unix.SYS_CLONE, uint64(unix.SIGCHLD))
	child := a.child
	if child == nil || err != nil || a.p.tasks[child.tid] != child {
		return nil, e, err
	}
	if e := a.state.Give(child.tid); e != 0 && e != unix.ESRCH {
		return nil, subject.Ending{}, fmt.Errorf("trace: thread %d: ptrace answers %w", child.tid, e)
	}
	_ = ptrace.SetSignalMask(child.tid, a.mask) // ESRCH: it was killed, and will be reaped
	return &Actor{p: a.p, pid: child.pid, first: child.tid}, e, nil
}

// bear waits for the first stop of the child that the thread has made.
func (a *Actor) bear() error {
	tid, e := ptrace.Message(a.t.tid)
	if e != 0 {
		return a.lost(e)
	}
	child := a.p.tasks[tid]
	if child == nil {
		child = &task{tid: tid, pid: tid, fresh: true}
		a.p.tasks[tid] = child
	}
	child.unborn = false
	a.child = child
	for child.fresh && a.p.tasks[tid] == child {
		other, st, err := waitAny(0)
		if err != nil {
			return a.p.none(err)
		}
		if other == a.t.tid {
			return a.ended(st) // it was killed
		}
		a.p.heed(other, st)
	}
	return nil
}

// putBack gives a thread that has acted what it goes on with.
func (a *Actor) putBack() error {
	t := a.t
	if t == nil || a.dead != nil {
		return nil
	}
	if err := a.release(); err != nil {
		return a.gone(err)
	}
	restarts, goOn := a.state.Restarts(), a.state.Resume
	if waits := signalMask(t, "SigPnd:") | signalMask(t, "ShdPnd:"); t.signal != 0 && !t.again || waits&^a.mask != 0 {
		goOn = a.state.PutBack // the call has ended for a signal
	}
	if e := goOn(); e != 0 {
		return a.gone(a.lost(e))
	}
	t.turnEvents(unix.PERF_EVENT_IOC_ENABLE)
	if t.signal != 0 && t.again { // the instruction is executed again, and may succeed now
		t.signal = 0
	}
	if t.signal != 0 {
		if err := a.signal(); err != nil {
			return a.gone(err)
		}
	}
	if e := ptrace.SetSignalMask(t.tid, a.mask); e != 0 {
		return a.gone(a.lost(e))
	}
	if restarts && t.signal == 0 {
		if e := ptrace.Call(unix.PTRACE_INTERRUPT, t.tid, 0, 0); e != 0 {
			return a.gone(a.lost(e))
		}
		st, err := a.goOn(unix.PTRACE_CONT)
		if err != nil {
			return a.gone(err)
		}
		a.p.heed(t.tid, st)
	}
	if a.stop {
		_ = unix.Kill(a.pid, unix.SIGSTOP)
	}
	return nil
}

// gone is nil for the end of the thread, of which Next tells.
func (a *Actor) gone(err error) error {
	if a.dead != nil {
		return nil
	}
	return err
}

// signal takes the thread back to where the signal that it had got is about to be delivered.
func (a *Actor) signal() error {
	t := a.t
	info := t.info
	if e := ptrace.SetSignalMask(t.tid, ^bit(t.signal)); e != 0 {
		return a.lost(e)
	}
	_ = unix.Tgkill(a.pid, t.tid, t.signal)
	for {
		st, err := a.goOn(unix.PTRACE_CONT)
		if err != nil {
			return err
		}
		switch {
		case st.Event() != 0:
		case st.Signal() == t.signal:
			if e := ptrace.SetSignalInfo(t.tid, &info); e != 0 {
				return a.lost(e)
			}
			return nil
		default:
			if err := a.hold(st.Signal()); err != nil {
				return err
			}
		}
	}
}
