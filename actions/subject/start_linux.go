//go:build amd64 || arm64

package subject

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"cowscope/actions/image"
	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Start starts a subject. Call it inside Do.
func (t *Tracer) Start(cfg Config) (*Process, error) { return t.start(cfg, image.Sources()) }

func (t *Tracer) start(cfg Config, from []image.Source) (*Process, error) {
	if !t.inside.Load() {
		return nil, ErrOutside
	}
	if err := t.onThread(); err != nil {
		return nil, err
	}
	if t.closed() {
		return nil, ErrClosed
	}
	if err := ownProc(); err != nil {
		return nil, explainRefusal(err, lookAround())
	}
	if cfg.Memory > 0 {
		t.bound(cfg.Memory)
	}
	p, err := t.spawn(cfg, from)
	if err != nil {
		return nil, err
	}
	p.tracer, p.family, p.group, p.cfg = t, p.pid, &group{leader: p}, cfg.withDefaults()
	t.procs[p.pid] = p
	if err := p.prepare(); err != nil {
		_ = p.end()
		return nil, fmt.Errorf("cannot start the subject: %w", err)
	}
	return p, nil
}

// spawn tries one source after the other. Only a refusal to execute leads to the next one.
func (t *Tracer) spawn(cfg Config, from []image.Source) (*Process, error) {
	restore, randomized := setPersonality(cfg.ASLR)
	defer restore()
	allowed, err := filter(cfg.Calls, cfg.First)
	if err != nil {
		return nil, err
	}
	elf := program(t.gate.path, allowed)
	var tried []error
	for _, s := range from {
		pid, err := execute(s, elf, t.gate, t.cgroup)
		if err != nil && t.cgroup != nil { // clone3 or this cgroup may be forbidden
			t.unbounded = err
			_ = t.leaveCgroup()
			pid, err = execute(s, elf, t.gate, nil)
		}
		if err == nil {
			return &Process{pid: pid, randomized: randomized, refused: errors.Join(tried...)}, nil
		}
		tried = append(tried, fmt.Errorf("%s: %w", s.Name, err))
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) {
			break
		}
	}
	return nil, explainRefusal(errors.Join(tried...), lookAround())
}

// execute starts the program of this source, stopped at its first instruction. It has its own
// session, so that Ctrl+C in the terminal does not reach it; no environment, no open files except
// /dev/null as the three that every program expects, and no working directory that it would keep
// busy.
func execute(s image.Source, elf []byte, g *gate, in *cgroup) (int, error) {
	attr := &syscall.ProcAttr{
		Dir: "/", Files: []uintptr{g.Fd(), g.Fd(), g.Fd()},
		// The signal covers the moment in which PTRACE_O_EXITKILL is not set yet.
		Sys: &syscall.SysProcAttr{Ptrace: true, Setsid: true, Pdeathsig: unix.SIGKILL},
	}
	if in != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(in.dir.Fd())
	}
	defer dumpNothing()()
	return s.Exec("cowscope-subject", elf, []string{"cowscope-subject"}, attr)
}

// setPersonality switches randomisation off, or on, for what this thread executes next. Other flags
// are not inherited either: MMAP_PAGE_ZERO or READ_IMPLIES_EXEC would falsify every lesson.
// Containers may forbid the call: then the personality is unchanged.
func setPersonality(aslr bool) (restore func(), randomized bool) {
	const (
		query           = 0xffffffff
		addrNoRandomize = 0x0040000 // include/uapi/linux/personality.h
	)
	before, _, e := unix.RawSyscall(unix.SYS_PERSONALITY, query, 0, 0)
	if e != 0 {
		return func() {}, true
	}
	want := uintptr(addrNoRandomize)
	if aslr {
		want = 0
	}
	if _, _, e = unix.RawSyscall(unix.SYS_PERSONALITY, want, 0, 0); e != 0 {
		return func() {}, before&addrNoRandomize == 0
	}
	return func() { unix.RawSyscall(unix.SYS_PERSONALITY, before, 0, 0) }, aslr
}

// startLimit is the deadline of the first steps, whatever deadline the user sets.
const startLimit = 10 * time.Second

