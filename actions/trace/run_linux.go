//go:build amd64 || arm64

package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"cowscope/actions/image"

	"golang.org/x/sys/unix"
)

// Config says what is run, and how.
type Config struct {
	Path  string   // of the file, not looked for in PATH
	Args  []string // from argv[0] on
	Env   []string // the whole environment
	Dir   string   // the working directory; "" is cowscope's
	Files []*os.File
	// Terminal makes Files[0] the controlling terminal of a session that begins with the program.
	Terminal bool
}

// Program is a program that is run, with every thread and process that came of it. Its methods are
// called by one goroutine at a time.
type Program struct {
	jobs   chan func()
	closed chan struct{}
	pid    int
	tasks  map[int]*task // by thread id, those that are not reaped
	queue  []Event       // what happened while the threads were being stopped
	target atomic.Int64  // a thread that runs, for kick
	// faultless is why page faults are not told, nil if they are.
	faultless error
}

// task is a thread.
type task struct {
	tid, pid int
	state    state
	signal   syscall.Signal // is delivered when it goes on
	call     *callInfo      // the call of the filter that it is in
	told     bool           // that call was told already
	unborn   bool           // it has stopped, and its parent has not told of it yet
	fresh    bool           // its first stop has not come
	asked    bool           // a stop was asked for, and has not come
	vfork    bool           // it waits for a child of vfork(2)
	// listening says that its process is stopped by a signal, and it has been let go on from where it
	// was told of that.
	listening bool
	perf      []int
}

type state uint8

const (
	running state = iota
	stopped       // and goes on when it is told to
	held          // with its whole process, by a signal such as SIGTSTP: it goes on by SIGCONT
)

// Start starts a program, and stops it before its first instruction. Next tells of that first.
func Start(cfg Config) (*Program, error) {
	p := &Program{jobs: make(chan func()), closed: make(chan struct{}), tasks: map[int]*task{}}
	go p.serve()
	var err error
	p.do(func() { err = p.start(cfg) })
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// serve is the thread that traces. It ends with the Program.
func (p *Program) serve() {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() { // the first thread of a program does not end
		go p.serve()
		<-p.closed
		runtime.UnlockOSThread()
		return
	}
	for {
		select {
		case f := <-p.jobs:
			f()
		case <-p.closed: // the thread ends locked, and with it whatever it still traces
			return
		}
	}
}

func (p *Program) do(f func()) {
	done := make(chan struct{})
	p.jobs <- func() { defer close(done); f() }
	<-done
}

// PID is the process that was started.
func (p *Program) PID() int { return p.pid }

// Faultless says why page faults are not told; nil if they are. perf_event_paranoid(2) above 2, or
// a container, may forbid it.
func (p *Program) Faultless() error { return p.faultless }

// start has the starter execute the program.
func (p *Program) start(cfg Config) error {
	if err := p.spawn(cfg); err != nil {
		return err
	}
	fail := func(call string, e syscall.Errno) error { return &StartError{cfg.Path, call, e} }
	t := &task{tid: p.pid, pid: p.pid}
	p.tasks[p.pid] = t
	st, err := wait(p.pid, unix.WUNTRACED)
	switch {
	case err != nil:
		return fail("wait4", err.(syscall.Errno))
	case !st.stopped():
		delete(p.tasks, p.pid)
		return fail("kill", unix.EPERM)
	}
	if e := ptrace(unix.PTRACE_SEIZE, p.pid, 0, traceOptions); e != 0 {
		return fail("ptrace", e)
	}
	if err := unix.Kill(p.pid, unix.SIGCONT); err != nil {
		return fail("kill", err.(syscall.Errno))
	}
	filtered := false
	for {
		st, err := wait(p.pid, 0)
		if err != nil {
			return fail("wait4", err.(syscall.Errno))
		}
		request := unix.PTRACE_CONT
		switch sig, event := st.signal(), st.event(); {
		case !st.stopped():
			delete(p.tasks, p.pid)
			code, _ := st.ending()
			return fail("seccomp", syscall.Errno(code))
		case event == unix.PTRACE_EVENT_SECCOMP: // of execve
			info, e := callAt(p.pid)
			if e != 0 {
				return fail("ptrace", e)
			}
			filtered, t.call = true, &info
			request = unix.PTRACE_SYSCALL
		case event == unix.PTRACE_EVENT_EXEC:
			t.state = stopped
			p.queue = append(p.queue, *p.executed(t))
			return nil
		case sig == callStop && filtered: // it failed
			info, _ := callAt(p.pid)
			return fail("execve", syscall.Errno(-int64(info.nr)))
		}
		if e := ptrace(request, p.pid, 0, 0); e != 0 && e != unix.ESRCH {
			return fail("ptrace", e)
		}
	}
}

// spawn starts the starter.
func (p *Program) spawn(cfg Config) error {
	attr := &syscall.ProcAttr{Dir: cfg.Dir, Env: cfg.Env,
		// The signal covers the moment in which PTRACE_O_EXITKILL is not set yet; the starter takes it back.
		Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setsid: cfg.Terminal, Setctty: cfg.Terminal}}
	for _, f := range cfg.Files {
		attr.Files = append(attr.Files, f.Fd())
	}
	args := append([]string{cfg.Path}, cfg.Args...)
	elf := starter()
	var tried []error
	for _, s := range image.Sources() {
		pid, err := s.Exec("cowscope-run", elf, args, attr)
		if err == nil {
			p.pid = pid
			return nil
		}
		tried = append(tried, fmt.Errorf("%s: %w", s.Name, err))
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENOENT) && cfg.Dir != "" {
			break
		}
	}
	return errors.Join(tried...)
}

