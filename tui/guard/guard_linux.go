package guard

import (
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// name is the guard's first argument, which makes it the guard. It does not contain the program's
// name, so that killing the program by name does not kill the guard.
const name = "terminal-guard"

// The guard's files.
const (
	fdPipe = iota // the terminal's state, then the runtime's last output, then end of file
	fdOut
	fdErr
	fdIn
)

func init() {
	if len(os.Args) == 1 && os.Args[0] == name {
		os.Exit(watch())
	}
}

// Guard is a process that waits for the end of this one. A nil Guard does nothing.
type Guard struct {
	pipe    *os.File
	started chan *os.Process // nil if none could be started
}

// Start starts a guard for the terminal that is read from in and written to out, and saves its
// current state. errs is where the program's last output is shown, nil if that is not a terminal.
// It does not wait for the guard, which takes 2 ms to start; the end of the program is noticed all
// the same.
func Start(in, out, errs *os.File) (*Guard, error) {
	state, err := getState(in.Fd())
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(raw(state)); err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	g := &Guard{w, make(chan *os.Process, 1)}
	go func() {
		defer r.Close()
		p, _ := os.StartProcess("/proc/self/exe", []string{name}, &os.ProcAttr{
			Files: []*os.File{fdPipe: r, fdOut: out, fdErr: errs, fdIn: in},
			Env:   []string{"GOTRACEBACK=none", "GOMAXPROCS=1"},
			Sys:   &syscall.SysProcAttr{Setsid: true},
		})
		g.started <- p
	}()
	return g, nil
}

// Words is where the runtime writes its last output, for debug.SetCrashOutput; nil if it is not
// shown.
func (g *Guard) Words() *os.File {
	if g == nil {
		return nil
	}
	return g.pipe
}

// Stop ends the guard after the terminal was restored.
func (g *Guard) Stop() {
	if g == nil {
		return
	}
	if p := <-g.started; p != nil {
		p.Kill()
		p.Wait()
	}
	g.pipe.Close()
}

// lastWords is how many bytes of the runtime's last output are kept: its beginning, which says what
// happened and where.
const lastWords = 256 << 10

// watch is the main function of the guard.
func watch() int {
	pipe := os.NewFile(fdPipe, "pipe")
	var state syscall.Termios
	if _, err := io.ReadFull(pipe, raw(&state)); err != nil {
		return 1
	}
	said, _ := io.ReadAll(io.LimitReader(pipe, lastWords))
	io.Copy(io.Discard, pipe)
	time.AfterFunc(2*patience+time.Second, func() { os.Exit(1) })
	// If a shell was faster, the terminal is as the shell wants it.
	if now, err := getState(fdIn); err == nil && now.Oflag&syscall.OPOST == 0 {
		setState(fdIn, &state)
	}
	if GiveBack(Open(os.NewFile(fdOut, "terminal")), true) == nil && len(said) > 0 {
		os.NewFile(fdErr, "stderr").Write(printable(said))
	}
	return 0
}

// printable removes control characters: the message of a panic may contain untrusted text.
func printable(b []byte) []byte {
	for i, c := range b {
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f || i > 0 && b[i-1] == 0xc2 && c < 0xa0 {
			b[i] = '?'
		}
	}
	return b
}

// patience is how long a terminal may take to accept output.
const patience = 200 * time.Millisecond

// Open opens a terminal again, so that the program's writes to it do not block and other programs
// are not affected. If that fails, it returns f itself.
func Open(f *os.File) *os.File {
	again, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return f
	}
	return again
}

// GiveBack reverts everything that a screen turned on, on a terminal that Open returned. Pending
// output of a stalled terminal is discarded, and its output is restarted. cut says that a control
// sequence may have been written in part.
func GiveBack(out *os.File, cut bool) error {
	err := write(out, cut)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if c, err := out.SyscallConn(); err == nil {
			c.Control(func(fd uintptr) {
				ioctl(fd, tcFlush, syscall.TCOFLUSH)
				ioctl(fd, tcXONC, tcOOn)
			})
		}
		err = write(out, true)
	}
	return err
}

func write(out *os.File, cut bool) error {
	text := leave
	if cut {
		text = cutOff + leave
	}
	out.SetWriteDeadline(time.Now().Add(patience))
	_, err := out.WriteString(text)
	return err
}

// Requests of ioctl_tty(2), the same on all architectures that Go's list does not have.
const (
	tcXONC  = 0x540a
	tcFlush = 0x540b
	tcOOn   = 1
)

// raw is the bytes of a state: both ends of the pipe are the same program.
func raw(s *syscall.Termios) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s))
}

func getState(fd uintptr) (*syscall.Termios, error) {
	var s syscall.Termios
	return &s, ioctl(fd, syscall.TCGETS, uintptr(unsafe.Pointer(&s)))
}

func setState(fd uintptr, s *syscall.Termios) error {
	return ioctl(fd, syscall.TCSETS, uintptr(unsafe.Pointer(s)))
}

func ioctl(fd, request, arg uintptr) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, arg); errno != 0 {
		return errno
	}
	return nil
}
