// The terminal that a screen is drawn on: what comes from it, what goes to it, how large it may be,
// and how it is given back.
//
// Rules: all that the library reads went through the input filter, and all that it writes goes
// through Write. The size that reaches the library and the model is bounded in one place, fitSize.
// Whatever ends the program gives the terminal back: first its settings, by an ioctl that waits for
// nobody, then the screen, with a deadline.
//
//	quit, error, EOF, SIGTERM, SIGHUP, SIGINT      the library leaves; what it could not write, giveBack writes
//	panic in Update, View, a command               caught by the fence, then as above; the stack is printed after the screen
//	SIGQUIT, SIGABRT, and SIGSEGV and the like
//	from outside                                   giveBack, then the stacks; the exit status is 128 and the signal's number
//	panic in any other goroutine, fatal errors of
//	the runtime, kill -9                           the guard (package guard), on Linux
//	a terminal that takes no more output           writes have a deadline from the signal on; a second later the program ends
//
// Not covered: a program that is stopped, which has not ended.

package tui

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

// The library keeps some 150 bytes of each cell, twice, and more while it draws: the largest screen
// that is drawn takes the program to about 100 MB. It is what a 4K monitor shows with a font of 6
// by 12 pixels. From largeScreen on, garbage is collected sooner.
const (
	maxWidth    = 800
	maxCells    = 640 * 180
	largeScreen = 20_000
)

// fitSize bounds a size that a terminal says it has.
func fitSize(w, h int) (int, int) {
	w = min(max(w, 0), maxWidth)
	return w, min(max(h, 0), maxCells/max(w, 1))
}

// fit bounds a size, and says so on the screen.
func (m *App) fit(w, h int) (int, int) {
	x, y := fitSize(w, h)
	if x*y >= largeScreen && (x != m.w || y != m.h) {
		debug.SetGCPercent(25)
		debug.FreeOSMemory() // what the sizes before have left
	}
	if x < w || y < h {
		m.say(fmt.Sprintf("this terminal has %dx%d cells: the screen takes %dx%d of them, at the top left", w, h, x, y), true)
	}
	return x, y
}

// noteMsg is something to tell the user.
type noteMsg string

// terminal is the terminal while a screen is drawn on it. Bubble Tea reads from it, and knows it
// for a terminal by its methods.
type terminal struct {
	in, screen, errs *os.File // as the program was given them
	out              *os.File // the screen, opened again
	state            *term.State
	guard            *guard.Guard
	signals          chan os.Signal
	note             func(string)

	typed, shown func([]byte) // what passed, for a tape; nil for nobody

	filter  inputFilter
	last    time.Time
	raw     [4 << 10]byte
	ready   []byte // what passed and was not yet read
	passed  []byte
	writing sync.Mutex
	failed  atomic.Bool // a write failed, or the terminal was given back: nothing more is written
	given   sync.Once
}

// openTerminal takes hold of the terminal as it is now.
func openTerminal() (*terminal, error) {
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
	// Without a guard everything works but the ends that need one.
	if t.guard, err = guard.Start(t.in, t.screen, errs); err == nil {
		debug.SetCrashOutput(t.guard.Words(), debug.CrashOptions{})
	}
	return t, nil
}

func (t *terminal) Fd() uintptr  { return t.in.Fd() }
func (t *terminal) Name() string { return t.in.Name() }
func (t *terminal) Close() error { return nil }

// Read gives what may pass of what is typed.
func (t *terminal) Read(b []byte) (int, error) {
	if runtime.GOOS == "windows" { // where keys come as records
		return t.in.Read(b)
	}
	if len(t.ready) == 0 {
		// What passes is at most twice as long. It must fit: Bubble Tea asks for more only when the
		// terminal has more.
		n, err := t.in.Read(t.raw[:min(len(t.raw), max(1, len(b)/2-16))])
		if err == io.EOF || errors.Is(err, syscall.EIO) { // the latter of a terminal that is about to hang up (drivers/tty/n_tty.c)
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
	if was == 0 && t.filter.cutOff > 0 && t.note != nil {
		go t.note(fmt.Sprintf("the paste is longer than %d KiB: what is beyond that was dropped", maxPaste>>10))
	}
	if t.ready = t.passed; t.typed != nil && len(t.ready) > 0 {
		t.typed(t.ready)
	}
}

// hangUp ends the program as a hang-up does, for one whose terminal is not the one that hangs up
// its session.
func (t *terminal) hangUp() {
	select {
	case t.signals <- syscall.SIGHUP:
	default:
	}
}

// Write writes to the terminal, until that fails once: then the screen is no longer what the
// library takes it for.
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

// How long the terminal has to take what it is sent after a signal, and the program to end.
const (
	writePatience = 300 * time.Millisecond
	endPatience   = time.Second
)

// hurry gives what is being written a deadline.
func (t *terminal) hurry() { t.out.SetWriteDeadline(time.Now().Add(writePatience)) }

// giveBack gives the terminal back, once; left says that the library has done what it can.
func (t *terminal) giveBack(left bool) {
	t.given.Do(func() {
		cut := t.failed.Swap(true)
		bounded := t.out.SetWriteDeadline(time.Now()) == nil // who writes now is let go
		term.Restore(t.in.Fd(), t.state)
		if (bounded || t.writing.TryLock()) && (cut || !left) {
			guard.GiveBack(t.out, cut || !left)
		}
		t.guard.Stop()
		debug.SetCrashOutput(nil, debug.CrashOptions{})
	})
}

// endings are the signals that end a program; those that say that something is wrong print the
// stacks.
var endings = map[os.Signal]bool{
	syscall.SIGTERM: false, syscall.SIGINT: false, syscall.SIGHUP: false,
	syscall.SIGQUIT: true, syscall.SIGABRT: true, syscall.SIGSEGV: true, syscall.SIGBUS: true, syscall.SIGFPE: true, syscall.SIGILL: true, syscall.SIGTRAP: true,
}

// SignalError says that a signal ended the program.
type SignalError struct{ Signal syscall.Signal }

func (e SignalError) Error() string { return "ended by a signal: " + e.Signal.String() }

// Status is the exit status by which a shell tells of it.
func (e SignalError) Status() int { return 128 + int(e.Signal) }

// watch waits for signals; quit asks the program to end. It gives the one that ended it, and stops
// when done is closed.
func (t *terminal) watch(quit func(), done <-chan struct{}) <-chan SignalError {
	for s := range endings {
		signal.Notify(t.signals, s)
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

// filterMsg bounds the sizes that terminals say they have, before the library and the model take
// them.
func filterMsg(m *App) func(tea.Model, tea.Msg) tea.Msg {
	return func(_ tea.Model, msg tea.Msg) tea.Msg {
		if s, ok := msg.(tea.WindowSizeMsg); ok {
			s.Width, s.Height = m.fit(s.Width, s.Height)
			return s
		}
		return msg
	}
}
