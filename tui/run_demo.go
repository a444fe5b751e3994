package tui

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"cowscope/actions"
	"cowscope/actions/saved"
	"cowscope/tui/cast"
	"cowscope/tui/cell"
	"cowscope/vmspace/printable"
)

// DemoOptions are the flags of a demo.
type DemoOptions struct {
	LabOptions
	Size   Size // of a screen that nobody sees; zero for the demo's own
	Fast   bool // without waiting
	Steady bool // what differs from run to run is masked, and time is the script's
}

// unseen says whether the demo needs no terminal: it is drawn for its files alone.
func (o DemoOptions) unseen() bool {
	files := o.Record != "" || o.Still != ""
	return o.Steady || o.Size != Size{} || files && needScreen("", o.ScreenOptions) != nil
}

// RunDemo runs a demo: in the terminal, or, where there is none, for its recording and its picture.
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
	s, err := actions.Open(o.Options)
	if err != nil {
		return err
	}
	defer s.Close()
	var l Lab = s
	if o.Steady {
		l = newSteady(s)
	}
	var tape *recorder
	if o.Save != "" {
		into, err := saved.Create(o.Save)
		if err != nil {
			return err
		}
		defer into.Close()
		if tape, err = newRecorder(l, into, o.LabOptions); err != nil {
			return err
		}
		l = tape
	}
	m, err := NewPlay(d, l, screenOptions(o.ScreenOptions, file != nil || unseen))
	if err != nil {
		return err
	}
	m.play.fast, m.play.leaves = o.Fast, file != nil || o.Still != "" || unseen
	p := m.play // which the model lets go at its end
	if unseen {
		err = o.stage(m, file)
	} else {
		err = o.run(m, file, "cowscope: "+d.Title)
	}
	if tape != nil {
		err = errors.Join(err, tape.failed())
	}
	if wrong := p.outcome(); wrong != nil && err == nil {
		return DemoError{wrong}
	}
	return err
}

// DemoError says where a demo went another way than it says.
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
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	defer context.AfterFunc(ctx, m.stop)() // cuts short what is running
	err = errors.Join(s.run(ctx, size), m.tape.Close())
	if o.Still != "" {
		err = errors.Join(err, m.writeStill(o.Still))
	}
	return err
}

// RecordDemos records all demos that cowscope brings along into a directory; told is given the name
// of each file.
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