// wait waits for a stop or the end of one thread.
func wait(tid, options int) (status, error) {
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(tid, &ws, unix.WALL|unix.WNOTHREAD|options, nil)
		if err != unix.EINTR {
			return status(ws), err
		}
	}
}

// Next lets the program run to its next event, and stops it there. Once ctx is done it stops the
// program where it is, and returns the error of ctx. The answer is ErrEnded when nothing is left.
func (p *Program) Next(ctx context.Context) (Event, error) {
	var e Event
	var err error
	p.do(func() { e, err = p.next(ctx) })
	return e, err
}

func (p *Program) next(ctx context.Context) (Event, error) {
	if len(p.queue) == 0 {
		for _, t := range p.tasks {
			p.goOn(t)
		}
	}
	for len(p.queue) == 0 {
		if len(p.tasks) == 0 {
			return Event{}, ErrEnded
		}
		tid, st, err := p.await(ctx)
		if err != nil {
			return Event{}, err
		}
		if tid > 0 {
			p.heed(tid, st)
		}
		if len(p.queue) > 0 || ctx.Err() != nil {
			p.stopAll()
		} else if t := p.tasks[tid]; t != nil {
			p.goOn(t)
		}
		if len(p.queue) == 0 && ctx.Err() != nil {
			return Event{}, ctx.Err()
		}
	}
	e := p.queue[0]
	p.queue = p.queue[1:]
	return e, nil
}

// Where gives a thread of the program that is stopped, after Next was told to return: the first of
// the process that was started, if it lives. e has its ids and its registers.
func (p *Program) Where() (e Event, ok bool) {
	p.do(func() {
		for tid, t := range p.tasks {
			if t.state == running || ok && tid != p.pid {
				continue
			}
			var r registers
			if getRegs(tid, &r) == 0 {
				e, ok = Event{PID: t.pid, TID: tid, Regs: numbered(&r)}, true
			}
		}
	})
	return e, ok
}

// Close kills what is left of the program, and reaps it. Closing again does nothing.
func (p *Program) Close() {
	select {
	case <-p.closed:
		return
	default:
	}
	p.do(func() {
		for len(p.tasks) > 0 {
			for _, t := range p.tasks {
				_ = unix.Kill(t.pid, unix.SIGKILL)
			}
			tid, st, err := waitAny(0)
			if err != nil { // there is none
				break
			}
			p.heed(tid, st)
		}
		for _, t := range p.tasks {
			t.ignoreFaults()
		}
	})
	close(p.closed)
}

// goOn lets a thread run, if it may.
func (p *Program) goOn(t *task) {
	if t.state == running || t.unborn {
		return
	}
	request := unix.PTRACE_CONT
	switch {
	case t.state == held:
		request = unix.PTRACE_LISTEN
	case t.call != nil:
		request = unix.PTRACE_SYSCALL
	}
	_ = ptrace(request, t.tid, 0, uintptr(t.signal)) // ESRCH: it was killed, and will be reaped
	t.listening = t.state == held
	t.state, t.signal = running, 0
	p.target.Store(int64(t.tid))
}

