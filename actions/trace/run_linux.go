//go:build amd64 || arm64

package trace

import (
	"context"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cowscope/actions/inject"
	"cowscope/actions/ptrace"

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
	// PID, if not 0, is a process to attach to: nothing is started, and the other fields say nothing.
	PID int
}

// Program is a program that is run, with every thread and process that came of it. Its methods are
// called by one goroutine at a time.
type Program struct {
	jobs     chan func()
	closed   chan struct{}
	pid      int
	tasks    map[int]*task // by thread id, those that are not reaped
	queue    []Event       // what happened while the threads were being stopped
	breaks   []Breakpoint
	attached bool         // to a running process
	killed   *task        // in a call that makes a child, the last one that was
	target   atomic.Int64 // a thread that runs, for kick
	slept    sync.Map     // *inject.Sleep by thread id: the calls in which threads slept when a person stopped them
	// faultless is why page faults are not told, nil if they are.
	faultless error
}

// task is a thread.
type task struct {
	tid, pid int
	state    state
	signal   syscall.Signal   // is delivered when it goes on
	info     ptrace.SigInfo   // of that signal
	again    bool             // an instruction caused it that can be executed again
	call     *ptrace.CallInfo // the call of the filter that it is in
	told     bool             // that call was told already
	restore  *word            // what the call was made with, where that was changed
	unborn   bool             // it has stopped, and its parent has not told of it yet
	fresh    bool             // its first stop has not come
	asked    bool             // a stop was asked for, and has not come
	vfork    bool             // it waits for a child of vfork(2)
	// listening says that its process is stopped by a signal, and it has been let go on from where it
	// was told of that.
	listening bool
	// atBreak is the instruction at a breakpoint that it has to pass; 0 if it is at none. sent says that
	// a signal went with it when it was let go on there: its handler comes first.
	atBreak uint64
	sent    bool
	faults  []int        // descriptors of its events at page faults
	breaks  []int        // and at breakpoints
	debug   []Breakpoint // that its debug registers have instead
	stale   bool         // the registers have others: it was not stopped
	byDebug bool         // one of these was the last that it stopped at
	back    uint64       // where it comes back to one of these, from the handler of a signal; 0 for nowhere
}

type state uint8

const (
	running state = iota
	stopped       // and goes on when it is told to
	held          // with its whole process, by a signal such as SIGTSTP: it goes on by SIGCONT
)

