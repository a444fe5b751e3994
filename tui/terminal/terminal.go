// The terminal that a screen is drawn on: its input, its output, its size, and how it is restored.
//
// Rules: all input for the library passes the input filter, and all its output passes Write. Fit is
// the only place that bounds the size that the library and the model get. Whatever ends the
// program, the terminal is restored: first its settings, by an ioctl that never blocks, then the
// screen, with a deadline.
//
//	quit, error, EOF, SIGTERM, SIGHUP, SIGINT   the library leaves; giveBack writes the rest
//	panic in Update, View, a command            caught by the fence, then as above; the stack is
//	                                            printed after the screen
//	SIGQUIT, SIGABRT, and SIGSEGV and the like
//	from outside                                giveBack, then the stacks; the exit status is 128
//	                                            plus the signal's number
//	panic in any other goroutine, fatal errors
//	of the runtime, kill -9                     the guard (package guard), on Linux
//	a terminal that accepts no more output      writes have a deadline from the signal on; a
//	                                            second later the program ends
//
// Not covered: a program that is stopped, because it has not ended.

package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cowscope/tui/guard"
	"cowscope/vmspace/printable"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"
)

// The library keeps about 150 bytes per cell, twice, and more while it draws: with the largest
// screen the program takes about 100 MB. That screen is a 4K monitor with a font of 6 by 12 pixels.
// From largeScreen on, garbage is collected more often.
const (
	maxWidth    = 800
	maxCells    = 640 * 180
	largeScreen = 20_000
)

// Fit bounds a size that a terminal reports.
func Fit(w, h int) (int, int) {
	w = min(max(w, 0), maxWidth)
	return w, min(max(h, 0), maxCells/max(w, 1))
}

// fit bounds a size, and tells the user if it was too large.
func (t *terminal) fit(w, h int) (int, int) {
	x, y := Fit(w, h)
	if x*y >= largeScreen && (x != t.w || y != t.h) {
		debug.SetGCPercent(25)
		debug.FreeOSMemory() // memory of previous sizes
	}
	t.w, t.h = x, y
	if x < w || y < h {
		t.tell(fmt.Sprintf("this terminal has %dx%d cells: the screen takes %dx%d of them, at the top left", w, h, x, y))
	}
	return x, y
}

// Note is a message to the model: text for the user.
type Note string

// tell shows a text to the user, as soon as there is a screen.
func (t *terminal) tell(text string) {
	if t.send == nil {
		t.early = text
		return
	}
	go t.send(Note(text))
}

// terminal is the terminal while a screen is drawn on it. Bubble Tea reads from it, and recognises
// it as a terminal by its methods.
type terminal struct {
	in, screen, errs *os.File // as passed to the program
	out              *os.File // the screen, opened again
	state            *term.State
	guard            *guard.Guard
	signals          chan os.Signal
	send             func(tea.Msg) // to the model, nil before there is one
	early            string        // the text to show then
	w, h             int           // of the screen

	typed, shown func([]byte) // input and output that passed, for a tape; nil for none

	filter  inputFilter
	last    time.Time
	raw     [4 << 10]byte
	ready   []byte // passed and not yet read
	passed  []byte
	writing sync.Mutex
	// A write failed, or the terminal was restored: nothing more is written.
	failed atomic.Bool
	given  sync.Once
}

// open opens the terminal and saves its state.
func open() (*terminal, error) {
	t := &terminal{in: os.Stdin, screen: os.Stdout, errs: os.Stderr, signals: make(chan os.Signal, 4)}
	t.out = guard.Open(t.screen)
	var err error
	if t.state, err = term.GetState(t.in.Fd()); err != nil {
		return nil, fmt.Errorf("the terminal's settings cannot be read, and so not be given back: %w", err)
	}
	errs := t.errs
	if !term.IsTerminal(errs.Fd()) {
		errs = nil
	}
	// Without a guard everything works except the endings that need one.
	if t.guard, err = guard.Start(t.in, t.screen, errs); err == nil {
		debug.SetCrashOutput(t.guard.Words(), debug.CrashOptions{})
	}
	return t, nil
}

func (t *terminal) Fd() uintptr  { return t.in.Fd() }
func (t *terminal) Name() string { return t.in.Name() }
func (t *terminal) Close() error { return nil }

// Read returns the part of the input that passes.
func (t *terminal) Read(b []byte) (int, error) {
	if runtime.GOOS == "windows" { // keys arrive as records
		return t.in.Read(b)
	}
	if len(t.ready) == 0 {
		// What passes is at most twice as long. It must fit: Bubble Tea asks for more only when the
		// terminal has more.
		n, err := t.in.Read(t.raw[:min(len(t.raw), max(1, len(b)/2-16))])
		// EIO is from a terminal that is about to hang up (drivers/tty/n_tty.c).
		if err == io.EOF || errors.Is(err, syscall.EIO) {
			t.hangUp()
			err = io.EOF
		}
		if n <= 0 || err != nil {
			return 0, err
		}
		t.take(t.raw[:n])
	}
	n := copy(b, t.ready)
	t.ready = t.ready[n:]
	return n, nil
}

