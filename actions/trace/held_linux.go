//go:build amd64 || arm64

package trace

import (
	"errors"
	"runtime"
	"sync"
	"syscall"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Held is a program that is stopped before its first instruction. Once it is let go nobody traces it: it
// runs at full speed.
type Held struct {
	pid     int
	letGo   func() // each at most once
	end     func()
	release chan struct{}
	closing chan struct{}
	done    chan struct{} // closed when the program is gone
}

// Hold starts a program, and stops it before its first instruction. It dies with cowscope.
func Hold(cfg Config) (*Held, error) {
	h := &Held{release: make(chan struct{}), closing: make(chan struct{}), done: make(chan struct{})}
	h.letGo, h.end = sync.OnceFunc(func() { close(h.release) }), sync.OnceFunc(func() { close(h.closing) })
	started := make(chan error)
	go h.serve(cfg, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return h, nil
}

// serve is the thread that starts the program. It lives as long as that: the program is sent SIGKILL when it
// ends (PR_SET_PDEATHSIG, prctl(2)).
func (h *Held) serve(cfg Config, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(h.done)
	attr := &syscall.ProcAttr{Dir: cfg.Dir, Env: cfg.Env,
		Sys: &syscall.SysProcAttr{Ptrace: true, Setsid: cfg.Terminal, Setctty: cfg.Terminal, Pdeathsig: unix.SIGKILL}}
	for _, f := range cfg.Files {
		attr.Files = append(attr.Files, f.Fd())
	}
	var errno syscall.Errno
	pid, err := syscall.ForkExec(cfg.Path, cfg.Args, attr)
	if err != nil {
		errors.As(err, &errno)
		started <- &StartError{cfg.Path, "execve", errno}
		return
	}
	h.pid = pid
	if st, err := wait(pid, 0); err != nil || !st.Stopped() {
		started <- &StartError{cfg.Path, "ptrace", unix.EPERM}
		return
	}
	started <- nil
	select {
	case <-h.release:
		_ = ptrace.Resume(unix.PTRACE_DETACH, pid, 0) // ESRCH: it was killed
		<-h.closing                                   // until then it is a zombie, which tells how it ended
	case <-h.closing:
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	for {
		if st, err := wait(pid, 0); err != nil || !st.Stopped() {
			return
		}
	}
}

// PID is the process of the program.
func (h *Held) PID() int { return h.pid }

// LetGo lets the program run.
func (h *Held) LetGo() { h.letGo() }

// Close kills the program, and waits until it is gone.
func (h *Held) Close() {
	h.end()
	<-h.done
}
