//go:build amd64 || arm64

package subject

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// The thread. One goroutine, locked to its operating system thread, makes every call on a tracee,
// because the kernel answers ESRCH to any other thread. All other state of a Tracer belongs to that
// goroutine.

// Tracer owns the thread that traces, and every process started on it.
type Tracer struct {
	jobs   chan *job
	quit   chan struct{}
	ended  chan struct{} // closed after the thread was released
	once   sync.Once     // closes quit
	inside atomic.Bool   // a job is running
	ending atomic.Bool   // Close was called: the current job must end
	tid    int           // of the thread

	procs map[int]*Process // not yet reaped for good, by pid
	// unborn is what was reported of a process or a thread before its maker has told of it, by pid.
	unborn map[int]ptrace.Status
	gate   *gate
	watch  watchdog

	cgroup    *cgroup          // of all processes, nil for none
	unbounded error            // why there is none
	regs      ptrace.Registers // of the current or the last run
	usage     unix.Rusage      // of the process that stopped last
}

type job struct {
	f       func()
	done    chan struct{}
	err     error
	panic   any  // what f panicked with
	goexit  bool // f called runtime.Goexit, as testing's FailNow does
	settled bool // f returned
}

// NewTracer starts the tracing thread.
func NewTracer() (*Tracer, error) {
	// A child that is to die with its parent kills its own pid if it finds another parent than
	// expected (syscall.ForkExec). If a filter refuses the calls for pids, the child takes an errno
	// for a pid, and kill(-1) is everybody (kill(2)): nothing may be forked then.
	switch {
	case os.Getpid() < 1:
		return nil, refusedFor("getpid", unix.EPERM)
	case os.Getppid() < 0:
		return nil, refusedFor("getppid", unix.EPERM)
	}
	t := &Tracer{
		jobs:  make(chan *job),
		quit:  make(chan struct{}),
		ended: make(chan struct{}),
		procs: make(map[int]*Process), unborn: make(map[int]ptrace.Status),
	}
	var err error
	if t.gate, err = openGate(); err != nil {
		return nil, err
	}
	t.watch.init()
	ready := make(chan error)
	go t.serve(ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	return t, nil
}

// Guard makes over be called every few milliseconds during a run; if it returns true the running
// process is killed. over runs on another goroutine, but never at the same time as code inside Do
// between two runs.
func (t *Tracer) Guard(over func() bool) {
	t.watch.mu.Lock()
	defer t.watch.mu.Unlock()
	t.watch.guard = over
}

func (t *Tracer) serve(ready chan<- error) {
	// The thread is unlocked at the end, because its state is restored by then: a main thread whose
	// goroutine ends locked would be parked for ever.
	defer close(t.ended)
	defer t.gate.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t.tid = unix.Gettid()
	defer shareCPU()()
	err := reapOrphans()
	ready <- err
	if err != nil {
		return
	}
	defer leaveOrphans()
	for {
		select {
		case j := <-t.jobs:
			if t.closed() { // select has no priority: both were ready
				j.err = ErrClosed
				close(j.done)
				return
			}
			t.run(j)
		case <-t.quit:
			return
		}
	}
}

func (t *Tracer) closed() bool {
	select {
	case <-t.quit:
		return true
	default:
		return false
	}
}

// run executes one job. A panic is passed on to the caller of Do. Goexit ends this goroutine and
// its thread, which cannot be prevented: so it closes the tracer.
func (t *Tracer) run(j *job) {
	t.inside.Store(true)
	defer func() {
		if !j.settled {
			j.panic = recover()
			j.goexit = j.panic == nil
			t.abandon()
		}
		if j.goexit {
			j.err = t.killAll()
			t.once.Do(func() { close(t.quit) })
		}
		t.inside.Store(false)
		close(j.done)
	}()
	j.f()
	j.settled = true
}

// Do runs f on the tracing thread and waits for it. It panics if f does. Inside a Do it runs f at
// once.
func (t *Tracer) Do(f func()) error {
	if unix.Gettid() == t.tid && t.inside.Load() {
		f()
		return nil
	}
	j := &job{f: f, done: make(chan struct{})}
	select {
	case t.jobs <- j:
	case <-t.quit:
		return ErrClosed
	}
	<-j.done
	if j.panic != nil {
		panic(j.panic)
	}
	if j.goexit {
		runtime.Goexit()
	}
	return j.err
}

// Close kills and reaps every process and releases the thread. A running Do is cut short: its
// methods return ErrClosed. Closing again does nothing.
func (t *Tracer) Close() error {
	var err error
	t.ending.Store(true)
	t.watch.cut()
	doErr := t.Do(func() {
		err = t.killAll()
		t.once.Do(func() { close(t.quit) })
	})
	if doErr != nil && !errors.Is(doErr, ErrClosed) {
		return doErr
	}
	if unix.Gettid() != t.tid { // otherwise it was called inside Do, which ends later
		<-t.ended
	}
	return err
}

// killAll leaves neither a process nor a zombie, nor their cgroup. All are killed before any is
// waited for. A child that is reaped before its parent becomes the parent's zombie, and cowscope's
// when the parent is gone; bury then reaps it.
func (t *Tracer) killAll() error {
	for _, p := range t.procs {
		if p.dead == nil {
			_ = unix.Kill(p.pid, unix.SIGKILL)
		}
	}
	var stuck error
	for len(t.procs) > 0 {
		progress := false
		for _, p := range t.procs {
			if p.dead == nil {
				progress = true
				if err := p.end(); err != nil {
					stuck = err
				}
			} else if t.bury(p) {
				progress = true
			}
		}
		if !progress {
			return fmt.Errorf("subject: %d processes could not be reaped", len(t.procs))
		}
	}
	return errors.Join(stuck, t.leaveCgroup())
}

// abandon kills the process that a panic left running: all others are idle.
func (t *Tracer) abandon() {
	pid := t.watch.end().pid
	if p := t.procs[pid]; p != nil && p.dead == nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		_ = p.reap()
	}
}

