package tui

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"cowscope/actions/saved"
	"cowscope/actions/steady"
	"cowscope/tui/cast"
	"cowscope/tui/cell"
	"cowscope/tui/terminal"
	"cowscope/vmspace/printable"
)

// DemoOptions are the flags of a demo.
type DemoOptions struct {
	LabOptions
	Size   Size // of a screen without a terminal; zero for the demo's own
	Fast   bool // without delays
	Steady bool // what differs from run to run is masked, and time is that of the script
}

// unseen reports whether the demo needs no terminal, because it is drawn only for its files.
func (o DemoOptions) unseen() bool {
	files := o.Record != "" || o.Still != ""
	return o.Steady || o.Size != Size{} || files && needScreen("", o.ScreenOptions) != nil
}

// RunDemo runs a demo: in the terminal or, if there is none, for its recording and its picture.
func RunDemo(d *Demo, o DemoOptions) error {
	if err := needLinux("a demo"); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	if o.Record == "" && o.Still == "" && o.unseen() {
		return errors.New("with --steady or --size a demo is not shown on the terminal: --record FILE or --still FILE says where it goes")
	}
	unseen := o.unseen()
	if !unseen {
		if err := needScreen("a demo without --record or --still", o.ScreenOptions); err != nil {
			return err
		}
	}
	if o.Theme != "" || unseen {
		if _, err := cell.NewTheme(orDefault(o.Theme), false, false); err != nil {
			return err
		}
	}
	file, err := o.Output.open()
	if err != nil {
		return err
	}
	defer file.Close()
	if o.Steady && d.source.Name != "" {
		return errSteadyProgram
	}
	l, done, err := d.start(o.Options)
	if err != nil {
		return err
	}
	defer done()
	if o.Steady {
		l = steady.New(l)
	}
	var tape *saved.Recorder
	if o.Save != "" {
		into, err := saved.Create(o.Save)
		if err != nil {
			return err
		}
		defer into.Close()
		if tape, err = o.saving(l, into); err != nil {
			return err
		}
		l = tape
	}
	m, err := NewPlay(d, l, screenOptions(o.ScreenOptions, file != nil || unseen))
	if err != nil {
		return err
	}
	m.play.fast, m.play.leaves = o.Fast, file != nil || o.Still != "" || unseen
	p := m.play // the model sets play to nil at its end
	if unseen {
		err = o.stage(m, file)
	} else {
		err = o.run(m, file, "cowscope: "+d.Title)
	}
	if tape != nil {
		err = errors.Join(err, tape.Failed())
	}
	if wrong := p.outcome(); wrong != nil && err == nil {
		return DemoError{wrong}
	}
	return err
}

// errSteadyProgram refuses a recording that would differ from the next one.
var errSteadyProgram = errors.New("with --steady no demo about a program is recorded: its addresses and page faults differ from run to run")

// DemoError is the place where a demo failed.
type DemoError struct{ error }

func (e DemoError) Unwrap() error { return e.error }

// stage plays the demo on a stage.
func (o DemoOptions) stage(m *App, file *cast.File) (err error) {
	size := o.Size
	for _, other := range []Size{m.play.demo.Size, DefaultSize} {
		if (size == Size{}) {
			size = other
		}
	}
	s := newStage(m, nil)
	s.real = !o.Steady
	if file != nil {
		h := m.header(o.Cast, size, "cowscope: "+m.play.demo.Title)
		h.Term = stageTerm
		if o.Steady {
			h.Timestamp, h.Shell = 0, ""
		}
		if m.tape, err = cast.NewTapeAt(file, h, func() time.Duration { return s.now }); err != nil {
			return err
		}
		s.tape = m.tape
	}
	ctx, stop := terminal.Interruptible()
	defer stop()
	defer context.AfterFunc(ctx, m.stop)() // interrupts a running command
	err = errors.Join(s.run(ctx, size), m.tape.Close())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if o.Still != "" {
		err = errors.Join(err, m.writeStill(o.Still))
	}
	return err
}

// RecordDemos records all embedded demos into a directory; told is called with the name of each
// file.
func RecordDemos(dir string, o DemoOptions, told func(string)) error {
	all, err := Demos()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return printable.Error(err)
	}
	for _, d := range all {
		if why, err := d.Missing(); err != nil || why != "" {
			told(why)
			continue
		}
		if o.Steady && d.source.Name != "" {
			told(d.Name + ": " + errSteadyProgram.Error())
			continue
		}
		o.Record = filepath.Join(dir, d.Name+".cast")
		if o.Size == (Size{}) {
			o.Size = d.Size
		}
		if err := RunDemo(d, o); err != nil {
			return err
		}
		told(printable.Name(o.Record))
	}
	return nil
}
