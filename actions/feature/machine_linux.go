package feature

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"cowscope/actions/subject"
	"cowscope/vmspace/observe"

	"golang.org/x/sys/unix"
)

// Rules of this file: facts that several probes need are found out once, when the first probe asks.

// machine is the facts that the probes share.
type machine struct {
	kernel string
	reader func() (observe.Features, error)
	start  func() started
}

func newMachine() *machine {
	m := &machine{reader: sync.OnceValues(readerFeatures), start: sync.OnceValue(startOne)}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.kernel = version(unix.ByteSliceToString(u.Release[:]))
	}
	return m
}

func readerFeatures() (observe.Features, error) {
	r, err := observe.NewReader(observe.Options{})
	if err != nil {
		return observe.Features{}, err
	}
	defer r.Close()
	return r.Features(), nil
}

// started is the result of starting a subject.
type started struct {
	err        error
	refused    error // why it was not started from memory
	unbounded  error // why it is not in a memory cgroup
	advice     error // why it cannot be given advice
	randomized bool
}

// startOne starts a subject, makes a call in it, and ends it.
func startOne() (s started) {
	t, err := subject.NewTracer()
	if err != nil {
		return started{err: err}
	}
	err = t.Do(func() {
		var p *subject.Process
		if p, s.err = t.Start(subject.Config{Memory: 64 << 20, Calls: []uintptr{unix.SYS_GETPID}}); s.err != nil {
			return
		}
		s.refused, s.unbounded, s.randomized = p.Refused(), p.Unbounded(), p.Randomized()
		s.advice = advise(p.PID())
		var e subject.Ending
		if e, s.err = p.Syscall(unix.SYS_GETPID); s.err == nil && e.Value != uint64(p.PID()) {
			s.err = fmt.Errorf("the subject %d answers getpid with %d", p.PID(), int64(e.Value))
		}
	})
	s.err = errors.Join(s.err, err, t.Close())
	return s
}

// advise gives another process an advice over zero bytes.
func advise(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(fd)
	if _, _, errno := unix.Syscall6(unix.SYS_PROCESS_MADVISE, uintptr(fd), 0, 0, unix.MADV_COLD, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func (m *machine) processMadvise() string {
	switch s := m.start(); {
	case s.err != nil:
		return noSubject
	case errors.Is(s.advice, unix.EPERM):
		return "process_madvise answers EPERM: it needs CAP_SYS_NICE; run as root"
	case s.advice != nil:
		return answers("process_madvise", s.advice)
	}
	return ""
}

func (m *machine) ptrace() string { return oneLine(m.start().err) }

const noSubject = "not known: no subject can be started"

func (m *machine) memfdExec() string {
	s := m.start()
	switch {
	case s.err != nil:
		return noSubject
	case s.refused == nil:
		return ""
	}
	why := "it starts from a folder: " + oneLine(s.refused)
	// See Documentation/admin-guide/sysctl/vm.rst.
	if v, _ := setting("/proc/sys/vm/memfd_noexec"); v == "2" {
		why += "; vm.memfd_noexec is 2, which forbids it"
	}
	return why
}

func (m *machine) noASLR() string {
	s := m.start()
	switch {
	case s.err != nil:
		return noSubject
	case s.randomized:
		return "personality(ADDR_NO_RANDOMIZE) is refused, as by a container's seccomp filter"
	}
	return ""
}

func (m *machine) memoryCgroup() string {
	s := m.start()
	switch {
	case s.err != nil:
		return noSubject
	case s.unbounded != nil:
		return "cowscope counts alone: " + oneLine(s.unbounded)
	}
	return ""
}

// ordinary is for stories that need a user other than root.
func ordinary(*machine) string {
	if os.Geteuid() == 0 {
		return "this is root: run it as an ordinary user"
	}
	return ""
}

func onArch(arch string) func(*machine) string {
	return func(*machine) string {
		if runtime.GOARCH == arch {
			return ""
		}
		return "this is " + runtime.GOARCH
	}
}

// readerSays returns "" if a Reader has the feature, otherwise the given reason.
func (m *machine) readerSays(has func(observe.Features) bool, otherwise string) string {
	switch f, err := m.reader(); {
	case err != nil:
		return oneLine(err)
	case !has(f):
		return otherwise
	}
	return ""
}

func (m *machine) frames() string {
	// fs/proc/task_mmu.c, pagemap_open: the capability counts only in the first user namespace, and
	// root in a container usually does not have it there.
	why := "hidden: needs CAP_SYS_ADMIN in the first user namespace; run as root"
	if os.Geteuid() == 0 {
		why = "hidden: this root has no CAP_SYS_ADMIN in the first user namespace; run outside the container"
	}
	return m.readerSays(func(f observe.Features) bool { return f.Frames }, why)
}

func (m *machine) kpage() string {
	for _, path := range []string{"/proc/kpagecount", "/proc/kpageflags"} {
		f, err := os.Open(path)
		switch {
		case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
			return answers("open of "+path, err) + ": run as root"
		case err != nil:
			return answers("open of "+path, err)
		}
		f.Close()
	}
	return m.readerSays(func(f observe.Features) bool { return f.KPage }, "of no use without frame numbers")
}

func (m *machine) scan() string {
	return m.readerSays(func(f observe.Features) bool { return f.Scan }, "the ioctl PAGEMAP_SCAN fails")
}

func (m *machine) zeroPage() string {
	return m.readerSays(func(f observe.Features) bool { return f.Scan || f.Frames || f.Nodes },
		"there is no PAGEMAP_SCAN (Linux 6.7), frames are hidden, and move_pages does not tell")
}

func (m *machine) trueWords() string {
	f, err := m.reader()
	if err != nil {
		return oneLine(err)
	}
	return strings.Join(f.Distrusted, "; ")
}

func (m *machine) query() string {
	return m.readerSays(func(f observe.Features) bool { return f.Query }, "the ioctl PROCMAP_QUERY fails")
}

// answers describes how a call failed, with the name of the errno.
func answers(call string, err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return call + " answers " + unix.ErrnoName(errno)
	}
	return call + ": " + oneLine(err)
}

// oneLine is the text of an error, "" for nil.
func oneLine(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