// Start starts a program, and stops it before its first instruction, or attaches to a process. Next
// tells of that first.
func Start(cfg Config) (*Program, error) {
	p := &Program{jobs: make(chan func()), closed: make(chan struct{}), tasks: map[int]*task{}}
	go p.serve()
	var err error
	p.do(func() {
		if cfg.PID != 0 {
			err = p.attach(cfg.PID)
		} else {
			err = p.start(cfg)
		}
	})
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
		if len(p.queue) > 0 { // one had an event right away
			p.stopAll()
		}
	}
	for len(p.queue) == 0 {
		tid, st, err := p.await(ctx)
		if err != nil {
			return Event{}, err
		}
		if tid > 0 {
			p.heed(tid, st)
		}
		if ctx.Err() != nil {
			for tid := range p.tasks {
				p.keepSleep(tid)
			}
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

// Pending is what has happened and Next has not told yet: what several threads did before all were
// stopped.
func (p *Program) Pending() []Event { return slices.Clone(p.queue) }

// Where gives a thread of the program that is stopped, after Next was told to return: the first of
// the process that was started, if it lives. e has its ids and its registers.
func (p *Program) Where() (e Event, ok bool) {
	p.do(func() {
		for tid, t := range p.tasks {
			if t.state == running || ok && tid != p.pid {
				continue
			}
			if r, alive := t.registers(); alive {
				e, ok = Event{PID: t.pid, TID: tid, Regs: r}, true
			}
		}
	})
	return e, ok
}

// Close kills what is left of the program, and reaps it; what was attached to it lets go. Closing again
// does nothing.
func (p *Program) Close() {
	select {
	case <-p.closed:
		return
	default:
	}
	p.do(func() {
		if p.attached {
			p.detach()
		}
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
			t.unwatch()
		}
	})
	close(p.closed)
}

// goOn lets a thread run, if it may.
func (p *Program) goOn(t *task) {
	if t.state == running || t.unborn {
		return
	}
	for told := len(p.queue); debugAgain && t.byDebug && len(t.debug) > 0 && t.atBreak != 0 && t.signal == 0 && t.state == stopped; {
		if !p.stepOver(t) && (len(p.queue) > told || p.tasks[t.tid] != t || t.state == running) {
			return // it had an event, is gone, or goes on already
		}
	}
	request := unix.PTRACE_CONT
	switch {
	case t.state == held:
		request = unix.PTRACE_LISTEN
	case t.call != nil || p.attached:
		request = unix.PTRACE_SYSCALL
	case t.atBreak != 0 && !t.byDebug:
		request = resumeAt
	}
	p.slept.Delete(t.tid)
	_ = ptrace.Call(request, t.tid, 0, uintptr(t.signal)) // ESRCH: it was killed, and will be reaped
	t.listening = t.state == held
	if t.sent = t.atBreak != 0 && t.signal != 0; t.sent && t.byDebug {
		t.back = t.atBreak
	}
	t.state, t.signal = running, 0
	p.target.Store(int64(t.tid))
}

// stepOver lets a thread execute the instruction at its breakpoint. It reports whether that was done: another
// stop may have come first, which was heeded, or the instruction may take longer, and then it goes on alone.
func (p *Program) stepOver(t *task) bool {
	if err := t.debugAt(nil); err != nil || t.stale || ptrace.Resume(unix.PTRACE_SINGLESTEP, t.tid, 0) != 0 {
		t.atBreak = 0 // it was killed, and will be reaped
		return true
	}
	for begin := time.Now(); ; {
		tid, st, err := waitAny(unix.WNOHANG)
		switch {
		case err != nil:
			t.atBreak = 0
			return true
		case tid == t.tid:
			info, e := ptrace.SignalInfo(t.tid)
			if st.Stopped() && st.Event() == 0 && st.Signal() == unix.SIGTRAP && e == 0 && info.Code == trapTrace {
				t.atBreak = 0
				_ = t.debugAt(p.breaks)
				return true
			}
			t.stale = true
			p.heed(t.tid, st)
			return false
		case tid != 0:
			p.heed(tid, st)
		case time.Since(begin) > grace && !t.runnable(begin):
			t.state, t.atBreak, t.stale = running, 0, true
			return false
		default:
			unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
}

// waitAny waits for any thread that this thread traces.
func waitAny(options int) (int, ptrace.Status, error) {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD|options, nil)
		if err != unix.EINTR {
			return tid, ptrace.Status(ws), err
		}
	}
}

// await waits until a thread stops or ends, or ctx is done; then tid may be 0. A blocking wait4
// cannot be told to return, so kick makes a thread stop.
func (p *Program) await(ctx context.Context) (tid int, st ptrace.Status, err error) {
	const tries = 30
	for range tries {
		if tid, st, err = waitAny(unix.WNOHANG); tid != 0 || err != nil {
			return tid, st, p.none(err)
		}
		unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	ended, kicked := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(kicked)
		p.kick(ended)
	})
	defer func() {
		close(ended)
		if !stop() {
			<-kicked // no thread is stopped later, when nobody would let it go on
		}
	}()
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
		select {
		case <-ended:
			return
		default:
		}
		tid := int(p.target.Load())
		if tgid, ok := threadGroup(tid); ok {
			p.keepSleep(tid)
			_ = unix.Tgkill(tgid, tid, unix.SIGSTOP)
		}
		select {
		case <-ended:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// keepSleep notes in which call a thread sleeps that is about to be stopped: what is left of its time is known
// then alone.
func (p *Program) keepSleep(tid int) {
	if inject.SleepsAnew {
		p.slept.LoadOrStore(tid, inject.SleepOf(tid))
	}
}

// sleepOf is the call in which a thread slept before it was stopped; nil if that is not known.
func (p *Program) sleepOf(tid int) *inject.Sleep {
	was, _ := p.slept.Load(tid)
	s, _ := was.(*inject.Sleep)
	return s
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
