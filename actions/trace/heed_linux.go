//go:build amd64 || arm64

package trace

import (
	"os"
	"slices"
	"strconv"
	"syscall"

	"cowscope/actions/ptrace"
	"cowscope/vmspace/procfs"
	"cowscope/vmspace/symbol"

	"golang.org/x/sys/unix"
)

// heed takes notice of what happened to a thread. What is an event goes into the queue.
func (p *Program) heed(tid int, st ptrace.Status) {
	t := p.tasks[tid]
	if t == nil && !st.Stopped() {
		return // of a thread that an execve ended
	}
	if t == nil {
		// Born, and faster than its parent's word of it.
		t = &task{tid: tid, pid: tid, unborn: true, fresh: true}
		if tgid, ok := threadGroup(tid); ok {
			t.pid = tgid
		}
		p.tasks[tid] = t
		p.tellOrphans()
	}
	if !st.Stopped() {
		p.ended(t, st)
		return
	}
	t.state, t.listening, t.asked = stopped, false, false // any stop is as good (ptrace_stop in kernel/signal.c)
	t.passed()
	if t.stale {
		_ = t.debugAt(p.breaks)
	}
	var e *Event
	switch event := st.Event(); event {
	case unix.PTRACE_EVENT_SECCOMP:
		p.called(t)
	case unix.PTRACE_EVENT_EXEC:
		e = p.executed(t)
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
		e = p.forked(t, event)
	case unix.PTRACE_EVENT_VFORK_DONE:
		t.vfork = false
	case unix.PTRACE_EVENT_STOP:
		if t.fresh {
			t.fresh = false
			t.giveBack()
			p.watchFaults(t)
			_ = p.setBreaks(t) // what its parent could have, it can have
		}
		if st.Signal() != unix.SIGTRAP {
			t.state = held
		}
	case 0:
		if st.Signal() == ptrace.CallStop {
			e = p.atCall(t)
		} else {
			e = p.signaled(t, st.Signal())
		}
	}
	if e != nil {
		e.PID, e.TID = t.pid, t.tid
		e.Regs, _ = t.registers()
		if e.Kind == Reached || e.Kind == Written {
			t.atBreak = e.IP()
		}
		p.queue = append(p.queue, *e)
	}
}

// passed takes notice of whether a thread that stops has passed its breakpoint. In the handler of a
// signal it has not, and the kernel's step over it will be that of the handler's first instruction. At
// one of the debug registers it stops again when it comes back from there.
func (t *task) passed() {
	if t.atBreak == 0 {
		return
	}
	if now := t.counter(); now != t.atBreak {
		t.atBreak = 0
		if t.sent && !t.byDebug {
			t.atBreak = now
		}
	}
}

// counter is where a thread that is stopped goes on.
func (t *task) counter() uint64 {
	r, _ := t.registers()
	return r[symbol.Counter]
}

// registers are those of a thread that is stopped; zeros if it was killed meanwhile.
func (t *task) registers() (all symbol.Registers, ok bool) {
	var r ptrace.Registers
	if ptrace.GetRegisters(t.tid, &r) != 0 {
		return all, false
	}
	return numbered(&r), true
}

// ended takes notice of the end of a thread.
func (p *Program) ended(t *task, st ptrace.Status) {
	t.unwatch()
	delete(p.tasks, t.tid)
	if t.unborn {
		return
	}
	if t.bearing() {
		p.killed = t
		p.tellOrphans()
	}
	for _, other := range p.tasks {
		if other.pid == t.pid {
			return
		}
	}
	e := Event{Kind: Exit, PID: t.pid, TID: t.tid}
	e.Status, e.Signal = st.Ending()
	p.queue = append(p.queue, e)
}

// called is a stop by the filter, at the entry of a call.
func (p *Program) called(t *task) {
	said, _ := ptrace.Message(t.tid)
	info, e := ptrace.CallAt(t.tid)
	if e != 0 {
		return
	}
	if said != ours { // a filter of the program's own, which has no tracer
		_ = unmake(t.tid)
		return
	}
	t.call, t.told = &info, false
	t.keepChild()
}

// cloneUntraced asks that the child of a clone is not traced by who traces its parent (clone(2)).
const cloneUntraced = 0x00800000 // CLONE_UNTRACED

