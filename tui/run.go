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
	"cowscope/tui/pane"

	"github.com/charmbracelet/x/term"
)

// ScreenOptions are the flags of all commands that draw a screen.
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
	Out     io.Writer // receives the differences after the screen is gone
}

// RunLab runs the lab in the terminal until the user quits. Whatever ends it, the subjects are
// ended and the terminal is restored.
func RunLab(o LabOptions) error {
	return o.open("the lab", func() (lab, error) { return actions.Open(o.Options) })
}

// lab is a lab that is opened for one screen.
type lab interface {
	actions.Lab
	Close() error
}

// open opens a lab and shows it.
func (o LabOptions) open(who string, open func() (lab, error)) error {
	if err := needLinux(who); err != nil {
		return err
	}
	if err := needScreen(who, o.ScreenOptions); err != nil {
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
	l, err := open()
	if err != nil {
		return err
	}
	defer l.Close()
	if o.Save == "" {
		return rerunAndShow(l, o, tape)
	}
	r, err := o.saving(l, file)
	if err != nil {
		return err
	}
	return errors.Join(rerunAndShow(r, o, tape), r.Failed())
}

// saving is a lab whose steps are also saved to a file.
func (o LabOptions) saving(l actions.Lab, f *saved.File) (*saved.Recorder, error) {
	w, err := f.Begin(l.Info(), l.History()[0], o.ASLR, o.Program)
	if err != nil {
		return nil, err
	}
	return saved.NewRecorder(l, w), nil
}

// rerunAndShow first runs the commands of a saved session again, if there is one, and then shows
// the lab. Differences in the kernel's answers are summarised at once, and listed when the screen
// is gone.
func rerunAndShow(l actions.Lab, o LabOptions, tape *cast.File) error {
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

// RunReplay shows a saved session in the terminal until the user quits; note is shown at the start,
// "" for nothing.
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
	p, err := lesson.NewPlayer(context.Background(), l, l.Open(o.Options), progress)
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

// show shows a lab; note is shown at the start, "" for nothing.
func (o LabOptions) show(l actions.Lab, tape *cast.File, note string, bad bool) error {
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

// model returns the options of the model. A recording must look the same everywhere, so then the
// terminal is not asked for its background.
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

// needLinux is the error that who, which drives a live process, cannot run on this system.
func needLinux(who string) error {
	if runtime.GOOS == "linux" {
		return nil
	}
	return fmt.Errorf("%s needs Linux: it drives a live process and reads /proc; this is %s, where replay works", who, runtime.GOOS)
}

// needScreen returns in one line why no screen can be drawn, for who.
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
	// 0x0 is the size of a terminal that does not know it yet.
	if w, h, err := term.GetSize(os.Stdout.Fd()); err == nil && w > 0 && h > 0 && (w < pane.MinWidth || h < pane.MinHeight) {
		return fmt.Errorf("%s needs a terminal of at least %dx%d cells; this one has %dx%d", who, pane.MinWidth, pane.MinHeight, w, h)
	}
	return nil
}

func orDefault(theme string) string {
	if theme == "" {
		return cell.Palettes[0].Name
	}
	return theme
}
