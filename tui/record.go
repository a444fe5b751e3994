// Recording: what is written to the terminal is recorded too, with a marker for each step.

package tui

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"cowscope/actions/history"
	"cowscope/tui/cast"
	"cowscope/tui/terminal"

	"github.com/charmbracelet/x/term"
)

// Output is the files that a screen writes. The zero Output writes none.
type Output struct {
	Record string // file of the recording
	Cast   int    // version of its format
	Input  bool   // input is recorded too
	Still  string // file of a picture of the last screen
}

// check returns the first mistake in the options, before anything runs.
func (o Output) check() error {
	if o.Record == "" && o.Input {
		return errors.New("--record-input needs --record FILE: it says what goes into the recording")
	}
	if o.Record != "" && !slices.Contains(cast.Versions, o.Cast) {
		return fmt.Errorf("--cast-version %d: there are versions %v", o.Cast, cast.Versions)
	}
	if o.Still == "" {
		return nil
	}
	k, err := stillKind(o.Still)
	if err == nil {
		err = k.file("--still").Check(o.Still)
	}
	return err
}

// open opens the file of the recording, nil if there is none.
func (o Output) open() (*cast.File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return cast.Create(o.Record)
}

// chapters records a marker for each new step, except expectations of a lesson or a demo.
func (m *App) chapters() {
	for _, st := range m.steps[history.At(m.steps, m.chapter):] {
		if st.N <= m.chapter {
			continue
		}
		m.chapter = st.N
		by := st.Check && st.OK() && (m.course != nil || m.play != nil)
		if st.N == 0 || by {
			continue
		}
		name := st.Command
		if name == "" {
			name = st.Event
		}
		if m.course != nil {
			s := m.course.player.State()
			name = fmt.Sprintf("%d/%d %s · %s", s.Front+1, len(s.Steps), s.Steps[s.Front].Heading, name)
		}
		m.tape.Marker(name)
	}
	if err := m.tape.Fails(); err != nil {
		m.say(err.Error(), true)
	}
}

// refresh reads the history of the lab, and stays at the step that is shown, or at the last kept one
// before it. It reports whether the history is another one, of a fresh subject.
func (m *App) refresh() (another bool) {
	first, shown := m.steps[0], m.step().N
	m.steps = m.lab.History()
	m.pos = history.At(m.steps, shown)
	if another = m.steps[0] != first; another {
		m.chapter = -1
	} else if n := m.step().N; n != shown {
		m.look, m.fresh = "", false
		m.say(fmt.Sprintf("step %d is no longer kept; this is step %d", shown, n), false)
	}
	if m.tape != nil {
		m.chapters()
	}
	return another
}

// header describes a recording of this screen.
func (m *App) header(version int, size Size, title string) cast.Header {
	h := cast.Header{Version: version, Width: size.W, Height: size.H, Title: title, Term: os.Getenv("TERM"), Shell: os.Getenv("SHELL"), Timestamp: time.Now().Unix()}
	if p := m.theme.Palette; !m.theme.Plain {
		h.Theme = &cast.Theme{Foreground: p.Text, Background: p.Ground, Palette: p.ANSI}
	}
	return h
}

// terminalSize is the size of the terminal; if it does not know its size yet, the usual one.
func terminalSize() Size {
	w, h, err := term.GetSize(os.Stdout.Fd())
	if err != nil || w <= 0 || h <= 0 {
		return Size{80, 24}
	}
	w, h = terminal.Fit(w, h)
	return Size{w, h}
}

// run runs the model in the terminal, and writes the requested files.
func (o LabOptions) run(m *App, file *cast.File, title string) (err error) {
	var typed, shown func([]byte)
	if file != nil {
		if m.tape, err = cast.NewTape(file, m.header(o.Cast, terminalSize(), title)); err != nil {
			return err
		}
		// The steps before it are not in the recording.
		m.chapter = m.steps[len(m.steps)-1].N
		if shown = m.tape.Output; o.Input {
			typed = m.tape.Input
		}
	}
	err = errors.Join(terminal.Run(m, terminal.Options{Plain: o.plain(), Typed: typed, Shown: shown}), m.tape.Close())
	if o.Still != "" {
		err = errors.Join(err, m.writeStill(o.Still))
	}
	return err
}
