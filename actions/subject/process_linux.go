//go:build amd64 || arm64

package subject

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// The operations on a process. Each method sets the registers, runs one stub and reads the outcome.
// All are called inside Tracer.Do, and all return the three kinds of results described in doc.go.

// Process is one traced thread: the first of the subject or of a descendant, which stands for the
// process, or another one of it (see threads_linux.go).
type Process struct {
	tracer *Tracer
	pid    int // of a thread that is not the first one, its thread ID
	family int // pid of the first process, which is the session and process group ID of all
	group  *group
	// parent is the traced process that must wait for this one; nil if cowscope must.
	parent   *Process
	children []*Process     // made by fork, of any thread, and not yet reaped
	newborn  *Process       // announced by the current run
	makes    making         // what the current run is to make
	caller   *Process       // the thread that made it
	awaits   *Process       // the child whose end it waits for in the kernel, in vfork; nil as a rule
	news     *ptrace.Status // a stop that was reported while another thread was waited for
	leaves   bool           // it ends alone, not with its process
	dead     *ExitedError

	cfg        Config
	randomized bool
	refused    error
	idle       ptrace.Registers // every run starts from these
	fired      bool             // the last run met its deadline
	tried      *Attempt         // the system call that ended the last run, if one did
}

// PID is the process ID, or the thread ID of a thread that is not the first one.
func (p *Process) PID() int { return p.pid }

// Faults are the faults that all threads of the process and the children that it waited for had
// taken when one of its threads stopped last: the kernel reports them with the stop
// (kernel/exit.c, wait_task_stopped), which is cheaper than reading /proc/PID/stat. Use them for
// differences.
func (p *Process) Faults() (minor, major uint64) { return p.group.minor, p.group.major }

// Randomized reports whether addresses differ from run to run: on request, or because this system
// refuses to switch that off.
func (p *Process) Randomized() bool { return p.randomized }

// Refused is why a file in memory could not be executed, so that the subject was started from a
// directory; nil if it was started from memory. It is always nil for a child.
func (p *Process) Refused() error { return p.refused }

// Unbounded is why the kernel does not enforce Config.Memory for this family, nil if it does.
func (p *Process) Unbounded() error { return p.tracer.unbounded }

// Awaits is the pid of the child whose end the process waits for in vfork, 0 if it does not.
func (p *Process) Awaits() int {
	if p.awaits == nil {
		return 0
	}
	return p.awaits.pid
}

// ready is the check before every run. It must be cheap; a call from the wrong thread is recognised
// by the kernel's refusal, see lost.
func (p *Process) ready() error {
	if err := p.reachable(); err != nil || p.awaits == nil {
		return err
	}
	regs := p.tracer.regs // of the run to come
	err := p.Poll()       // the child may be gone by now
	p.tracer.regs = regs
	if err != nil {
		return err
	}
	if p.awaits != nil {
		return ErrAwaits
	}
	return nil
}

func (p *Process) reachable() error {
	if !p.tracer.inside.Load() {
		return ErrOutside
	}
	if p.dead != nil {
		return p.dead
	}
	if p.tracer.ending.Load() {
		return ErrClosed
	}
	return nil
}

// Poll returns nil while the process lives and an *ExitedError once it is gone,
// without waiting.
func (p *Process) Poll() error {
	defer p.release()
	if p.awaits != nil {
		_ = p.awaits.Poll()
	}
	if p.group.leader == p { // its end is reported when all other threads have been waited for
		for _, o := range slices.Clone(p.group.others) {
			_ = o.Poll()
		}
	}
	if err := p.reachable(); err != nil {
		return err
	}
	if p.awaits != nil && !p.ended() {
		return nil
	}
	var ws unix.WaitStatus
	pid, err := unix.Wait4(p.pid, &ws, unix.WALL|unix.WNOHANG, nil)
	switch {
	case err == unix.ECHILD:
		return p.died(&ExitedError{PID: p.pid, Lost: true})
	case err == nil && pid == p.pid && !ptrace.Status(ws).Stopped():
		return p.died(exitedBy(ptrace.Status(ws), p.pid))
	}
	return nil
}

// Syscall makes the process execute one system call.
func (p *Process) Syscall(nr uintptr, args ...uint64) (Ending, error) {
	if nr == unix.SYS_WAIT4 || nr == unix.SYS_WAITID {
		// The kernel hides a dead tracee from its parent until the tracer has waited for it
		// (kernel/exit.c, wait_consider_task).
		for _, c := range slices.Clone(p.group.leader.children) {
			_ = c.Poll()
		}
	}
	r := p.fresh()
	setCall(r, uint64(nr), args)
	v, c, err := p.run(syscallStub, runStep, p.cfg.Deadline)
	switch {
	case err != nil:
		return Ending{}, err
	case v == overdue:
		return Ending{TimedOut: true}, nil
	case v == waiting:
		return Ending{Value: uint64(p.awaits.pid)}, nil
	case v == attempted:
		return Ending{}, fmt.Errorf("subject: process %d was started without system call %d on its list", p.pid, nr)
	case v == raised && c.Signo == int32(unix.SIGSYS): // a seccomp filter around us
		return Ending{Signal: signalAt(c, getIP(&p.tracer.regs))}, nil
	case v != finished || !called(r):
		return Ending{}, ErrStubs
	}
	e := Ending{Value: callResult(r)}
	if e.Value > ^uint64(4095) {
		e.Errno = syscall.Errno(-e.Value)
		e.TimedOut = e.Errno == unix.EINTR && p.fired
	} else if nr == unix.SYS_WAIT4 {
		p.waitedFor(int(e.Value))
	}
	return e, nil
}

