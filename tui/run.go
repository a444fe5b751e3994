package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"cowscope/actions"
	"cowscope/actions/lesson"
	"cowscope/actions/saved"
	"cowscope/tui/cast"
	"cowscope/tui/cell"

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
	Save    string    // file that the session is saved to, "" for none
	Program string    // version of cowscope, for that file
	From    string    // saved session whose commands are run first, "" for none
	Until   int       // the last step of it, -1 for all
	Out     io.Writer // is told of it when the screen is gone
}

// RunLab runs the lab in the terminal until the user quits. Whatever ends it, the subjects are gone
// and the terminal is as it was.
func RunLab(o LabOptions) error {
	if err := needLinux("the lab"); err != nil {
		return err
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
	if o.Save == "" {
		return rerunAndShow(s, o, tape)
	}
	r, err := newRecorder(s, file, o)
	if err != nil {
		return err
	}
	return errors.Join(rerunAndShow(r, o, tape), r.failed())
}

// rerunAndShow runs a saved session's commands first, where one is given, and shows the lab. What
// the kernel answered otherwise is told at once in short, and in full when the screen is gone.
func rerunAndShow(l Lab, o LabOptions, tape *cast.File) error {
	if o.From == "" {
		return o.show(l, tape, "", false)
	}
	rec, damage := saved.Open(o.From)
	if rec == nil {
		return damage
	}
	last := rec.Steps[len(rec.Steps)-1].N
	if o.Until >= 0 {
		last = min(last, o.Until)
	}
	differ, err := saved.Rerun(context.Background(), rec, l, last)
	if err = errors.Join(err, damage); err != nil {
		return err
	}
	note := fmt.Sprintf("ran again up to step %d: every answer was the same", last)
	if len(differ) > 0 {
		note = fmt.Sprintf("ran again up to step %d: %d answers differ; %s", last, len(differ), differ[0])
	}
	err = o.show(l, tape, note, len(differ) > 0)
	for _, d := range differ {
		fmt.Fprintln(o.Out, d)
	}
	return err
}

// RunReplay shows a recording in the terminal until the user quits; note is told at the start, ""
// for nothing.
func RunReplay(rec *saved.Recording, o ScreenOptions, note string) error {
	if err := needScreen("replay", o); err != nil {
		return err
	}
	l, err := saved.NewLab(rec)
	if err != nil {
		return err
	}
	return LabOptions{ScreenOptions: o}.show(l, nil, note, true)
}

// RunLesson runs a lesson in the terminal until the user quits.
func RunLesson(l *lesson.Lesson, progress *lesson.Progress, o LabOptions) error {
	if err := needLinux("a lesson"); err != nil {
		return err
	}
	if err := needScreen("a lesson", o.ScreenOptions); err != nil {
		return err
	}
	file, err := saved.Create(o.Save)
	if err != nil {
		return err
	}
	defer file.Close()
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
	m.course.saver = newCourseSaver(p, file, o)
	return errors.Join(o.run(m, tape, "cowscope: "+l.Title), m.course.saver.failed())
}

// show shows a lab; note is told at the start, "" for nothing.
func (o LabOptions) show(l Lab, tape *cast.File, note string, bad bool) error {
	m, err := New(l, o.model(tape))
	if err != nil {
		return err
	}
	m.presenting = tape != nil
	if note != "" {
		m.say(note, bad)
	}
	return o.run(m, tape, "cowscope")
}

// model is how the model of a screen looks. What is recorded is to look the same everywhere, so
// there no terminal is asked for its ground.
func (o LabOptions) model(tape *cast.File) Options {
	return screenOptions(o.ScreenOptions, tape != nil)
}

func screenOptions(o ScreenOptions, recorded bool) Options {
	if recorded {
		o.Theme = orDefault(o.Theme)
	}
	return Options{Theme: o.Theme, ASCII: o.ASCII, Plain: o.plain()}
}

func (o ScreenOptions) plain() bool { return o.NoColor || os.Getenv("NO_COLOR") != "" }

// needLinux says that who, which drives a live process, cannot run here.
func needLinux(who string) error {
	if runtime.GOOS == "linux" {
		return nil
	}
	return fmt.Errorf("%s needs Linux: it drives a live process and reads /proc; this is %s, where replay works", who, runtime.GOOS)
}

// needScreen says in one line why no screen can be drawn here, for who.
func needScreen(who string, o ScreenOptions) error {
	if _, err := cell.NewTheme(orDefault(o.Theme), false, false); err != nil {
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
		return cell.Palettes[0].Name
	}
	return theme
}

// framesPerSecond is half of Bubble Tea's own: its renderer ticks also when nothing changes, and
// that is most of what an idle lab costs.
const framesPerSecond = 30

// runProgram runs the model in the terminal. typed and shown are told what is typed and what is
// shown, nil for nobody.
func runProgram(m *App, plain bool, typed, shown func([]byte)) error {
	t, err := openTerminal()
	if err != nil {
		return err
	}
	defer t.giveBack(false) // where Run does not return
	t.typed, t.shown = typed, shown
	f := &fence{m: m}
	opts := append(t.options(m), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond), tea.WithFilter(filterMsg(m)))
	if plain {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	p := tea.NewProgram(f, opts...)
	f.quit, t.note = p.Quit, func(text string) { p.Send(noteMsg(text)) }
	done := make(chan struct{})
	defer close(done)
	t.watchSize(p.Send, done)
	ended := t.watch(p.Quit, done)
	_, err = p.Run()
	t.giveBack(true)
	if e := f.broken(); e != nil {
		return e
	}
	select {
	case e := <-ended:
		return e
	default:
		return err
	}
}
