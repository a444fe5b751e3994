package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"cowscope/actions"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
)

// LabOptions are the flags of the lab.
type LabOptions struct {
	actions.Options
	ASCII, NoColor bool
	Theme          string
}

// RunLab runs the lab in the terminal until the user quits. Whatever ends it, the subjects are gone and the terminal is as it was.
func RunLab(o LabOptions) error {
	if err := needScreen(o); err != nil {
		return err
	}
	s, err := actions.Open(o.Options)
	if err != nil {
		return err
	}
	defer s.Close()
	m, err := New(s, Options{Theme: o.Theme, ASCII: o.ASCII, Plain: plain(o)})
	if err != nil {
		return err
	}
	return runProgram(m, plain(o))
}

func plain(o LabOptions) bool { return o.NoColor || os.Getenv("NO_COLOR") != "" }

// needScreen says in one line why no screen can be drawn here.
func needScreen(o LabOptions) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the lab needs Linux: it drives a live process and reads /proc; this is %s", runtime.GOOS)
	}
	if _, err := newTheme(orDefault(o.Theme), false, false); err != nil {
		return err
	}
	if !term.IsTerminal(os.Stdin.Fd()) || !term.IsTerminal(os.Stdout.Fd()) {
		return errors.New("the lab needs a terminal: standard input or output is not one")
	}
	if t := os.Getenv("TERM"); t == "dumb" {
		return errors.New("the lab needs a terminal that can place text: TERM is dumb")
	}
	// 0x0 is what a terminal says that does not know its size yet.
	if w, h, err := term.GetSize(os.Stdout.Fd()); err == nil && w > 0 && h > 0 && (w < minWidth || h < minHeight) {
		return fmt.Errorf("the lab needs a terminal of at least %dx%d cells; this one has %dx%d", minWidth, minHeight, w, h)
	}
	return nil
}

func orDefault(theme string) string {
	if theme == "" {
		return palettes[0].name
	}
	return theme
}

// runProgram runs the model in the terminal. SIGTERM, SIGINT and SIGHUP quit as the key does.
func runProgram(m *App, plain bool) error {
	opts := []tea.ProgramOption{tea.WithoutSignalHandler()}
	if plain {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	p := tea.NewProgram(m, opts...)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	go func() {
		<-ctx.Done()
		p.Quit()
	}()
	_, err := p.Run()
	return err
}