// Load, Fill, Touch and Store are the accesses of those names.
func (p *Process) Load(addr, n uint64) (Ending, error) { return Access(p.access).Load(addr, n) }

func (p *Process) Fill(addr, n uint64, b byte) (Ending, error) {
	return Access(p.access).Fill(addr, n, b)
}

func (p *Process) Touch(addr, pages, pageSize uint64, write bool) (Ending, error) {
	return Access(p.access).Touch(addr, pages, pageSize, write)
}

func (p *Process) Store(addr uint64, data []byte) (Ending, error) {
	if err := p.ready(); err != nil {
		return Ending{}, err
	}
	return Access(p.access).Store(addr, data)
}

// access runs a stub that accesses the user's memory. A fault is reported only if the stub's own
// instruction caused it in the memory that it was given: any other fault means that the
// instructions were replaced, or could not even be fetched.
func (p *Process) access(k Code, addr, count, value uint64) (Ending, error) {
	if count == 0 {
		return Ending{}, p.ready()
	}
	r, s := p.fresh(), k.stub
	setOperands(r, addr, count, value)
	v, c, err := p.run(s, runConfined, p.cfg.Deadline)
	if err != nil {
		return Ending{}, err
	}
	ip := getIP(r)
	switch {
	case v == finished && (k.single() || remaining(r) == 0):
		return k.Arrived(r, count), nil
	case v == overdue && ip >= s.start && ip <= s.end:
		return k.Broken(r, count), nil
	case v == raised:
		if e, ok := k.Raised(r, &c, s.start, addr, count, value); ok && p.intact(s) {
			return e, nil
		}
	}
	return Ending{}, ErrStubs
}

// Jump runs the code at addr until it returns, traps, faults, tries a system call, or takes too
// long. The return address is on the stack from the start (x86-64) or in the link register (arm64);
// code that overwrites it returns elsewhere.
func (p *Process) Jump(addr uint64) (Ending, error) {
	r := p.fresh()
	setJump(r, addr)
	v, c, err := p.run(jumpStub, runConfined, p.cfg.JumpDeadline)
	if err != nil {
		return Ending{}, err
	}
	ip := getIP(r)
	switch {
	case v == finished:
		return Ending{}, nil
	case v == overdue:
		return Ending{TimedOut: true, IP: ip}, nil
	case v == attempted:
		return Ending{Attempt: p.tried, IP: ip}, nil
	case ip == jumpStub.start && c.Code != siKernel:
		// A jump faults at its target, unless the target is not canonical.
		return Ending{}, ErrStubs
	case c.Signo == int32(unix.SIGTRAP):
		return Ending{Trap: true, IP: trapAddress(ip, c.Code)}, nil
	}
	return Ending{Signal: signalAt(c, getIP(&p.tracer.regs)), IP: ip}, nil
}

// Kill sends a signal and lets the process handle it. The error is an *ExitedError if the process
// died of it. Stop signals are suppressed: a stopped process would be unusable.
func (p *Process) Kill(sig syscall.Signal) (Ending, error) {
	if err := p.ready(); err != nil && err != ErrAwaits {
		return Ending{}, err
	}
	if err := p.send(sig); err != nil {
		if errno, ok := err.(syscall.Errno); ok && errno != unix.ESRCH {
			return Ending{Errno: errno}, nil
		}
	}
	if p.awaits != nil { // of all signals only SIGKILL ends the waiting (wait_for_vfork_done in kernel/fork.c)
		if sig != unix.SIGKILL {
			return Ending{}, nil
		}
		if err := p.reap(); err != nil {
			return Ending{}, err
		}
		p.release()
		return Ending{}, p.dead
	}
	return Ending{}, p.breathe(time.Second)
}

// Exit makes the process exit; the *ExitedError says so.
func (p *Process) Exit(code int) (Ending, error) {
	return p.Syscall(unix.SYS_EXIT_GROUP, uint64(code))
}

// breathe runs the process from trap to trap without doing anything: pending
// signals take effect, and the page of stubs is faulted in.
func (p *Process) breathe(limit time.Duration) error {
	p.fresh()
	v, _, err := p.run(idleStub, runConfined, limit)
	if err == nil && v != finished && v != overdue {
		err = ErrStubs
	}
	return err
}