// onThread returns an error that says what to do if the caller is not on the tracing thread. It
// costs a system call and is called only after a failure.
func (t *Tracer) onThread() error {
	if unix.Gettid() != t.tid {
		return fmt.Errorf("%w (on another thread while a Do is running)", ErrOutside)
	}
	return nil
}

// shareCPU binds the thread, and so every subject that it starts, to its current CPU. Tracer and
// tracee never run at the same time, and waking an idle CPU takes ten times as long as a switch on
// the same one (50 µs against 5 µs, measured in a virtual machine). It also keeps the kernel's
// per-CPU page lists from making two equal runs differ. If it is refused, only speed is lost.
func shareCPU() (restore func()) {
	var before, one unix.CPUSet
	var cpu uint32
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return func() {}
	}
	if _, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); e != 0 {
		return func() {}
	}
	one.Set(int(cpu))
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetaffinity(0, &before) }
}

// Orphans. If a subject dies before its children, cowscope can reap these only as their nearest
// subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)). The setting belongs to the whole program: it is
// made with the first tracer and restored with the last.
var orphans struct {
	sync.Mutex
	tracers int
	before  int32 // the previous setting
}

func reapOrphans() error {
	orphans.Lock()
	defer orphans.Unlock()
	if orphans.tracers == 0 {
		before, err := subreaper()
		if err == nil {
			err = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
		}
		if err != nil {
			return refusedFor("prctl", err)
		}
		orphans.before = before
	}
	orphans.tracers++
	return nil
}

// refusedFor is the error of a start that failed because a call is refused.
func refusedFor(call string, err error) error {
	return explainRefusal(err, surroundings{procMounted: true, refused: call})
}

func leaveOrphans() {
	orphans.Lock()
	defer orphans.Unlock()
	if orphans.tracers--; orphans.tracers == 0 && orphans.before == 0 {
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	}
}
