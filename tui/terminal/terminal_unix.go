//go:build !windows

package terminal

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"golang.org/x/sys/unix"
)

// writer is what Bubble Tea writes to. It hides that it is a terminal, because Bubble Tea would
// read the size of a terminal itself, before it can be bounded.
type writer struct{ io.Writer }

// options are what Bubble Tea would otherwise find out itself about a terminal.
func (t *terminal) options() []tea.ProgramOption {
	w, h, err := term.GetSize(t.screen.Fd())
	if err == nil {
		w, h = t.fit(w, h)
	}
	return []tea.ProgramOption{tea.WithInput(t), tea.WithOutput(writer{t}), tea.WithWindowSize(w, h),
		tea.WithColorProfile(colorprofile.Detect(t.screen, os.Environ()))}
}

// watchSize sends the size when it changes, and when the program continues after a stop, until done
// is closed.
func (t *terminal) watchSize(send func(tea.Msg), done <-chan struct{}) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH, syscall.SIGCONT)
	go func() {
		defer signal.Stop(changed)
		for {
			select {
			case <-changed:
				if w, h, err := term.GetSize(t.screen.Fd()); err == nil {
					send(tea.WindowSizeMsg{Width: w, Height: h})
				}
			case <-done:
				return
			}
		}
	}()
}

// CanStop reports whether another process could continue this program if it stopped: a parent in
// its session that is not in its process group, such as a shell. The kernel does not stop a process
// without one (is_current_pgrp_orphaned in kernel/exit.c), and Bubble Tea would wait for the stop
// to end.
func CanStop() bool {
	parent := os.Getppid()
	group, err := unix.Getpgid(parent)
	session, err2 := unix.Getsid(parent)
	own, err3 := unix.Getsid(0)
	return err == nil && err2 == nil && err3 == nil && group != unix.Getpgrp() && session == own
}
