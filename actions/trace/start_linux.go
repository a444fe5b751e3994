//go:build amd64 || arm64

package trace

import (
	"errors"
	"fmt"
	"syscall"

	"cowscope/actions/image"
	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

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
	case !st.Stopped():
		delete(p.tasks, p.pid)
		return fail("kill", unix.EPERM)
	}
	if e := ptrace.Call(unix.PTRACE_SEIZE, p.pid, 0, traceOptions); e != 0 {
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
		switch sig, event := st.Signal(), st.Event(); {
		case !st.Stopped():
			delete(p.tasks, p.pid)
			code, _ := st.Ending()
			return fail("seccomp", syscall.Errno(code))
		case event == unix.PTRACE_EVENT_SECCOMP: // of execve
			info, e := ptrace.CallAt(p.pid)
			if e != 0 {
				return fail("ptrace", e)
			}
			filtered, t.call = true, &info
			request = unix.PTRACE_SYSCALL
		case event == unix.PTRACE_EVENT_EXEC:
			t.state = stopped
			p.queue = append(p.queue, *p.executed(t))
			return nil
		case sig == ptrace.CallStop && filtered: // it failed
			info, _ := ptrace.CallAt(p.pid)
			return fail("execve", syscall.Errno(-int64(info.Nr)))
		}
		if e := ptrace.Call(request, p.pid, 0, 0); e != 0 && e != unix.ESRCH {
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
func wait(tid, options int) (ptrace.Status, error) {
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(tid, &ws, unix.WALL|unix.WNOTHREAD|options, nil)
		if err != unix.EINTR {
			return ptrace.Status(ws), err
		}
	}
}