// keepChild takes CLONE_UNTRACED from a call: a child under the filter that nobody traces would get
// ENOSYS from each of its calls about memory.
func (t *task) keepChild() {
	switch c := t.call; {
	case c.Arch == native && c.Nr == unix.SYS_CLONE && c.Args[0]&cloneUntraced != 0, c.Arch != native && c.Nr == compatClone && c.Args[0]&cloneUntraced != 0:
		_ = setFirst(t.tid, c.Arch == native, c.Args[0]&^cloneUntraced)
	case c.Nr == unix.SYS_CLONE3:
		flags, e := ptrace.Peek(t.tid, c.Args[0])
		if e == 0 && flags&cloneUntraced != 0 && ptrace.Poke(t.tid, c.Args[0], flags&^cloneUntraced) == 0 {
			t.restore = &word{c.Args[0], flags}
		}
	}
}

// word is 8 bytes of a program.
type word struct{ addr, value uint64 }

// giveBack writes what was changed for a call.
func (t *task) giveBack() {
	if t.restore != nil {
		_ = ptrace.Poke(t.tid, t.restore.addr, t.restore.value)
		t.restore = nil
	}
}

// atCall is a stop at the end of a call; in a process that was attached to, which has no filter, at the
// beginning of each one too.
func (p *Program) atCall(t *task) *Event {
	t.giveBack()
	info, e := ptrace.CallAt(t.tid)
	if e == 0 && info.Op == unix.PTRACE_SYSCALL_INFO_ENTRY {
		t.call, t.told = nil, false
		if stopsAt(info.Arch, info.Nr) {
			t.call = &info
		}
		return nil
	}
	c, told := t.call, t.told
	if e != 0 || c == nil || info.Op != unix.PTRACE_SYSCALL_INFO_EXIT {
		return nil
	}
	t.call, t.told = nil, false
	value := int64(info.Nr)
	if told || value < 0 && restarts(syscall.Errno(-value)) {
		return nil
	}
	event := eventOf(Call, c)
	event.Value = info.Nr
	if value < 0 && value >= -4095 {
		event.Value, event.Errno = 0, syscall.Errno(-value)
	}
	return event
}

func eventOf(kind Kind, c *ptrace.CallInfo) *Event {
	e := &Event{Kind: kind}
	if c != nil {
		e.Nr, e.Args, e.Compat = c.Nr, c.Args, c.Arch != native
	}
	return e
}

// executed is the stop at the end of an execve. The other threads of the process are gone, and the
// one that called has the thread id of the process.
func (p *Program) executed(t *task) *Event {
	if former, e := ptrace.Message(t.tid); e == 0 && former != t.tid && p.tasks[former] != nil {
		t.call = p.tasks[former].call
	}
	for tid, other := range p.tasks {
		if other.pid == t.pid && tid != t.tid {
			other.unwatch()
			delete(p.tasks, tid)
			if other.bearing() {
				p.killed = other
			}
		}
	}
	p.tellOrphans()
	t.debug, t.stale = nil, false // they ended with the old program
	t.unwatch()
	p.watchFaults(t)
	t.told = true
	e := eventOf(Exec, t.call)
	e.PID, e.TID = t.pid, t.tid
	e.Regs, _ = t.registers()
	return e
}

// forked is the stop at which a child is there. It has executed nothing.
func (p *Program) forked(t *task, event int) *Event {
	tid, errno := ptrace.Message(t.tid)
	if errno != 0 {
		return nil
	}
	child := p.tasks[tid]
	if child == nil {
		child = &task{tid: tid, pid: tid, fresh: true}
		if tgid, ok := threadGroup(tid); ok {
			child.pid = tgid
		}
		p.tasks[tid] = child
	}
	e := t.bore(child)
	e.Shared = event == unix.PTRACE_EVENT_VFORK
	t.told = true
	t.vfork = e.Shared
	return e
}

// bore tells that a thread has made child.
func (t *task) bore(child *task) *Event {
	child.unborn = false
	if child.restore = t.restore; !child.fresh {
		child.giveBack()
	}
	e := eventOf(Fork, t.call)
	e.Child, e.Thread, e.Value = child.tid, child.pid == t.pid, uint64(child.tid)
	return e
}