// prepare takes the process from its exec to the idle trap, closes inherited files, resets signal
// actions, and confines it.
func (p *Process) prepare() error {
	st, err := p.wait()
	if killedByFilter(err) {
		return answers(cmp.Or(refusedCall(), "ptrace"), err)
	}
	if err != nil {
		return err
	}
	if st.Signal() != unix.SIGTRAP {
		return fmt.Errorf("stopped by %s instead of its exec", signalName(st.Signal()))
	}
	if e := ptrace.Call(unix.PTRACE_SETOPTIONS, p.pid, 0, traceOptions); e != 0 {
		return fmt.Errorf("PTRACE_SETOPTIONS: %w", e)
	}
	if err := signalable(p.pid); err != nil {
		return err
	}
	t := p.tracer
	defer func(wanted time.Duration) { p.cfg.Deadline = wanted }(p.cfg.Deadline)
	p.cfg.Deadline = startLimit
	t.watch.begin(p, startLimit)
	v, c, err := p.await(&stub{start: textBase + stubEntry, end: idleStub.end}, runConfined)
	t.watch.end()
	if err != nil {
		return err
	}
	if v != finished {
		return fmt.Errorf("did not reach its first trap (ending %d, signal %d)", v, c.Signo)
	}
	p.idle = t.regs
	makeIdle(&p.idle)
	p.beModest()
	if _, err := p.first("prctl", unix.SYS_PRCTL, unix.PR_SET_NAME, textBase+nameAt); err != nil {
		return err
	}
	// Files that cowscope inherited. Kernels before 5.9 do not have the call, and a few extra open
	// files do no harm.
	if _, err := p.first("close_range", unix.SYS_CLOSE_RANGE, 3, 1<<32-1); err != nil {
		return err
	}
	if err := p.heedSignals(); err != nil {
		return err
	}
	return p.confine()
}

// first makes one of the first calls, which may kill the process: if a filter around cowscope
// forbids it.
func (p *Process) first(call string, nr uintptr, args ...uint64) (Ending, error) {
	e, err := p.Syscall(nr, args...)
	if killedByFilter(err) {
		err = answers(call, err)
	}
	return e, err
}

// killedByFilter reports whether a process died of a system call that a seccomp filter kills for.
func killedByFilter(err error) bool {
	var gone *ExitedError
	return errors.As(err, &gone) && gone.Signal == unix.SIGSYS
}

// heedSignals gives every signal its default action. Ignored signals are inherited, also over
// execve (signal(7)): under nohup(1), SIGHUP would not end a subject.
func (p *Process) heedSignals() error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(status), "\nSigIgn:\t")
	mask, _, _ := strings.Cut(rest, "\n")
	ignored, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		return fmt.Errorf("/proc/%d/status says of ignored signals %q", p.pid, mask)
	}
	const sigsetSize = 8 // size of the kernel's sigset_t
	for ; ignored != 0; ignored &= ignored - 1 {
		sig := uint64(bits.TrailingZeros64(ignored)) + 1
		if _, err := p.first("rt_sigaction", unix.SYS_RT_SIGACTION, sig, textBase+defaultAt, 0, sigsetSize); err != nil {
			return err
		}
	}
	return nil
}

// beModest limits the harm that a subject can do: the OOM killer takes it first, and it cannot
// raise the core limit of dumpNothing. Neither is essential.
func (p *Process) beModest() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.pid), []byte("1000"), 0)
	_ = unix.Prlimit(p.pid, unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}, nil)
}

// cores is held while the core limit of dumpNothing applies to the whole program.
var cores sync.Mutex

// dumpNothing sets a core limit of one byte until restore, which processes started meanwhile
// inherit: a subject that dies in its first moment leaves no core. A limit of 0 would still run a
// core dump handler, only 1 prevents both (fs/coredump.c).
func dumpNothing() (restore func()) {
	cores.Lock()
	var before unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_CORE, nil, &before); err != nil || before.Max == 0 {
		return cores.Unlock
	}
	_ = unix.Prlimit(0, unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: before.Max}, nil)
	return func() {
		_ = unix.Prlimit(0, unix.RLIMIT_CORE, &before, nil)
		cores.Unlock()
	}
}

func subreaper() (int32, error) {
	var on int32
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&on)), 0, 0, 0)
	return on, err
}
