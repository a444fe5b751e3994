//go:build !windows

package tui

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
)

// writer is what Bubble Tea writes to: not a terminal for it, since of one that it knows it takes
// the size before anybody can bound it.
type writer struct{ io.Writer }

// options are what Bubble Tea would find out itself about a terminal.
func (t *terminal) options(m *App) []tea.ProgramOption {
	w, h, err := term.GetSize(t.screen.Fd())
	if err == nil {
		w, h = m.fit(w, h)
	}
	return []tea.ProgramOption{tea.WithInput(t), tea.WithOutput(writer{t}), tea.WithWindowSize(w, h),
		tea.WithColorProfile(colorprofile.Detect(t.screen, os.Environ()))}
}

// watchSize sends the size when it changes, and when a program that was stopped goes on, until done
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