func (t *terminal) take(b []byte) {
	now := time.Now()
	t.passed = t.filter.pause(t.passed[:0], now.Sub(t.last))
	t.last = now
	was := t.filter.cutOff
	t.passed = t.filter.pass(t.passed, b)
	if was == 0 && t.filter.cutOff > 0 {
		t.tell(fmt.Sprintf("the paste is longer than %d KiB: what is beyond that was dropped", maxPaste>>10))
	}
	if t.ready = t.passed; t.typed != nil && len(t.ready) > 0 {
		t.typed(t.ready)
	}
}

// hangUp ends the program as SIGHUP does, if its terminal is not the controlling terminal of its
// session.
func (t *terminal) hangUp() {
	select {
	case t.signals <- syscall.SIGHUP:
	default:
	}
}

// Write writes to the terminal, until a write fails: after that the screen differs from what the
// library assumes.
func (t *terminal) Write(b []byte) (int, error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.failed.Load() {
		return 0, os.ErrClosed
	}
	if t.shown != nil {
		t.shown(b)
	}
	n, err := t.out.Write(b)
	if err != nil {
		t.failed.Store(true)
	}
	return n, err
}

// After a signal: how long the terminal may take to accept output, and the program to end.
const (
	writePatience = 300 * time.Millisecond
	endPatience   = time.Second
)

// hurry sets a deadline for the current write.
func (t *terminal) hurry() { t.out.SetWriteDeadline(time.Now().Add(writePatience)) }

// giveBack restores the terminal, once; left says that the library has done its part.
func (t *terminal) giveBack(left bool) {
	t.given.Do(func() {
		cut := t.failed.Swap(true)
		bounded := t.out.SetWriteDeadline(time.Now()) == nil // a blocked write returns now
		term.Restore(t.in.Fd(), t.state)
		if (bounded || t.writing.TryLock()) && (cut || !left) {
			guard.GiveBack(t.out, cut || !left)
		}
		t.guard.Stop()
		debug.SetCrashOutput(nil, debug.CrashOptions{})
	})
}

// endings are the signals that end a program; for true, a fault, the stacks are printed.
var endings = map[os.Signal]bool{
	syscall.SIGTERM: false, syscall.SIGINT: false, syscall.SIGHUP: false,
	syscall.SIGQUIT: true, syscall.SIGABRT: true, syscall.SIGSEGV: true, syscall.SIGBUS: true, syscall.SIGFPE: true, syscall.SIGILL: true, syscall.SIGTRAP: true,
}

// SignalError says that a signal ended the program.
type SignalError struct{ Signal syscall.Signal }

func (e SignalError) Error() string { return "ended by a signal: " + e.Signal.String() }

// Status is the exit status by which a shell reports it.
func (e SignalError) Status() int { return 128 + int(e.Signal) }

// watch waits for signals; quit asks the program to end. It returns the signal that ended the
// program, and stops when done is closed.
func (t *terminal) watch(quit func(), done <-chan struct{}) <-chan SignalError {
	for s := range endings {
		Notify(t.signals, s)
	}
	ended := make(chan SignalError, 1)
	go func() {
		defer signal.Stop(t.signals)
		var late <-chan time.Time
		var first SignalError
		for {
			select {
			case s := <-t.signals:
				e := SignalError{s.(syscall.Signal)}
				if endings[s] {
					t.die(e, true)
				}
				if late == nil {
					first = e
					late = time.After(endPatience)
					ended <- e
					t.hurry()
					go quit()
				}
			case <-late:
				t.die(first, false)
			case <-done:
				return
			}
		}
	}()
	return ended
}

// die ends the program at once.
func (t *terminal) die(e SignalError, stacks bool) {
	t.giveBack(false)
	if stacks {
		text := make([]byte, 1<<20)
		text = text[:runtime.Stack(text, true)]
		errs := t.errs
		if term.IsTerminal(errs.Fd()) {
			errs = guard.Open(errs)
			errs.SetWriteDeadline(time.Now().Add(writePatience))
		}
		fmt.Fprintf(printable.NewWriter(errs), "cowscope: %v\n\n%s\n", e, text)
	}
	os.Exit(e.Status())
}

// bound bounds the sizes that terminals report, before the library and the model use them.
func (t *terminal) bound(_ tea.Model, msg tea.Msg) tea.Msg {
	if s, ok := msg.(tea.WindowSizeMsg); ok {
		s.Width, s.Height = t.fit(s.Width, s.Height)
		return s
	}
	return msg
}