// bearing reports whether a thread is in a call that makes a child, and has not told of one.
func (t *task) bearing() bool {
	return t.call != nil && !t.told && (t.call.Arch == native && slices.Contains(births, t.call.Nr) || t.call.Arch != native && slices.Contains(compatBirths, t.call.Nr))
}

// tellOrphans tells of those whose birth nobody will tell: a thread that is killed after it has made
// a child says no word of it. The one that was killed last is the parent, so it is told before that
// one's end as a rule; after it, if the child was not seen earlier.
func (p *Program) tellOrphans() {
	for _, t := range p.tasks {
		if t.bearing() {
			return
		}
	}
	for _, child := range p.tasks {
		if parent := p.killed; child.unborn && parent != nil {
			e := parent.bore(child)
			e.PID, e.TID = parent.pid, parent.tid
			p.queue = append(p.queue, *e)
		}
	}
}

// signaled is the stop before a signal is delivered.
func (p *Program) signaled(t *task, sig syscall.Signal) *Event {
	info, errno := ptrace.SignalInfo(t.tid)
	if errno != 0 {
		return nil // it was killed
	}
	switch {
	case sig == unix.SIGTRAP && info.Code == trapPerf && (info.Data == minorFault || info.Data == majorFault):
		return &Event{Kind: Fault, Addr: info.Addr, Major: info.Data == majorFault, Late: info.Flags&trapPerfIsAsync != 0}
	case sig == unix.SIGTRAP && info.Code == trapPerf && (info.Data == reached || info.Data == written):
		kind := Reached
		if info.Data == written {
			kind = Written
		}
		t.byDebug = false
		return &Event{Kind: kind, Addr: info.Addr, Late: info.Flags&trapPerfIsAsync != 0}
	case sig == unix.SIGTRAP && info.Code == trapHardware && len(t.debug) > 0:
		b, ok := debugHit(t.tid, &info, t.debug)
		if !ok {
			return nil
		}
		kind := Reached
		if b.Written > 0 {
			kind = Written
		}
		back := t.back
		t.byDebug, t.back = true, 0
		if now := t.counter(); debugAgain && back == now { // that was told before the handler
			t.atBreak = now
			return nil
		}
		return &Event{Kind: kind, Addr: b.Addr}
	case sig == unix.SIGTRAP && t.sent && info.Code == int32(unix.SIGTRAP):
		return nil // the handler of a signal is about to run: where there is a step, that is told (signal_setup_done in kernel/signal.c)
	case kicked(sig, &info):
		return nil
	}
	access := info.Code > 0 && (sig == unix.SIGSEGV || sig == unix.SIGBUS)
	t.signal, t.info = sig, info
	t.again = access && !told(sig, info.Code) || info.Code > 0 && (sig == unix.SIGILL || sig == unix.SIGFPE)
	if !access && !deadly(t.tid, sig) {
		return nil
	}
	e := &Event{Kind: Signal, Signal: sig, Code: info.Code}
	if access {
		e.Addr = info.Addr
	}
	return e
}

// told reports whether a signal of memory tells of something that no instruction is about to do: of broken
// memory, or of a tag that did not fit, some time later (sigaction(2)).
func told(sig syscall.Signal, code int32) bool {
	const (
		mceAction = 5 // BUS_MCEERR_AO
		mteAsync  = 8 // SEGV_MTEAERR
	)
	return sig == unix.SIGBUS && code == mceAction || sig == unix.SIGSEGV && code == mteAsync
}

// kicked reports whether a signal is that of kick.
func kicked(sig syscall.Signal, info *ptrace.SigInfo) bool {
	return sig == unix.SIGSTOP && info.Code == siTkill && int(int32(info.Addr)) == os.Getpid()
}

// deadly reports whether a signal ends a process that has no handler for it, and thread tid has
// none (signal(7)).
func deadly(tid int, sig syscall.Signal) bool {
	switch sig {
	case unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return false
	}
	bit := uint64(1) << (sig - 1)
	for _, field := range []string{"SigCgt:", "SigIgn:"} {
		if mask, err := strconv.ParseUint(procfs.StatusField(tid, field), 16, 64); err != nil || mask&bit != 0 {
			return false
		}
	}
	return true
}

// threadGroup is the process of a thread.
func threadGroup(tid int) (int, bool) {
	n, err := strconv.Atoi(procfs.StatusField(tid, "Tgid:"))
	return n, err == nil
}