// waitAny waits for any thread that this thread traces.
func waitAny(options int) (int, status, error) {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD|options, nil)
		if err != unix.EINTR {
			return tid, status(ws), err
		}
	}
}

// await waits until a thread stops or ends, or ctx is done; then tid may be 0. A blocking wait4
// cannot be told to return, so kick makes a thread stop.
func (p *Program) await(ctx context.Context) (tid int, st status, err error) {
	const tries = 30
	for range tries {
		if tid, st, err = waitAny(unix.WNOHANG); tid != 0 || err != nil {
			return tid, st, p.none(err)
		}
		unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	ended := make(chan struct{})
	defer close(ended)
	defer context.AfterFunc(ctx, func() { p.kick(ended) })()
	if p.allHeld() {
		for ctx.Err() == nil && tid == 0 && err == nil {
			tid, st, err = waitAny(unix.WNOHANG)
			time.Sleep(2 * time.Millisecond)
		}
	} else {
		tid, st, err = waitAny(0)
	}
	return tid, st, p.none(err)
}

// none makes an end of what wait4 answers when there is nobody to wait for: threads are reaped by
// the one that reports them, so this is an end that was missed.
func (p *Program) none(err error) error {
	if err == unix.ECHILD {
		clear(p.tasks)
		return ErrEnded
	}
	return err
}

// kick stops a thread, from another goroutine, until ended is closed. A thread that stopped for it
// does not see the signal.
func (p *Program) kick(ended chan struct{}) {
	for {
		tid := int(p.target.Load())
		if tgid, ok := threadGroup(tid); ok {
			_ = unix.Tgkill(tgid, tid, unix.SIGSTOP)
		}
		select {
		case <-ended:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// allHeld reports whether every thread is stopped by a signal: SIGSTOP does not stop such a one
// again.
func (p *Program) allHeld() bool {
	for _, t := range p.tasks {
		if !t.listening {
			return false
		}
	}
	return true
}

// stopAll stops every thread that can be stopped.
func (p *Program) stopAll() {
	for _, t := range p.tasks {
		if t.state == running && !t.asked {
			t.asked = ptrace(unix.PTRACE_INTERRUPT, t.tid, 0, 0) == 0
		}
	}
	quiet := time.Time{}
	for try := 0; p.moving(); try++ {
		tid, st, err := waitAny(unix.WNOHANG)
		if err != nil {
			_ = p.none(err)
			return
		}
		if tid != 0 {
			p.heed(tid, st)
			quiet = time.Time{}
			continue
		}
		if try < 50 {
			unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
			continue
		}
		const patience = 100 * time.Millisecond
		switch {
		case quiet.IsZero():
			quiet = time.Now()
		case time.Since(quiet) > patience:
			return // what is left waits for a device, or has ended and its threads have not
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// moving reports whether a thread is still to be waited for.
func (p *Program) moving() bool {
	for _, t := range p.tasks {
		if t.state == running && !t.vfork && (t.asked || t.fresh) {
			return true
		}
	}
	return false
}

// heed takes notice of what happened to a thread. What is an event goes into the queue.
func (p *Program) heed(tid int, st status) {
	t := p.tasks[tid]
	if t == nil && !st.stopped() {
		return // of a thread that an execve ended
	}
	if t == nil {
		// Born, and faster than its parent's word of it.
		t = &task{tid: tid, pid: tid, unborn: true, fresh: true}
		p.tasks[tid] = t
	}
	if !st.stopped() {
		p.ended(t, st)
		return
	}
	t.state, t.listening, t.asked = stopped, false, false // any stop is as good (ptrace_stop in kernel/signal.c)
	var e *Event
	switch event := st.event(); event {
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
			p.watchFaults(t)
		}
		if st.signal() != unix.SIGTRAP {
			t.state = held
		}
	case 0:
		if st.signal() == callStop {
			e = p.returned(t)
		} else {
			e = p.signaled(t, st.signal())
		}
	}
	if e != nil {
		e.PID, e.TID = t.pid, t.tid
		var r registers
		if getRegs(t.tid, &r) == 0 {
			e.Regs = numbered(&r)
		}
		p.queue = append(p.queue, *e)
	}
}

// ended takes notice of the end of a thread.
func (p *Program) ended(t *task, st status) {
	t.ignoreFaults()
	delete(p.tasks, t.tid)
	for _, other := range p.tasks {
		if other.pid == t.pid {
			return
		}
	}
	e := Event{Kind: Exit, PID: t.pid, TID: t.tid}
	e.Status, e.Signal = st.ending()
	p.queue = append(p.queue, e)
}

// called is a stop by the filter, at the entry of a call.
func (p *Program) called(t *task) {
	said, _ := message(t.tid)
	info, e := callAt(t.tid)
	if e != 0 {
		return
	}
	if said != ours { // a filter of the program's own, which has no tracer
		_ = unmake(t.tid)
		return
	}
	t.call, t.told = &info, false
}

// returned is the stop at the end of a call.
func (p *Program) returned(t *task) *Event {
	info, e := callAt(t.tid)
	c, told := t.call, t.told
	if e != 0 || c == nil || info.op != unix.PTRACE_SYSCALL_INFO_EXIT {
		return nil
	}
	t.call, t.told = nil, false
	value := int64(info.nr)
	if told || value <= -512 && value >= -516 { // it is made again: ERESTARTSYS, … (include/linux/errno.h)
		return nil
	}
	event := eventOf(Call, c)
	event.Value = info.nr
	if value < 0 && value >= -4095 {
		event.Value, event.Errno = 0, syscall.Errno(-value)
	}
	return event
}

func eventOf(kind Kind, c *callInfo) *Event {
	e := &Event{Kind: kind}
	if c != nil {
		e.Nr, e.Args, e.Compat = c.nr, c.args, c.arch != native
	}
	return e
}

// executed is the stop at the end of an execve. The other threads of the process are gone, and the
// one that called has the thread id of the process.
func (p *Program) executed(t *task) *Event {
	if former, e := message(t.tid); e == 0 && former != t.tid && p.tasks[former] != nil {
		t.call = p.tasks[former].call
	}
	for tid, other := range p.tasks {
		if other.pid == t.pid && tid != t.tid {
			other.ignoreFaults()
			delete(p.tasks, tid)
		}
	}
	p.watchFaults(t)
	t.told = true
	e := eventOf(Exec, t.call)
	e.PID, e.TID = t.pid, t.tid
	var r registers
	if getRegs(t.tid, &r) == 0 {
		e.Regs = numbered(&r)
	}
	return e
}

// forked is the stop at which a child is there. It has executed nothing.
func (p *Program) forked(t *task, event int) *Event {
	tid, errno := message(t.tid)
	if errno != 0 {
		return nil
	}
	child := p.tasks[tid]
	if child == nil {
		child = &task{tid: tid, fresh: true}
		p.tasks[tid] = child
	}
	child.unborn, child.pid = false, tid
	if tgid, ok := threadGroup(tid); ok {
		child.pid = tgid
	}
	e := eventOf(Fork, t.call)
	e.Child, e.Thread, e.Shared = tid, child.pid == t.pid, event == unix.PTRACE_EVENT_VFORK
	e.Value = uint64(tid)
	t.told = true
	t.vfork = event == unix.PTRACE_EVENT_VFORK
	return e
}

// signaled is the stop before a signal is delivered.
func (p *Program) signaled(t *task, sig syscall.Signal) *Event {
	info, errno := signalInfo(t.tid)
	if errno != 0 {
		return nil // it was killed
	}
	switch {
	case sig == unix.SIGTRAP && info.code == trapPerf && (info.data == minorFault || info.data == majorFault):
		return &Event{Kind: Fault, Addr: info.addr, Major: info.data == majorFault, Late: info.flags&trapPerfIsAsync != 0}
	case sig == unix.SIGSTOP && info.code == siTkill && int(int32(info.addr)) == os.Getpid():
		return nil // kick
	}
	t.signal = sig
	access := info.code > 0 && (sig == unix.SIGSEGV || sig == unix.SIGBUS)
	if !access && !deadly(t.tid, sig) {
		return nil
	}
	e := &Event{Kind: Signal, Signal: sig, Code: info.code}
	if access {
		e.Addr = info.addr
	}
	return e
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
		if mask, err := strconv.ParseUint(statusOf(tid, field), 16, 64); err != nil || mask&bit != 0 {
			return false
		}
	}
	return true
}

// threadGroup is the process of a thread.
func threadGroup(tid int) (int, bool) {
	n, err := strconv.Atoi(statusOf(tid, "Tgid:"))
	return n, err == nil
}

// statusOf is a field of /proc/TID/status (proc_pid_status(5)), "" if there is none.
func statusOf(tid int, field string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(field)); ok {
			return string(bytes.TrimSpace(rest))
		}
	}
	return ""
}
