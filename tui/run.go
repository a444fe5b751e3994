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
	"cowscope/actions/lesson"
	"cowscope/actions/saved"
	"cowscope/tui/cast"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
)

// ScreenOptions are the flags of everything that draws a screen.
type ScreenOptions struct {
	ASCII, NoColor bool
	Theme          string
}

// LabOptions are the flags of the lab.
type LabOptions struct {
	actions.Options
	ScreenOptions
	Output
	Save    string // file that the session is saved to, "" for none
	Program string // version of cowscope, for that file
}

// RunLab runs the lab in the terminal until the user quits. Whatever ends it, the subjects are gone and the terminal is as it was.
func RunLab(o LabOptions) (err error) {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the lab needs Linux: it drives a live process and reads /proc; this is %s, where replay works", runtime.GOOS)
	}
	if err := needScreen("the lab", o.ScreenOptions); err != nil {
		return err
	}
	tape, err := o.Output.open()
	if err != nil {
		return err
	}
	defer tape.Close()
	file, err := saved.Create(o.Save)
	if err != nil {
		return err
	}
	defer file.Close()
	s, err := actions.Open(o.Options)
	if err != nil {
		return err
	}
	defer s.Close()
	var l Lab = s
	if o.Save != "" {
		r, err := newRecorder(s, file, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.failed()) }()
		l = r
	}
	m, err := New(l, o.model(tape))
	if err != nil {
		return err
	}
	m.presenting = tape != nil
	return o.run(m, tape, "cowscope")
}

// model is how the model of a screen looks. What is recorded is to look the same everywhere, so there no terminal is asked for its ground.
func (o LabOptions) model(tape *cast.File) Options {
	return screenOptions(o.ScreenOptions, tape != nil)
}

func screenOptions(o ScreenOptions, recorded bool) Options {
	if recorded {
		o.Theme = orDefault(o.Theme)
	}
	return Options{Theme: o.Theme, ASCII: o.ASCII, Plain: o.plain()}
}

// run runs the model in the terminal, and leaves the files behind that were asked for.
func (o LabOptions) run(m *App, file *cast.File, title string) (err error) {
	var more []tea.ProgramOption
	if file != nil {
		if m.tape, err = cast.NewTape(file, m.header(o.Cast, terminalSize(), title)); err != nil {
			return err
		}
		more = append(more, tea.WithOutput(tap{os.Stdout, m.tape.Output}))
		if o.Input {
			more = append(more, tea.WithInput(tap{os.Stdin, m.tape.Input}))
		}
	}
	err = errors.Join(runProgram(m, o.plain(), more...), m.tape.Close())
	if o.Still != "" {
		err = errors.Join(err, m.writeStill(o.Still))
	}
	return err
}

// RunReplay shows a recording in the terminal until the user quits; note is told at the start, "" for nothing.
func RunReplay(rec *saved.Recording, o ScreenOptions, note string) error {
	if err := needScreen("replay", o); err != nil {
		return err
	}
	l, err := saved.NewLab(rec)
	if err != nil {
		return err
	}
	m, err := New(l, screenOptions(o, false))
	if err != nil {
		return err
	}
	if note != "" {
		m.say(note, true)
	}
	return runProgram(m, o.plain())
}

// RunLesson runs a lesson in the terminal until the user quits.
func RunLesson(l *lesson.Lesson, progress *lesson.Progress, o LabOptions) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a lesson needs Linux: it drives a live process and reads /proc; this is %s, where replay works", runtime.GOOS)
	}
	if err := needScreen("a lesson", o.ScreenOptions); err != nil {
		return err
	}
	tape, err := o.Output.open()
	if err != nil {
		return err
	}
	defer tape.Close()
	p, err := lesson.NewPlayer(context.Background(), l, lesson.Open(o.Options), progress)
	if err != nil {
		return err
	}
	defer p.Close()
	m, err := NewCourse(p, l.Title, o.model(tape))
	if err != nil {
		return err
	}
	return o.run(m, tape, "cowscope: "+l.Title)
}

func (o ScreenOptions) plain() bool { return o.NoColor || os.Getenv("NO_COLOR") != "" }

// needScreen says in one line why no screen can be drawn here, for who.
func needScreen(who string, o ScreenOptions) error {
	if _, err := newTheme(orDefault(o.Theme), false, false); err != nil {
		return err
	}
	if !term.IsTerminal(os.Stdin.Fd()) || !term.IsTerminal(os.Stdout.Fd()) {
		return fmt.Errorf("%s needs a terminal: standard input or output is not one", who)
	}
	if t := os.Getenv("TERM"); t == "dumb" {
		return fmt.Errorf("%s needs a terminal that can place text: TERM is dumb", who)
	}
	// 0x0 is what a terminal says that does not know its size yet.
	if w, h, err := term.GetSize(os.Stdout.Fd()); err == nil && w > 0 && h > 0 && (w < minWidth || h < minHeight) {
		return fmt.Errorf("%s needs a terminal of at least %dx%d cells; this one has %dx%d", who, minWidth, minHeight, w, h)
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
func runProgram(m *App, plain bool, more ...tea.ProgramOption) error {
	opts := append(more, tea.WithoutSignalHandler())
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
